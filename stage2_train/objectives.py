"""The training objectives: pure functions of features, each with its formula.

The paper's body is not public; these forms are the project's own (DESIGN, section 9). All compute
in float32, autocast or not, because temperatures blow half precision's rounding up. Features are
normalised here and may come at any length. Rows that cannot count (a teacher's failed sample is
NaN in its store) are masked, not filtered: shapes stay fixed and an all-masked batch gives a zero
that still reaches every parameter.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def _in_float32(objective: Callable[..., Tensor]) -> Callable[..., Tensor]:
    @wraps(objective)
    def computed(*features: Tensor, **settings: Any) -> Tensor:
        with torch.autocast(features[0].device.type, enabled=False):
            return objective(*(f.float() for f in features), **settings)

    return computed


@_in_float32
def one_way_binding(
    queries: Tensor,
    keys: Tensor,
    query_texts: Tensor,
    key_texts: Tensor,
    *,
    tau: float,
    logit_scale: Tensor,
) -> Tensor:
    """Cross-entropy of each query's distribution over the keys against what their labels say.

    mean_i sum_j -q_ij log p_ij,
    q_ij = softmax_j(cos(t_i, t_j) / tau), p_ij = softmax_j(cos(e_i, a_j) * exp(logit_scale))

    In distributed training the local rows are the queries and the gathered ones the keys.

    Args:
        queries: e, [B, D], student embeddings.
        keys: a, [A, D], in the same space.
        query_texts: t_i, [B, T], text embeddings of the queries' labels; no gradient flows.
        key_texts: t_j, [A, T], likewise of the keys'.
        tau: temperature of the targets; towards 0 they become one-hot on the nearest label.
        logit_scale: the logarithm of the scale, scalar; as in CLIP the scale stops at 100
            (arXiv:2103.00020, section 2.5).
    """
    logits = _cosines(queries, keys) * logit_scale.float().exp().clamp(max=100.0)
    with torch.no_grad():
        targets = (_cosines(query_texts, key_texts) / tau).softmax(-1)
    return F.cross_entropy(logits, targets)


def soft_binding(
    embeddings: Tensor,
    anchors: Tensor,
    label_texts: Tensor,
    anchor_texts: Tensor,
    *,
    tau: float,
    logit_scale: Tensor,
) -> Tensor:
    """Bind samples of one modality to anchors they were never paired with, by label meaning.

    The mean of `one_way_binding` in both directions. With distinct labels and tau -> 0 it is
    CLIP's symmetric InfoNCE; samples of the same label share their targets' mass.

    Args: as `one_way_binding`; embeddings and label_texts have B rows, anchors and anchor_texts A.
    """
    settings = {"tau": tau, "logit_scale": logit_scale}
    there = one_way_binding(embeddings, anchors, label_texts, anchor_texts, **settings)
    back = one_way_binding(anchors, embeddings, anchor_texts, label_texts, **settings)
    return (there + back) / 2


@_in_float32
def feature_distillation(predicted: Tensor, target: Tensor, *, valid: Tensor) -> Tensor:
    """Follow a teacher's cached features: mean over valid rows of 1 - cos(predicted, target).

    Serves teachers (predicted = projector(hidden)) and CLIP's anchors (predicted = embedding).

    Args:
        predicted: [B, D].
        target: [B, D]; rows that are not valid may hold anything, NaN included.
        valid: bool [B].
    """
    distance = 1 - F.cosine_similarity(predicted, _without(target, valid), dim=-1)
    return _mean(distance, valid)


@_in_float32
def similarity_distillation(
    predicted: Tensor,
    target: Tensor,
    own_texts: Tensor,
    teacher_texts: Tensor,
    *,
    temperature: float,
    valid: Tensor,
) -> Tensor:
    """Agree with a teacher about the classes: mean over valid rows of KL(teacher || student).

    Each distribution is softmax_c(cos(x, text_c) / temperature) in its OWN joint space, so that
    the student's zero-shot answers follow the teacher's although their spaces differ.

    Args:
        predicted: [B, D], the student's embeddings.
        target: [B, T], the teacher's features; rows that are not valid may hold anything.
        own_texts: [C, D], the student's text embeddings of the classes.
        teacher_texts: [C, T], the teacher's text features of the same classes.
        temperature: of both distributions.
        valid: bool [B].
    """
    student = (_cosines(predicted, own_texts) / temperature).log_softmax(-1)
    teacher = (_cosines(_without(target, valid), teacher_texts) / temperature).log_softmax(-1)
    divergence = F.kl_div(student, teacher, reduction="none", log_target=True).sum(-1)
    return _mean(divergence, valid)


def _cosines(rows: Tensor, columns: Tensor) -> Tensor:
    return F.normalize(rows, dim=-1) @ F.normalize(columns, dim=-1).T


def _without(target: Tensor, valid: Tensor) -> Tensor:
    return torch.where(valid[:, None], target, 0.0)


def _mean(values: Tensor, valid: Tensor) -> Tensor:
    return (values * valid).sum() / valid.sum().clamp(min=1)
