"""Fine-tuning over the tiny world: it learns, resumes to the bit, and says what it cannot do."""

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from msgspec import to_builtins
from safetensors.torch import load_file

from eval import finetune
from eval.finetuning import probe
from eval.finetuning.plan import plan
from pipeline.config import load_params
from pipeline.errors import UserError
from pipeline.openclip import load_openclip
from pipeline.shards import read_index, write_index
from stage2_train.student import Student
from stage2_train.training.trainer import Trainer
from tests.official_downloads import PAPER
from tests.tiny_world import tiny_params

Command = Callable[..., dict]


@pytest.fixture
def command(world: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """`eval.finetune` with arguments, in this process: its metrics."""
    monkeypatch.setattr("stage2_train.training.cores.spare_cores", lambda _: None)
    settings = to_builtins(tiny_params(world))
    settings["train"] |= {"checkpoint_every": 1000, "loader_workers": 0}
    actions = settings["sources"]["objects"] | {"splits": ["train01", "test01"]}
    settings["sources"]["actions"] = actions
    for split in ("train", "test"):
        shutil.copytree(world / "shards/objects" / split, world / "shards/actions" / f"{split}01")
    settings["finetune"] |= {"batch_size": 8, "peak_lr": 3e-3, "full_peak_lr": 1e-3, "epochs": 12}
    (world / "params.yaml").write_text(yaml.safe_dump(settings))
    clip = load_openclip(settings["student"]["arch"])
    Student(clip, tiny_params(world).student).save(world / "student")

    def run(source: str, mode: str, *more: str) -> dict:
        typed = ["--ckpt", str(world / "student"), "--params", str(world / "params.yaml")]
        arguments = ["finetune", *typed, "--source", source, "--mode", mode, *more]
        monkeypatch.setattr(sys, "argv", arguments)
        finetune.main()
        return json.loads((world / "runs/finetune" / f"{source}-{mode}/metrics.json").read_text())

    return run


@pytest.mark.parametrize("mode", ["probe", "adapters", "full"])
def test_each_mode_learns_what_was_held_out(command: Command, mode: str, world: Path) -> None:
    found = command("renders", mode)
    assert found["top1"] > found["majority"] >= found["chance"] == 0.5
    assert (found["trained_on"], found["scored_on"]) == ("renders/train", "renders/test")
    out = world / "runs/finetune" / f"renders-{mode}"
    saved = load_file((out if mode == "probe" else out / "student") / "classifier.safetensors")
    assert saved["head.weight"].shape == (2, 16)
    trunk = [name for name in saved if name.startswith("student.clip.visual.")]
    assert bool(trunk) == (mode == "full")


def test_adapters_leave_a_student_that_loads_anywhere(command: Command, world: Path) -> None:
    found = command("actions", "adapters", "--epochs", "1")
    assert (found["trained_on"], found["scored_on"]) == ("actions/train01", "actions/test01")
    before = Student.load(world / "student")
    after = Student.load(world / "runs/finetune/actions-adapters/student")
    changed = {
        name
        for name, tensor in after.trainable().items()
        if not torch.equal(tensor, before.trainable()[name])
    }
    assert "tokenizers.points.class_token" in changed
    assert not [name for name in changed if "image" in name.split(".")]


def test_a_stopped_training_goes_on_to_the_bit_and_a_finished_one_is_not_repeated(
    command: Command, world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = world / "runs/finetune/objects-adapters/student/classifier.safetensors"
    whole = command("objects", "adapters", "--epochs", "2")
    wanted = file.read_bytes()
    shutil.rmtree(file.parent)
    steps = stopping_after(3, monkeypatch)
    with pytest.raises(SystemExit) as stopped:
        command("objects", "adapters", "--epochs", "2")
    assert stopped.value.code == 143
    assert not file.exists()
    assert command("objects", "adapters", "--epochs", "2") == whole
    assert file.read_bytes() == wanted
    done = len(steps)
    assert command("objects", "adapters", "--epochs", "2") == whole
    assert len(steps) == done


def stopping_after(step: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """SIGTERM comes at a step, once; the list grows by every step."""
    after, steps = Trainer._after, list[int]()

    def counted(trainer: Trainer, report: object, progress: object) -> object:
        steps.append(1)
        if len(steps) == step - 1:
            trainer.stop._signal = 15
        return after(trainer, report, progress)

    monkeypatch.setattr(Trainer, "_after", counted)
    return steps


def test_a_probe_encodes_once(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    first = command("objects", "probe")
    monkeypatch.setattr(probe, "encode_split", lambda *_: pytest.fail("encoded again"))
    assert command("objects", "probe") == first


def test_a_probe_knows_classes_without_a_sample() -> None:
    features = torch.tensor([[1.0, 0.0], [0.9, 0.1], [-1.0, 0.2], [-0.9, 0.0]])
    weight, bias = probe.fitted(features, torch.tensor([3, 3, 1, 1]), 4)
    assert (features @ weight.T + bias).argmax(1).tolist() == [3, 3, 1, 1]
    assert weight.isfinite().all()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("object", "probe"), "unknown source 'object'; did you mean 'objects'"),
        (("objects", "probe", "--split", "train01"), "unknown split of .* .train01."),
        (("objects", "adapters", "--epochs", "0"), "--epochs: epochs must be >= 1"),
    ],
)
def test_what_is_not_there_is_one_line(command: Command, arguments: tuple, said: str) -> None:
    with pytest.raises(UserError, match=said):
        command(*arguments)


def test_ucf101_is_trained_on_its_first_list() -> None:
    planned = plan(load_params(PAPER), Path("student"), "ucf101", "full", None, None)
    assert (planned.split, planned.held_out) == ("train01", "test01")
    assert planned.out == Path("runs/unialign/finetune/ucf101-full")


def test_a_source_without_labels_is_refused(command: Command, world: Path) -> None:
    folder = world / "shards/objects/train"
    write_index(folder, replace(read_index(folder), classes=[]))
    with pytest.raises(UserError, match="0 classes, expected two at least; .*--source objects"):
        command("objects", "adapters")
