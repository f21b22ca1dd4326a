"""The counter-based generator: pinned to its raw stream, uniform, and apart in every stream."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.views import ViewRng
from pipeline.views.rng import philox

REPEATABLE = settings(deadline=None, derandomize=True)
DRAWS = 10_000


def many(seed: int = 0) -> ViewRng:
    return ViewRng(seed, "chair", 3)


def test_raw_values_are_pinned() -> None:
    """Philox4x64-10 keyed by blake2b: another value here means that every cache is void."""
    assert ViewRng(0, "chair-001", 0).raw(3).tolist() == [
        6043107408782239541, 2037656067688656763, 9935723889947635433,
    ]  # fmt: skip
    assert ViewRng(7, "chair-001", 2, "image").raw(2).tolist() == [
        8999478308839040704, 7673534801796713982,
    ]  # fmt: skip


def test_derived_values_are_pinned() -> None:
    rng = ViewRng(0, "chair-001", 0)
    assert rng.uniforms(2).tolist() == [0.32759750905824747, 0.11046155676831548]
    assert [rng.integer(14) for _ in range(4)] == [7, 9, 2, 5]
    assert rng.permutation(6).tolist() == [4, 0, 5, 2, 1, 3]
    assert rng.normals(2).tolist() == pytest.approx([-0.4739134044, -0.2760937452], abs=1e-9)


def test_uniforms_fill_their_range_evenly() -> None:
    values = many().uniforms(DRAWS, -2.0, 6.0)
    assert values.min() >= -2
    assert values.max() < 6
    counts, _ = np.histogram(values, bins=8, range=(-2, 6))
    assert np.abs(counts - DRAWS / 8).max() < 5 * np.sqrt(DRAWS / 8)


@pytest.mark.parametrize("high", [1, 2, 3, 14, 1000])
def test_integers_are_uniform(high: int) -> None:
    rng = many()
    counts = np.bincount([rng.integer(high) for _ in range(DRAWS)], minlength=high)
    assert len(counts) == high
    assert np.abs(counts - DRAWS / high).max() < 5 * np.sqrt(DRAWS / high)


def test_normals_are_standard() -> None:
    values = many().normals(DRAWS)
    assert abs(values.mean()) < 0.05
    assert values.std() == pytest.approx(1, abs=0.03)
    assert np.mean(np.abs(values) < 1.96) == pytest.approx(0.95, abs=0.01)


def test_every_permutation_is_equally_likely() -> None:
    rng = many()
    drawn = [tuple(rng.permutation(3).tolist()) for _ in range(6000)]
    counts = [drawn.count(order) for order in set(drawn)]
    assert len(counts) == 6
    assert min(counts) > 850
    assert max(counts) < 1150


@pytest.mark.parametrize("probability", [0.0, 0.25, 0.5, 1.0])
def test_chances_come_true_as_often_as_they_say(probability: float) -> None:
    rng = many()
    hits = sum(rng.chance(probability) for _ in range(DRAWS))
    assert hits / DRAWS == pytest.approx(probability, abs=0.02)


@REPEATABLE
@given(st.integers(0, 2**63), st.text(), st.integers(-1, 1000))
def test_any_other_name_is_another_stream(seed: int, key: str, view: int) -> None:
    mine = ViewRng(seed, key, view).raw(4).tolist()
    assert ViewRng(seed, key, view).raw(4).tolist() == mine
    others = [
        ViewRng(seed + 1, key, view), ViewRng(seed, key + "x", view),
        ViewRng(seed, key, view + 1), ViewRng(seed, key, view, "image"),
    ]  # fmt: skip
    assert all(other.raw(4).tolist() != mine for other in others)


def test_streams_are_uncorrelated() -> None:
    values = np.stack([ViewRng(0, "chair", view).uniforms(2000) for view in range(8)])
    correlations = np.corrcoef(values) - np.eye(8)
    assert np.abs(correlations).max() < 0.08


def test_draws_leave_the_global_generators_alone() -> None:
    before = np.random.get_state()[1].tolist()
    many().normals(100)
    assert np.random.get_state()[1].tolist() == before


def test_a_named_stream_is_the_same_wherever_it_is_taken_from() -> None:
    used = ViewRng(0, "chair", 1, "image")
    used.raw(5)
    assert used.stream("mask").raw(3).tolist() == ViewRng(0, "chair", 1, "mask").raw(3).tolist()


def test_a_keyed_generator_has_numpys_bits_and_asks_for_no_entropy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key = np.array([2**64 - 1, 7], np.uint64)
    expected = np.random.Philox(key=key).random_raw(9).tolist()
    monkeypatch.setattr("numpy.random.bit_generator.randbits", lambda bits: pytest.fail("entropy"))
    assert philox(key).random_raw(9).tolist() == expected


def test_one_draw_is_the_first_of_many() -> None:
    assert many().uniform(-2.0, 6.0) == many().uniforms(3, -2.0, 6.0)[0]
    assert many().integer(1000) == int(many().raw(1)[0]) * 1000 >> 64
