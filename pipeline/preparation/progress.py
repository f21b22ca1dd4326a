"""How far a conversion is: a bar on a terminal, elsewhere a line a minute."""

import time
from datetime import timedelta

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

EVERY = 60.0
"""Seconds from one line to the next."""


class ConversionProgress:
    """Counts samples; the rate and the time left are of this run, not of what one before did."""

    def __init__(self, title: str, total: int) -> None:
        self._console = Console(stderr=True)
        self._title, self._total = title, total
        self._done = self._resumed = 0
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[told]}"),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )

    def __enter__(self) -> "ConversionProgress":
        self._started = self._told = time.monotonic()
        self._bar.start()
        self._task = self._bar.add_task(self._title, total=self._total, told=self._line())
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def add(self, samples: int) -> None:
        """Count samples that this run dealt with."""
        self._done += samples
        self._show(samples)

    def resume(self, samples: int) -> None:
        """Count samples that an earlier run dealt with."""
        self._resumed += samples
        self._show(samples)

    def _show(self, samples: int) -> None:
        self._bar.update(self._task, advance=samples, told=self._line())
        now = time.monotonic()
        if not self._console.is_terminal and now - self._told >= EVERY:
            self._told = now
            self._console.out(f"{self._title}: {self._line()}", highlight=False)

    def _line(self) -> str:
        """Done, rate, left."""
        known = self._done + self._resumed
        rate = self._done / max(time.monotonic() - self._started, 1e-9)
        left = timedelta(seconds=round((self._total - known) / rate)) if rate else "?"
        return f"{known}/{self._total} samples, {rate:.1f}/s, {left} left"
