"""The update: on a GPU told by the device to leave a step out; what it says of several passes."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from stage2_train.stream.loader import LoadedBatches
from stage2_train.training.checkpoint import Progress
from stage2_train.training.schedule import make_optimizer
from stage2_train.training.trainer import Trainer
from stage2_train.training.update import Update
from tests.stage2_train.training.trainings import params_of, poison_once

ROOT = Path(__file__).parents[3]
KINDS = {"bias": "biases", "class_token": "class tokens", "logit_scale": "logit scale"}
"""Part of a parameter's name -> what the settings call it."""


def kinds(names: Iterable[str]) -> set[str]:
    return {next((kind for kind in KINDS if kind in name), "") for name in names}


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


def test_what_is_not_decayed_is_what_the_settings_say(cached_world: Path) -> None:
    trainer = Trainer(params_of(cached_world))
    named = {id(parameter): name for name, parameter in trainer.objective.named_parameters()}
    decayed, free = trainer.optimizer.param_groups
    assert (decayed["weight_decay"], free["weight_decay"]) == (trainer.config.weight_decay, 0.0)
    assert kinds(named[id(p)] for p in decayed["params"]) == {""}
    assert kinds(named[id(p)] for p in free["params"]) == set(KINDS)
    (said,) = re.findall(r"`weight_decay` .*", (ROOT / "docs" / "params.md").read_text())
    assert all(words in said for words in KINDS.values())


def test_a_step_of_several_passes_tells_of_all_of_them(cached_world: Path) -> None:
    trainer = Trainer(params_of(cached_world, batch_size=26, accumulate=2))
    encode, used = trainer.objective.encode, []

    def watched(modality: str, x: object) -> object:
        output = encode(modality, x)
        used.append(output.use.mean(0))
        return output

    def marked(feed: Iterator[LoadedBatches]) -> Iterator[LoadedBatches]:
        """Two samples of each source replaced in the first pass, one in the second."""
        for replaced, loaded in zip((2, 1), feed):
            yield replace(
                loaded, batches=[replace(batch, replaced=replaced) for batch in loaded.batches]
            )

    trainer.objective.encode = watched
    with trainer.feed(Progress(step=0, cursors={})) as feed:
        values = trainer.update(marked(feed), 0.0, lambda: False).values
    assert values["replaced_samples"] == 2 * (2 + 1)
    found = [values[f"expert_use/objects/{expert}"] for expert in range(len(used[0]))]
    assert found == pytest.approx(torch.stack(used[::2]).mean(0).tolist())
    assert found != pytest.approx(used[2].tolist())
