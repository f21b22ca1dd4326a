"""Ctrl-C: one line and exit code 130, at whatever moment it comes, and no word of the children."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from types import FrameType
from typing import NoReturn

EXIT_CODE = 128 + signal.SIGINT
COMMANDS = ("pipeline", "stage1_extract", "stage2_train", "eval")
"""Packages whose modules `python -m` runs; another program that imports them keeps its Ctrl-C."""


def end_at_once(number: int, frame: FrameType | None) -> NoReturn:
    """A signal's handler, for when nothing is under way that would have to be put in order."""
    os.write(2, b"stopped by Ctrl-C\n")
    os._exit(EXIT_CODE)


def heed_while_importing() -> None:
    """Let Ctrl-C end a command of ours that still imports its modules, which takes seconds."""
    finding_module = sys.argv[:1] == ["-m"]  # so it is until Python has found the module
    if finding_module and {name.partition(".")[0] for name in sys.orig_argv} & set(COMMANDS):
        signal.signal(signal.SIGINT, end_at_once)


@contextmanager
def importing() -> Iterator[None]:
    """Around what a command imports once its arguments are known to be right: torch takes seconds.

    Ctrl-C inside ends it at once, as amid the imports before: an extension that is interrupted
    while it is loaded raises anything.
    """
    before = signal.signal(signal.SIGINT, end_at_once)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def keeping(what: str) -> Iterator[None]:
    """Say of a Ctrl-C inside what it leaves: its line adds `what`, and how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(what) from None


@contextmanager
def deaf_children() -> Iterator[None]:
    """Processes and threads that are started inside are not reached by Ctrl-C, ever.

    A terminal sends it to all processes of the group; theirs to heed is their parent's end. Here a
    signal waits until the block ends.
    """
    resource_tracker.ensure_running()  # else a process's start does, and unblocks the signal
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
