"""Long work says how far it is, on a terminal of 80 columns and in a log."""

import io
import re

import pytest
from rich.console import Console

from pipeline import progress
from pipeline.progress import ProgressLine

NOTE = "12.5/s, 3/8 shards, 4.0 MB (clip-objects, clip-renders, clip-pictures, clip-turntables)"


def test_a_log_has_a_line_a_minute_and_no_other(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = iter([0.0, 10.0, 61.0, 100.0, 122.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(now))
    with ProgressLine("sample") as line:
        line.begin(1000)
        for done in (100, 500, 600, 900):
            line.update(done, "8.2/s")
    assert capsys.readouterr().err.splitlines() == [
        "sample 500/1000, 8.2/s, 0:01:01 left", "sample 900/1000, 8.2/s, 0:00:14 left",
    ]  # fmt: skip


def test_80_columns_show_the_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    terminal = Console(file=shown, force_terminal=True, width=80, no_color=True)
    monkeypatch.setattr(progress, "Console", lambda stderr: terminal)
    with ProgressLine("sample") as line:
        line.begin(123456)
        line.update(61728, NOTE)
    last = [text for text in shown.getvalue().split("\r") if "61728" in text][-1]
    assert re.search(r"sample 61728/123456, \d:\d\d:\d\d left .*12\.5/s, 3/8 sh.*…", last)


def test_what_was_done_before_does_not_count_as_speed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = iter([0.0, 70.0, 140.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(now))
    with ProgressLine("step") as line:
        line.begin(200, done=100)
        line.update(100, "waits")
        line.update(110, "waits")
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["step 100/200, waits, ? left", "step 110/200, waits, 0:21:00 left"]
