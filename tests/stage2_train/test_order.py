"""The global order: a pure function of seed, source and pass, however many ranks share it."""

from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stage2_train.order import Cursor, SourceOrder, mini_batch_sizes, spread

COUNTS = st.lists(st.integers(0, 9), min_size=1, max_size=5).filter(any)
SIZES = st.dictionaries(st.text(min_size=1), st.integers(1, 40), min_size=1, max_size=5)


@settings(deadline=None, derandomize=True)
@given(COUNTS, st.integers(1, 12), st.integers(1, 4), st.integers(0, 60))
def test_any_number_of_ranks_takes_the_same_samples(
    counts: list[int], size: int, ranks: int, taken: int
) -> None:
    order = SourceOrder(3, "objects", counts)
    cursor = order.after(Cursor(), taken)
    whole = list(islice(order.slots(Cursor()), taken + 3 * size))[taken:]
    share = spread({"before": 5, "objects": size}, ranks)["objects"]
    parts = [order.part(cursor, *share.bounds(rank), size) for rank in range(ranks)]
    steps = range(3)
    found = [
        slot
        for _ in steps
        for rank, part in enumerate(parts)
        for slot in islice(part, share.by_rank[rank])
    ]
    assert found == whole


@settings(deadline=None, derandomize=True)
@given(COUNTS, st.integers(0, 4))
def test_a_pass_takes_every_sample_once(counts: list[int], passes: int) -> None:
    order = SourceOrder(3, "objects", counts)
    slots = list(islice(order.slots(Cursor(passes)), order.samples))
    there = {(shard, row) for shard, count in enumerate(counts) for row in range(count)}
    assert {slot[1:] for slot in slots} == there
    assert {slot.passes for slot in slots} == {passes}


def test_seed_source_and_pass_each_change_the_order() -> None:
    def start(seed: int, source: str, passes: int) -> list[tuple[int, int]]:
        slots = SourceOrder(seed, source, [9, 9]).slots(Cursor(passes))
        return [slot[1:] for slot in islice(slots, 18)]

    orders = [start(0, "a", 0), start(1, "a", 0), start(0, "b", 0), start(0, "a", 1)]
    assert start(0, "a", 0) == orders[0]
    assert all(other != orders[0] for other in orders[1:])


def test_a_source_without_samples_is_refused() -> None:
    with pytest.raises(ValueError, match="source 'a' has no samples"):
        SourceOrder(0, "a", [0, 0])


@settings(deadline=None, derandomize=True)
@given(SIZES, st.integers(1, 9))
def test_ranks_differ_by_at_most_one_in_every_source_and_in_all(
    sizes: dict[str, int], ranks: int
) -> None:
    shares = spread(sizes, ranks)
    assert {source: share.size for source, share in shares.items()} == sizes
    totals = [sum(share.by_rank[rank] for share in shares.values()) for rank in range(ranks)]
    for counts in (*(share.by_rank for share in shares.values()), totals):
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
