"""How far long work is: a live bar on a terminal, elsewhere a line a minute."""

import time
from datetime import timedelta

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

LINE_EVERY = 60.0
"""Seconds between lines where the console is no terminal."""


class ProgressLine:
    """Open while it works; goes to stderr."""

    def __init__(self, counted: str) -> None:
        """`counted` is what is done one by one: a sample, a step."""
        self._counted = counted
        self._console = Console(stderr=True)
        self._bar = Progress(
            BarColumn(12),
            TextColumn("{task.fields[done]}, {task.fields[left]} left"),
            _Note(),
            console=self._console,
            transient=True,
        )

    def __enter__(self) -> "ProgressLine":
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:  # it would leave a blank line in a log
            self._bar.stop()

    def begin(self, total: int, done: int = 0) -> None:
        """Say how much there is, and how much of it was done before; the time runs from here."""
        self._total, self._first = total, done
        self._started = self._said = time.monotonic()
        self._task = self._bar.add_task(
            "", total=total, completed=done, done=self._done(done), left="?", note=""
        )

    def done_before(self, count: int) -> None:
        """Of what the next `update` calls done, so many more are an earlier run's: no pace."""
        self._first += count

    def restart(self) -> None:
        """Let the time run from here: so far it went into what is no pace."""
        self._started = time.monotonic()

    def update(self, done: int, note: str) -> None:
        """Show how much is done by now, and what else there is to say."""
        now = time.monotonic()
        left, shown = self._left(done, now - self._started), self._done(done)
        self._bar.update(self._task, completed=done, done=shown, left=left, note=note)
        if not self._console.is_terminal and now - self._said >= LINE_EVERY:
            self._said = now
            line = f"{shown}, {note}, {left} left"
            self._console.print(line, soft_wrap=True, markup=False, highlight=False)

    def _done(self, done: int) -> str:
        return f"{self._counted} {done}/{self._total}"

    def _left(self, done: int, seconds: float) -> str:
        if done <= self._first:
            return "?"
        return str(timedelta(seconds=round(seconds / (done - self._first) * (self._total - done))))


class _Note(ProgressColumn):
    """What is cut where the terminal is narrow."""

    def render(self, task: Task) -> Text:
        return Text(task.fields["note"], no_wrap=True, overflow="ellipsis")
