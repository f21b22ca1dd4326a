"""The plain files of an uncompressed tar, one after the other, in no more memory than each needs.

Reads what POSIX (ustar, pax) and GNU writers make of plain files and folders, and refuses links,
devices and sparse files. Python's tarfile keeps every header, recurses into chains of them, and
matches their text with expressions that a made-up header holds up for minutes.

Format: POSIX.1-2017, pax, and the GNU tar manual, "Basic Tar Format".
"""

import io
import re
from collections.abc import Callable, Iterator
from typing import BinaryIO, TypeVar
from zlib import adler32

BLOCK = 512
LARGEST_FILE = 1 << 30
"""Bytes; a file is read whole."""
LONGEST_EXTENSION = 1 << 16
"""Bytes of what precedes an entry that does not fit its header; paths have 4,096 or less."""
MOST_EXTENSIONS = 4
"""Of them before one entry: a name and a link's target, in the manner of pax or of GNU."""
MOST_PADDING = 1 << 20
"""Bytes behind a tar's end that are looked through for another tar; most writers leave 10,240."""
_FILE, _OLD_FILE, _CONTIGUOUS, _FOLDER = b"0", b"\0", b"7", b"5"
_PAX, _GLOBAL_PAX, _LONG_NAME, _LONG_LINK = b"x", b"g", b"L", b"K"
_USTAR, _PATH, _SIZE, _SPARSE = b"ustar\0", b"path", b"size", b"GNU.sparse."
_CHECKSUM = slice(148, 156)
_PLAIN = re.compile(
    rb"(?=([\1-\x7f]{0,99})\0).{124}([0-7]{11})[\0 ].{20}0.{100}ustar\0.{82}\0.{166}",
    re.DOTALL,
)
"""Header of a plain file whose name is of fewer than 100 ASCII characters: the name, and the size.
"""
Taken = TypeVar("Taken")


class TarError(ValueError):
    """What is no tar of plain files; the text says why."""


def plain_files(file: BinaryIO, size: int) -> Iterator[tuple[str, bytes]]:
    """(name, content) of the files in a tar of `size` bytes, in order; folders are passed over.

    Raises:
        TarError: a damaged header, an entry beyond the tar's end, or one that is no plain file.
        OSError: the file cannot be read.
    """
    yield from _files(file, size, _content)


def file_places(file: BinaryIO, size: int) -> Iterator[tuple[str, tuple[int, int]]]:
    """(name, (first byte, bytes)) of the files in a tar, their contents left unread.

    Raises:
        TarError, OSError: as `plain_files`.
    """
    yield from _files(file, size, _place)


def _files(
    file: BinaryIO, size: int, take: Callable[[BinaryIO, int], Taken]
) -> Iterator[tuple[str, Taken]]:
    told: dict[bytes, bytes] = {}
    extensions, left = 0, size
    while (header := file.read(BLOCK)).strip(b"\0"):
        if not is_header(header):
            raise TarError("a damaged header")
        left, kind = left - BLOCK, header[156:157]
        if kind in (_PAX, _GLOBAL_PAX, _LONG_NAME, _LONG_LINK):
            extensions += 1
            length = _within(_number(header[124:136]), left)
            if extensions > MOST_EXTENSIONS or length > LONGEST_EXTENSION:
                raise TarError("more about a file's name than any file has")
            told |= _extension(kind, _content(file, length))
        else:
            name = _name(header, told)
            is_folder = kind == _FOLDER or (kind == _OLD_FILE and name.endswith("/"))
            length = 0 if is_folder else _within(_length(header, told), left)
            if kind in (_FILE, _OLD_FILE, _CONTIGUOUS) and not is_folder:
                yield name, take(file, length)
            elif not is_folder:
                raise TarError(f"'{name}' is no plain file")
            told, extensions = {}, 0
        left -= length + -length % BLOCK
    _refuse_another(file)


