"""The bounded map over threads: order, bound, and errors at their turn."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.engine.prefetch import prefetched_map


@settings(deadline=None, derandomize=True, max_examples=40)
@given(st.lists(st.integers(), max_size=30), st.integers(0, 40), st.integers(1, 4))
def test_results_keep_their_order(items: list[int], ahead: int, workers: int) -> None:
    with ThreadPoolExecutor(workers) as threads:
        mapped = prefetched_map(threads, lambda item: item * 2, items, ahead)
        assert list(mapped) == [item * 2 for item in items]


def test_slow_items_do_not_change_the_order() -> None:
    another = threading.Event()

    def slow_first(item: int) -> int:
        if item == 0:
            assert another.wait(60)
        another.set()
        return item

    with ThreadPoolExecutor(4) as threads:
        assert list(prefetched_map(threads, slow_first, range(8), 8)) == list(range(8))


@pytest.mark.parametrize("ahead", [1, 3, 8])
def test_no_more_than_ahead_items_are_under_way(ahead: int) -> None:
    taken = []

    def items() -> Iterator[int]:
        for item in range(20):
            taken.append(item)
            yield item

    with ThreadPoolExecutor(2) as threads:
        for done, _ in enumerate(prefetched_map(threads, str, items(), ahead), 1):
            assert len(taken) <= done + ahead


def test_an_error_of_the_function_comes_at_its_turn() -> None:
    with ThreadPoolExecutor(2) as threads:
        mapped = prefetched_map(threads, lambda item: 6 // item, [3, 2, 0, 1], 4)
        assert [next(mapped), next(mapped)] == [2, 3]
        with pytest.raises(ZeroDivisionError):
            next(mapped)


def test_an_error_of_the_items_comes_at_its_turn() -> None:
    """A tar that breaks off does not take the samples before it along."""

    def items() -> Iterator[int]:
        yield from (1, 2)
        raise OSError("broken off")

    with ThreadPoolExecutor(2) as threads:
        mapped = prefetched_map(threads, str, items(), 8)
        assert [next(mapped), next(mapped)] == ["1", "2"]
        with pytest.raises(OSError, match="broken off"):
            next(mapped)


def test_what_is_under_way_when_it_is_left_is_told_when_done() -> None:
    told: list[int] = []
    with ThreadPoolExecutor(2) as threads:
        mapped = prefetched_map(
            threads, abs, range(9), 4, left=lambda each: told.append(each.result())
        )
        assert next(mapped) == 0
        mapped.close()
    assert sorted(told) == [1, 2, 3, 4]
