"""A training that is asked to stop: SIGTERM or Ctrl-C end it behind its step, with a checkpoint."""

import os
import signal
import sys
import time
from types import FrameType
from typing import Any, NoReturn

from pipeline.commands import same_command
from pipeline.interruption import end_at_once

ECHO = 1.0
"""Seconds within which a second Ctrl-C is the first one's echo: torchrun passes on to the ranks
what the terminal has sent them already."""


class StopRequest:
    """Open while training; true once one of the signals came. A second Ctrl-C ends at once."""

    def __init__(self) -> None:
        self._signal: int | None = None
        self._previous: dict[int, Any] = {}

    def __bool__(self) -> bool:
        return self._signal is not None

    def __enter__(self) -> "StopRequest":
        for number in (signal.SIGTERM, signal.SIGINT):
            self._previous[number] = signal.signal(number, self._remember)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def leave(self, *, first: bool) -> NoReturn:
        """End this process behind the checkpoint; the first rank says how to go on."""
        number = self._signal or signal.SIGTERM  # where only another rank got it
        if first:
            name = "Ctrl-C" if number == signal.SIGINT else "SIGTERM"
            print(
                f"stopped by {name} after saving a checkpoint; to go on, run: {same_command()}",
                file=sys.stderr,
            )
        sys.exit(128 + number)

    def _remember(self, number: int, frame: FrameType | None) -> None:
        if self._signal is None:
            self._signal, self._since = number, time.monotonic()
            if number == signal.SIGINT and os.isatty(2):
                os.write(2, b"\nfinishes the step and saves; Ctrl-C again ends at once\n")
        elif number == signal.SIGINT and time.monotonic() - self._since > ECHO:
            end_at_once(number, frame)
