"""Point cloud views: ULIP's chain, by its formulas, by its own numbers, and by its statistics."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import ViewsConfig
from pipeline.views import EVALUATION, ViewMaker, ViewRng, chain_for
from pipeline.views.points import PointsParams, WholeParams, apply_points, sample_points

REPEATABLE = settings(deadline=None, derandomize=True)
DRAWS = 10_000
SUBSET = np.array([3, 4], dtype=np.uint64)
GOLDEN = np.load(Path(__file__).parents[1] / "golden/ulip_augmentation.npz", allow_pickle=False)


@pytest.fixture(scope="module")
def drawn() -> list[PointsParams]:
    return [sample_points(ViewRng(0, f"cloud-{number}", 0), 64) for number in range(DRAWS)]


def cloud(count: int = 64, channels: int = 3, seed: int = 0) -> np.ndarray:
    points = np.random.default_rng(seed).normal(size=(count, channels)) * 3 + 5
    return points.astype(np.float32)


def neutral(count: int = 64, **changes: object) -> PointsParams:
    values = {
        "subset": SUBSET, "dropped": np.zeros(count, dtype=bool), "scale": 1.0,
        "shift": np.zeros(3), "perturb": np.zeros(3), "rotate": 0.0,
    }  # fmt: skip
    return PointsParams(**{**values, **changes})


def undone_order(points: np.ndarray) -> np.ndarray:
    """The stored cloud whose random order under SUBSET is `points`."""
    order = np.argsort(np.random.Philox(key=SUBSET).random_raw(len(points)), kind="stable")
    stored = np.empty_like(points)
    stored[order] = points
    return stored


def unit_sphere(points: np.ndarray) -> np.ndarray:
    """ULIP's pc_norm, written plainly."""
    centred = points - points.mean(axis=0)
    return centred / np.sqrt((centred**2).sum(axis=1)).max()


def evenly(values: np.ndarray, low: float, high: float) -> bool:
    quartiles = (np.quantile(values, [0.25, 0.5, 0.75]) - low) / (high - low)
    inside = low <= values.min() and values.max() <= high
    return inside and bool(np.abs(quartiles - [0.25, 0.5, 0.75]).max() < 0.02)


def test_dropout_ratios_are_uniform_up_to_seven_eighths(drawn: list[PointsParams]) -> None:
    shares = np.array([p.dropped.mean() for p in drawn])
    assert shares.mean() == pytest.approx(0.875 / 2, abs=0.01)
    assert shares.std() == pytest.approx(0.875 / np.sqrt(12), abs=0.015)
    assert np.quantile(shares, 0.999) < 0.99


def test_scale_shift_and_rotation_are_uniform(drawn: list[PointsParams]) -> None:
    assert evenly(np.array([p.scale for p in drawn]), 0.8, 1.25)
    assert evenly(np.array([p.rotate for p in drawn]), 0, 2 * np.pi)
    shifts = np.stack([p.shift for p in drawn])
    assert all(evenly(shifts[:, axis], -0.1, 0.1) for axis in range(3))


def test_perturbations_are_clipped_normals(drawn: list[PointsParams]) -> None:
    angles = np.stack([p.perturb for p in drawn])
    assert np.abs(angles).max() == 0.18
    assert np.mean(np.abs(angles) == 0.18) == pytest.approx(0.0027, abs=0.001)  # 3 sigma
    inside = angles[np.abs(angles) < 0.18]
    assert inside.std() == pytest.approx(0.06, abs=0.002)
    assert abs(inside.mean()) < 0.002


def test_official_augmentation_of_ulip_is_reproduced() -> None:
    """salesforce/ULIP's own functions under np.random.seed(0), on the same draws."""
    official = np.random.RandomState(0)
    raw = GOLDEN["raw_cloud"]
    params = neutral(
        dropped=official.random_sample(1) * 0.875 >= official.random_sample(len(raw)),
        scale=official.uniform(0.8, 1.25), shift=official.uniform(-0.1, 0.1, 3),
        perturb=np.clip(0.06 * official.randn(3), -0.18, 0.18),
        rotate=official.uniform() * 2 * np.pi,
    )  # fmt: skip
    assert official.random_sample() == GOLDEN["aug_next_random"]
    view = apply_points(undone_order(raw), params, len(raw))[:256]
    expected = GOLDEN["aug5_rotate_y_first_256"]
    assert np.linalg.norm(view - expected) / np.linalg.norm(expected) < 1e-5


