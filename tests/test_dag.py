"""The whole DAG, on 24 real objects of the pack, by `dvc repro`: the first time every stage as a
fork, afterwards as a user runs it.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.small_pack import small_pack

REPOSITORY = Path(__file__).parents[1]
CODE = ("pipeline", "stage1_extract", "stage2_train", "eval", "prompts")
FILES = ("dvc.yaml", ".dvcignore", ".gitignore", "constraints.txt")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with a small pack and a short training, its DAG run once."""
    root = checkout(tmp_path_factory.mktemp("project"), "demo/nano")
    small_pack(root / "demo" / "pack")
    change_params(root, epochs=1)
    run(root, "python", "-m", "tests.forked_stages", "repro", "-q")
    run(root, "git", "add", "--all")
    run(root, "git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-q", "-m", "a run")
    return root


def checkout(root: Path, *more: str) -> Path:
    """The code, and more folders, as a repository of their own in an empty folder."""
    for folder in (*CODE, ".dvc", *more):
        ignored = shutil.ignore_patterns("__pycache__", "tmp", "cache")
        shutil.copytree(REPOSITORY / folder, root / folder, ignore=ignored)
    for name in FILES:
        shutil.copy(REPOSITORY / name, root / name)
    run(root, "git", "init", "-q")
    return root


def change_params(root: Path, **train: object) -> None:
    source = root / "params.yaml"
    yaml = YAML()
    params = yaml.load(source if source.exists() else REPOSITORY / "params.yaml")
    params["train"].update(train)
    yaml.dump(params, source)


def run(root: Path, *command: str) -> str:
    """Run a command of this environment; its output is the failure's explanation."""
    changed = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(REPOSITORY),
        "OMP_NUM_THREADS": "1",
    }
    result = subprocess.run(
        command, cwd=root, env=os.environ | changed, text=True, capture_output=True
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr


def ran(output: str) -> set[str]:
    """Stages that `dvc repro` executed."""
    lines = [line for line in output.splitlines() if line.startswith("Running stage")]
    return {line.split("'")[1] for line in lines}


def test_the_dag_scores_the_student_and_its_teachers(project: Path) -> None:
    metrics = json.loads((project / "runs/demo/zeroshot/metrics.json").read_text())
    assert set(metrics) == {"points", "image", "depth", "video", "audio"}
    assert 0 <= metrics["points"]["student_top1"] <= 1
    assert "ulip" in (project / "runs/demo/zeroshot/table.txt").read_text()
    assert "student_top1" in run(project, "dvc", "metrics", "show")
    page = (project / "runs/demo/report/index.html").read_text()
    assert "there is not everything" not in page
    assert len(page) < 15_000_000


def test_nothing_runs_again_when_nothing_changed(project: Path) -> None:
    assert ran(run(project, "dvc", "repro")) == set()


def test_a_clone_that_pulls_has_nothing_to_run(project: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    run(tmp_path, "git", "clone", "-q", str(project), str(clone))
    for root in (project, clone):
        run(root, "dvc", "remote", "add", "--local", "--default", "store", str(tmp_path / "store"))
    run(project, "dvc", "push", "-q")
    run(clone, "dvc", "pull", "-q")
    assert ran(run(clone, "dvc", "repro", "--dry")) == set()


def test_a_changed_training_weight_trains_and_scores_again_only(project: Path) -> None:
    change_params(project, peak_lr=2e-3)
    assert ran(run(project, "dvc", "repro")) == {"train", "zeroshot", "report"}
    assert "not found" not in run(project, "dvc", "metrics", "diff")


def test_a_new_converter_and_source_prepare_alone(project: Path) -> None:
    """Training would run again: it may name the source. A student that does not is kept."""
    datasets = project / "pipeline" / "datasets"
    shutil.copy(datasets / "pack_renders.py", datasets / "pack_new.py")
    assert "prepare@" not in run(project, "dvc", "status")
    before = (project / "params.yaml").read_text()
    params = YAML().load(before)
    params["sources"]["new"] = {**params["sources"]["renders"], "converter": "pack_new"}
    YAML().dump(params, project / "params.yaml")
    waiting = ran(run(project, "dvc", "repro", "--dry"))
    assert waiting == {"prepare@new", "train", "zeroshot", "report"}
    run(project, "dvc", "commit", "--force", "train")
    assert ran(run(project, "dvc", "repro", "--dry")) == waiting - {"train"}
    (project / "params.yaml").write_text(before)
    run(project, "dvc", "commit", "--force", "train")


def test_plots_show_pictures_without_a_network(project: Path) -> None:
    run(project, "dvc", "plots", "show", "-o", "plots")
    pictures = {file.name for file in (project / "plots").rglob("*.png")}
    assert any(name.endswith("curves.png") for name in pictures)
    assert any(name.endswith("points.png") for name in pictures)
    page = (project / "plots" / "index.html").read_text()
    assert "<script" not in page


def test_a_changed_teacher_is_extracted_again_alone(project: Path) -> None:
    card = project / "demo/nano/ulip/arch.json"
    card.write_text(card.read_text() + "\n")
    stages = run(project, "dvc", "status")
    assert "extract@ulip-objects" in stages
    assert "extract@clip" not in stages
