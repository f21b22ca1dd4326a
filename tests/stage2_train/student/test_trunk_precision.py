"""The trunk held in bfloat16 gives what autocast makes of the float32 one."""

import pytest
import torch

from stage2_train.student import Student
from tests.stage2_train.student.made_batches import every_batch


# Of images nothing needs a gradient yet in the first block, whose attention on the CPU then takes
# torch's fast path in one of the two cases.
@pytest.mark.parametrize("modality", [name for name in every_batch() if name != "image"])
def test_it_changes_no_bit_under_autocast_and_nothing_without(five: Student, modality: str) -> None:
    five.train()
    batch = every_batch()[modality]
    plain = five(modality, batch).embedding
    with torch.autocast("cpu", torch.bfloat16):
        expected = five(modality, batch).embedding
        five.hold_trunk_in(torch.bfloat16)
        assert torch.equal(five(modality, batch).embedding, expected)
    assert torch.equal(five(modality, batch).embedding, plain)
    assert {p.dtype for p in five.parameters()} == {torch.float32}
