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

MOST_NAMED = 120
"""Classes that a plot has room for the names of; one of ImageNet's thousand would take 5 GB."""


def write_predictions(path: Path, classes: list[str], labels: Tensor, predictions: Tensor) -> None:
    """One line a sample, actual and predicted: `dvc plots` makes its confusion matrix of them."""
    pairs = zip(labels.tolist(), predictions.tolist())
    rows = ((classes[label], classes[guess]) for label, guess in pairs)
    _write_csv(path, ["actual", "predicted"], rows)


def write_per_class(
    path: Path, classes: list[str], counts: list[int], columns: dict[str, Tensor]
) -> None:
    """One line a class: samples, and each model's score within the class."""
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
    side = 3 + 0.35 * min(len(classes), MOST_NAMED)
    figure, axes = plt.subplots(figsize=(side, side))
    ConfusionMatrixDisplay.from_predictions(
        labels.numpy(), predictions.numpy(), labels=range(len(classes)), display_labels=classes,
        normalize="true", include_values=False, xticks_rotation="vertical", cmap="Blues",
        colorbar=False, ax=axes,
    )  # fmt: skip
    if len(classes) > MOST_NAMED:
        axes.set(xticks=[], yticks=[])
    axes.set_title(title)
    figure.tight_layout()
    with replacing(path) as file:
        figure.savefig(file, format="png", dpi=100)
    plt.close(figure)


def _write_csv(path: Path, header: list[str], rows: Iterable[Iterable[Any]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    write_atomically(path, text.getvalue().encode())
