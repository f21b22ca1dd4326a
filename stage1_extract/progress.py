"""Progress of a run: shards, samples per second, time left, bytes."""

import time
from collections.abc import Sequence

from pipeline.progress import ProgressLine
from stage1_extract.tar_task import TarDone, TarTask

FAILED_SHOWN = 5


class ExtractionProgress:
    """A live bar on a terminal, elsewhere a line a minute; and the closing lines.

    A sample and its tar count once for each teacher that they are put to.
    """

    def __init__(self, title: str) -> None:
        self._title = title
        self._line = ProgressLine("sample")
        self._samples = self._shards = self._of = self._bytes = 0
        self._failed: dict[str, list[str]] = {}

    def __enter__(self) -> "ExtractionProgress":
        self._started = time.monotonic()
        self._line.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._line.__exit__(*exception)

    def start(self, tasks: Sequence[TarTask]) -> None:
        """Say what is to be done; the time runs from here."""
        self._of = sum(len(task.names) for task in tasks)
        self._started = time.monotonic()
        self._line.begin(sum(task.rows for task in tasks))

    def samples_done(self, count: int) -> None:
        """Count samples."""
        self._samples += count
        self._show()

    def tar_done(self, done: TarDone) -> None:
        """Count a tar's shards, its bytes, and the samples that could not be used."""
        self._shards += len(done.task.names)
        self._bytes += done.bytes
        for name, keys in done.failed.items():
            self._failed.setdefault(name, []).extend(keys)
        self._show()

    def summary(self) -> str:
        """The closing lines: what was done, and for each extraction what failed."""
        lines = [
            f"{self._title}: {self._samples} samples in {self._shards}/{self._of} shards, "
            f"{self._rate()} samples/s, {self._written()}"
        ]
        for name, keys in self._failed.items():
            if keys:
                shown = ", ".join(keys[:FAILED_SHOWN]) + (", ..." if keys[FAILED_SHOWN:] else "")
                lines.append(f"{name}: {len(keys)} samples could not be used: {shown}")
        return "\n".join(lines)

    def _show(self) -> None:
        shards = f"{self._shards}/{self._of} shards"
        note = f"{self._rate()}/s, {shards}, {self._written()} ({self._title})"
        self._line.update(self._samples, note)

    def _rate(self) -> str:
        return f"{self._samples / max(time.monotonic() - self._started, 1e-9):.1f}"

    def _written(self) -> str:
        return f"{self._bytes / 1e6:.1f} MB"
