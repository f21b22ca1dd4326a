"""Arrays of an HDF5 file (.h5, MATLAB 7.3 .mat), checked before they are read, row by row."""

import math
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np

from pipeline.errors import UnreadableSample, UserError

LARGEST_ROW = 1 << 28
"""Bytes of a row, and of a compressed chunk unpacked."""
_MEND = "download the file again"


class Hdf5File:
    """One file, opened once; nothing in it leads to another file."""

    def __init__(self, path: Path) -> None:
        try:
            self._file = h5py.File(path, "r")
        except OSError as error:
            if not path.is_file():
                raise UserError(f"{path}: not found; put the dataset's own file there") from None
            raise UserError(f"{path}: no readable HDF5 file ({error}); {_MEND}") from None
        self.path = path

    def array(self, name: str, shape: Sequence[int | None], kinds: str) -> "Hdf5Array":
        """An array of this file, unread.

        Args:
            name: of the dataset.
            shape: what it must be; None is any number.
            kinds: numpy's letters of the types it may have: `f`, `iuf`.

        Raises:
            UserError: it is not there, or is another.
        """
        found = self._dataset(name)
        fits = len(found.shape) == len(shape) and all(
            expected in (None, size) for expected, size in zip(shape, found.shape)
        )
        if not fits or found.dtype.kind not in kinds:
            expected = "x".join("N" if size is None else str(size) for size in shape)
            raise UserError(
                f"{self.path}: '{name}': expected {expected} of type {'|'.join(kinds)}, found "
                f"{'x'.join(map(str, found.shape))} {found.dtype}; {_MEND}"
            )
        row = math.prod(found.shape[1:]) * found.dtype.itemsize
        chunk = math.prod(found.chunks or (0,)) * found.dtype.itemsize
        if max(row, chunk) > LARGEST_ROW:
            raise UserError(
                f"{self.path}: '{name}': rows of {row:,} bytes in chunks of {chunk:,}; the limit "
                f"is {LARGEST_ROW:,}; {_MEND}"
            )
        return Hdf5Array(found, f"{self.path.name}: '{name}'")

    def texts(self, name: str) -> list[str]:
        """MATLAB's cell array of texts: a list of references to arrays of character codes.

        Raises:
            UserError: it is not there, or is something else.
        """
        cells = self._dataset(name)
        if cells.dtype != h5py.ref_dtype or cells.size > 1 << 20:
            raise UserError(f"{self.path}: '{name}': expected a cell array of texts; {_MEND}")
        return [self._characters(name, self._file[cell]) for cell in cells[()].ravel()]

    def _characters(self, name: str, cell: h5py.Dataset) -> str:
        if not isinstance(cell, h5py.Dataset) or cell.dtype.kind != "u" or cell.size > 1 << 16:
            raise UserError(f"{self.path}: '{name}': expected a cell array of texts; {_MEND}")
        return "".join(map(chr, cell[()].ravel()))

    def _dataset(self, name: str) -> h5py.Dataset:
        if name not in self._file:
            there = ", ".join(list(self._file)[:12]) or "nothing"
            raise UserError(f"{self.path}: no '{name}'; found {there}; {_MEND}")
        link = self._file.get(name, getlink=True)
        found = self._file[name] if isinstance(link, h5py.HardLink) else None
        if not isinstance(found, h5py.Dataset) or found.external or found.is_virtual:
            raise UserError(f"{self.path}: '{name}' is no array in this file; {_MEND}")
        return found


class Hdf5Array:
    """One array; its rows are read when they are asked for."""

    def __init__(self, dataset: h5py.Dataset, name: str) -> None:
        self._dataset, self._name = dataset, name

    def __len__(self) -> int:
        return int(self._dataset.shape[0])

    def row(self, number: int) -> np.ndarray:
        """One entry along the first axis.

        Raises:
            UnreadableSample: the file is damaged there.
        """
        try:
            return np.asarray(self._dataset[number])
        except (OSError, RuntimeError) as error:
            raise UnreadableSample(f"{self._name} row {number}: {error}") from None

    def all(self) -> np.ndarray:
        """The whole of a small one, such as labels.

        Raises:
            UserError: it is large, or damaged.
        """
        if self._dataset.nbytes > LARGEST_ROW:
            raise UserError(f"{self._name}: {self._dataset.nbytes:,} bytes; {_MEND}")
        try:
            return np.asarray(self._dataset[()])
        except (OSError, RuntimeError) as error:
            raise UserError(f"{self._name}: {error}; {_MEND}") from None
