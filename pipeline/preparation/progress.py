"""How far a conversion is: samples, rate, time left."""

import time

from pipeline.progress import ProgressLine


class ConversionProgress:
    """Counts samples; the rate and the time left are of this run, not of what one before did."""

    def __init__(self, title: str, total: int) -> None:
        self._title, self._total = title, total
        self._line = ProgressLine("sample")
        self._made = self._resumed = 0

    def __enter__(self) -> "ConversionProgress":
        self._started = time.monotonic()
        self._line.__enter__()
        self._line.begin(self._total)
        return self

    def __exit__(self, *exception: object) -> None:
        self._line.__exit__(*exception)

    def add(self, samples: int) -> None:
        """Count samples that this run dealt with."""
        self._made += samples
        self._show()

    def resume(self, samples: int) -> None:
        """Count samples that an earlier run dealt with; to prove its tars takes time, and is no
        pace."""
        self._resumed += samples
        self._line.done_before(samples)
        if samples and not self._made:
            self._started = time.monotonic()
            self._line.restart()
        self._show()

    def _show(self) -> None:
        rate = self._made / max(time.monotonic() - self._started, 1e-9)
        self._line.update(self._made + self._resumed, f"{rate:.1f}/s ({self._title})")
