"""Results on their way between processes: all their arrays in one block of shared memory."""

import io
import pickle
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.multiprocessing  # sends tensors through shared memory
from torch import Tensor

ALIGNED = 64
"""Bytes: where each array starts in the block is a multiple."""


@dataclass(frozen=True)
class Packed:
    """A value without its arrays, and the block that holds them."""

    structure: bytes
    """Pickled; the arrays' places are left open."""
    sizes: list[int]
    """Bytes of each array."""
    block: Tensor
    """Uint8; one file descriptor, however many arrays there are."""


def packed(value: Any) -> Packed:
    """A value of plain data, dataclasses, numpy arrays and CPU tensors, ready to be sent."""
    found: list[pickle.PickleBuffer] = []
    file = io.BytesIO()
    _Pickler(file, protocol=5, buffer_callback=found.append).dump(value)
    arrays = [buffer.raw() for buffer in found]
    sizes = [array.nbytes for array in arrays]
    block = _shared(sum(map(_room, sizes)))
    for place, array in zip(_places(block, sizes), arrays):
        place[:] = array
    return Packed(file.getvalue(), sizes, block)


def unpacked(result: Packed) -> Any:
    """The value; its arrays lie in the block."""
    return pickle.loads(result.structure, buffers=_places(result.block, result.sizes))


def _shared(size: int) -> Tensor:
    """Uint8 in shared memory from the first: the way there would be a second copy."""
    if not size:
        return torch.empty(0, dtype=torch.uint8)
    storage = torch.UntypedStorage._new_shared(size)
    return torch.empty(0, dtype=torch.uint8).set_(storage)


class _Pickler(pickle.Pickler):
    def reducer_override(self, value: Any) -> Any:
        """A tensor goes as the array that shares its memory."""
        return (torch.from_numpy, (value.numpy(),)) if isinstance(value, Tensor) else NotImplemented


def _places(block: Tensor, sizes: Sequence[int]) -> Iterator[memoryview]:
    whole, start = block.numpy().data, 0
    for size in sizes:
        yield whole[start : start + size]
        start += _room(size)


def _room(size: int) -> int:
    return size + -size % ALIGNED
