"""What a hostile file must come to: one line, soon, in little memory, and nothing else."""

import os
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.errors import UserError

SECONDS, MEGABYTES = 20, 500
"""Generous: what took minutes takes a second, also on a busy machine."""


def refused(read: Callable[[], object]) -> str:
    """The line that refuses it."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with _alarm(), pytest.raises(UserError) as caught:
        read()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MEGABYTES << 10
    assert "\n" not in str(caught.value)
    return str(caught.value)


@contextmanager
def _alarm() -> Iterator[None]:
    def ring(*_: object) -> None:
        raise TimeoutError(f"not refused within {SECONDS} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


ODD_PLACES: dict[str, Callable[[Path], object]] = {
    "a folder": lambda path: path.mkdir(),
    "a named pipe": lambda path: os.mkfifo(path),
    "a device": lambda path: path.symlink_to("/dev/zero"),
}
"""What may lie in the place of a file, by its name in the message."""
