"""One run at a time on a store, or on the shards of a split."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, SoftFileLock, Timeout

from pipeline.errors import UserError
from pipeline.locations import is_remote


@contextmanager
def exclusive(target: Path) -> Iterator[None]:
    """Hold a store or a split; the kernel lets go of it when the process ends, however it ends.

    Behind a URL there is nothing to hold: two runs there put the same objects, each whole.

    Raises:
        UserError: another run holds it, or nothing can be written beside it.
    """
    if is_remote(target):
        yield
        return
    path = target.with_name(f".{target.stem}.lock")
    lock = FileLock(path, blocking=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise UserError(
            f"{target}: another run is writing it (process {_holder(path)}); "
            "run again when it has ended"
        ) from None
    except OSError as error:
        raise UserError(f"{path}: cannot be locked ({error})") from None
    # Where the file system has no locks, filelock writes and removes a file of its own
    own = not isinstance(lock, SoftFileLock)
    try:
        if own:
            path.write_text(f"{os.getpid()} on {socket.gethostname()}")
        yield
    finally:
        # Unlinked while it is held: whoever opened it meanwhile notices, and takes another
        if own:
            path.unlink(missing_ok=True)
        lock.release()


def _holder(path: Path) -> str:
    """What the holder noted, on one line."""
    try:
        return " ".join(path.read_text(errors="replace").split()) or "unknown"
    except OSError:
        return "unknown"
