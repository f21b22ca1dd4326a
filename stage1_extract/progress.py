"""Progress of an extraction: shards, samples per second, time left, bytes."""

import time
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from pipeline.shards import ShardIndex


class ExtractionProgress:
    """A live bar on a terminal; elsewhere only the closing line."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed}/{task.total} samples, {task.fields[shards]} shards"),
            TextColumn("{task.fields[rate]}/s, {task.fields[written]}, left"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._samples = self._shards = self._bytes = 0

    def __enter__(self) -> "ExtractionProgress":
        self._started = time.monotonic()
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def start(self, index: ShardIndex, pending: list[int]) -> None:
        """Say what is to be done."""
        total = sum(index.shards[shard].count for shard in pending)
        self._of = len(pending)
        self._task = self._bar.add_task(self._title, total=total, **self._fields())

    def samples_done(self, count: int) -> None:
        """Count encoded samples."""
        self._samples += count
        self._bar.update(self._task, advance=count, **self._fields())

    def shard_written(self, size: int) -> None:
        """Count a finished shard and its bytes."""
        self._shards += 1
        self._bytes += size
        self._bar.update(self._task, **self._fields())

    def summary(self) -> str:
        """One closing line."""
        fields = self._fields()
        return (
            f"{self._title}: {self._samples} samples in {fields['shards']} shards, "
            f"{fields['rate']} samples/s, {fields['written']}"
        )

    def _fields(self) -> dict[str, Any]:
        seconds = max(time.monotonic() - self._started, 1e-9)
        return {
            "shards": f"{self._shards}/{self._of}",
            "rate": f"{self._samples / seconds:.1f}",
            "written": f"{self._bytes / 1e6:.1f} MB",
        }
