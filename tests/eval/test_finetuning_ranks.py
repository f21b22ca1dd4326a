"""Two ranks fine-tune as one does: every trained parameter has a gradient on each."""

from pathlib import Path

import pytest
import torch

from eval.finetuning.plan import Mode, plan
from eval.finetuning.training import trainer_of
from pipeline.config import Params
from pipeline.openclip import load_openclip
from stage2_train.student import Student
from stage2_train.training.checkpoint import Progress
from tests.stage2_train.training.rank_processes import on_ranks
from tests.stage2_train.training.trainings import params_of


def gradients(params: Params, ckpt: Path, mode: Mode) -> dict[str, torch.Tensor]:
    """Of the first step."""
    trainer = trainer_of(params, plan(params, ckpt, "objects", mode, None, None))
    with trainer.feed(Progress(step=0, cursors={})) as feed:
        trainer.update(feed, 0.0, lambda: False)
    named = trainer.objective.named_parameters()
    return {name: p.grad.clone() for name, p in named if p.requires_grad}


@pytest.mark.parametrize("mode", ["adapters", "full"])
def test_the_gradients_of_two_ranks_are_those_of_one(world: Path, mode: Mode) -> None:
    params = params_of(world, loader_workers=0)
    Student(load_openclip(params.student.arch), params.student).save(world / "student")
    whole = gradients(params, world / "student", mode)
    for found in on_ranks(2, gradients, params, world / "student", mode):
        assert found.keys() == whole.keys()
        for name, gradient in whole.items():
            torch.testing.assert_close(found[name], gradient, rtol=1e-3, atol=2e-6, msg=name)
