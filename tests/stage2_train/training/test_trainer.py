"""The training loop on one rank: it learns, resumes to the bit, and never mixes two recipes."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from pipeline.config import Params
from pipeline.errors import UserError
from pipeline.samples import SampleText
from pipeline.shards import read_index, write_index
from stage2_train.stream.targets import TeacherTargets
from stage2_train.student import portable
from stage2_train.training import assembly
from stage2_train.training import trainer as trainer_module
from stage2_train.training.schedule import learning_rate
from stage2_train.training.step import StepObjective
from stage2_train.training.trainer import STUDENT, Trainer
from tests.pipeline.made_store import tree
from tests.stage2_train.training import trainings
from tests.stage2_train.training.rank_processes import on_ranks
from tests.stage2_train.training.trainings import logged, params_of, run
from tests.tiny_world import tiny_params


def weights(params: Params) -> dict[str, torch.Tensor]:
    return load_file(Path(params.train.out, STUDENT, "student.safetensors"))


def test_training_lowers_the_loss_and_logs_every_part(world: Path) -> None:
    params = params_of(world, epochs=8, peak_lr=3e-3)
    trainer = Trainer(params)
    assert trainer.run()
    lines = logged(params)
    assert [line["step"] for line in lines] == list(range(1, trainer.total_steps + 1))
    assert lines[-1]["teacher_feature/fake-objects"] < lines[0]["teacher_feature/fake-objects"]
    assert lines[-1]["loss"] < lines[0]["loss"]
    assert {
        "anchor/clip-renders", "text_binding/objects", "image_binding/objects",
        "expert_use/renders/0", "gradient_norm", "learning_rate",
    } <= set(lines[0])  # fmt: skip
    assert "probe_recall/objects" in lines[2]
    assert lines[-1]["replaced_samples"] == lines[-1]["skipped_steps"] == 0
    assert json.loads((world / "runs" / "curves.json").read_text())[0]["step"] == 1


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("settings", [{}, {"batch_size": 14, "accumulate": 2}])
def test_a_killed_training_resumes_to_the_bit(world: Path, settings: dict) -> None:
    whole, cut = params_of(world, **settings), params_of(world, "cut", **settings)
    assert Trainer(whole).run()
    assert on_ranks(1, run, cut, 5, trainings.killed) == [-9]
    assert len(logged(cut)) == 4  # of which the checkpoint has three
    assert Trainer(cut).run()
    uninterrupted, resumed = weights(whole), weights(cut)
    assert all(torch.equal(uninterrupted[name], resumed[name]) for name in uninterrupted)
    losses = [[line["loss"] for line in logged(params)] for params in (whole, cut)]
    assert losses[0] == losses[1]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"accumulate": 0}, "accumulate must be >= 1, found 0"),
        ({"accumulate": 2}, "batch_size 13 must be a multiple of accumulate 2"),
        ({"keep_every": 4}, "keep_every 4 must be a multiple of checkpoint_every 3"),
        ({"step_timeout": 0.0}, "step_timeout must be > 0"),
    ],
)
def test_settings_that_cannot_work_are_refused(world: Path, settings: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        params_of(world, **settings)


def test_another_recipe_starts_anew_beside_the_old_checkpoints(world: Path) -> None:
    assert not run(params_of(world), 1, trainings.terminated)[0]
    assert Trainer(params_of(world, peak_lr=1e-3)).checkpoints.latest() is None
    assert Trainer(params_of(world, loader_workers=1)).checkpoints.latest() is not None


@pytest.mark.parametrize("version", ["OBJECTIVES", "STREAM"])
def test_other_formulas_or_another_order_are_another_recipe(
    world: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    before = Trainer(params_of(world)).checkpoints.folder
    monkeypatch.setattr(assembly, version, 0)
    assert Trainer(params_of(world)).checkpoints.folder != before


def test_another_recipe_says_so_and_leaves_the_first_ones_log_and_checkpoints(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = params_of(world), params_of(world, peak_lr=1e-3)
    assert not run(first, 2, trainings.terminated)[0]
    begun, recipe = logged(first), Trainer(first).checkpoints.folder.name
    assert run(second)[0]
    said = [line for line in capsys.readouterr().out.splitlines() if "another recipe" in line]
    assert len(said) == 1
    assert f"log.{recipe}.jsonl" in said[0]
    assert f"checkpoints/{recipe}; this one starts at step 0" in said[0]
    assert [line["step"] for line in logged(second)] == [1, 2, 3, 4, 5, 6]
    assert {line["recipe"] for line in json.loads((world / "runs/curves.json").read_text())} == {
        Trainer(second).checkpoints.folder.name
    }
    assert run(first)[0]
    assert logged(first)[:2] == begun
    assert [line["step"] for line in logged(first)] == [1, 2, 3, 4, 5, 6]
    assert len(list((world / "runs" / "tensorboard").iterdir())) == 2


@pytest.mark.parametrize("blocked", ["student/student.json", "curves.json"])
def test_a_finished_student_that_cannot_be_written_costs_no_step(
    world: Path, blocked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = params_of(world, checkpoint_every=1000)
    (world / "runs" / blocked).mkdir(parents=True)
    with pytest.raises(UserError, match=f"{blocked}: Is a directory; the finished training is "):
        Trainer(params).run()
    (world / "runs" / blocked).rmdir()
    again = Trainer(params)
    monkeypatch.setattr(again, "update", lambda *_: pytest.fail("trained again"))
    assert again.run()
    assert weights(params)
    assert again.checkpoints.latest() is None


def test_a_full_disk_leaves_the_former_student_as_it_was(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: object) -> bytes:
        raise OSError(28, "No space left on device")

    params = params_of(world)
    assert Trainer(params).run()
    before = tree(world / "runs" / STUDENT)
    monkeypatch.setattr(portable, "save", full)
    with pytest.raises(UserError, match=r"student\.safetensors: No space left.* is kept as"):
        Trainer(params).run()
    assert tree(world / "runs" / STUDENT) == before


@pytest.mark.parametrize("cursors", [{}, {"objects": {"passes": 0, "position": 7}}])
def test_a_checkpoint_that_does_not_know_how_far_its_sources_are_is_refused(
    world: Path, cursors: dict
) -> None:
    """One of an older version, without a seal over them."""
    params = params_of(world)
    assert not run(params, 1, trainings.terminated)[0]
    file = Trainer(params).checkpoints.folder_of(1) / "progress.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"cursors": cursors, "xxh3": ""}))
    found = ", ".join(cursors) or "none"
    with pytest.raises(UserError, match=rf"step-00000001: expected .* renders .* found {found}"):
        Trainer(params).run()


def test_a_label_of_no_class_is_refused(world: Path) -> None:
    index = read_index(world / "shards/objects/train")
    write_index(world / "shards/objects/train", replace(index, classes=index.classes[:1]))
    table = Trainer(params_of(world, teachers=[])).assembly.texts
    assert table.rows("objects", SampleText((0,), ())) == (0,)
    with pytest.raises(UserError, match=r"found 1 classes in index.json and the label 1; run: "):
        table.rows("objects", SampleText((1,), ()))


def test_training_without_teachers_runs(world: Path) -> None:
    assert Trainer(params_of(world, teachers=[])).run()


def test_a_loss_that_is_never_finite_stops_with_one_line(
    world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer_module, "MAX_SKIPPED", 1)
    params = params_of(world)
    with pytest.raises(UserError, match=r"step 3: not finite in 2 steps in a row: loss.*peak_lr"):
        run(params, 2, always_poisoned)


def always_poisoned(trainer: Trainer) -> None:
    trainer.objective.student.logit_scale.data.fill_(float("nan"))


def test_recomputed_activations_change_no_gradient(cached_world: Path) -> None:
    params = [params_of(cached_world, checkpoint_activations=c) for c in (False, True)]
    kept, again = (trainings.gradients(p) for p in params)
    for name, gradient in kept.items():
        torch.testing.assert_close(again[name], gradient)


def test_what_a_teachers_features_share_is_not_followed(
    cached_world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apart = trainings.gradients(params_of(cached_world))
    monkeypatch.setattr(TeacherTargets, "mean", lambda self: np.zeros(self.store.layout.dim, "f4"))
    whole = trainings.gradients(params_of(cached_world))
    followed = [name for name in apart if name.startswith("projectors.")]
    assert followed
    assert not any(torch.allclose(apart[name], whole[name]) for name in followed)


def test_an_anchor_from_another_clip_is_refused(world: Path) -> None:
    parts = Trainer(params_of(world)).assembly
    parts.targets["objects"][0].teacher["weights_sha256"] = "f" * 64  # type: ignore[index]
    with pytest.raises(UserError, match=r"train.anchor.*ffffffffffff"):
        StepObjective(
            parts.student, parts.objective.projectors, parts.texts, parts.targets,
            parts.batch_splits, "clip", parts.objective.weights,
        )  # fmt: skip


def test_a_finished_training_leaves_no_checkpoint_to_resume(world: Path) -> None:
    trainer = Trainer(params_of(world))
    assert trainer.run()
    assert trainer.checkpoints.latest() is None


def test_a_teacher_without_a_store_names_the_command(prepared_world: Path) -> None:
    with pytest.raises(UserError, match=r"no feature store.*stage1_extract --teacher clip"):
        Trainer(tiny_params(prepared_world))


def test_a_batch_too_small_for_its_passes_is_refused(cached_world: Path) -> None:
    with pytest.raises(UserError, match=r"batch_size 2 over 2 forward passes gives source"):
        Trainer(params_of(cached_world, batch_size=2, accumulate=2))


def test_a_modality_that_nothing_trains_is_refused(cached_world: Path) -> None:
    with pytest.raises(UserError, match="student.modalities has 'image', which no source"):
        Trainer(params_of(cached_world, sources={"objects": 1}))


def test_learning_rate_warms_up_and_follows_a_cosine(world: Path) -> None:
    config = params_of(world, warmup_steps=10, peak_lr=1.0).train
    rates = [learning_rate(step, 110, config) for step in range(111)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9] == 1.0
    assert rates[60] == pytest.approx(0.5)
    assert rates[110] == pytest.approx(0.0)
