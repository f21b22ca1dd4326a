"""Accuracy as the mean over a benchmark's folds, as ESC-50 is scored."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class FoldScores:
    """Top-1 by fold; fractions of 1."""

    mean: float
    """Of the folds, each of them counting as one whatever its size."""
    by_fold: dict[int, float]


def fold_scores(predictions: Tensor, labels: Tensor, folds: Tensor) -> FoldScores:
    """Top-1 within each fold that has a sample.

    Args:
        predictions: int64 [samples].
        labels: int64 [samples].
        folds: int64 [samples], the fold of each.

    Raises:
        ValueError: there is no sample.
    """
    if not len(folds):
        raise ValueError("no sample in any fold")
    right = (predictions == labels).double()
    by_fold = {int(fold): float(right[folds == fold].mean()) for fold in torch.unique(folds)}
    return FoldScores(sum(by_fold.values()) / len(by_fold), by_fold)
