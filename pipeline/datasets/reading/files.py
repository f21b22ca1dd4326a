"""One raw file of a sample, read whole within bounds."""

import os
from pathlib import Path

from pipeline.errors import UnreadableSample
from pipeline.small_files import open_regular

LARGEST = 1 << 30
"""Bytes of a picture, cloud, sound or clip."""
_PAGE = (b"<!doctype html", b"<html", b"<?xml")


def read_file(path: Path, limit: int = LARGEST) -> bytes:
    """The bytes of a raw file.

    Raises:
        UnreadableSample: nothing is there or it cannot be read, is empty, larger than `limit`, or
            a web page that a download left in its place.
    """
    try:
        with open_regular(path) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(0)
            data = file.read() if size <= limit else b""
    except OSError as error:
        raise UnreadableSample(f"{path.name}: {error.strerror or error}") from None
    if size > limit:
        raise UnreadableSample(f"{path.name}: {size:,} bytes; the limit is {limit:,}")
    if not data:
        raise UnreadableSample(f"{path.name}: is empty, probably a download that broke off")
    if data[:64].lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_PAGE):
        raise UnreadableSample(f"{path.name}: is HTML, probably an error page of the download")
    return data
