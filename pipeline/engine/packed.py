"""Results on their way between processes: all their arrays in one block of shared memory."""

import io
import pickle
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pipeline.engine.blocks import Blocks

ALIGNED = 64
"""Bytes: where each array starts in the block is a multiple."""


@dataclass(frozen=True)
class Packed:
    """A value without its arrays, and the block that holds them."""

    structure: bytes
    """Pickled; the arrays' places are left open."""
    sizes: list[int]
    """Bytes of each array."""
    block: int | None
    """Its number; None where there is nothing to hold."""


def packed(value: Any, blocks: Blocks) -> Packed:
    """A value of plain data, dataclasses, numpy arrays and CPU tensors, ready to be sent."""
    found: list[pickle.PickleBuffer] = []
    file = io.BytesIO()
    _Pickler(file, protocol=5, buffer_callback=found.append).dump(value)
    arrays = [buffer.raw() for buffer in found]
    sizes = [array.nbytes for array in arrays]
    if not any(sizes):
        return Packed(file.getvalue(), sizes, None)
    block, memory = blocks.take(sum(map(_room, sizes)))
    for place, array in zip(_places(memory, sizes), arrays):
        place[:] = array
    return Packed(file.getvalue(), sizes, block)


def unpacked(result: Packed, blocks: Blocks) -> Any:
    """The value; its arrays lie in the block, which is theirs until the last of them is gone."""
    memory = memoryview(bytearray()) if result.block is None else blocks.hold(result.block)
    return pickle.loads(result.structure, buffers=_places(memory, result.sizes))


class _Pickler(pickle.Pickler):
    def reducer_override(self, value: Any) -> Any:
        """A tensor goes as the array that shares its memory."""
        return (torch.from_numpy, (value.numpy(),)) if isinstance(value, Tensor) else NotImplemented


def _places(memory: memoryview, sizes: Sequence[int]) -> Iterator[memoryview]:
    start = 0
    for size in sizes:
        yield memory[start : start + size]
        start += _room(size)


def _room(size: int) -> int:
    return size + -size % ALIGNED
