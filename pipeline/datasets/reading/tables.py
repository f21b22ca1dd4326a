"""Split lists and tables: csv and txt files read within bounds, whatever editor they went through.

UTF-8 with or without a byte order mark, LF or CRLF, quoted or not.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.errors import UserError
from pipeline.small_files import read_small
from pipeline.unknown_name import unknown_name

LIMIT = 1 << 29
"""Bytes; AudioSet's largest table has 100 MB."""
_MEND = "put the dataset's own file there"


def read_lines(path: Path) -> list[str]:
    """Lines of a list, without blank ones and without the space around them.

    Raises:
        UserError: it is missing, too large or no text.
    """
    return [line for text in _text(path).splitlines() if (line := text.strip())]


def read_table(
    path: Path,
    columns: Sequence[str],
    *,
    header: Sequence[str] | None = None,
    delimiter: str = ",",
    comment: str = "",
) -> Iterator[tuple[str, ...]]:
    """The wanted columns of a table, row by row, without the space around the values.

    Args:
        path: of the table.
        columns: wanted, in the order wanted.
        header: names of all columns, where the file's first row does not say them.
        delimiter: between the columns.
        comment: lines that begin with it are left out.

    Raises:
        UserError: it is missing, too large or no text, has no such column, or a row is short.
    """
    lines = io.StringIO(_text(path), newline="")
    told = (line for line in lines if not comment or not line.startswith(comment))
    rows = csv.reader(told, delimiter=delimiter, skipinitialspace=True)
    try:
        names = [name.strip() for name in (header or next(rows, []))]
        places = [_place(path, names, column) for column in columns]
        for row in rows:
            if any(value.strip() for value in row):
                yield _picked(path, rows.line_num, row, places)
    except csv.Error as error:
        raise UserError(f"{path}: line {rows.line_num}: {error}; {_MEND}") from None


def _place(path: Path, names: list[str], column: str) -> int:
    if column not in names:
        raise UserError(f"{path}: {unknown_name('column', column, names)}")
    return names.index(column)


def _picked(path: Path, line: int, row: list[str], places: list[int]) -> tuple[str, ...]:
    if len(row) <= max(places):
        raise UserError(
            f"{path}: line {line}: expected at least {max(places) + 1} columns, found {len(row)}; "
            f"{_MEND}"
        )
    return tuple(row[place].strip() for place in places)


def _text(path: Path) -> str:
    try:
        return read_small(path, _MEND, LIMIT).decode("utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"{path}: not found; {_MEND}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not a text in UTF-8 ({error}); save it as UTF-8") from None
