"""What a torch checkpoint's container is, found out before torch opens it."""

import zipfile
from pathlib import Path

from pipeline.errors import UserError
from pipeline.small_files import open_regular
from pipeline.tar import BLOCK, is_header

_ZIP = b"PK\x03\x04"
_CODE = "code/"
"""Where a TorchScript archive has its code, below its own name."""


def is_zip(path: Path) -> bool:
    """Whether torch takes a file for its zip format: it looks at the first bytes only."""
    with open_regular(path) as file:
        return file.read(len(_ZIP)) == _ZIP


def inside(record: str) -> str:
    """A record's name without the archive's own, which comes before the first slash."""
    return record.partition("/")[2]


def check_container(path: Path) -> None:
    """Refuse what torch would wait for, unpack without bound, or hand to Python's tar reader.

    Raises:
        UserError: no regular file; a zip whose records unpack to more bytes than it has, where
            torch stores them as they are; or the tar that torch wrote before 0.4.
    """
    try:
        with open_regular(path) as file:
            start = file.read(BLOCK)
        unpacked = _unpacked_bytes(path) if start.startswith(_ZIP) else 0
    except (OSError, ValueError, RuntimeError, zipfile.BadZipFile) as error:
        raise UserError(damaged(path, error)) from None
    size = path.stat().st_size
    if unpacked > size:
        raise UserError(
            f"{path}: its records unpack to {unpacked:,} bytes, expected no more than the file's "
            f"{size:,}, since torch does not compress them; download it again"
        )
    if is_header(start):
        raise UserError(f"{path}: expected a zip or a pickle of torch, found a tar; download again")


def damaged(path: Path, error: Exception) -> str:
    """Say in one line that `path` is no complete weights file."""
    size = path.stat().st_size if path.is_file() else 0
    return (
        f"{path}: expected a complete weights file, found a truncated or foreign one of {size} "
        f"bytes ({first_line(error)}); download it again"
    )


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text, or its type where it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _unpacked_bytes(path: Path) -> int:
    """Of all records but a TorchScript archive's code: compressed, and read by nobody."""
    with zipfile.ZipFile(path) as archive:
        return sum(
            record.file_size
            for record in archive.infolist()
            if not inside(record.filename).startswith(_CODE)
        )
