"""Tables and plots of a classification benchmark, each written whole or not at all."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import matplotlib
from sklearn.metrics import ConfusionMatrixDisplay
from torch import Tensor

from pipeline.atomic import replacing, write_atomically

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402

LONGEST = 40
"""Characters of a class name in a plot."""


def write_predictions(path: Path, classes: list[str], labels: Tensor, predictions: Tensor) -> None:
    """One line a sample, actual and predicted: `dvc plots` makes its confusion matrix of them."""
    pairs = zip(labels.tolist(), predictions.tolist())
    rows = ((classes[label], classes[guess]) for label, guess in pairs)
    _write_csv(path, ["actual", "predicted"], rows)


def write_per_class(
    path: Path, classes: list[str], labels: Tensor, columns: dict[str, Tensor]
) -> None:
    """One line a class: samples, and each model's top-1 within the class."""
    counts = labels.bincount(minlength=len(classes)).tolist()
    scores = zip(*(column.tolist() for column in columns.values()))
    rows = (
        [name, count, *(f"{score:.3f}" for score in each)]
        for name, count, each in zip(classes, counts, scores)
    )
    _write_csv(path, ["class", "samples", *columns], rows)


@matplotlib.rc_context({"text.parse_math": False})  # a class may be called `$unclosed{`
def plot_confusion(
    path: Path, classes: list[str], labels: Tensor, predictions: Tensor, title: str
) -> None:
    """Row-normalised confusion matrix as a PNG."""
    names = [_shortened(name) for name in classes]
    side = 3 + 0.35 * len(classes)
    figure, axes = plt.subplots(figsize=(side, side))
    ConfusionMatrixDisplay.from_predictions(
        labels.numpy(), predictions.numpy(), labels=range(len(classes)), display_labels=names,
        normalize="true", include_values=False, xticks_rotation="vertical", cmap="Blues",
        im_kw={"vmin": 0, "vmax": 1}, colorbar=False, ax=axes,
    )  # fmt: skip
    figure.colorbar(axes.images[0], cax=axes.inset_axes((1.02, 0, 0.04, 1)))
    axes.set_title(title)
    with replacing(path) as file:  # as large as the title and the longest name ask for
        figure.savefig(file, format="png", dpi=100, bbox_inches="tight")
    plt.close(figure)


def _shortened(name: str) -> str:
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 3]}..."


def _write_csv(path: Path, header: list[str], rows: Iterable[Iterable[Any]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    write_atomically(path, text.getvalue().encode())
