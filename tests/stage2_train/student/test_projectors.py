"""Feature projectors: each teacher's dimension, both kinds of Table 2, unknown teachers refused."""

import pytest
import torch
from torch import nn

from pipeline.errors import UserError
from stage2_train.student.projectors import FeatureProjectors


@pytest.mark.parametrize(("kind", "linears"), [("linear", 1), ("mlp", 2)])
def test_each_teacher_gets_its_own_dimension(kind: str, linears: int) -> None:
    projectors = FeatureProjectors(12, {"ulip": 20, "vitlens": 30}, kind)  # type: ignore[arg-type]
    hidden = torch.randn(5, 12)
    assert projectors("ulip", hidden).shape == (5, 20)
    assert projectors("vitlens", hidden).shape == (5, 30)
    head = projectors.heads["ulip"]
    assert sum(isinstance(module, nn.Linear) for module in head.modules()) == linears


def test_one_teachers_loss_leaves_the_others_alone() -> None:
    projectors = FeatureProjectors(12, {"ulip": 20, "vitlens": 30}, "mlp")
    projectors("ulip", torch.randn(5, 12)).sum().backward()
    assert all(p.grad is not None for p in projectors.heads["ulip"].parameters())
    assert all(p.grad is None for p in projectors.heads["vitlens"].parameters())


def test_an_unknown_teacher_names_the_nearest() -> None:
    with pytest.raises(UserError, match="unknown teacher 'ulipp'; did you mean 'ulip'?"):
        FeatureProjectors(4, {"ulip": 2, "recon": 2}, "linear")("ulipp", torch.zeros(1, 4))
