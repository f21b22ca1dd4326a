"""What a training says of itself."""

import json
from io import BytesIO
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from pipeline import progress
from stage2_train.training import console, logbook
from stage2_train.training.curves import draw_curves
from stage2_train.training.logbook import CURVES, LOG, PICTURE, TENSORBOARD, Logbook

VALUES = {
    "loss": 3.5, "text_binding/objects": 2.0, "text_binding/renders": 1.0, "anchor/clip": 0.5,
    "expert_use/objects/0": 0.25, "samples_per_second": 512.4, "data_wait_share": 0.014,
}  # fmt: skip


def test_the_line_shows_loss_parts_speed_and_waiting() -> None:
    expected = "loss 3.500 (text 1.50, anchor 0.50), 512 samples/s, waits 1 %"
    assert console.summary(VALUES) == expected


def test_without_a_terminal_there_is_a_line_now_and_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "LINE_EVERY", 0.0)
    with Logbook(tmp_path, "ours", 4, 10) as log:
        log.step(5, {"loss": 2.0}, samples=8, waited=0.0)
        log.step(6, {"loss": float("nan")}, samples=8, waited=0.0)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("step 5/10, loss 2.000")
    assert lines[0].endswith("left")
    assert "loss" not in json.loads((tmp_path / LOG).read_text().splitlines()[1])


def test_log_and_curves_are_not_written_through_links_of_dvc(tmp_path: Path) -> None:
    for name in (LOG, CURVES):
        (tmp_path / name).write_text('{"step": 1, "recipe": "ours"}\n')
        (tmp_path / f"cached-{name}").hardlink_to(tmp_path / name)
    with Logbook(tmp_path, "ours", 1, 10) as log:
        log.step(2, {"loss": 2.0}, samples=8, waited=0.0)
        log.write_curves()
    assert (tmp_path / PICTURE).read_bytes().startswith(b"\x89PNG")
    for name in (LOG, CURVES):
        assert '"step": 2' in (tmp_path / name).read_text()
        assert (tmp_path / f"cached-{name}").read_text() == '{"step": 1, "recipe": "ours"}\n'


def test_scores_stay_on_the_line_and_among_the_points_of_the_curves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "LINE_EVERY", 0.0)
    monkeypatch.setattr(logbook, "CURVE_POINTS", 2)
    with Logbook(tmp_path, "ours", 0, 6) as log:
        for step in range(1, 7):
            scores = {"held_out": 0.5, "held_out/points": 0.5} if step == 3 else {}
            log.step(step, {"loss": 2.0, **scores}, samples=8, waited=0.0)
        log.write_curves()
    lines = capsys.readouterr().err.splitlines()
    assert ["held out 50.0 % at 3" in line for line in lines[:6]] == [False] * 2 + [True] * 4
    points = json.loads((tmp_path / CURVES).read_text())
    assert [point["step"] for point in points] == [1, 3, 4]


def test_the_picture_has_a_panel_for_the_loss_and_each_part_that_there_is(monkeypatch) -> None:
    drawn: list[Figure] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, file, format: drawn.append(figure))
    records = [{"step": step, **VALUES} for step in (1, 2)] + [{"step": 3, "loss": 1.0}]
    records[0] |= {"held_out": 0.5, "held_out/points": 0.5}
    draw_curves(records, BytesIO())
    panels = [axes for axes in drawn[0].axes if axes.axison]
    assert [axes.get_title() for axes in panels] == ["loss", "text_binding", "anchor", "held_out"]
    assert len(panels[0].lines[0].get_xdata()) == 3
    assert [line.get_label() for line in panels[1].lines] == ["objects", "renders"]
    assert [line.get_label() for line in panels[3].lines] == ["mean", "points"]


def test_without_a_finished_step_the_picture_is_empty() -> None:
    file = BytesIO()
    draw_curves([], file)
    assert file.getvalue().startswith(b"\x89PNG")


def test_a_log_that_a_kill_cut_short_is_taken_up(tmp_path: Path) -> None:
    (tmp_path / LOG).write_text('{"step": 1}\n{"step": 2}\n{"step": 3}\n{"st')
    with Logbook(tmp_path, "ours", 2, 10) as log:
        log.step(3, {"loss": 2.0}, samples=8, waited=0.0)
    lines = (tmp_path / LOG).read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3]


def test_tensorboard_shows_every_step_once_after_a_kill(tmp_path: Path) -> None:
    for resumed_from, last in ((0, 4), (2, 6), (6, 7)):
        with Logbook(tmp_path, "ours", resumed_from, 10) as log:
            for step in range(resumed_from + 1, last + 1):
                log.step(step, {"loss": 2.0}, samples=8, waited=0.0)
    shown = EventAccumulator(str(tmp_path / TENSORBOARD / "ours")).Reload().Scalars("loss")
    assert [event.step for event in shown] == [1, 2, 3, 4, 5, 6, 7]
