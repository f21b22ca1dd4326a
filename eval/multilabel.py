"""Multi-label classification: mean average precision over classes, as AudioSet is scored."""

from dataclasses import dataclass

import numpy as np
import torch
from sklearn.metrics import average_precision_score
from torch import Tensor


@dataclass(frozen=True)
class MultiLabelScores:
    """Scores of one model on one benchmark; fractions of 1."""

    mean_average_precision: float
    """Over the classes that have a sample."""
    per_class: Tensor
    """Float64 [classes], average precision; NaN for a class without samples."""
    without_samples: int
    """Classes that have none and are left out of the mean."""


def multilabel_scores(scores: Tensor, labels: Tensor) -> MultiLabelScores:
    """Score each class's order of the samples; equal scores count as one step.

    Args:
        scores: [samples, classes], cosines or logits.
        labels: bool [samples, classes].

    Raises:
        ValueError: a score is not finite, or no class has a sample.
    """
    held, there = scores.double().cpu().numpy(), labels.bool().cpu().numpy()
    scored = np.flatnonzero(there.any(axis=0))
    if not len(scored):
        raise ValueError("no class has a sample")
    per_class = np.full(held.shape[1], np.nan)
    for number in scored:
        per_class[number] = average_precision_score(there[:, number], held[:, number])
    return MultiLabelScores(
        mean_average_precision=float(per_class[scored].mean()),
        per_class=torch.from_numpy(per_class),
        without_samples=len(per_class) - len(scored),
    )


def label_matrix(labels: list[tuple[int, ...]], classes: int) -> Tensor:
    """Bool [samples, classes] of each sample's labels."""
    matrix = torch.zeros(len(labels), classes, dtype=torch.bool)
    for row, numbers in enumerate(labels):
        matrix[row, list(numbers)] = True
    return matrix
