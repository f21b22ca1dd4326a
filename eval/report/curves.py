"""Training curves as small charts: lines of an inline SVG, one chart for each kind of value."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.commands import train_command
from pipeline.errors import UserError
from pipeline.small_files import read_json
from stage2_train.training.logbook import CURVES

WIDTH, HEIGHT = 300, 120
"""Of a chart's plane, in the SVG's own units."""
LEFT_OUT = ("step", "recipe", "expert_use", "skipped_steps", "replaced_samples")
"""Of a record: no curves, or shown elsewhere."""
LARGEST = 1e30
"""What is beyond is of a training that diverged, and would flatten all others."""
Record = dict[str, Any]


@dataclass(frozen=True)
class Line:
    """One curve."""

    name: str
    points: str
    """As SVG's `polyline` has them."""
    last: float


@dataclass(frozen=True)
class Chart:
    """Curves of one kind over the steps."""

    title: str
    low: float
    high: float
    steps: float
    """Where the plane ends on the right; it begins at 0."""
    lines: list[Line]


def records(run: Path) -> list[Record]:
    """What training wrote to curves.json.

    Raises:
        UserError: it is not there, or something else.
    """
    mend = f"run: {train_command()}"
    try:
        return read_json(run / CURVES, list[Record], mend)
    except FileNotFoundError:
        raise UserError(f"{run / CURVES}: not found; {mend}") from None


def charts(found: Sequence[Record]) -> list[Chart]:
    """A chart for each kind: what stands before the slash of a value's name."""
    names = dict.fromkeys(name for record in found for name in record)
    kinds: dict[str, list[str]] = {}
    for name in names:
        kind = name.partition("/")[0]
        if kind not in LEFT_OUT:
            kinds.setdefault(kind, []).append(name)
    drawn = (_chart(kind, each, found) for kind, each in kinds.items())
    return [chart for chart in drawn if chart.lines]


def _chart(kind: str, names: Sequence[str], found: Sequence[Record]) -> Chart:
    series = {name: _points(name, found) for name in names}
    values = [value for points in series.values() for _, value in points]
    low, high = min(values, default=0.0), max(values, default=0.0)
    last_step = max((step for points in series.values() for step, _ in points), default=1.0)
    lines = [
        Line(name.partition("/")[2] or kind, _svg(points, last_step, low, high), points[-1][1])
        for name, points in series.items()
        if points
    ]
    return Chart(kind.replace("_", " "), low, high, last_step, lines)


def _points(name: str, found: Sequence[Record]) -> list[tuple[Any, Any]]:
    """(step, value) of the records that have one."""
    pairs = ((record.get("step"), record.get(name)) for record in found)
    return [pair for pair in pairs if all(map(_is_number, pair))]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and abs(value) < LARGEST


def _svg(points: Sequence[tuple[float, float]], last_step: float, low: float, high: float) -> str:
    """Steps from left to right, high values at the top."""
    span, steps = (high - low) or 1.0, last_step or 1.0
    places = ((s / steps * WIDTH, HEIGHT - (v - low) / span * HEIGHT) for s, v in points)
    return " ".join(f"{across:.1f},{down:.1f}" for across, down in places)
