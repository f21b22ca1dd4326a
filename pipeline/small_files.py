"""Small text and JSON files that anyone may have written: bounded before they are parsed."""

import gzip
import os
import re
import stat
import zlib
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

import msgspec

from pipeline.errors import UserError
from pipeline.locations import is_remote

LIMIT = 1 << 24
"""Bytes of a small file, unless its reader says otherwise."""
MOST_VALUES = 1 << 22
"""Values of a JSON file: what is parsed takes some 60 bytes a value."""
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
"""Of JSON; one without an end goes to that of the file, so that nothing is looked through twice."""
_INTEGERS = range(-(1 << 63), 1 << 64)
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
Declared = TypeVar("Declared")


def open_regular(path: Path) -> BinaryIO:
    """Open a file for reading; a pipe or device in its place would let the reader wait for ever.

    Raises:
        FileNotFoundError: nothing is there.
        OSError: it cannot be opened, or is no regular file, which the text says.
    """
    if is_remote(path):
        return cast(BinaryIO, path.open("rb"))
    return os.fdopen(regular_descriptor(path), "rb", buffering=1 << 16)


def regular_descriptor(path: Path) -> int:
    """What `open_regular` opens, as the system's number, of a local file; raises as it does."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    kind = stat.S_IFMT(os.fstat(descriptor).st_mode)
    if kind != stat.S_IFREG:
        os.close(descriptor)
        raise OSError(f"expected a regular file, found {_KINDS.get(kind, 'another thing')}")
    return descriptor


def kind_of(path: Path) -> str:
    """What lies at a place, in words."""
    try:
        mode = stat.S_IFMT(path.stat().st_mode)
    except OSError:
        return "nothing"
    return _KINDS.get(mode, "a file")


def read_small(path: Path, mend: str, limit: int = LIMIT) -> bytes:
    """The bytes of a file; `mend` says in an error what to do about it.

    Raises:
        FileNotFoundError: nothing is there; the caller knows what that means.
        UserError: it is no regular file, cannot be read, or has more than `limit` bytes.
    """
    try:
        with open_regular(path) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(0)
            if size <= limit:
                return file.read()
    except FileNotFoundError:
        raise
    except OSError as error:
        way = f"let it be read, or else {mend}" if error.strerror else mend
        raise UserError(f"{path}: {error.strerror or error}; {way}") from None
    raise UserError(f"{path}: expected at most {limit:,} bytes, found {size:,}; {mend}")


def read_json(path: Path, declared: type[Declared], mend: str, limit: int = LIMIT) -> Declared:
    """A JSON file as the type that it is declared to be; `mend` as for `read_small`.

    Raises:
        FileNotFoundError: nothing is there.
        UserError: what `read_small` refuses, and what is not JSON or not of that type, has more
            than `MOST_VALUES` values, is nested beyond Python's stack, or holds an integer of
            more than 64 bits.
    """
    data = read_small(path, mend, limit)
    # Those in strings count for none, but they take ten times as long to find
    if _values(data) > MOST_VALUES and _values(_STRING.sub(b"", data)) > MOST_VALUES:
        raise UserError(f"{path}: expected at most {MOST_VALUES:,} values, found more; {mend}")
    try:
        raw = msgspec.json.decode(data)
        _refuse_wide_integers(raw)
        return msgspec.convert(raw, declared)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: {error}; {mend}") from None


def _values(data: bytes) -> int:
    return sum(map(data.count, (b",", b"[", b"{")))


def check_gzip(path: Path, mend: str, limit: int = LIMIT) -> None:
    """Prove that a gzipped text unpacks, and to no more than `limit` bytes.

    Raises:
        UserError: it does not, or there is none.
    """
    try:
        with open_regular(path) as packed, gzip.open(packed) as file:
            text = file.read(limit + 1)
            text.decode()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise UserError(f"{path}: {error}; {mend}") from None
    if len(text) > limit:
        raise UserError(f"{path}: unpacks to more than {limit:,} bytes; {mend}")


def _refuse_wide_integers(raw: Any) -> None:
    pending = [raw]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            pending += value.values()
        elif isinstance(value, list):
            pending += value
        elif isinstance(value, int) and value not in _INTEGERS:
            raise ValueError(f"expected integers of 64 bits, found one of {value.bit_length()}")
