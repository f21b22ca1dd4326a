"""Every command, given what it cannot read, cannot write, or Ctrl-C: one line, nothing lost."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from msgspec import to_builtins
from PIL import Image
from ruamel.yaml import YAML

from eval.embeddings import Embeddings, write
from eval.exported import identified
from pipeline.errors import exit_on_user_error
from pipeline.openclip import load_openclip
from stage2_train.student import Student
from tests.pipeline.made_store import tree
from tests.tiny_world import tiny_params

ROOT = Path(__file__).parents[1]
STDOUT = "standard output"
INDEX = "shards/objects/train/index.json"


@dataclass(frozen=True)
class Command:
    """A `python -m` command over the world in the present folder."""

    module: str
    arguments: str
    reads: str
    """A file without which it cannot do its work."""
    writes: str
    """A file or folder that it makes; `STDOUT` where it only prints."""
    amid: str
    """A function that it calls on its way: where Ctrl-C comes."""

    @property
    def name(self) -> str:
        return self.module.removesuffix(".__main__")

    @property
    def main(self) -> Callable[[], None]:
        return import_module(self.module).main


COMMANDS = [
    Command(
        "pipeline.prepare", "--source objects",
        "pack/objects.jsonl", "shards/objects", "pipeline.preparation.shard_task.write_shard",
    ),
    Command(
        "pipeline.show", "--source objects --key thing-03 --out pictures/it.png",
        INDEX, "pictures", "pipeline.sample_picture.draw_rows",
    ),
    Command("pipeline.weights", "convert in.pt plain/out.pt", "in.pt", "plain", "torch.save"),
    Command(
        "stage1_extract.__main__", "--teacher clip --source objects --params fresh.yaml",
        INDEX, "fresh", "stage1_extract.forward_pass.ForwardPass.encode",
    ),
    Command(
        "stage1_extract.plan", "--teacher clip", INDEX, STDOUT, "stage1_extract.estimate.planned"
    ),
    Command(
        "stage1_extract.verify", "--teacher clip --source objects",
        INDEX, STDOUT, "stage1_extract.proof.recomputed_cosines",
    ),
    Command(
        "stage2_train.__main__", "", INDEX, "runs", "stage2_train.training.update.Update._backward"
    ),
    Command(
        "stage2_train.export_encoder", "--ckpt student --modality image --out programs/image.pt2",
        "student/student.json", "programs", "stage2_train.student.encoder_program.example_inputs",
    ),
    Command(
        "stage2_train.publish", "--ckpt student --to org/name --dry-run",
        "student/student.json", "published", "stage2_train.model_card.model_card",
    ),
    Command(
        "eval.zeroshot", "--ckpt student",
        "student/student.json", "zeroshot", "eval.encode._features",
    ),
    Command(
        "eval.export", "--ckpt student --files pack/*.zip picture.png --out exported/all.npz",
        "student/student.json", "exported", "stage2_train.student.files.read_media",
    ),
    Command(
        "eval.search", "--index index.npz --text ball",
        "index.npz", STDOUT, "eval.embeddings.Embeddings.nearest",
    ),
    Command(
        "eval.zeroshot", "--teacher clip --benchmark image --raw pack",
        "pack/objects.jsonl", "runs", "eval.encode._features",
    ),
    Command(
        "pipeline.doctor.__main__", "--params known.yaml",
        "known.yaml", STDOUT, "pipeline.doctor.space.planned",
    ),
    Command(
        "eval.finetune", "--ckpt student --source renders --mode adapters --epochs 2",
        "student/student.json", "runs", "stage2_train.training.update.Update._backward",
    ),
    Command(
        "eval.retrieval", "--ckpt student --from image --to points --source objects",
        "student/student.json", "retrieval", "eval.encode._features",
    ),
    Command(
        "eval.report.__main__", "--ckpt student",
        "params.yaml", "report", "eval.report.contents.held_out",
    ),
    Command(
        "eval.ablate", "--without clip-objects --benchmark image --seeds 0",
        INDEX, "ablate", "stage2_train.training.update.Update._backward",
    ),
]  # fmt: skip
every_command = pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)


@pytest.fixture(autouse=True)
def in_the_world(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A world with its stores, a student of its own, and params of which one has no stores yet."""
    monkeypatch.chdir(world)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    params = tiny_params(Path(), benchmarks={"image": {"source": "renders", "teacher": "clip"}})
    settings = to_builtins(params)
    settings["train"] |= {"teachers": ["clip-objects", "clip-renders"], "epochs": 1}
    yaml = YAML(typ="safe", pure=True)
    yaml.dump(settings, Path("params.yaml"))
    yaml.dump(settings | {"cache": "fresh"}, Path("fresh.yaml"))
    known = {name: pair for name, pair in settings["extract"].items() if pair["teacher"] == "clip"}
    yaml.dump(settings | {"extract": known}, Path("known.yaml"))
    Student(load_openclip(params.student.arch), params.student).save("student")
    Image.new("RGB", (9, 9)).save("picture.png")
    vectors = np.ones((1, 16), np.float32)
    index = Embeddings(vectors, ["a"], ["image"], [""], **identified("student"))
    write(Path("index.npz"), index)
    torch.save({"weight": torch.zeros(2)}, "in.pt")


