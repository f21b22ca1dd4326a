"""What a training says of itself: a console bar, TensorBoard, JSON lines, and curves for DVC."""

import json
import time
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch.utils.tensorboard import SummaryWriter

CURVE_POINTS = 200
LOG, CURVES, TENSORBOARD = "log.jsonl", "curves.json", "tensorboard"


class Logbook:
    """Open while training; every step is one JSON line in `<out>/log.jsonl`."""

    def __init__(self, out: Path, first_step: int, total_steps: int) -> None:
        self._out = out
        out.mkdir(parents=True, exist_ok=True)
        self._keep_until(first_step)
        self._lines = (out / LOG).open("a")
        self._board = SummaryWriter(str(out / TENSORBOARD), purge_step=first_step)
        self._bar = Progress(
            TextColumn("train"),
            BarColumn(),
            TextColumn("step {task.completed}/{task.total} {task.fields[note]} left"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task("train", total=total_steps, completed=first_step, note="")

    def __enter__(self) -> "Logbook":
        self._bar.start()
        self._last = time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()
        self._lines.close()
        self._board.close()

    def step(self, number: int, values: dict[str, float], samples: int, waited: float) -> None:
        """Record a finished step.

        Args:
            number: finished steps.
            values: loss parts, learning rate and the like.
            samples: in the step.
            waited: seconds of the step spent waiting for data.
        """
        now = time.monotonic()
        seconds, self._last = now - self._last, now
        values = {
            **values, "samples_per_second": samples / seconds, "data_wait_share": waited / seconds
        }  # fmt: skip
        self._lines.write(json.dumps({"step": number, **values}) + "\n")
        self._lines.flush()
        for name, value in values.items():
            self._board.add_scalar(name, value, number)
        note = (
            f"loss {values['loss']:.3f}, {samples / seconds:.0f} samples/s, "
            f"waits {100 * waited / seconds:.0f} %,"
        )
        self._bar.update(self._task, completed=number, note=note)

    def write_curves(self) -> None:
        """Thin the log out to `curves.json`, which `dvc plots` draws."""
        records = [json.loads(line) for line in (self._out / LOG).read_text().splitlines()]
        stride = max(1, len(records) // CURVE_POINTS)
        (self._out / CURVES).write_text(json.dumps(records[::stride], indent=0) + "\n")

    def _keep_until(self, step: int) -> None:
        """Drop the lines after the checkpoint that a resumed run starts from."""
        path = self._out / LOG
        lines = path.read_text().splitlines(keepends=True) if path.exists() else []
        path.write_text("".join(line for line in lines if json.loads(line)["step"] <= step))
