"""How long a stage was at work on an output: a small file beside it, and no part of it.

Seconds differ from run to run, so they belong to no identity, and .dvcignore hides them from DVC.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from pipeline.atomic import write_atomically
from pipeline.errors import UserError
from pipeline.small_files import read_json


class Timing(msgspec.Struct, frozen=True):
    """What is recorded."""

    of: str
    """Identity of what was made."""
    seconds: float
    """By the clock, of all runs together that made it."""


def split_timing(split: Path) -> Path:
    """Where that of a prepared split lies: beside its source, which DVC has as a whole."""
    return split.parent.with_name(f"{split.parent.name}-{split.name}.timing.json")


def store_timing(store: Path) -> Path:
    """Where that of a feature store lies."""
    return store.with_suffix(".timing.json")


def score_timing(folder: Path, benchmark: str) -> Path:
    """Where that of a benchmark's scores lies, in the folder of all scores."""
    return folder / f"{benchmark}.timing.json"


@contextmanager
def timed(
    path: Path, of: str, within: Path | None, resumed: bool, share: float = 1.0
) -> Iterator[None]:
    """Record the seconds of a block; of one that is interrupted, where it leaves anything.

    Args:
        path: of the record; no run fails because it cannot be written.
        of: identity of what is made.
        within: folder that the block fills; None for one that leaves nothing when interrupted.
        resumed: whether the block goes on from what earlier ones made: their seconds are added.
        share: of the block's seconds that go to this output.
    """
    started = time.monotonic()
    try:
        yield
    except BaseException:
        if within is not None and within.exists():
            _record(path, of, resumed, (time.monotonic() - started) * share)
        raise
    _record(path, of, resumed, (time.monotonic() - started) * share)


def _record(path: Path, of: str, resumed: bool, seconds: float) -> None:
    before = read_timing(path) if resumed else None
    if before is not None and before.of == of:
        seconds += before.seconds
    with suppress(OSError):
        write_atomically(path, msgspec.json.encode(Timing(of, round(seconds, 3))))


def read_timing(path: Path) -> Timing | None:
    """What was recorded; None where nothing was, or it is damaged."""
    try:
        return read_json(path, Timing, "it is written anew by the next run")
    except (FileNotFoundError, UserError):
        return None
