"""The training loop: it learns, resumes to the bit, and never mixes two recipes."""

import json
import os
import signal
from pathlib import Path

import pytest
import torch

from pipeline.config import Params
from pipeline.errors import UserError
from stage2_train.schedule import learning_rate
from stage2_train.trainer import STUDENT, Trainer
from tests.tiny_world import tiny_params


def changed(root: Path, **train: object) -> Params:
    settings = {
        "out": str(root / "runs"), "teachers": ["clip-objects", "clip-renders", "fake-objects"],
        "sources": {"objects": 1, "renders": 1}, "epochs": 2, "batch_size": 12,
        "warmup_steps": 2, "checkpoint_every": 3,
    }  # fmt: skip
    return tiny_params(root, train=settings | train)


def weights(root: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return load_file(root / "runs" / STUDENT / "student.safetensors")


def test_training_lowers_the_loss_and_logs_every_part(world: Path) -> None:
    trainer = Trainer(changed(world, epochs=8, peak_lr=3e-3))
    assert trainer.run()
    lines = [json.loads(line) for line in (world / "runs" / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, trainer.total_steps + 1))
    assert lines[-1]["teacher_feature/fake-objects"] < lines[0]["teacher_feature/fake-objects"]
    assert lines[-1]["loss"] < lines[0]["loss"]
    assert {"anchor/clip-renders", "text_binding/objects", "image_binding/objects"} <= set(lines[0])
    assert json.loads((world / "runs" / "curves.json").read_text())[0]["step"] == 1


def test_a_killed_training_resumes_to_the_bit(world: Path) -> None:
    assert Trainer(changed(world)).run()
    uninterrupted = weights(world)
    second = changed(world, out=str(world / "second" / "runs"))
    trainer = Trainer(second)
    trainer._on_sigterm(signal.SIGTERM, None)  # stops after its first step, as the signal does
    assert not trainer.run()
    assert Trainer(second).run()
    resumed = weights(world / "second")
    assert all(torch.equal(uninterrupted[name], resumed[name]) for name in uninterrupted)


def test_sigterm_saves_a_checkpoint(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = Trainer(changed(world, checkpoint_every=1000))
    step = trainer._step

    def step_and_kill(*arguments: object) -> object:
        os.kill(os.getpid(), signal.SIGTERM)
        return step(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(trainer, "_step", step_and_kill)
    assert not trainer.run()
    state = trainer.checkpoints.latest()
    assert state is not None
    assert state.step == 1


def test_another_recipe_starts_anew_beside_the_old_checkpoints(world: Path) -> None:
    first = Trainer(changed(world))
    first._on_sigterm(signal.SIGTERM, None)
    assert not first.run()
    other = Trainer(changed(world, peak_lr=1e-3))
    assert other.checkpoints.latest() is None
    assert first.checkpoints.latest() is not None


def test_a_damaged_latest_checkpoint_falls_back_to_the_one_before(world: Path) -> None:
    for _ in range(2):
        trainer = Trainer(changed(world))
        trainer._on_sigterm(signal.SIGTERM, None)
        assert not trainer.run()
    newest = max(trainer.checkpoints.folder.glob("step-*.pt"))
    newest.write_bytes(newest.read_bytes()[:1000])
    state = trainer.checkpoints.latest()
    assert state is not None
    assert state.step == 1


def test_training_without_teachers_runs(world: Path) -> None:
    assert Trainer(changed(world, teachers=[])).run()


def test_an_anchor_from_another_clip_is_refused(world: Path) -> None:
    params = changed(world)
    trainer = Trainer(params)
    store = trainer.targets["objects"][0]
    store.teacher["weights_sha256"] = "f" * 64  # type: ignore[index]
    with pytest.raises(UserError, match=r"train.anchor.*ffffffffffff"):
        trainer._build_objective()


def test_a_finished_training_leaves_no_checkpoint_to_resume(world: Path) -> None:
    trainer = Trainer(changed(world))
    assert trainer.run()
    assert trainer.checkpoints.latest() is None


def test_a_teacher_without_a_store_names_the_command(prepared_world: Path) -> None:
    with pytest.raises(UserError, match=r"no feature store.*stage1_extract --teacher clip"):
        Trainer(tiny_params(prepared_world))


def test_learning_rate_warms_up_and_follows_a_cosine(world: Path) -> None:
    config = changed(world, warmup_steps=10, peak_lr=1.0).train
    rates = [learning_rate(step, 110, config) for step in range(111)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9] == 1.0
    assert rates[60] == pytest.approx(0.5)
    assert rates[110] == pytest.approx(0.0)