def proved_files(content: bytes) -> list[tuple[str, bytes]]:
    """(name, content) of the files in part of a tar whose hash is known to be right.

    Entries as most writers make them are taken as they are; their headers' own sums add nothing.

    Raises:
        TarError: as `plain_files`.
    """
    found: list[tuple[str, bytes]] = []  # list[...]() would take as long as a header
    at, size = 0, len(content)
    last = min(size, LARGEST_FILE)
    while at < size and (header := _PLAIN.match(content, at)):
        name, length = header.groups()
        start = at + BLOCK
        end = start + int(length, 8)
        if end > last:
            break
        found.append((name.decode(), content[start:end]))
        at = end + -end % BLOCK
    return found if at >= size else list(plain_files(io.BytesIO(content), size))


def is_header(block: bytes) -> bool:
    """Whether a block is an entry's header, by its own checksum."""
    if len(block) != BLOCK:
        return False
    # The sum of the bytes: adler32's lower half keeps it of up to 256 of them
    halves = adler32(block[:256]), adler32(block[256:])
    blank = 8 * ord(" ") - sum(block[_CHECKSUM])
    try:
        return sum(half & 0xFFFF for half in halves) - 2 + blank == _number(block[_CHECKSUM])
    except TarError:
        return False


def _refuse_another(file: BinaryIO) -> None:
    """Of tars put one behind the other, as by `cat`, only the first would be read."""
    for _ in range(MOST_PADDING // BLOCK):
        block = file.read(BLOCK)
        if is_header(block):
            raise TarError("another tar behind its end, which `tar --ignore-zeros` unpacks")
        if block.strip(b"\0") or not block:
            return


def _content(file: BinaryIO, length: int) -> bytes:
    data = file.read(length)
    if len(data) != length:
        raise TarError("it ends within an entry")
    file.read(-length % BLOCK)
    return data


def _place(file: BinaryIO, length: int) -> tuple[int, int]:
    start = file.tell()
    file.seek(length + -length % BLOCK, 1)
    return start, length


def _within(length: int, left: int) -> int:
    if not 0 <= length <= left:
        raise TarError(f"an entry of {length} bytes, {left} before the tar's end")
    if length > LARGEST_FILE:
        raise TarError(f"an entry of {length} bytes, larger than any sample is")
    return length


def _length(header: bytes, told: dict[bytes, bytes]) -> int:
    if _SIZE not in told:
        return _number(header[124:136])
    digits = told[_SIZE]
    if not digits.isdigit() or len(digits) > 20:
        raise TarError("a damaged size")
    return int(digits)


def _number(field: bytes) -> int:
    """Octal digits, or GNU's big-endian number behind a set bit."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    try:
        return int(field.strip(b" \0") or b"0", 8)
    except ValueError:
        raise TarError("a damaged number") from None


def _name(header: bytes, told: dict[bytes, bytes]) -> str:
    name = told.get(_PATH)
    if name is None:
        name = header[:100].split(b"\0", 1)[0]
        prefix = header[345:500].split(b"\0", 1)[0] if header[257:263] == _USTAR else b""
        name = prefix + b"/" + name if prefix else name
    return _decoded(name)


def _decoded(name: bytes) -> str:
    try:
        return name.decode()
    except UnicodeDecodeError:
        raise TarError(f"{name[:40]!r} is no name in UTF-8") from None


def _extension(kind: bytes, data: bytes) -> dict[bytes, bytes]:
    """What is told of the entry that follows; a link's target and global settings are not used."""
    if kind == _LONG_NAME:
        return {_PATH: data.split(b"\0", 1)[0]}
    return dict(_pax_records(data)) if kind == _PAX else {}


def _pax_records(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Records of the form `LENGTH KEY=VALUE`, a line each, whose length counts all of it."""
    start = 0
    while start < len(data):
        space = data.find(b" ", start, start + 8)
        digits = data[start:space]
        stop = start + int(digits) if space > start and digits.isdigit() else 0
        key, equals, value = data[space + 1 : max(space, stop - 1)].partition(b"=")
        if not equals or data[stop - 1 : stop] != b"\n":
            raise TarError("a damaged pax header")
        if key.startswith(_SPARSE):
            raise TarError("a sparse file is no plain file")
        yield key, value
        start = stop
