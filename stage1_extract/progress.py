"""Progress of a run: shards, samples per second, time left, bytes."""

import time
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from stage1_extract.tar_task import TarDone, TarTask

FAILED_SHOWN = 5


class ExtractionProgress:
    """A live bar on a terminal, elsewhere only the closing lines.

    A sample and its tar count once for each teacher that they are put to.
    """

    def __init__(self, title: str) -> None:
        self._title = title
        console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed}/{task.total} samples, {task.fields[shards]} shards"),
            TextColumn("{task.fields[rate]}/s, {task.fields[written]}, left"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._samples = self._shards = self._of = self._bytes = 0
        self._failed: dict[str, list[str]] = {}

    def __enter__(self) -> "ExtractionProgress":
        self._started = time.monotonic()
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def start(self, tasks: Sequence[TarTask]) -> None:
        """Say what is to be done; the time runs from here."""
        self._of = sum(len(task.names) for task in tasks)
        self._started = time.monotonic()
        total = sum(task.rows for task in tasks)
        self._task = self._bar.add_task(self._title, total=total, **self._fields())

    def samples_done(self, count: int) -> None:
        """Count samples."""
        self._samples += count
        self._bar.update(self._task, advance=count, **self._fields())

    def tar_done(self, done: TarDone) -> None:
        """Count a tar's shards, its bytes, and the samples that could not be used."""
        self._shards += len(done.task.names)
        self._bytes += done.bytes
        for name, keys in done.failed.items():
            self._failed.setdefault(name, []).extend(keys)
        self._bar.update(self._task, **self._fields())

    def summary(self) -> str:
        """The closing lines: what was done, and for each extraction what failed."""
        fields = self._fields()
        lines = [
            f"{self._title}: {self._samples} samples in {fields['shards']} shards, "
            f"{fields['rate']} samples/s, {fields['written']}"
        ]
        for name, keys in self._failed.items():
            if keys:
                shown = ", ".join(keys[:FAILED_SHOWN]) + (", ..." if keys[FAILED_SHOWN:] else "")
                lines.append(f"{name}: {len(keys)} samples could not be used: {shown}")
        return "\n".join(lines)

    def _fields(self) -> dict[str, Any]:
        seconds = max(time.monotonic() - self._started, 1e-9)
        return {
            "shards": f"{self._shards}/{self._of}",
            "rate": f"{self._samples / seconds:.1f}",
            "written": f"{self._bytes / 1e6:.1f} MB",
        }