def ended(command: Command, monkeypatch: pytest.MonkeyPatch, capfd) -> tuple[int, str]:
    """Exit code and stderr."""
    monkeypatch.setattr(sys, "argv", [command.name, *command.arguments.split()])
    capfd.readouterr()
    code: object = 0
    try:
        exit_on_user_error(command.main)
    except SystemExit as exited:
        code = exited.code or 0
    except KeyboardInterrupt:  # it would end the tests
        pytest.fail("Ctrl-C was not heeded")
    said = capfd.readouterr().err
    return (code, said) if isinstance(code, int) else (1, f"{said}{code}\n")


def swap(path: Path, folder: bool) -> None:
    """Put a folder in a file's place, or a file in a folder's: so not even root gets by."""
    shutil.rmtree(path, ignore_errors=True)
    path.unlink(missing_ok=True)
    if folder:
        path.mkdir()
    else:
        path.parent.mkdir(exist_ok=True)
        path.touch()


@every_command
def test_what_cannot_be_read_is_one_line(command: Command, monkeypatch, capfd) -> None:
    swap(Path(command.reads), folder=True)
    before = tree(Path())
    code, said = ended(command, monkeypatch, capfd)
    assert code == 1
    assert said.startswith(f"error: {command.reads}: ")
    assert said.count("\n") == 1
    assert before.items() <= tree(Path()).items()


@every_command
def test_what_cannot_be_written_is_one_line(command: Command, monkeypatch, capfd) -> None:
    if command.writes != STDOUT:
        swap(Path(command.writes), folder=False)
    before = tree(Path())
    with Path("/dev/full").open("w") as full:
        if command.writes == STDOUT:
            monkeypatch.setattr(sys, "stdout", full)
        code, said = ended(command, monkeypatch, capfd)
    assert code == 1
    assert said.startswith("error: ")
    assert command.writes in said
    assert said.count("\n") == 1
    assert before.items() <= tree(Path()).items()


@every_command
def test_ctrl_c_while_it_imports_is_one_line(command: Command, tmp_path: Path) -> None:
    for name in ("numpy", "torch"):  # whichever comes first
        (tmp_path / f"{name}.py").write_text("import signal; signal.raise_signal(signal.SIGINT)")
    path = {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    typed = [sys.executable, "-m", command.name, *command.arguments.split()]
    stopped = subprocess.run(typed, env=os.environ | path, capture_output=True, text=True)
    assert stopped.returncode == 130
    assert stopped.stderr.startswith("stopped by Ctrl-C")
    assert stopped.stderr.count("\n") == 1


@every_command
def test_ctrl_c_is_one_line_and_the_command_can_be_run_again(
    command: Command, monkeypatch: pytest.MonkeyPatch, capfd
) -> None:
    before = tree(Path())
    with monkeypatch.context() as patched:
        target, _, name = command.amid.rpartition(".")
        owner = resolved(target)
        function = getattr(owner, name)

        def interrupted(*arguments: object, **named: object) -> object:
            signal.raise_signal(signal.SIGINT)
            return function(*arguments, **named)

        patched.setattr(owner, name, interrupted)
        code, said = ended(command, patched, capfd)
    assert code == 130
    assert said.startswith("stopped by Ctrl-C")
    assert said.count("\n") == 1
    assert before.items() <= tree(Path()).items()
    assert ended(command, monkeypatch, capfd)[0] == 0


def resolved(name: str) -> object:
    """A module, or a class in one."""
    try:
        return import_module(name)
    except ModuleNotFoundError:
        module, _, attribute = name.rpartition(".")
        return getattr(import_module(module), attribute)
