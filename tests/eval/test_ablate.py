"""The worth of a cached teacher: both variants are trained and scored for every seed."""

import json
import sys
from pathlib import Path

import pytest
import yaml
from msgspec import to_builtins

from eval import ablate, ablation, benchmark_scores
from pipeline.errors import UserError
from stage2_train.training.trainer import STUDENT
from tests.pipeline.made_store import tree
from tests.stage2_train.training.trainings import params_of
from tests.tiny_world import FakeTeacher


@pytest.fixture
def params_file(world: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(benchmark_scores, "teacher_of", lambda *_: FakeTeacher())
    monkeypatch.setattr("stage2_train.training.cores.spare_cores", lambda _: None)
    file = world / "params.yaml"
    file.write_text(yaml.safe_dump(to_builtins(params_of(world, "runs/tiny"))))
    return file


def run(monkeypatch: pytest.MonkeyPatch, file: Path, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["ablate", "--params", str(file), *arguments])
    ablate.main()


def test_each_variant_is_trained_with_its_own_teachers_for_every_seed(
    params_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(
        monkeypatch, params_file, "--without", "fake-objects", "--benchmark", "points",
        "--seeds", "0", "4",
    )  # fmt: skip
    [folder] = (params_file.parent / "runs" / "ablate").iterdir()
    report = json.loads((folder / "ablate.json").read_text())
    assert report["seeds"] == [0, 4]
    assert {name: len(scores) for name, scores in report["top1"].items()} == {
        "with": 2, "without fake-objects": 2,
    }  # fmt: skip
    logs = {}
    for variant in ("with", "without-fake-objects"):
        for seed in (0, 4):
            run_folder = folder / f"{variant}-{seed}"
            assert (run_folder / STUDENT).exists()
            logs[variant, seed] = (run_folder / "log.jsonl").read_text()
    assert len(set(logs.values())) == 4
    assert "fake-objects" in logs["with", 0]
    assert "fake-objects" not in logs["without-fake-objects", 0]
    assert "without fake-objects" in capsys.readouterr().out


def test_what_is_finished_is_not_trained_again(
    params_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("--without", "fake-objects", "--benchmark", "points", "--seeds", "0")
    run(monkeypatch, params_file, *arguments)
    [report] = params_file.parent.glob("runs/ablate/*/ablate.json")
    before = report.read_text()
    with monkeypatch.context() as patched:
        patched.setattr(ablation.Trainer, "run", lambda _: pytest.fail("trained again"))
        run(patched, params_file, *arguments)
        assert report.read_text() == before
        with pytest.raises(pytest.fail.Exception, match="trained again"):
            run(patched, params_file, *arguments, "1")


def test_another_recipe_and_another_benchmark_leave_what_is_there(
    params_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("--without", "fake-objects", "--seeds", "0", "--benchmark")
    run(monkeypatch, params_file, *arguments, "points")
    runs = params_file.parent / "runs" / "ablate"
    [first] = runs.iterdir()
    before = tree(first)
    text = params_file.read_text()
    params_file.write_text(text.replace("warmup_steps: 2", "warmup_steps: 3"))
    run(monkeypatch, params_file, *arguments, "points")
    assert tree(first) == before
    assert len(list(runs.iterdir())) == 2
    again = yaml.safe_load(text)
    again["benchmarks"]["more"] = again["benchmarks"]["points"]
    params_file.write_text(yaml.safe_dump(again))
    monkeypatch.setattr(ablation.Trainer, "run", lambda _: pytest.fail("trained again"))
    run(monkeypatch, params_file, *arguments, "more")
    assert json.loads((first / "ablate.json").read_text())["benchmark"] == "more"


def test_a_training_that_was_stopped_ends_it_with_the_signals_exit_code(
    params_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ablation.Trainer, "run", lambda _: False)
    with pytest.raises(SystemExit) as ended:
        run(monkeypatch, params_file, "--without", "fake-objects", "--benchmark", "points")
    assert ended.value.code == 143
    assert "stopped by SIGTERM after saving a checkpoint" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--without", "ulip", "--benchmark", "points"), "--without ulip: .*fake-objects"),
        (("--without", "fake-objects", "--benchmark", "x"), "--benchmark x: expected one of"),
        (("--without", "fake-objects"), "--without needs --benchmark, one of"),
    ],
)
def test_a_wrong_name_is_told_with_those_there_are(
    params_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    expected: str,
) -> None:
    with pytest.raises(UserError, match=expected):
        run(monkeypatch, params_file, *arguments)
