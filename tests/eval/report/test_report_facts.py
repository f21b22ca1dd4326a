"""Scores, curves, experts and sizes: what the page says of a run is what lies there."""

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.report import page
from eval.report.contents import Contents, contents_of
from eval.report.curves import HEIGHT, WIDTH, charts
from eval.report.recipe import stores
from eval.report.scores import confusions, matrices, metrics, per_class, rows, seconds
from eval.scoreboard import STUDENTS
from pipeline.timing import read_timing, score_timing
from pipeline.weights import file_sha256
from stage2_train.student.portable import TENSORS
from tests.conftest import extract
from tests.eval.report.made_run import HOSTILE, run_params
from tests.tiny_world import tiny_params

VALUES = st.one_of(st.floats(allow_nan=True), st.integers(-9, 9), st.none(), st.just("no number"))
RECORDS = st.lists(
    st.dictionaries(st.sampled_from(["loss", "anchor/a", "anchor/b", "step"]), VALUES), max_size=9
)


def test_published_scores_stand_beside_ours_and_chance_beside_the_first_metric() -> None:
    found = rows(
        {
            "audio": {
                "samples": 9, "chance": 0.02, "student_folds": 0.5, "student_top1": 0.4,
                "published_student_folds": 0.7, "published_teacher_top1": 0.6,
                "published_samples": 2000,
            }
        },
        took={"another": 3.0},
    )  # fmt: skip
    folds, top1 = found
    assert (folds.metric, folds.chance, folds.majority) == ("folds", 0.02, None)
    assert folds.scores == {"student": 0.5, "published_student": 0.7}
    assert (top1.metric, top1.chance, top1.seconds) == ("top1", None, None)
    assert top1.scores == {"student": 0.4, "published_teacher": 0.6}


def test_the_most_frequent_confusions_come_first(finished_run: Path) -> None:
    first, second = confusions(finished_run)["points"]
    assert (first.actual, first.predicted, first.count, first.of) == (HOSTILE, "stick", 2, 2)
    assert (second.actual, second.predicted, second.count, second.of) == ("stick", HOSTILE, 1, 2)


def test_a_class_without_a_score_has_none(finished_run: Path) -> None:
    ball, stick = per_class(finished_run)["points"]
    assert (ball.name, ball.scores) == (HOSTILE, {"student": 0.667, "teacher": None})
    assert stick.scores == {"student": 1.0, "teacher": 0.5}


@given(RECORDS)
def test_curves_stay_within_their_chart_whatever_the_log_holds(found: list[dict]) -> None:
    records = [{**record, "step": number + 1} for number, record in enumerate(found)]
    for chart in charts(records):
        for line in chart.lines:
            pairs = [tuple(map(float, pair.split(","))) for pair in line.points.split()]
            assert all(0 <= x <= WIDTH and -0.1 <= y <= HEIGHT + 0.1 for x, y in pairs)
            assert chart.low <= line.last <= chart.high


def test_a_chart_says_over_which_steps_it_goes() -> None:
    (chart,) = charts([{"step": 5, "loss": 3.0}, {"step": 40, "loss": 1.0}, {"step": 50}])
    assert chart.steps == 40


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.0, "0"), (0.00025, "0.00025"), (3.5, "3.5"), (999.6, "1,000"), (86399.5, "86,400")],
)
def test_large_numbers_are_no_powers_of_ten(value: float, said: str) -> None:
    assert page._number(value) == said


@pytest.mark.parametrize(
    ("count", "said"), [(999, "999 bytes"), (999_700, "1 MB"), (15_360_000, "15.4 MB")]
)
def test_sizes_are_in_the_unit_that_they_fill(count: int, said: str) -> None:
    assert page._size(count) == said


def test_values_that_are_as_good_as_equal_make_a_line() -> None:
    (chart,) = charts([{"step": s, "loss": v} for s, v in ((1, 0.0), (2, 5e-324), (3, 1e300))])
    assert chart.lines[0].points == f"150.0,{HEIGHT:.1f} {WIDTH:.1f},0.0"


def test_curves_of_a_kind_share_a_chart() -> None:
    drawn = charts([{"step": s, "loss": s, "anchor/a": 1, "anchor/b": 2 * s} for s in (1, 2)])
    assert [chart.title for chart in drawn] == ["loss", "anchor"]
    assert [line.name for line in drawn[1].lines] == ["a", "b"]
    assert drawn[0].lines[0].points == f"{WIDTH / 2:.1f},{HEIGHT:.1f} {WIDTH:.1f},0.0"


