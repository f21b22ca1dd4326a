"""Files that are there whole or not at all, and a clear word where they cannot be written."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import UserError
from pipeline.places import is_remote


@contextmanager
def writing(store: Path, command: str) -> Iterator[None]:
    """Turn a full disk or a read-only folder into one line; `command` resumes.

    Raises:
        UserError: something inside could not be written.
    """
    try:
        yield
    except OSError as error:
        where = error.filename or store
        raise UserError(
            f"{where}: {error.strerror or error}; finished tars of {store} are kept; make room or "
            f"let it be written, and run: {command}"
        ) from None


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all, also after a power cut."""
    if is_remote(path):
        path.write_bytes(data)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
