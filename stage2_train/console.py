"""The training's line on the console: a live bar on a terminal, now and then a line elsewhere."""

import time
from collections import defaultdict
from collections.abc import Mapping
from datetime import timedelta

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

LINE_EVERY = 30.0
"""Seconds between lines where the console is no terminal."""
_LABELS = {"text_binding": "text", "image_binding": "image", "teacher_feature": "feature"} | {
    "teacher_similarity": "similarity"
}


class ConsoleLine:
    """Open while training."""

    def __init__(self, first: int, total: int) -> None:
        self._first, self._total = first, total
        self._console = Console(stderr=True)
        self._bar = Progress(
            BarColumn(12),
            TextColumn("step {task.completed}/{task.total} {task.fields[note]}"),
            TimeRemainingColumn(),
            TextColumn("left"),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("", total=total, completed=first, note="")

    def __enter__(self) -> "ConsoleLine":
        self._bar.start()
        self._started = self._said = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def step(self, number: int, values: Mapping[str, float]) -> None:
        """Show a finished step."""
        note = summary(values)
        self._bar.update(self._task, completed=number, note=note)
        now = time.monotonic()
        if not self._console.is_terminal and now - self._said >= LINE_EVERY:
            self._said = now
            rest = (now - self._started) / (number - self._first) * (self._total - number)
            left = timedelta(seconds=round(rest))
            self._console.print(f"step {number}/{self._total} {note} {left} left", soft_wrap=True)


def summary(values: Mapping[str, float]) -> str:
    """Loss, its parts as means over the sources, samples/s, and the share of waiting for data."""
    parts: dict[str, list[float]] = defaultdict(list)
    for name, value in values.items():
        part, slash, _ = name.partition("/")
        if slash and not part.startswith(("expert_use", "probe")):
            parts[_LABELS.get(part, part)].append(value)
    means = ", ".join(f"{name} {sum(each) / len(each):.2f}" for name, each in parts.items())
    return (
        f"loss {values.get('loss', float('nan')):.3f} ({means}), "
        f"{values['samples_per_second']:.0f} samples/s, "
        f"waits {100 * values['data_wait_share']:.0f} %,"
    )
