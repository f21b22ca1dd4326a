"""The inputs of a draw: what stacking them gives, and no sample of another shape among them."""

import numpy as np
import pytest
import torch

from stage2_train.stream.input_rows import InputRows


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_parts_put_in_any_order_are_those_stacked(dtype: str) -> None:
    whole = np.random.default_rng(0).integers(0, 255, (4, 3, 5)).astype(dtype)
    rows = InputRows(4)
    for row in (2, 0, 3, 1):
        rows.put(row, (whole[row], whole[row, :1].T), "a")
    first, second = rows.tensors()
    assert torch.equal(first, torch.stack([torch.from_numpy(each) for each in whole]))
    assert torch.equal(second, first[:, :1].mT)


@pytest.mark.parametrize("other", [np.zeros(1), np.zeros((1, 3)), np.zeros(3, np.float32)])
def test_a_sample_of_another_shape_or_type_is_refused(other: np.ndarray) -> None:
    """What numpy would repeat or convert to fill the row."""
    rows = InputRows(2)
    rows.put(0, (np.zeros(3),), "a")
    with pytest.raises(ValueError, match="sample 'b': expected inputs float64 .*, found"):
        rows.put(1, (other,), "b")
