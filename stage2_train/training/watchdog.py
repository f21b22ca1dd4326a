"""No training hangs in silence: a rank that stays too long at one place says so and ends."""

import os
import sys
import time
from threading import Event, Thread

from stage2_train.training.ranks import Ranks

START = 1800.0
"""Seconds that a training has at least for its first step: with it come the processes, the first
data, compiling, and the other ranks' start."""


class Watchdog:
    """Open while training; `at` before everything that may take long.

    Where nothing was heard for `timeout` seconds, it prints one line with rank and step, and ends
    the process: the training thread may be stuck where no exception reaches it. torchrun then ends
    the other ranks.
    """

    def __init__(self, timeout: float) -> None:
        self._rank, self._timeout = Ranks.current().rank, timeout
        self._first_step: int | None = None
        self._done = Event()
        self._thread = Thread(target=self._watch, name="watchdog", daemon=True)
        self.at(0, "starting")

    def at(self, step: int, doing: str) -> None:
        """The training is at a step, counted from 1, doing something."""
        if step and self._first_step is None:
            self._first_step = step
        self._heard = (time.monotonic(), step, doing)

    @property
    def place(self) -> str:
        """Which rank and step this is."""
        return f"rank {self._rank}, step {self._heard[1]}"

    def __enter__(self) -> "Watchdog":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(min(1.0, self._timeout / 4)):
            since, step, doing = self._heard
            begun = self._first_step is not None and step > self._first_step
            allowed = self._timeout if begun else max(START, self._timeout)
            if time.monotonic() - since > allowed:
                print(
                    f"error: {self.place}: {doing} for over {allowed:g} s "
                    "(train.step_timeout); run the same command to go on from the last checkpoint",
                    file=sys.stderr,
                    flush=True,
                )
                os._exit(1)