def test_a_layers_choices_sum_to_one(contents: Contents) -> None:
    assert [use.modality for use in contents.experts] == ["image", "points"]
    for use in contents.experts:
        assert use.experts == ["shared 1", "shared 2", "own 1", "own 2"]
        assert use.layers == ["1", "2"]
        for layer in zip(*use.shares):
            assert sum(layer) == pytest.approx(1, abs=1e-4)


def test_sizes_are_those_on_the_disk(contents: Contents, cached_world: Path) -> None:
    store = contents.stores["clip-objects"]
    arrays = [cached_world / "cache/clip/objects-train.zarr" / name for name in ("features",)]
    on_disk = sum(f.stat().st_size for a in arrays for f in a.rglob("c/**/*") if f.is_file())
    assert on_disk < store.bytes < 3 * on_disk
    assert (store.rows, store.views) == (contents.splits["objects/train"].samples, 2)
    tars = (cached_world / "shards/objects/train").glob("*.tar")
    assert contents.splits["objects/train"].bytes == sum(tar.stat().st_size for tar in tars)


def test_seconds_are_those_recorded_and_none_where_nothing_was(
    contents: Contents, world: Path, page: str
) -> None:
    recorded = read_timing(world / "shards/objects-train.timing.json")
    assert contents.splits["objects/train"].seconds == recorded.seconds > 0
    assert contents.stores["clip-objects"].seconds is None  # extracted by no command
    assert "<td>not recorded</td>" in page
    store = stores(tiny_params(world))["clip-objects"]
    for of, known in ((store.fingerprint, 3.5), ("another", None)):
        record = json.dumps({"of": of, "seconds": 3.5})
        (world / "cache/clip/objects-train.timing.json").write_text(record)
        assert stores(tiny_params(world))["clip-objects"].seconds == known


def test_seconds_of_scoring_are_this_students(
    contents: Contents, finished_run: Path, tmp_path: Path
) -> None:
    assert [row.seconds for row in contents.scores] == [None, None]
    run = shutil.copytree(finished_run.parent, tmp_path / "run")
    for of, took in ((file_sha256(run / "student" / TENSORS), {"points": 3.5}), ("another", {})):
        record = json.dumps({"of": of, "seconds": 3.5})
        score_timing(run / "zeroshot", "points").write_text(record)
        assert seconds(run / "student", metrics(run / "student")) == took
    assert [row.seconds for row in rows(metrics(run / "student"), {"points": 3.5})] == [3.5, 3.5]


def test_scores_of_another_student_are_not_this_ones(
    cached_world: Path, finished_run: Path, tmp_path: Path
) -> None:
    run = shutil.copytree(finished_run.parent, tmp_path / "run")
    ckpt, scored = run / "student", run / "zeroshot"
    for folder, suffix in (("per_class", "csv"), ("predictions", "csv"), ("confusion", "png")):
        (scored / folder / f"old.{suffix}").hardlink_to(scored / folder / f"points.{suffix}")
    (scored / STUDENTS).write_text(json.dumps({"points": file_sha256(ckpt / TENSORS)}))
    for part in (metrics, per_class, confusions, matrices):
        assert list(part(ckpt)) == ["points"]
    (scored / STUDENTS).write_text('{"points": "another", "old": "another"}')
    found = contents_of(run_params(cached_world), ckpt).missing()
    for name in ("scores", "per_class", "confusions", "matrices"):
        assert "are another student's; run: python -m eval.zeroshot --ckpt" in found[name]


def test_appended_views_are_no_rows(world: Path) -> None:
    params = tiny_params(world, views={"count": 4, "image_size": 32, "points": 64})
    before = stores(params)["fake-objects"]
    extract(params, "fake-objects")
    store = stores(params)["fake-objects"]
    assert (store.rows, store.views) == (before.rows, 2 * before.views)
    assert store.bytes > before.bytes


def test_the_training_is_the_one_of_the_curves(contents: Contents) -> None:
    assert (contents.training.recipe, contents.training.steps) == ("abcdef012345", 8)
    assert contents.training.seconds == pytest.approx(8 * 12 / 24)
