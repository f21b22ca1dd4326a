"""What a training says of itself: the console, TensorBoard, JSON lines, and curves for DVC."""

import json
import math
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from stage2_train.console import ConsoleLine

CURVE_POINTS = 200
LOG, CURVES, TENSORBOARD = "log.jsonl", "curves.json", "tensorboard"


class Logbook:
    """Open while training, on the first rank; every step is one JSON line in `<out>/log.jsonl`."""

    def __init__(self, out: Path, first_step: int, total_steps: int) -> None:
        self._out = out
        out.mkdir(parents=True, exist_ok=True)
        self._keep_until(first_step)
        self._lines = (out / LOG).open("a")
        self._board = SummaryWriter(str(out / TENSORBOARD), purge_step=first_step)
        self._console = ConsoleLine(first_step, total_steps)
        self._stack = ExitStack()

    def __enter__(self) -> "Logbook":
        self._stack.callback(self._board.close)
        self._stack.callback(self._lines.close)
        self._stack.enter_context(self._console)
        self._last = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def step(self, number: int, values: Mapping[str, float], samples: int, waited: float) -> None:
        """Record a finished step.

        Args:
            number: finished steps.
            values: loss parts, learning rate and the like; what is not finite is left out.
            samples: in the step, of all ranks.
            waited: seconds of the step that the first rank waited for data.
        """
        now = time.monotonic()
        seconds, self._last = now - self._last, now
        values = {
            **{name: value for name, value in values.items() if math.isfinite(value)},
            "samples_per_second": samples / seconds,
            "data_wait_share": waited / seconds,
        }
        self._lines.write(json.dumps({"step": number, **values}) + "\n")
        self._lines.flush()
        for name, value in values.items():
            self._board.add_scalar(name, value, number)
        self._console.step(number, values)

    def write_curves(self) -> None:
        """Thin the log out to `curves.json`, which `dvc plots` draws."""
        records = [json.loads(line) for line in (self._out / LOG).read_text().splitlines()]
        records = [record for record in records if "loss" in record]
        stride = max(1, len(records) // CURVE_POINTS)
        (self._out / CURVES).write_text(json.dumps(records[::stride], indent=0) + "\n")

    def _keep_until(self, step: int) -> None:
        """Drop the lines after the checkpoint that a resumed run starts from."""
        path = self._out / LOG
        lines = path.read_text().splitlines(keepends=True) if path.exists() else []
        path.write_text("".join(line for line in lines if _step_of(line) <= step))


def _step_of(line: str) -> float:
    """The step of a log line; infinite where a kill cut the line short."""
    try:
        return json.loads(line)["step"]
    except ValueError:
        return math.inf
