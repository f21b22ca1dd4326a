"""A linear probe: a head on the frozen student's embeddings, which are encoded once and cached."""

from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from eval.encode import check_finite, encode_split, evaluation_views
from eval.models import student_model
from pipeline.atomic import write_atomically
from pipeline.config import Params
from pipeline.identity import fingerprint
from pipeline.shards import ShardIndex
from stage2_train.student import Student

STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
"""Inverse strengths of the regularisation, of which a tenth of the training split chooses."""
EVERY = 10
"""Each such sample chooses and does not train; samples lie shuffled in their tars."""
STEPS = 1000
_NEVER = -1e4
"""Bias of a class without a training sample."""


def cached_features(
    params: Params, student: Student, index: ShardIndex, student_sha256: str, out: Path
) -> tuple[Tensor, Tensor]:
    """Embeddings float32 [samples, dim], not normalised, of a split's labelled samples under their
    evaluation view, and int64 [samples] their first labels.

    Raises:
        UserError: the split cannot be used, or an embedding is not finite.
    """
    maker = evaluation_views(params, index.dataset)
    tars = [shard.xxh3 for shard in index.shards]
    made_of = fingerprint([student_sha256, maker.recipe(), tars], 6)
    file = out / "features" / f"{index.split}-{made_of}.safetensors"
    kept = _read(file)
    if kept is None:
        model = student_model(student, maker)
        data = encode_split(params, index.dataset, index.split, [model])
        check_finite(data.features[0], f"{index.dataset}/{index.split}: {model.name}")
        kept = data.features[0], data.labels
        write_atomically(file, save({"features": kept[0], "labels": kept[1]}))
    return kept


def fitted(features: Tensor, labels: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """Weight [classes, dim] and bias [classes] of multinomial logistic regression.

    Args:
        features: float32 [samples, dim].
        labels: int64 [samples]; at least two differ.
        classes: all of them, with or without a sample.
    """
    scaler, known = StandardScaler(), labels.numpy()
    scaled = scaler.fit_transform(features.double().numpy())
    model = LogisticRegression(C=_strength(scaled, known), max_iter=STEPS).fit(scaled, known)
    weight, bias = _every_class(model, classes)
    weight /= scaler.scale_
    bias -= weight @ scaler.mean_
    return torch.from_numpy(weight).float(), torch.from_numpy(bias).float()


def _strength(features: np.ndarray, labels: np.ndarray) -> float:
    """That of the best score on a tenth of the samples, the strongest regularisation of equals."""
    choosing = np.arange(len(labels)) % EVERY == EVERY - 1
    if len(np.unique(labels[~choosing])) < 2 or not choosing.any():
        return 1.0
    scores = {
        strength: LogisticRegression(C=strength, max_iter=STEPS)
        .fit(features[~choosing], labels[~choosing])
        .score(features[choosing], labels[choosing])
        for strength in STRENGTHS
    }
    return max(scores, key=lambda strength: scores[strength])


def _every_class(model: LogisticRegression, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows for all classes; of two, scikit-learn has one row, the second's over the first's."""
    rows, biases = model.coef_, model.intercept_
    if len(model.classes_) == 2:
        rows, biases = np.stack([0 * rows[0], rows[0]]), np.array([0.0, biases[0]])
    weight, bias = np.zeros((classes, rows.shape[1])), np.full(classes, _NEVER)
    weight[model.classes_], bias[model.classes_] = rows, biases
    return weight, bias


def _read(file: Path) -> tuple[Tensor, Tensor] | None:
    """Kept features; None where there are none that can be read."""
    try:
        tensors = load_file(file)
        return tensors["features"], tensors["labels"]
    except (FileNotFoundError, SafetensorError, KeyError):
        return None
