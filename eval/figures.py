"""Tables and plots of a classification benchmark."""

import csv
from pathlib import Path

import matplotlib
from sklearn.metrics import ConfusionMatrixDisplay
from torch import Tensor

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402


def write_predictions(path: Path, classes: list[str], labels: Tensor, predictions: Tensor) -> None:
    """One line a sample, actual and predicted: `dvc plots` makes its confusion matrix of them."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["actual", "predicted"])
        writer.writerows(
            (classes[label], classes[guess])
            for label, guess in zip(labels.tolist(), predictions.tolist())
        )


def write_per_class(
    path: Path, classes: list[str], labels: Tensor, columns: dict[str, Tensor]
) -> None:
    """One line a class: samples, and each model's top-1 within the class."""
    counts = labels.bincount(minlength=len(classes)).tolist()
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["class", "samples", *columns])
        for number, name in enumerate(classes):
            scores = [f"{float(column[number]):.3f}" for column in columns.values()]
            writer.writerow([name, counts[number], *scores])


def plot_confusion(
    path: Path, classes: list[str], labels: Tensor, predictions: Tensor, title: str
) -> None:
    """Row-normalised confusion matrix as a PNG."""
    side = 3 + 0.35 * len(classes)
    figure, axes = plt.subplots(figsize=(side, side))
    ConfusionMatrixDisplay.from_predictions(
        labels.numpy(), predictions.numpy(), labels=range(len(classes)), display_labels=classes,
        normalize="true", include_values=False, xticks_rotation="vertical", cmap="Blues",
        colorbar=False, ax=axes,
    )  # fmt: skip
    axes.set_title(title)
    figure.tight_layout()
    figure.savefig(path, dpi=100)
    plt.close(figure)
