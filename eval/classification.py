"""Zero-shot classification: cosine to class embeddings, and what is said of the predictions."""

from dataclasses import dataclass

import numpy as np
import torch
from sklearn.metrics import accuracy_score, recall_score
from torch import Tensor
from torch.nn.functional import normalize

TOP = 5
"""Classes among which top-5 looks for the right one."""
ROWS = 4096
"""Samples that are ranked at once."""


@dataclass(frozen=True)
class ClassificationScores:
    """Scores of one model on one benchmark; fractions of 1."""

    top1: float
    top5: float
    predictions: Tensor
    """Int64 [samples]."""
    per_class: Tensor
    """Float64 [classes], top-1 within each class; NaN for a class without samples."""


def zero_shot_scores(features: Tensor, classes: Tensor, labels: Tensor) -> ClassificationScores:
    """Classify by cosine: `classification_scores` of `class_cosines`."""
    return classification_scores(class_cosines(features, classes), labels)


def class_cosines(features: Tensor, classes: Tensor) -> Tensor:
    """Float32 [samples, classes] on the CPU.

    Args:
        features: [samples, dim], at any length.
        classes: [classes, dim], class embeddings.
    """
    return normalize(features, dim=-1) @ normalize(classes, dim=-1).cpu().T


def classification_scores(logits: Tensor, labels: Tensor) -> ClassificationScores:
    """Score the best classes; of equal ones the first in the list is the better.

    Args:
        logits: [samples, classes], on the CPU.
        labels: int64 [samples].
    """
    every, best = np.arange(logits.shape[1]), _best(logits)
    predictions = best[:, 0]
    recalls = recall_score(labels, predictions, labels=every, average=None, zero_division=np.nan)
    return ClassificationScores(
        top1=float(accuracy_score(labels, predictions)),
        top5=float((best == labels[:, None]).any(dim=1).double().mean()),
        predictions=predictions,
        per_class=torch.from_numpy(recalls),
    )


def _best(logits: Tensor) -> Tensor:
    """Int64 [samples, 5 or all classes], the best first: one order, so no top-5 is below its top-1.

    Raises:
        ValueError: a logit is not finite.
    """
    if not logits.isfinite().all():
        raise ValueError("a logit is not finite")
    parts = logits.split(ROWS)  # all at once would take thrice the memory of the logits
    return torch.cat([p.argsort(dim=-1, descending=True, stable=True)[:, :TOP] for p in parts])


def majority_share(labels: Tensor) -> float:
    """Share of the most frequent label: what answering it always would score."""
    return float(labels.bincount().max() / len(labels))
