"""The training objectives: pure functions of features, each with its formula.

The paper's body is not public; these forms are the project's own (DESIGN, section 9). All compute
in float32, autocast or not, because temperatures blow half precision's rounding up. Features are
normalised here and may come at any length. Rows that cannot count (a teacher's failed sample is
NaN in its store) are masked, not filtered: shapes stay fixed and an all-masked batch gives a zero
that still reaches every parameter.

On many ranks each objective gives this rank's share: its own rows, divided by the rows of all. The
sum over the ranks is the objective of the whole batch, whatever the split.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

OBJECTIVES = 2
"""Of the formulas' definition; part of a training's identity."""

_ABSENT = -1e9
"""Logit of a masked key: its probability is 0, and its loss 0 * -1e9, where infinity gives NaN."""


def _in_float32(objective: Callable[..., Tensor]) -> Callable[..., Tensor]:
    @wraps(objective)
    def computed(*features: Tensor, **settings: Any) -> Tensor:
        with torch.autocast(features[0].device.type, enabled=False):
            return objective(*(f.float() for f in features), **settings)

    return computed


class LabelledFeatures(NamedTuple):
    """Rows beside what their labels mean."""

    features: Tensor
    """[N, D] in the student's joint space."""
    texts: Tensor
    """[N, T], text embeddings of the rows' labels; no gradient flows."""
    valid: Tensor | None = None
    """Bool [N], rows that count; None where all do."""

    @property
    def counted(self) -> Tensor | int:
        """Rows that count."""
        return len(self.features) if self.valid is None else self.valid.sum()


class GatheredFeatures(NamedTuple):
    """Rows that are split over the ranks."""

    local: LabelledFeatures
    """This rank's."""
    gathered: LabelledFeatures
    """All ranks', the local ones among them."""


def soft_binding(
    samples: GatheredFeatures, anchors: GatheredFeatures, *, tau: float, logit_scale: Tensor
) -> Tensor:
    """Bind samples of one modality to anchors they were never paired with, by label meaning.

    The mean of `one_way_binding` in both directions, local queries against gathered keys. With
    distinct labels and tau -> 0 it is CLIP's symmetric InfoNCE; samples of the same label share
    their targets' mass.

    Args:
        samples: student embeddings.
        anchors: what they are bound to; without a valid one among all ranks the loss is 0.
        tau: temperature of the targets; towards 0 they become one-hot on the nearest label.
        logit_scale: as in `one_way_binding`.
    """
    settings = {"tau": tau, "logit_scale": logit_scale}
    to_anchors = _bound(samples.local, anchors.gathered, samples.gathered.counted, **settings)
    to_samples = _bound(anchors.local, samples.gathered, anchors.gathered.counted, **settings)
    return (to_anchors + to_samples) / 2


def _bound(
    queries: LabelledFeatures, keys: LabelledFeatures, total: Tensor | int, **settings: Any
) -> Tensor:
    rows = queries.features, keys.features, queries.texts, keys.texts
    return one_way_binding(
        *rows, total=total, valid_queries=queries.valid, valid_keys=keys.valid, **settings
    )


@_in_float32
def one_way_binding(
    queries: Tensor,
    keys: Tensor,
    query_texts: Tensor,
    key_texts: Tensor,
    *,
    tau: float,
    logit_scale: Tensor,
    total: Tensor | int,
    valid_queries: Tensor | None = None,
    valid_keys: Tensor | None = None,
) -> Tensor:
    """Cross-entropy of each query's distribution over the keys against what their labels say.

    sum_i sum_j -q_ij log p_ij / total,
    q_ij = softmax_j(cos(t_i, t_j) / tau), p_ij = softmax_j(cos(e_i, a_j) * exp(logit_scale))

    Args:
        queries: e, [B, D].
        keys: a, [A, D], in the same space.
        query_texts: t_i, [B, T], text embeddings of the queries' labels; no gradient flows.
        key_texts: t_j, [A, T], likewise of the keys'.
        tau: temperature of the targets.
        logit_scale: the logarithm of the scale, scalar; as in CLIP the scale stops at 100
            (arXiv:2103.00020, section 2.5).
        total: valid queries of all ranks.
        valid_queries: bool [B], those that count; None where all do.
        valid_keys: bool [A], likewise; the others, which must be finite, are as if left out.
    """
    logits = _cosines(queries, keys) * logit_scale.float().exp().clamp(max=100.0)
    with torch.no_grad():
        similarities = _cosines(query_texts, key_texts) / tau
    if valid_keys is not None:
        logits = logits.masked_fill(~valid_keys, _ABSENT)
        similarities = similarities.masked_fill(~valid_keys, _ABSENT)
    losses = F.cross_entropy(logits, similarities.softmax(-1), reduction="none")
    if valid_keys is not None:
        losses = losses * valid_keys.any()
    if valid_queries is not None:
        losses = losses * valid_queries
    return losses.sum() / torch.as_tensor(total).clamp(min=1)


@_in_float32
def feature_distillation(
    predicted: Tensor,
    target: Tensor,
    *,
    valid: Tensor,
    total: Tensor,
    mean: Tensor | float = 0.0,
) -> Tensor:
    """Follow a teacher's cached features: mean over valid rows of 1 - cos(predicted, t/|t| - mean).

    Serves teachers (predicted = projector(hidden)) and CLIP's anchors (predicted = embedding, which
    is CLIP's own space: no mean). A teacher's features may be alike for the most part, whatever
    they are of; without that part, what it tells apart is what is left to follow.

    Args:
        predicted: [B, D].
        target: [B, D]; rows that are not valid may hold anything, NaN included.
        valid: bool [B].
        total: scalar, valid rows of all ranks.
        mean: float32 [D], of the teacher's normalised features.
    """
    told_apart = F.normalize(_without(target, valid), dim=-1) - mean
    return _mean(1 - F.cosine_similarity(predicted, told_apart, dim=-1), valid, total)


@_in_float32
def similarity_distillation(
    predicted: Tensor,
    target: Tensor,
    own_texts: Tensor,
    teacher_texts: Tensor,
    *,
    temperature: float,
    valid: Tensor,
    total: Tensor,
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
        total: scalar, valid rows of all ranks.
    """
    student = (_cosines(predicted, own_texts) / temperature).log_softmax(-1)
    teacher = (_cosines(_without(target, valid), teacher_texts) / temperature).log_softmax(-1)
    divergence = F.kl_div(student, teacher, reduction="none", log_target=True).sum(-1)
    return _mean(divergence, valid, total)


def load_balance(use: Tensor, probability: Tensor) -> Tensor:
    """Even use of the experts: Switch Transformer's loss (arXiv:2101.03961, equation 4).

    The mean over routers of E * sum_e use_e * probability_e: 1 when perfectly even, E / top_k at
    worst. It is that of the whole batch, since use is: a rank gives its share of the mean
    probabilities.

    Args:
        use: [routers, E], share of all ranks' choices that fell on each expert; no gradient flows.
        probability: [routers, E], this rank's mean routing probabilities times its part of the
            rows.
    """
    return use.shape[-1] * (use * probability).sum(-1).mean()


def _cosines(rows: Tensor, columns: Tensor) -> Tensor:
    return F.normalize(rows, dim=-1) @ F.normalize(columns, dim=-1).T


def _without(target: Tensor, valid: Tensor) -> Tensor:
    return torch.where(valid[:, None], target, 0.0)


def _mean(values: Tensor, valid: Tensor, total: Tensor) -> Tensor:
    return (values * valid).sum() / total.clamp(min=1)
