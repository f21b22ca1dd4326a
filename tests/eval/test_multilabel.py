"""Multi-label average precision against its definition, and what has no sample."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.multilabel import label_matrix, multilabel_scores


def precision_by_steps(scores: np.ndarray, there: np.ndarray) -> float:
    """Mean over the positives of the share of positives among all that score as much or more."""
    return float(np.mean([there[scores >= s].mean() for s in scores[there]]))


@settings(max_examples=30)
@given(st.integers(0, 1 << 30), st.integers(1, 4))
def test_it_is_the_mean_over_classes_with_a_sample(seed: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    scores, labels = rng.integers(levels, size=(20, 6)) / levels, rng.random((20, 6)) < 0.2
    labels[:, 0], labels[0, 1] = False, True
    found = multilabel_scores(torch.tensor(scores), torch.tensor(labels))
    expected = [
        precision_by_steps(scores[:, c], labels[:, c]) for c in range(6) if labels[:, c].any()
    ]
    assert found.mean_average_precision == pytest.approx(np.mean(expected))
    assert found.without_samples == 6 - len(expected)
    assert torch.isnan(found.per_class[0])


def test_scores_that_are_all_the_same_score_the_share_of_positives() -> None:
    labels = label_matrix([(0,), (0, 1), (), (1,)], 2)
    assert multilabel_scores(torch.ones(4, 2), labels).mean_average_precision == 0.5


def test_a_perfect_order_scores_one() -> None:
    labels = label_matrix([(0, 2), (1,), (2,)], 4)
    found = multilabel_scores(labels.float(), labels)
    assert (found.mean_average_precision, found.without_samples) == (1.0, 1)


def test_what_cannot_be_scored_is_refused() -> None:
    with pytest.raises(ValueError, match="no class has a sample"):
        multilabel_scores(torch.ones(2, 3), label_matrix([(), ()], 3))
    with pytest.raises(ValueError, match="NaN"):
        multilabel_scores(torch.full((2, 1), torch.nan), label_matrix([(0,), ()], 1))
