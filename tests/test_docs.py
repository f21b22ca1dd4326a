"""README, docs and examples: every command and every block of Python runs, word for word.

What cannot run here stands in `NEAREST`, `ELSEWHERE` or `NOT_RUN`, with the reason.
"""

import re
import shutil
import tomllib
from collections.abc import Iterator
from functools import partial
from multiprocessing import forkserver
from pathlib import Path

import dask
import msgspec
import pytest
import timm
import torch
import yaml
from distributed.utils import get_mp_context

from pipeline.config import Params
from stage1_extract import teachers
from tests import followed_docs
from tests.conftest import FORKED
from tests.followed_docs import ROOT, cloud, follow
from tests.stage1_extract.conftest import write_params

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
PROGRAMS = ("python", "torchrun", "dvc", "make", "bash", "pip", "source", "tensorboard", "wandb")
SPAN = re.compile(rf"`((?:{'|'.join(PROGRAMS)}) [^`]+)`")

NEAREST = {
    "make demo": ("make -n demo", "it installs; its dvc repro is in test_dag.py"),
    "make test": ("make -n test", "these tests"),
    "python -m eval.zeroshot --params configs/unialign.yaml --teacher vitlens --benchmark sun-d "
    "[--raw DIR]": (
        "python -m eval.zeroshot --teacher vitlens --benchmark depth",
        "official weights and SUN RGB-D are downloads; tests/eval/test_benchmarks.py has such",
    ),
    "python -m benchmarks.gpu": ("python -m benchmarks.gpu --help", "six minutes"),
    "python -m benchmarks.gpu --table gpu.txt": ("python -m benchmarks.gpu --help", "six minutes"),
    "python -m benchmarks.drill": ("python -m benchmarks.drill --help", "an hour"),
    "python -m stage1_extract --params real.yaml --teacher clip ulip": (
        "python -m stage1_extract --params nano.yaml --teacher clip ulip",
        "OpenAI's weights are a download: nano.yaml has the nano CLIP in their place",
    ),
    "python -m stage2_train --params real.yaml": (
        "python -m stage2_train --params nano.yaml",
        "likewise",
    ),
    "python -m eval.zeroshot --params real.yaml --ckpt runs/real/student": (
        "python -m eval.zeroshot --params nano.yaml --ckpt runs/real/student",
        "likewise",
    ),
    "python -m eval.ablate --without ulip-objects --benchmark points": (
        "python -m eval.ablate --without ulip-objects --benchmark points --seeds 0",
        "two trainings instead of six",
    ),
    "python -m stage1_extract --teacher clip --workers 4": (
        "python -m stage1_extract --teacher clip --workers 1",
        "two cores",
    ),
    "bash configs/machines.sh scheduler": ("bash -n configs/machines.sh", "it stays"),
    "bash configs/machines.sh gpus tcp://FIRST:8786": ("bash -n configs/machines.sh", "GPUs"),
    "python configs/slurm.py 8 --teacher clip ulip": (
        "python -m py_compile configs/slurm.py",
        "dask-jobqueue, and a machine with SLURM",
    ),
}
"""Command -> what runs in its place, and why."""
ELSEWHERE = {
    "dvc repro": ("test_dag.py", '"repro", "-q"'),
    "dvc metrics diff": ("test_dag.py", '"dvc", "metrics", "diff"'),
    "dvc commit --force train": ("test_dag.py", '"dvc", "commit", "--force", "train"'),
    "dvc plots show": ("test_dag.py", '"dvc", "plots", "show"'),
    "torchrun --nproc-per-node N -m stage2_train": (
        "stage2_train/test_training_command.py", '"--nproc-per-node", "2", "-m", "stage2_train"',
    ),
    "torchrun --nproc-per-node 4 -m stage2_train": (
        "stage2_train/test_training_command.py", '"--nproc-per-node", "2", "-m", "stage2_train"',
    ),
    "python -m eval.ablate --table 3 --workers 2": ("demo/ablation/test_run.py", '"--table", "2"'),
    "python -m stage1_extract --teacher clip --scheduler tcp://FIRST:8786": (
        "stage1_extract/test_workers.py", '"--scheduler", client.scheduler.address',
    ),
}  # fmt: skip
"""Command -> the file of tests that runs it, in processes of its own, and its words there."""
NOT_RUN = {
    "pip install wandb": "somebody else's package, for a service on the network",
    "pip install dask-cuda": "somebody else's package, for machines with GPUs",
    "pip install dask-jobqueue": "somebody else's package, for SLURM",
    "tensorboard --logdir runs/demo/tensorboard": "it stays; training's tests read its files",
}


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)


