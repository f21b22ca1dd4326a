"""The table for the reader."""

from pathlib import Path

from eval.scoreboard import Scoreboard
from pipeline.config import BenchmarkConfig

TOP1 = {"samples": 9, "classes": 4, "chance": 0.25, "majority": 0.5}


def table(tmp_path: Path, **scores: dict[str, float]) -> str:
    benchmarks = {name: BenchmarkConfig(source=name, teacher="ulip") for name in scores}
    board = Scoreboard(tmp_path, "me", benchmarks)
    for name, metrics in scores.items():
        board.add(name, metrics)
    return board.table()


def test_top1_alone_has_no_column_more(tmp_path: Path) -> None:
    said = table(tmp_path, points={**TOP1, "student_top1": 0.5, "teacher_top1": 0.75})
    assert "Zero-shot top-1 on held-out samples (%)" in said
    assert "metric" not in said
    assert "published" not in said
    row = ["points", "9", "4", "25.0", "50.0", "75.0 (ulip)", "50.0"]
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in said.splitlines()]
    assert row in cells


def test_published_scores_stand_beside_ours_with_the_list_they_are_of(tmp_path: Path) -> None:
    published = {"published_student_top1": 0.559, "published_teacher_top1": 0.603}
    said = table(tmp_path, points={**TOP1, "student_top1": 0.5, **published}, plain=TOP1)
    assert "55.9 / 60.3" in said
    assert "60.3 of" not in said
    said = table(tmp_path, points={**TOP1, **published, "published_samples": 2468})
    assert "55.9 / 60.3 of 2468" in said
    assert "published: student / teacher" in said


def test_every_metric_has_its_line(tmp_path: Path) -> None:
    ways = {f"student_{way}_r{k}": k / 10 for way in ("from_text", "to_text") for k in (1, 5, 10)}
    said = table(
        tmp_path, clips={"samples": 9, **ways}, sounds={"samples": 9, "teacher_map": 0.25},
        folds={**TOP1, "student_folds": 0.5, "student_top1": 0.25},
    )  # fmt: skip
    assert "Zero-shot scores on held-out samples (%)" in said
    assert said.count("10.0/50.0/100.0") == 2
    assert "mAP" in said
    [line] = [line for line in said.splitlines() if "folds" in line and "50.0" in line]
    assert "mean of folds" in line
