"""Results on their way between processes."""

import numpy as np
import torch

from pipeline.engine.packed import packed, unpacked


def test_arrays_are_written_into_shared_memory_at_once() -> None:
    result = packed({"a": np.arange(5), "b": torch.ones(3, 2)})
    assert result.block.is_shared()  # or sending it would copy it there
    found = unpacked(result)
    assert np.array_equal(found["a"], np.arange(5))
    assert torch.equal(found["b"], torch.ones(3, 2))


def test_plain_data_needs_no_block() -> None:
    assert unpacked(packed({"key": "chair", "views": None})) == {"key": "chair", "views": None}
