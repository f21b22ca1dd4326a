"""Zero-shot classification: cosine to class embeddings, and what is said of the predictions."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize
from torchmetrics.functional.classification import multiclass_accuracy


@dataclass(frozen=True)
class ClassificationScores:
    """Scores of one model on one benchmark; fractions of 1."""

    top1: float
    top5: float
    predictions: Tensor
    """Int64 [samples]."""
    per_class: Tensor
    """Float32 [classes], top-1 within each class; NaN for a class without samples."""


def zero_shot_scores(features: Tensor, classes: Tensor, labels: Tensor) -> ClassificationScores:
    """Classify by cosine.

    Args:
        features: [samples, dim], at any length.
        classes: [classes, dim], class embeddings.
        labels: int64 [samples].
    """
    logits = normalize(features, dim=-1) @ normalize(classes, dim=-1).cpu().T
    count = len(classes)
    accuracy = multiclass_accuracy(logits, labels, count, average="micro")
    top5 = multiclass_accuracy(logits, labels, count, average="micro", top_k=min(5, count))
    per_class = multiclass_accuracy(logits, labels, count, average="none")
    present = torch.bincount(labels, minlength=count) > 0
    return ClassificationScores(
        top1=float(accuracy),
        top5=float(top5),
        predictions=logits.argmax(dim=-1),
        per_class=torch.where(present, per_class, torch.nan),
    )


def majority_share(labels: Tensor) -> float:
    """Share of the most frequent label: what answering it always would score."""
    return float(labels.bincount().max() / len(labels))
