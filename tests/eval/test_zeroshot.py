"""Zero-shot evaluation: from a checkpoint's folder to scores, tables and plots."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from msgspec import to_builtins

from eval import benchmark_scores, zeroshot
from eval.classification import classification_scores, majority_share, zero_shot_scores
from pipeline.errors import UserError
from pipeline.openclip import load_openclip
from pipeline.timing import read_timing, score_timing
from pipeline.weights import file_sha256
from stage2_train.student import Student
from stage2_train.student.portable import TENSORS
from tests.tiny_world import FakeTeacher, tiny_params


@pytest.fixture
def command(cached_world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A student's folder, a params file and a fake teacher: what the command line needs."""
    params = tiny_params(cached_world)
    student = Student(load_openclip(params.student.arch), params.student)
    student.save(tmp_path / "run" / "student")
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(to_builtins(params)))
    monkeypatch.setattr(benchmark_scores, "teacher_of", lambda *_: FakeTeacher())
    return ["--ckpt", str(tmp_path / "run/student"), "--params", str(tmp_path / "params.yaml")]


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["zeroshot", *arguments])
    zeroshot.main()


def test_everything_is_written(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(monkeypatch, *command)
    out = tmp_path / "run" / "zeroshot"
    scores = json.loads((out / "metrics.json").read_text())["points"]
    predictions = (out / "predictions/points.csv").read_text().splitlines()
    hits = [a == b for a, b in (line.split(",") for line in predictions[1:])]
    assert scores["student_top1"] == pytest.approx(np.mean(hits), abs=1e-4)
    assert scores["samples"] == len(hits)
    assert scores["chance"] == 0.5
    assert (out / "confusion/points.png").read_bytes().startswith(b"\x89PNG")
    assert "ball" in (out / "per_class/points.csv").read_text()
    timing = read_timing(score_timing(out, "points"))
    assert timing.of == file_sha256(tmp_path / "run/student" / TENSORS)
    assert timing.seconds > 0


def test_an_unknown_benchmark_is_refused(
    command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match="--benchmark poins: expected one of points"):
        run(monkeypatch, *command, "--benchmark", "poins")


def test_outputs_are_replaced_and_never_written_through_dvcs_links(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(monkeypatch, *command)
    cached = {}
    for number, path in enumerate(sorted((tmp_path / "run/zeroshot").rglob("*.*"))):
        (tmp_path / str(number)).hardlink_to(path)
        cached[tmp_path / str(number)] = path.stat().st_ino
    run(monkeypatch, *command)
    assert len(cached) == 7
    there = {path.stat().st_ino for path in (tmp_path / "run/zeroshot").rglob("*.*")}
    assert not there & set(cached.values())


def test_the_same_students_other_scores_stay_and_another_students_go(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run" / "zeroshot"
    out.mkdir()
    (out / "metrics.json").write_text('{"mine": {"student_top1": 0.25}, "old": {"samples": 7}}')
    (out / "students.json").write_text('{"old": "another"}')
    run(monkeypatch, *command, "--benchmark", "points")
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["mine"] == {"student_top1": 0.25}
    assert set(metrics) == {"mine", "points"}
    assert "25.0" in (out / "table.txt").read_text()


def test_foreign_metrics_are_named(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "run" / "zeroshot").mkdir()
    (tmp_path / "run/zeroshot/metrics.json").write_text("[]")
    with pytest.raises(UserError, match=r"metrics.json: expected what eval.zeroshot wrote there"):
        run(monkeypatch, *command)


class Diverged(FakeTeacher):
    """Its features are not finite for the samples of some batches."""

    def encode(self, batch: torch.Tensor) -> torch.Tensor:
        features = super().encode(batch)
        features[:2, 0] = torch.tensor([float("nan"), float("inf")])
        return features


def test_features_that_are_not_finite_name_model_and_benchmark(
    command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benchmark_scores, "teacher_of", lambda *_: Diverged())
    with pytest.raises(UserError, match=r"points: the teacher fake gives .* finite for 2 of \d+ "):
        run(monkeypatch, *command)


def test_scores_follow_the_cosine_and_not_the_length() -> None:
    classes = torch.eye(3)
    features = torch.tensor([[9.0, 1, 0], [0.01, 0.02, 0], [0, 0, 5], [0, 4, 3]])
    scores = zero_shot_scores(features, classes, torch.tensor([0, 1, 2, 2]))
    assert scores.predictions.tolist() == [0, 1, 2, 1]
    assert scores.top1 == pytest.approx(0.75)
    assert scores.per_class.tolist() == pytest.approx([1, 1, 0.5])


def test_of_equal_classes_the_first_ones_are_the_best_in_both_scores() -> None:
    scores = classification_scores(torch.zeros(4, 9), torch.tensor([0, 4, 5, 8]))
    assert (scores.top1, scores.top5) == (0.25, 0.5)
    assert classification_scores(torch.zeros(1, 2), torch.tensor([1])).top5 == 1.0
    with pytest.raises(ValueError, match="a logit is not finite"):
        classification_scores(torch.full((2, 3), torch.nan), torch.tensor([0, 1]))


def test_a_class_without_samples_has_no_score_of_its_own() -> None:
    scores = zero_shot_scores(torch.eye(2), torch.eye(2), torch.tensor([0, 0]))
    assert scores.per_class[1].isnan()
    assert majority_share(torch.tensor([0, 0, 1, 0])) == 0.75
