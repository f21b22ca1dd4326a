"""Arrays of a pickle, found by their places in the file: none of the code in it is run.

A pickle of numpy arrays holds each one's shape and its bytes one after the other. Opcodes are read,
never followed; what is pickled otherwise is told.
"""

import pickletools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.errors import UnreadableSample, UserError
from pipeline.small_files import open_regular

_HEADERS = {"SHORT_BINBYTES": 2, "BINBYTES": 5, "BINBYTES8": 9}
"""Bytes of an opcode and its length before what it holds."""
_WHOLE = ("BININT", "BININT1", "BININT2")
_SHAPES = {"TUPLE1": 1, "TUPLE2": 2}
_ORDERS = {"NEWFALSE": False, "NEWTRUE": True}
_STAND_IN = b"b"
"""What every array is pickled from before its state."""
_REFUSED = {"f8", "f2", ">", "O8"}
_MEND = "put the dataset's own file there"


@dataclass(frozen=True)
class PickledArray:
    """One array of a pickle, in C's order and little-endian."""

    path: Path
    shape: tuple[int, ...]
    start: int
    size: int
    """Bytes."""

    def read(self, dtype: str) -> np.ndarray:
        """The array, of a type of `size` bytes in all.

        Raises:
            UnreadableSample: the file cannot be read there, or has other bytes than its shape.
        """
        if self.size != np.dtype(dtype).itemsize * int(np.prod(self.shape)):
            raise UnreadableSample(f"{self.path.name}: {self.size} bytes for {self.shape} {dtype}")
        try:
            with open_regular(self.path) as file:
                file.seek(self.start)
                return np.frombuffer(file.read(self.size), dtype).reshape(self.shape)
        except (OSError, ValueError) as error:  # it was cut short since it was listed
            raise UnreadableSample(f"{self.path.name}: {error}") from None


def pickled_arrays(path: Path) -> list[PickledArray]:
    """The arrays of one or two dimensions in a pickle, in their order.

    Raises:
        UserError: it is missing, no pickle, cut short, or has arrays of another kind.
    """
    try:
        return list(_arrays(path))
    except FileNotFoundError:
        raise UserError(f"{path}: not found; {_MEND}") from None
    except UserError:
        raise
    except Exception as error:  # whatever the reading of opcodes raises over another file
        raise UserError(f"{path}: no readable pickle of arrays ({error}); {_MEND}") from None


def _arrays(path: Path) -> Iterator[PickledArray]:
    numbers: list[int] = []
    shape: tuple[int, ...] = ()
    columns_first = False
    with open_regular(path) as file:
        for opcode, value, position in pickletools.genops(file):
            name = opcode.name
            if name in _WHOLE:
                numbers.append(int(value or 0))
            elif name in _SHAPES:
                shape, numbers = tuple(numbers[-_SHAPES[name] :]), []
            elif name in _ORDERS:  # comes right before the bytes
                columns_first = _ORDERS[name]
            elif name in _HEADERS and value != _STAND_IN:
                if columns_first or not shape:
                    raise UserError(f"{path}: expected arrays in C's order; {_MEND}")
                start = int(position or 0) + _HEADERS[name]
                yield PickledArray(path, shape, start, len(value or b""))
            elif value in _REFUSED:
                raise UserError(f"{path}: expected float32 and whole numbers; {_MEND}")
