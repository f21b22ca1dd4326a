"""Objectives: each at a limit where its value is known, in float32, blind to masked rows."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from stage2_train.training.objectives import (
    GatheredFeatures,
    LabelledFeatures,
    feature_distillation,
    one_way_binding,
    similarity_distillation,
    soft_binding,
)

SCALE = torch.tensor(10.0).log()


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def bind(e: Tensor, a: Tensor, e_texts: Tensor, a_texts: Tensor, **settings: Any) -> Tensor:
    """Soft binding where one rank holds everything."""
    samples, anchors = LabelledFeatures(e, e_texts), LabelledFeatures(a, a_texts)
    return soft_binding(
        GatheredFeatures(samples, samples), GatheredFeatures(anchors, anchors), **settings
    )


def info_nce(a: Tensor, b: Tensor, scale: float) -> Tensor:
    logits = F.normalize(a, dim=-1) @ F.normalize(b, dim=-1).T * scale
    target = torch.arange(len(a))
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


def test_soft_binding_of_distinct_labels_is_info_nce_when_tau_vanishes() -> None:
    e, a, t = draw(6, 16), draw(6, 16, seed=1), draw(6, 16, seed=2)
    found = bind(e, a, t, t, tau=1e-4, logit_scale=SCALE)
    torch.testing.assert_close(found, info_nce(e, a, 10.0))


def test_soft_binding_of_one_label_only_asks_for_uniform_similarity() -> None:
    e, t = draw(4, 16), draw(1, 16, seed=1)
    a = torch.ones(7, 16)
    settings = {"tau": 0.05, "logit_scale": SCALE, "total": 4}
    found = one_way_binding(e, a, t.expand(4, -1), t.expand(7, -1), **settings)
    assert found.item() == pytest.approx(torch.tensor(7.0).log().item())


def test_soft_binding_is_least_where_similarities_match_the_labels() -> None:
    t = draw(8, 16)
    tau = 0.1  # equals 1 / exp(SCALE): embeddings that lie as their labels do are optimal
    aligned = t.clone().requires_grad_()
    bind(aligned, t, t, t, tau=tau, logit_scale=SCALE).backward()
    assert aligned.grad is not None
    assert aligned.grad.abs().max() < 1e-6
    best = bind(t, t, t, t, tau=tau, logit_scale=SCALE)
    assert best < bind(draw(8, 16, seed=3), t, t, t, tau=tau, logit_scale=SCALE)


def test_soft_binding_takes_more_anchors_than_samples_and_sends_gradient_to_both() -> None:
    e, a = draw(3, 16).requires_grad_(), draw(9, 16, seed=1).requires_grad_()
    scale = SCALE.clone().requires_grad_()
    bind(e, a, draw(3, 8), draw(9, 8, seed=4), tau=0.1, logit_scale=scale).backward()
    assert all(x.grad is not None and x.grad.any() for x in (e, a, scale))


def test_the_scale_stops_at_a_hundred() -> None:
    e, t = draw(4, 16), draw(4, 16, seed=1)
    losses = [
        bind(e, e.flip(0), t, t, tau=0.1, logit_scale=torch.tensor(float(s)).log())
        for s in (100, 1000)
    ]
    assert losses[0] == losses[1]


def test_the_ranks_shares_add_up_to_the_whole_batch() -> None:
    e, a, t = draw(7, 16), draw(5, 16, seed=1), draw(12, 8, seed=2)
    samples, anchors = LabelledFeatures(e, t[:7]), LabelledFeatures(a, t[7:])
    settings = {"tau": 0.1, "logit_scale": SCALE}
    cuts = [(slice(3), slice(5)), (slice(3, 7), slice(5, 5))]  # the second has no anchors
    shares = [
        soft_binding(
            GatheredFeatures(LabelledFeatures(e[own], t[:7][own]), samples),
            GatheredFeatures(LabelledFeatures(a[theirs], t[7:][theirs]), anchors),
            **settings,
        )
        for own, theirs in cuts
    ]
    torch.testing.assert_close(sum(shares), bind(e, a, t[:7], t[7:], **settings))


def test_feature_distillation_measures_direction_only() -> None:
    target, valid = draw(5, 12), torch.ones(5, dtype=torch.bool)
    for factor, expected in ((3.0, 0.0), (-0.5, 2.0)):
        found = feature_distillation(factor * target, target, valid=valid, total=valid.sum())
        assert found.item() == pytest.approx(expected, abs=1e-6)


def test_what_all_features_of_a_teacher_share_is_nothing_to_follow() -> None:
    shared, valid = draw(12, seed=3), torch.ones(5, dtype=torch.bool)
    target = shared + 0.1 * draw(5, 12)
    mean = F.normalize(target, dim=-1).mean(0)
    counted = {"valid": valid, "total": valid.sum()}
    for predicted, expected in (
        (F.normalize(target, dim=-1) - mean, 0.0),
        (mean.expand(5, -1), 1.0),
    ):
        found = feature_distillation(predicted, target, mean=mean, **counted)
        assert found.item() == pytest.approx(expected, abs=0.1)


def test_similarity_distillation_is_zero_at_agreement_and_positive_elsewhere() -> None:
    target, texts, valid = draw(5, 12), draw(4, 12, seed=1), torch.ones(5, dtype=torch.bool)
    for predicted, least, most in ((2 * target, -1e-6, 1e-6), (draw(5, 12, seed=2), 0.01, 1e3)):
        settings = {"temperature": 0.07, "valid": valid, "total": valid.sum()}
        loss = similarity_distillation(predicted, target, texts, texts, **settings)
        assert least <= loss.item() <= most


def test_similarity_distillation_is_the_kl_of_the_softmaxes() -> None:
    predicted, target = draw(3, 6), draw(3, 8, seed=1)
    own, theirs = draw(4, 6, seed=2), draw(4, 8, seed=3)
    p, q = (
        (F.normalize(x, dim=-1) @ F.normalize(texts, dim=-1).T / 0.1).softmax(-1)
        for x, texts in ((target, theirs), (predicted, own))
    )
    expected = (p * (p / q).log()).sum(-1).mean()
    valid = torch.ones(3, dtype=torch.bool)
    settings = {"temperature": 0.1, "valid": valid, "total": valid.sum()}
    found = similarity_distillation(predicted, target, own, theirs, **settings)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("kind", ["feature", "similarity"])
def test_masked_rows_count_for_nothing(kind: str) -> None:
    predicted, target = draw(6, 12).requires_grad_(), draw(6, 12, seed=1)
    valid = torch.tensor([True, False, True, True, False, True])

    def loss(p: Tensor, t: Tensor, v: Tensor) -> Tensor:
        if kind == "feature":
            return feature_distillation(p, t, valid=v, total=v.sum())
        texts = draw(3, 12, seed=2)
        return similarity_distillation(p, t, texts, texts, temperature=0.1, valid=v, total=v.sum())

    spoiled = torch.where(valid[:, None], target, float("nan"))
    found = loss(predicted, spoiled, valid)
    torch.testing.assert_close(found, loss(predicted[valid], target[valid], valid[valid]))
    found.backward()
    assert predicted.grad is not None
    assert predicted.grad.isfinite().all()
    assert not predicted.grad[~valid].any()
    assert loss(predicted, spoiled * float("nan"), ~valid & valid).item() == 0


def test_objectives_stay_in_float32_under_autocast() -> None:
    e, t, valid = draw(6, 64), draw(6, 64, seed=1), torch.ones(6, dtype=torch.bool)
    settings = {"tau": 0.01, "logit_scale": torch.tensor(100.0).log()}
    exact = bind(e, t, t, t, **settings), feature_distillation(e, t, valid=valid, total=valid.sum())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = (
            bind(e, t, t, t, **settings),
            feature_distillation(e, t, valid=valid, total=valid.sum()),
        )
        half = feature_distillation(e.bfloat16(), t.half(), valid=valid, total=valid.sum())
    assert found == exact
    assert half.dtype == torch.float32


def test_rows_that_do_not_count_are_as_if_left_out() -> None:
    e, a, t = draw(5, 16), draw(7, 16, seed=1), draw(7, 12, seed=2)
    kept = torch.tensor([True, False, True, True, False, True, False])
    settings = {"tau": 0.1, "logit_scale": SCALE}
    masked = LabelledFeatures(a.clone().requires_grad_(), t, kept)
    samples, left = LabelledFeatures(e, t[:5]), LabelledFeatures(a[kept].requires_grad_(), t[kept])
    losses = [
        soft_binding(GatheredFeatures(samples, samples), GatheredFeatures(x, x), **settings)
        for x in (masked, left)
    ]
    torch.testing.assert_close(*losses)
    sum(losses).backward()
    torch.testing.assert_close(masked.features.grad[kept], left.features.grad)
    assert not masked.features.grad[~kept].any()


def test_anchors_of_which_none_counts_bind_nothing() -> None:
    e, t = draw(5, 16).requires_grad_(), draw(5, 12)
    anchors = LabelledFeatures(torch.zeros(3, 16), t[:3], torch.zeros(3, dtype=torch.bool))
    samples = LabelledFeatures(e, t)
    loss = soft_binding(
        GatheredFeatures(samples, samples),
        GatheredFeatures(anchors, anchors),
        tau=0.1,
        logit_scale=SCALE,
    )
    loss.backward()
    assert loss == 0
    assert not e.grad.any()
