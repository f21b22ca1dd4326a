"""Curves of a training as one picture, which needs neither a browser nor a network."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, BinaryIO

from matplotlib.figure import Figure

from pipeline.config.train import ObjectiveWeights

PARTS = ("loss", *(field.name for field in fields(ObjectiveWeights)), "held_out")
"""What has a panel: the loss and, where a training has them, its parts and its scores."""
COLUMNS, SIDE = 3, 4.0
"""Panels in a line; inches of one."""


def draw_curves(records: Sequence[Mapping[str, Any]], file: BinaryIO) -> None:
    """Write a PNG with a panel for each of `PARTS`, a line in it for each source or benchmark.

    Args:
        records: of some steps: `step`, and values named `part` or `part/NAME`.
        file: open for writing.
    """
    names = dict.fromkeys(name for record in records for name in record)
    panels = {part: [name for name in names if name.split("/")[0] == part] for part in PARTS}
    there = {part: lines for part, lines in panels.items() if lines}
    rows = -(-max(1, len(there)) // COLUMNS)
    figure = Figure((SIDE * COLUMNS, SIDE * 0.75 * rows), dpi=100, layout="constrained")
    grid = figure.subplots(rows, COLUMNS, squeeze=False)
    for axes, (part, lines) in zip(grid.flat, there.items()):
        for name in lines:
            points = [(record["step"], record[name]) for record in records if name in record]
            axes.plot(
                *zip(*points), marker=".", markersize=3, label=name.partition("/")[2] or "mean"
            )
        axes.set(title=part, xlabel="step")
        if lines != [part]:
            axes.legend(fontsize=7)
    for axes in grid.flat[len(there) :]:
        axes.set_axis_off()
    figure.savefig(file, format="png")
