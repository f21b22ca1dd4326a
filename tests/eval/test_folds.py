"""The mean over folds."""

import pytest
import torch

from eval.folds import fold_scores


def test_a_fold_counts_as_one_whatever_its_size() -> None:
    predictions, labels = torch.tensor([0, 1, 2, 2]), torch.tensor([0, 0, 0, 2])
    scores = fold_scores(predictions, labels, torch.tensor([1, 1, 1, 5]))
    assert scores.by_fold == pytest.approx({1: 1 / 3, 5: 1.0})
    assert scores.mean == pytest.approx(2 / 3)


def test_equal_folds_give_the_accuracy() -> None:
    generator = torch.Generator().manual_seed(0)
    predictions, labels = torch.randint(3, (2, 50), generator=generator)
    scores = fold_scores(predictions, labels, torch.arange(50) % 5 + 1)
    assert scores.mean == pytest.approx(float((predictions == labels).double().mean()))


def test_no_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="no sample in any fold"):
        fold_scores(*torch.empty(3, 0, dtype=torch.long))
