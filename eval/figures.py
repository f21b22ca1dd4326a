"""Tables and plots of a classification benchmark, each written whole or not at all."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import matplotlib
from sklearn.metrics import confusion_matrix
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
    named = len(classes) <= MOST_NAMED
    side = 3 + 0.35 * len(classes) if named else 12.0
    figure, axes = plt.subplots(figsize=(side, side))
    every = range(len(classes))
    matrix = confusion_matrix(labels.numpy(), predictions.numpy(), labels=every, normalize="true")
    axes.imshow(matrix, cmap="Blues")
    axes.set(xlabel="Predicted label", ylabel="True label")
    axes.set_xticks(every if named else [], classes if named else [], rotation="vertical")
    axes.set_yticks(every if named else [], classes if named else [])
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
