"""A clear word where a store cannot be written."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.errors import UserError


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
