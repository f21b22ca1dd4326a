"""What a training says of itself: the console, TensorBoard, JSON lines, and curves for DVC."""

import json
import math
import sys
import threading
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from torch.utils.tensorboard import SummaryWriter

from pipeline.atomic import naming, replacing, write_atomically
from stage2_train.training.console import ConsoleLine
from stage2_train.training.curves import draw_curves

CURVE_POINTS = 200
LOG, CURVES, PICTURE, TENSORBOARD = "log.jsonl", "curves.json", "curves.png", "tensorboard"


class Logbook:
    """Open while training, on the first rank; every step is one JSON line in `<out>/log.jsonl`.

    A log belongs to a recipe, which every line names. Another recipe's is set aside under its
    name, and one of ours that was set aside earlier is taken up again.

    Args:
        out: the run's folder.
        recipe: fingerprint of what is trained.
        first_step: finished steps that the training starts from; later lines are dropped.
        total_steps: of the whole training.
    """

    def __init__(self, out: Path, recipe: str, first_step: int, total_steps: int) -> None:
        self._out, self._recipe = out, recipe
        self.set_aside = _make_room(out, recipe)
        """Where another recipe's log went, if one lay there."""
        self._keep_until(first_step)
        self._lines = (out / LOG).open("a")
        self._board = SummaryWriter(str(out / TENSORBOARD / recipe), purge_step=first_step + 1)
        self._console = ConsoleLine(first_step, total_steps)
        self._stack = ExitStack()

    def __enter__(self) -> "Logbook":
        self._stack.enter_context(_thread_told(self._out / TENSORBOARD))
        self._stack.enter_context(naming(self._out / TENSORBOARD))
        self._stack.callback(self._board.close)
        self._stack.enter_context(naming(self._out / LOG))  # it closes with what it could not write
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
        line = {"step": number, "recipe": self._recipe, **values}
        with naming(self._out / LOG):
            self._lines.write(json.dumps(line) + "\n")
            self._lines.flush()
        with naming(self._out / TENSORBOARD):
            for name, value in values.items():
                self._board.add_scalar(name, value, number)
        self._console.step(number, values)

    def write_curves(self) -> None:
        """Thin the log out to `curves.json`, which `dvc plots` draws, and draw `curves.png`."""
        points = _points(self._out / LOG)
        curves = json.dumps(points, indent=0) + "\n"
        write_atomically(self._out / CURVES, curves.encode())
        with replacing(self._out / PICTURE) as file:
            draw_curves(points, file)

    def _keep_until(self, step: int) -> None:
        """Drop the lines after the checkpoint that a resumed run starts from."""
        log = self._out / LOG
        with replacing(log) as kept:
            for line in _lines(log):
                if _field(line, "step", math.inf) <= step:
                    kept.write(line.encode())


@contextmanager
def _thread_told(folder: Path) -> Iterator[None]:
    """What TensorBoard's thread cannot write is one line; the next step raises it."""
    before = threading.excepthook

    def told(failed: threading.ExceptHookArgs) -> None:
        if isinstance(failed.exc_value, OSError):
            why = failed.exc_value.strerror or failed.exc_value
            print(f"{folder}: cannot be written ({why})", file=sys.stderr)
        else:
            before(failed)

    threading.excepthook = told
    try:
        yield
    finally:
        threading.excepthook = before


def _points(log: Path) -> list[Any]:
    """Some steps of a log, by their number; of one of a million lines no others are kept."""
    with_loss, scored = list[int](), list[int]()
    for number, line in enumerate(_lines(log)):
        record = json.loads(line)
        if "loss" in record:
            with_loss.append(number)
            scored += [number] if "held_out" in record else []
    wanted = {*_thinned(with_loss), *_thinned(scored)}
    records = [json.loads(line) for number, line in enumerate(_lines(log)) if number in wanted]
    shown = {record["step"]: record for record in records}
    return [shown[step] for step in sorted(shown)]


def _thinned(numbers: list[int]) -> list[int]:
    return numbers[:: max(1, len(numbers) // CURVE_POINTS)]


def _make_room(out: Path, recipe: str) -> Path | None:
    log, aside = out / LOG, None
    with closing(_lines(log)) as lines:
        there = _field(next(lines, ""), "recipe", recipe)
    if there != recipe:
        aside = log.rename(_named_after(log, there))
    if not log.exists() and _named_after(log, recipe).exists():
        _named_after(log, recipe).rename(log)
    return aside


def _named_after(log: Path, recipe: str) -> Path:
    return log.with_stem(f"{log.stem}.{recipe}")


def _lines(path: Path) -> Generator[str]:
    """One by one: a long training's are gigabytes."""
    if path.exists():
        with path.open(errors="replace") as file:
            yield from file


def _field(line: str, name: str, otherwise: Any) -> Any:
    """A field of a log line; `otherwise` where a kill cut the line short."""
    try:
        return json.loads(line)[name]
    except (ValueError, KeyError, TypeError):
        return otherwise
