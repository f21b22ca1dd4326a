"""The global order: a pure function of seed, source and pass, however many ranks share it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stage2_train.stream.order import (
    MOST_RUNS,
    Cursor,
    Slot,
    SourceOrder,
    mini_batch_sizes,
    split_over_ranks,
)

COUNTS = st.lists(st.integers(0, 9), min_size=1, max_size=5).filter(any)
SIZES = st.dictionaries(st.text(min_size=1), st.integers(1, 40), min_size=1, max_size=5)


def stretch(order: SourceOrder, cursor: Cursor, samples: int) -> list[Slot]:
    return order.slots(cursor, range(samples))


@settings(deadline=None, derandomize=True)
@given(COUNTS, st.integers(1, 12), st.integers(1, 70), st.integers(0, 60))
def test_any_number_of_ranks_takes_the_same_samples_from_any_cursor(
    counts: list[int], size: int, ranks: int, taken: int
) -> None:
    order = SourceOrder(3, "objects", counts)
    split = split_over_ranks({"before": 5, "objects": size}, ranks)["objects"]
    whole = stretch(order, Cursor(), taken + 3 * size)[taken:]
    cursor, found = order.after(Cursor(), taken), []
    for _ in range(3):
        parts = {rank: order.slots(cursor, split.numbers(rank)) for rank in range(ranks)}
        assert tuple(map(len, parts.values())) == split.by_rank
        found += [parts[(split.first + n) % ranks].pop(0) for n in range(size)]
        cursor = order.after(cursor, size)
    assert found == whole


@settings(deadline=None, derandomize=True)
@given(COUNTS, st.integers(0, 4))
def test_a_pass_takes_every_sample_once(counts: list[int], passes: int) -> None:
    order = SourceOrder(3, "objects", counts)
    slots = stretch(order, Cursor(passes), order.samples)
    there = {(shard, row) for shard, count in enumerate(counts) for row in range(count)}
    assert {slot[1:] for slot in slots} == there
    assert {slot.passes for slot in slots} == {passes}


def test_seed_source_and_pass_each_change_the_order() -> None:
    def start(seed: int, source: str, passes: int) -> list[tuple[int, ...]]:
        slots = stretch(SourceOrder(seed, source, [9, 9]), Cursor(passes), 18)
        return [slot[1:] for slot in slots]

    orders = [start(0, "a", 0), start(1, "a", 0), start(0, "b", 0), start(0, "a", 1)]
    assert start(0, "a", 0) == orders[0]
    assert all(other != orders[0] for other in orders[1:])


def test_a_batch_mixes_as_many_tars_as_there_are_runs() -> None:
    order = SourceOrder(0, "a", [100] * 256)
    for step in range(5):
        batch = stretch(order, order.after(Cursor(), 128 * step), 128)
        assert len({slot.shard for slot in batch}) >= MOST_RUNS


@pytest.mark.parametrize("ranks", [2, 8, 64])
def test_ranks_share_the_tars_of_a_pass(ranks: int) -> None:
    """Each tar is one rank's, but for those that the end of a run cuts; 64 runs, 256 tars."""
    order, split = SourceOrder(0, "a", [10] * 256), split_over_ranks({"a": 128}, ranks)["a"]
    tars = [set[int]() for _ in range(ranks)]
    for step in range(2560 // 128):
        cursor = order.after(Cursor(), 128 * step)
        for rank, own in enumerate(tars):
            own |= {slot.shard for slot in order.slots(cursor, split.numbers(rank))}
    assert sum(map(len, tars)) <= 256 + ranks


def test_a_source_without_samples_is_refused() -> None:
    with pytest.raises(ValueError, match="source 'a' has no samples"):
        SourceOrder(0, "a", [0, 0])


@settings(deadline=None, derandomize=True)
@given(SIZES, st.integers(1, 9))
def test_ranks_differ_by_at_most_one_in_every_source_and_in_all(
    sizes: dict[str, int], ranks: int
) -> None:
    splits = split_over_ranks(sizes, ranks)
    assert {source: split.size for source, split in splits.items()} == sizes
    totals = [sum(split.by_rank[rank] for split in splits.values()) for rank in range(ranks)]
    for counts in (*(split.by_rank for split in splits.values()), totals):
        assert max(counts) - min(counts) <= 1


@settings(deadline=None, derandomize=True)
@given(
    st.dictionaries(st.text(min_size=1), st.floats(0.01, 100), min_size=1, max_size=6),
    st.integers(1, 5000),
)
def test_mini_batch_sizes_are_exact_and_within_one_of_their_share(
    weights: dict[str, float], total: int
) -> None:
    sizes = mini_batch_sizes(weights, total)
    assert sum(sizes.values()) == total
    whole = sum(weights.values())
    assert all(abs(sizes[n] - total * w / whole) < 1 + 1e-6 for n, w in weights.items())
