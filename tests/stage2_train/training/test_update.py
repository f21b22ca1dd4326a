"""The update as a GPU takes it: the optimizer is told on the device to leave a step out."""

from pathlib import Path

from stage2_train.training.checkpoint import Progress
from stage2_train.training.schedule import make_optimizer
from stage2_train.training.trainer import Trainer
from stage2_train.training.update import Update
from tests.stage2_train.training.trainings import params_of, poison_once


def test_a_fused_optimizer_leaves_out_a_step_that_is_not_finite(cached_world: Path) -> None:
    trainer = Trainer(params_of(cached_world))
    trained = {n: p for n, p in trainer.objective.named_parameters() if p.requires_grad}
    optimizer = make_optimizer(trained, trainer.config)
    optimizer.defaults["fused"] = optimizer.param_groups[0]["fused"] = True
    optimizer.param_groups[1]["fused"] = True
    update, reports, states = Update(trainer.objective, optimizer, 1), [], []
    with trainer.feed(Progress(step=0, cursors={})) as feed:
        for poisoned in (False, True, False):
            if poisoned:
                poison_once(trainer)
            reports.append(update(feed, 1e-3, lambda: False).finite)
            steps = {int(state["step"]) for state in optimizer.state.values()}
            states.append((steps, trainer.student.logit_scale.item()))
    assert reports == [True, False, True]
    assert [steps for steps, _ in states] == [{1}, {1}, {2}]
    assert states[0] == states[1] != states[2]
