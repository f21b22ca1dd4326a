"""Retrieval scores against every order of ties written out, scikit-learn, and chance."""

from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score
from torch.nn.functional import normalize

from eval import retrieval_scores as retrieval
from eval.retrieval_scores import RECALLS, retrieval_scores

SEEDS = st.integers(0, 1 << 30)


def made(seed: int, queries: int, items: int, ids: int, kinds: int = 3) -> tuple:
    """Features of few kinds at any length, so that many cosines are equal; ids; the cosines."""
    rng = np.random.default_rng(seed)
    unit = normalize(torch.from_numpy(rng.normal(size=(kinds, 4))))
    chosen = [rng.integers(kinds, size=n) for n in (queries, items)]
    lengths = [torch.from_numpy(rng.uniform(0.1, 10, (len(part), 1))) for part in chosen]
    features = [(unit[part] * each).float() for part, each in zip(chosen, lengths)]
    own_ids = [torch.from_numpy(rng.integers(ids, size=n)) for n in (queries, items)]
    return (*features, *own_ids), (unit @ unit.T)[chosen[0]][:, chosen[1]]


def by_every_order(cosines, query_ids, gallery_ids) -> tuple[dict, list, list]:
    """Recalls, ranks and average precisions, ties in every order."""
    hits, ranks, precisions = {k: [] for k in RECALLS}, [], []
    for row, own in zip(cosines.tolist(), query_ids[:, None] == gallery_ids):
        if own.any():
            orders = permutations(range(len(row)))
            sortings = [sorted(order, key=lambda n: -row[n]) for order in orders]
            firsts = [next(p for p, n in enumerate(s, 1) if own[n]) for s in sortings]
            ranks.append(np.mean(firsts))
            precisions.append(average_precision_score(own, row))
            for k in RECALLS:
                hits[k].append(np.mean([first <= k for first in firsts]))
    return {k: np.mean(found) for k, found in hits.items()}, ranks, precisions


@pytest.mark.parametrize("few", [0, 16])
@settings(max_examples=10)
@given(SEEDS)
def test_every_order_of_ties_has_its_share(few: int, seed: int) -> None:
    data, cosines = made(seed, queries=6, items=5, ids=3)
    data[2][0] = data[3][0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(retrieval, "FEW", few)
        scores = retrieval_scores(*data)
    recalls, ranks, precisions = by_every_order(cosines, *data[2:])
    assert scores.recalls == pytest.approx(recalls)
    assert scores.median_rank == pytest.approx(np.median(ranks))
    assert scores.mean_average_precision == pytest.approx(np.mean(precisions))
    assert (scores.queries, scores.without_relevant) == (len(ranks), 6 - len(ranks))


@settings(max_examples=15)
@given(SEEDS, st.integers(1, 200))
def test_the_size_of_a_block_changes_nothing(seed: int, block: int) -> None:
    data, _ = made(seed, queries=20, items=17, ids=4, kinds=8)
    whole = retrieval_scores(*data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(retrieval, "BLOCK", block)
        assert retrieval_scores(*data) == whole


@pytest.mark.parametrize("items", [12, 333])
def test_features_that_are_all_the_same_score_chance(items: int) -> None:
    same = torch.randn(1, 512, generator=torch.Generator().manual_seed(items)).expand(items, -1)
    numbers = torch.arange(items)
    scores = retrieval_scores(same.clone(), same * 3, numbers, numbers)
    assert scores.recalls == pytest.approx({k: k / items for k in RECALLS})
    assert scores.median_rank == (items + 1) / 2
    assert scores.mean_average_precision == pytest.approx(1 / items)


def test_a_perfect_order_scores_one() -> None:
    features, numbers = torch.eye(20) + 0.1, torch.arange(20)
    scores = retrieval_scores(features, features[numbers.flip(0)], numbers, numbers.flip(0))
    assert scores.recalls == {1: 1.0, 5: 1.0, 10: 1.0}
    assert (scores.median_rank, scores.mean_average_precision) == (1.0, 1.0)


def test_several_captions_of_a_clip_are_found_by_any_of_them() -> None:
    clips, captions = torch.eye(2), torch.tensor([[1.0, 0.1], [0.0, 1.0], [0.2, 1.0]])
    scores = retrieval_scores(clips, captions, torch.arange(2), torch.tensor([0, 1, 0]))
    assert scores.recalls[1] == 1.0
    assert scores.mean_average_precision == pytest.approx((1 + (1 + 2 / 2) / 2) / 2)


def test_the_similarities_are_never_all_there(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    real = retrieval._placed
    monkeypatch.setattr(retrieval, "_placed", lambda c, r: seen.append(c.numel()) or real(c, r))
    monkeypatch.setattr(retrieval, "BLOCK", 1000)
    numbers = torch.arange(300)
    retrieval_scores(torch.randn(300, 4), torch.randn(300, 4), numbers, numbers)
    assert max(seen) <= 1000
    assert sum(seen) == 300 * 300


def test_what_cannot_be_scored_is_refused() -> None:
    two = torch.eye(2)
    with pytest.raises(ValueError, match="no query has a relevant item"):
        retrieval_scores(two, two, torch.tensor([0, 1]), torch.tensor([2, 3]))
    with pytest.raises(ValueError, match="not finite"):
        retrieval_scores(two * torch.nan, two, torch.arange(2), torch.arange(2))


def test_cosines_that_differ_are_told_apart() -> None:
    angles = torch.tensor([0.02, 0.01, 0.0])  # cosines 5e-5 apart
    gallery = torch.stack([angles.cos(), angles.sin()], dim=1)
    scores = retrieval_scores(torch.tensor([[1.0, 0.0]]), gallery, torch.ones(1), torch.arange(3))
    assert (scores.median_rank, scores.mean_average_precision) == (2.0, 0.5)
