"""Blocks that results lie in: taken again once nothing lies in them, and not before."""

import numpy as np
import pytest

from pipeline.engine import blocks as module
from pipeline.engine.blocks import Blocks


def held(blocks: Blocks, size: int, value: int) -> tuple[int, np.ndarray]:
    """Taken, filled and received."""
    number, memory = blocks.take(size)
    memory[:] = bytes([value]) * size
    return number, np.frombuffer(blocks.hold(number), np.uint8)[:size]


def test_a_block_is_taken_again_once_its_arrays_are_gone() -> None:
    blocks = Blocks()
    first, array = held(blocks, 5000, 1)
    part = array[10:20]
    del array
    second, _ = held(blocks, 5000, 2)
    assert second != first
    assert part.tolist() == [1] * 10
    del part
    held(blocks, 9, 3)  # what is gone is seen when another comes
    assert held(blocks, 5000, 4)[0] == first


def test_a_block_that_is_given_back_unseen_is_taken_again() -> None:
    blocks = Blocks()
    number, _ = blocks.take(100)
    assert blocks.take(100)[0] != number
    blocks.give_back(number)
    assert blocks.take(99)[0] == number


def test_no_small_result_keeps_a_large_block() -> None:
    blocks = Blocks()
    number, _ = blocks.take(1 << 20)
    blocks.give_back(number)
    assert blocks.take(10)[0] != number


def test_blocks_larger_than_what_is_mapped_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SEGMENT", 1 << 21)
    blocks = Blocks()
    sizes = [100, 3 << 20, 1 << 19, 1 << 21, 100, 1 << 20]
    arrays = [held(blocks, size, value)[1] for value, size in enumerate(sizes)]
    for value, (size, array) in enumerate(zip(sizes, arrays)):
        assert len(array) == size
        assert (array == value).all()


def test_arrays_outlive_what_they_came_through() -> None:
    assert held(Blocks(), 100, 7)[1].tolist() == [7] * 100
