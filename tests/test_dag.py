"""The whole DAG, on 24 real objects of the pack, by `dvc repro`: the first time every stage as a
fork, afterwards as a user runs it.
"""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from ruamel.yaml import YAML

REPOSITORY = Path(__file__).parents[1]
CODE = ("pipeline", "stage1_extract", "stage2_train", "eval", "prompts")
FILES = ("dvc.yaml", ".dvcignore", ".gitignore", "constraints.txt")
SMALL = {
    "objects": (24, ("points", "renders", "depths", "clips")),
    "pictures": (12, ("pictures",)),
    "sounds": (32, ("sounds",)),
}
"""Part of the pack -> how many of its samples, and the archives that hold them."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with a small pack and a short training, its DAG run once."""
    root = checkout(tmp_path_factory.mktemp("project"), "demo/nano")
    small_pack(root / "demo" / "pack")
    change_params(root, epochs=1)
    run(root, "python", "-m", "tests.forked_stages", "repro", "-q")
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


def small_pack(folder: Path) -> None:
    """24 labelled objects, 12 pictures and 32 sounds of the embedded pack."""
    pack = REPOSITORY / "demo" / "pack"
    folder.mkdir(parents=True)
    for name in ("classes.json", "depths.jsonl"):
        shutil.copy(pack / name, folder)
    for name, (wanted, archives) in SMALL.items():
        lines = [json.loads(line) for line in (pack / f"{name}.jsonl").read_text().splitlines()]
        lines = [line for line in lines if name != "objects" or line["class"] in ("car", "bed")]
        kept = {line["id"] for line in lines[:wanted]}
        text = "".join(json.dumps(line) + "\n" for line in lines[:wanted])
        (folder / f"{name}.jsonl").write_text(text)
        for archive in archives:
            copy_members(pack / f"{archive}.zip", folder / f"{archive}.zip", kept)


def copy_members(archive: Path, target: Path, kept: set[str]) -> None:
    with zipfile.ZipFile(archive) as whole, zipfile.ZipFile(target, "w") as part:
        for member in whole.namelist():
            if member.split("/")[0].split(".")[0] in kept:
                part.writestr(member, whole.read(member))


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


def test_a_changed_training_weight_trains_and_scores_again_only(project: Path) -> None:
    change_params(project, peak_lr=2e-3)
    assert ran(run(project, "dvc", "repro")) == {"train", "zeroshot", "report"}


def test_a_new_converter_and_source_prepare_alone(project: Path) -> None:
    """Training runs again: it may name the source. No other data is prepared or extracted anew."""
    datasets = project / "pipeline" / "datasets"
    shutil.copy(datasets / "pack_renders.py", datasets / "pack_new.py")
    assert "prepare@" not in run(project, "dvc", "status")
    before = (project / "params.yaml").read_text()
    params = YAML().load(before)
    params["sources"]["new"] = {**params["sources"]["renders"], "converter": "pack_new"}
    YAML().dump(params, project / "params.yaml")
    waiting = ran(run(project, "dvc", "repro", "--dry"))
    (project / "params.yaml").write_text(before)
    assert waiting == {"prepare@new", "train", "zeroshot", "report"}


def test_plots_show_pictures_without_a_network(project: Path) -> None:
    run(project, "dvc", "plots", "show", "-o", "plots")
    pictures = {file.name for file in (project / "plots").rglob("*.png")}
    assert any(name.endswith("curves.png") for name in pictures)
    assert any(name.endswith("points.png") for name in pictures)


def test_a_changed_teacher_is_extracted_again_alone(project: Path) -> None:
    card = project / "demo/nano/ulip/arch.json"
    card.write_text(card.read_text() + "\n")
    stages = run(project, "dvc", "status")
    assert "extract@ulip-objects" in stages
    assert "extract@clip" not in stages