def test_official_normalisation_is_reproduced() -> None:
    raw = GOLDEN["raw_cloud"]
    view = apply_points(undone_order(raw), neutral(len(raw)), len(raw))[:256]
    expected = GOLDEN["pc_norm_first_256"]
    assert np.linalg.norm(view - expected) / np.linalg.norm(expected) < 1e-5


@REPEATABLE
@given(st.integers(0, 10_000))
def test_the_chain_is_its_formulas(number: int) -> None:
    points, p = cloud(seed=number).astype(np.float64), sample_points(ViewRng(0, str(number), 0), 64)
    order = np.argsort(np.random.Philox(key=p.subset).random_raw(64), kind="stable")
    xyz = unit_sphere(points[order])
    xyz[p.dropped] = xyz[0]
    xyz = xyz * p.scale + p.shift
    (a, b, c), y = p.perturb, p.rotate
    rx = [[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]]
    ry = [[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]]
    rz = [[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]]
    about_y = [[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]]
    expected = xyz @ (np.array(rz) @ ry @ rx) @ np.array(about_y)
    assert np.abs(apply_points(cloud(seed=number), p, 64) - expected).max() < 1e-5


@pytest.mark.parametrize("stored", [1, 5, 64, 200])
@pytest.mark.parametrize("channels", [3, 6])
def test_any_number_of_stored_points_gives_the_canonical_size(stored: int, channels: int) -> None:
    points = cloud(stored, channels)
    for params in (sample_points(ViewRng(0, "a", 0), 64), WholeParams()):
        view = apply_points(points, params, 64)
        assert (view.shape, view.dtype) == ((64, channels), np.float32)
        assert np.isfinite(view).all()


def test_too_few_points_are_repeated_evenly() -> None:
    view = apply_points(cloud(20), neutral(), 64)
    _, times = np.unique(view, axis=0, return_counts=True)
    assert sorted(set(times)) == [3, 4]
    assert len(times) == 20


def test_subsets_of_a_large_cloud_differ_between_views() -> None:
    stored, views = cloud(500), []
    for view in range(2):
        subset = sample_points(ViewRng(0, "large", view), 64).subset
        views.append(apply_points(stored, neutral(subset=subset), 64))
    assert all(len(np.unique(view, axis=0)) == 64 for view in views)
    assert not np.array_equal(views[0], views[1])


def test_colours_stay_as_they_are_and_follow_their_points() -> None:
    stored = cloud(64, 6)
    params = neutral(rotate=1.0, scale=0.9, dropped=np.arange(64) % 2 == 1)
    view = apply_points(undone_order(stored), params, 64)
    assert np.array_equal(view[::2, 3:], stored[::2, 3:])
    assert (view[1::2] == view[0]).all()


def test_apply_is_pure() -> None:
    stored, params = cloud(200), sample_points(ViewRng(0, "pure", 0), 64)
    before = stored.copy()
    first = apply_points(stored, params, 64)
    assert np.array_equal(stored, before)
    assert np.array_equal(apply_points(stored, params, 64), first)


def test_the_evaluation_view_is_whole_normalised_and_never_random() -> None:
    makers = [ViewMaker(chain_for("points", "points"), s, ViewsConfig(points=64)) for s in (0, 1)]
    one, other = (maker(cloud(), key, EVALUATION).array for maker, key in zip(makers, "ab"))
    assert np.array_equal(one, other)
    assert np.abs(one - unit_sphere(cloud())).max() < 1e-5


def test_the_evaluation_view_of_a_large_cloud_spreads_over_it() -> None:
    """Farthest points from the first on, each checked against the plain definition."""
    stored = cloud(200)
    view = apply_points(stored, WholeParams(), 16)
    chosen = [0]
    for _ in range(15):
        distances = ((stored[:, None] - stored[chosen]) ** 2).sum(axis=2).min(axis=1)
        chosen.append(int(distances.argmax()))
    assert np.abs(view - unit_sphere(stored[chosen])).max() < 1e-5


def test_the_evaluation_view_takes_the_last_of_equally_far_points() -> None:
    square = np.array([[0, 0, 0], [1, 0, 0], [0, 0, 1], [-1, 0, 0], [0, 0, -1]], np.float32)
    view = apply_points(square, WholeParams(), 3)
    assert np.abs(view - unit_sphere(square[[0, 4, 3]])).max() < 1e-6


@pytest.mark.parametrize("points", [np.zeros((9, 3)), np.full((9, 3), 7.5), np.zeros((1, 3))])
def test_a_cloud_without_extent_stays_finite(points: np.ndarray) -> None:
    view = apply_points(points.astype(np.float32), WholeParams(), 16)
    assert np.array_equal(view, np.zeros((16, 3)))