def commands(page: Path) -> list[str]:
    """In blocks and in code spans, or indented in a script's docstring, without comments."""
    text = page.read_text()
    lines = [line for block in blocks(page, "bash") for line in block.splitlines()]
    if page.suffix == ".py":
        lines = [line.strip() for line in text.split('"""')[1].splitlines() if line[:4] == "    "]
    else:
        lines += [" ".join(span.split()) for span in SPAN.findall(text)]
    found = [line.split("#")[0].strip() for line in lines]
    return [each for each in dict.fromkeys(found) if each.split(" ")[0] in PROGRAMS]


EVERY = [(page.name, command) for page in PAGES + EXAMPLES for command in commands(page)]
DINO = [command for command in commands(ROOT / "docs" / "your_teacher.md") if "pip" not in command]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the README's words work; the present folder."""
    root = tmp_path_factory.mktemp("reader")
    forks = {"distributed.worker.multiprocessing-method": "forkserver"}
    with pytest.MonkeyPatch.context() as patched, dask.config.set(forks):
        get_mp_context().set_forkserver_preload(FORKED)
        forkserver.ensure_running()
        patched.chdir(root)
        patched.setattr("sys.argv", [])
        followed_docs.make(root)
        real_clip(root)
        yield root


def real_clip(root: Path) -> None:
    """docs/real_clip.md's params file, and one in which the nano CLIP stands for OpenAI's."""
    (sections,) = blocks(ROOT / "docs" / "real_clip.md", "yaml")
    settings = yaml.safe_load(Path("params.yaml").read_text()) | yaml.safe_load(sections)
    write_params(msgspec.convert(settings, Params, strict=False), root / "real.yaml")
    settings["views"]["image_size"] = 64
    for model in (settings["teachers"]["clip"], settings["student"]):
        model |= {"arch": "local-dir:demo/nano/clip", "weights": None}
    settings["train"] |= followed_docs.SMALLER
    write_params(msgspec.convert(settings, Params, strict=False), root / "nano.yaml")


@pytest.fixture
def dino(world: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """docs/your_teacher.md, followed; its model has one layer."""
    page = ROOT / "docs" / "your_teacher.md"
    (world / "dino.py").write_text(blocks(page, "python")[0])
    monkeypatch.syspath_prepend(world)
    monkeypatch.setitem(teachers.REGISTRY, "dino", "dino")
    monkeypatch.setattr(timm, "create_model", partial(timm.create_model, depth=1))
    before = Path("params.yaml").read_text()
    settings, added = yaml.safe_load(before), yaml.safe_load(blocks(page, "yaml")[0])
    weights = Path(added["teachers"]["dino"]["weights"])
    weights.parent.mkdir(exist_ok=True)
    torch.save(timm.create_model("vit_small_patch16_224", num_classes=0).state_dict(), weights)
    for section in added:
        settings[section] |= added[section]
    Path("params.yaml").write_text(yaml.safe_dump(settings))
    yield
    Path("params.yaml").write_text(before)


@pytest.mark.parametrize("command", [each for each in EVERY if each[1] not in DINO], ids=" ".join)
def test_a_command_runs(command: tuple[str, str], world: Path) -> None:
    page, words = command
    if words in ELSEWHERE:
        file, there = ELSEWHERE[words]
        assert there in (ROOT / "tests" / file).read_text()
    elif words.startswith("pip install -e"):
        (extra,) = re.findall(r"\[(\w+)\]", words)
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        assert extra in project["optional-dependencies"]
    elif words not in NOT_RUN:
        follow(NEAREST.get(words, (words,))[0])


@pytest.mark.parametrize("command", DINO)
def test_a_command_over_a_teacher_of_ones_own_runs(command: str, dino: None) -> None:
    follow(command)


def test_what_does_not_run_word_for_word_is_still_on_a_page() -> None:
    written = {command for _, command in EVERY}
    assert NEAREST.keys() | ELSEWHERE.keys() | NOT_RUN.keys() <= written


def test_the_readmes_python_runs(world: Path) -> None:
    (block,) = blocks(ROOT / "README.md", "python")
    names: dict = {"clouds": cloud()}
    exec(block, names)
    assert names["found"].failed == {}
    assert names["points"].shape == (2, 128)


def test_a_real_clip_is_planned_without_data_or_weights(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("demo").symlink_to(world / "demo")
    shutil.copy(world / "real.yaml", tmp_path)
    for command in blocks(ROOT / "docs" / "real_clip.md", "bash")[0].splitlines():
        follow(command)
    assert "student     total" in capsys.readouterr().out


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_file_leads_to_one(page: Path) -> None:
    targets = re.findall(r"\]\(([^):#]+)\)", page.read_text())
    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_pages_are_short() -> None:
    lengths = {page.name: len(page.read_text().splitlines()) for page in PAGES}
    assert lengths.pop("README.md") <= 150
    del lengths["params.md"]
    assert max(lengths.values()) < 60
