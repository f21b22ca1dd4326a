"""Classes of several names."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from eval.merged_classes import merged_scores

NYU = torch.tensor([*range(9), *[9] * 7])


@settings(max_examples=30)
@given(st.integers(0, 1 << 30))
def test_the_best_class_is_that_of_the_best_name(seed: int) -> None:
    cosines = torch.randn(7, 16, generator=torch.Generator().manual_seed(seed)) - 5
    merged = merged_scores(cosines, NYU)
    assert merged.shape == (7, 10)
    assert torch.equal(merged.argmax(dim=1), NYU[cosines.argmax(dim=1)])
    assert torch.equal(merged[:, :9], cosines[:, :9])
    assert torch.equal(merged[:, 9], cosines[:, 9:].amax(dim=1))


def test_a_class_without_a_name_is_refused() -> None:
    with pytest.raises(ValueError, match="a name for each of 3 classes"):
        merged_scores(torch.zeros(1, 2), torch.tensor([0, 2]))
