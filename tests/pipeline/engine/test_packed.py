"""Results on their way between processes."""

import numpy as np
import torch

from pipeline.engine.blocks import Blocks
from pipeline.engine.packed import packed, unpacked


def test_arrays_and_tensors_lie_in_one_block() -> None:
    blocks = Blocks()
    result = packed({"a": np.arange(5), "none": np.zeros((0, 3)), "b": torch.ones(3, 2)}, blocks)
    found = unpacked(result, blocks)
    assert len(result.structure) < 1000
    assert np.array_equal(found["a"], np.arange(5))
    assert found["none"].shape == (0, 3)
    assert torch.equal(found["b"], torch.ones(3, 2))


def test_a_tensor_alone_keeps_its_block() -> None:
    blocks = Blocks()
    kept = [unpacked(packed([torch.full((9,), n)], blocks), blocks)[0][2:] for n in range(4)]
    assert [part.tolist() for part in kept] == [[n] * 7 for n in range(4)]


def test_plain_data_needs_no_block() -> None:
    result = packed({"key": "chair", "views": None, "empty": np.zeros(0)}, blocks := Blocks())
    assert result.block is None
    assert unpacked(result, blocks)["key"] == "chair"
