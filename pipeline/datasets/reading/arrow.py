"""Rows of Arrow and Parquet files, read by number (pip install "unialign[huggingface]")."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from pipeline.errors import UnreadableSample, UserError

KEPT_GROUPS = 4
"""Row groups of a Parquet file that are held: a row cannot be read without its group."""


class Rows(Protocol):
    """One file."""

    schema: Any
    """A `pyarrow.Schema`."""
    count: int
    """Rows."""

    def column(self, name: str) -> list[Any]:
        """All values of a small column."""

    def row(self, number: int, columns: Sequence[str]) -> dict[str, Any]:
        """Values of a row by column."""


def open_rows(path: Path) -> Rows:
    """Open an .arrow file of the `datasets` library, or a .parquet file.

    Raises:
        UserError: pyarrow is missing, or the file is damaged.
    """
    try:
        import pyarrow  # an extra
    except ImportError:
        raise UserError(
            f'{path}: pyarrow is missing; run: pip install -e ".[huggingface]"'
        ) from None
    try:
        return _Parquet(path) if path.suffix == ".parquet" else _Stream(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise UserError(f"{path}: no readable {path.suffix[1:]} file ({error})") from None


class _Stream:
    """An Arrow stream, mapped into memory and not read."""

    def __init__(self, path: Path) -> None:
        import pyarrow as pa

        self._table = pa.ipc.open_stream(pa.memory_map(str(path))).read_all()
        self.schema, self.count = self._table.schema, self._table.num_rows

    def column(self, name: str) -> list[Any]:
        """All values of a column."""
        return self._table[name].to_pylist()

    def row(self, number: int, columns: Sequence[str]) -> dict[str, Any]:
        """Values of a row."""
        return {name: self._table[name][number].as_py() for name in columns}


class _Parquet:
    """A Parquet file, read group by group."""

    def __init__(self, path: Path) -> None:
        import numpy as np
        import pyarrow.parquet as pq

        self._file = pq.ParquetFile(path)
        self.schema, self.count = self._file.schema_arrow, self._file.metadata.num_rows
        sizes = [
            self._file.metadata.row_group(n).num_rows for n in range(self._file.num_row_groups)
        ]
        self._ends = np.cumsum(sizes)
        self._group = lru_cache(maxsize=KEPT_GROUPS)(self._file.read_row_group)

    def column(self, name: str) -> list[Any]:
        """All values of a column."""
        return self._file.read([name])[name].to_pylist()

    def row(self, number: int, columns: Sequence[str]) -> dict[str, Any]:
        """Values of a row.

        Raises:
            UnreadableSample: its group is damaged.
        """
        group = int(self._ends.searchsorted(number, side="right"))
        first = int(self._ends[group - 1]) if group else 0
        try:
            table = self._group(group)
        except OSError as error:
            raise UnreadableSample(f"row {number}: {error}") from None
        return {name: table[name][number - first].as_py() for name in columns}
