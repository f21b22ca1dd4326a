"""A conversion in a log says once a minute how far it is, and counts only its own work as pace."""

import pytest

from pipeline import progress as module
from pipeline.preparation.progress import ConversionProgress


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def test_a_line_a_minute_where_there_is_no_terminal(clock: list[float], capsys) -> None:
    with ConversionProgress("objects/train", 1000) as progress:
        for second in range(1, 131):
            clock[0] = second
            progress.add(2)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "sample 120/1000, 2.0/s (objects/train), 0:07:20 left",
        "sample 240/1000, 2.0/s (objects/train), 0:06:20 left",
    ]


def test_what_an_earlier_run_did_is_done_and_no_pace(clock: list[float], capsys) -> None:
    with ConversionProgress("objects/train", 1000) as progress:
        progress.resume(500)
        clock[0] = 100
        progress.add(100)
    line = "sample 600/1000, 1.0/s (objects/train), 0:06:40 left\n"
    assert capsys.readouterr().err == line


def test_the_time_that_finished_tars_take_to_prove_is_no_pace(clock: list[float], capsys) -> None:
    with ConversionProgress("objects/train", 1000) as progress:
        for clock[0] in range(60, 601, 60):
            progress.resume(50)
        for clock[0] in range(601, 661):
            progress.add(1)
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == "sample 560/1000, 1.0/s (objects/train), 0:07:20 left"


def test_short_work_says_nothing(capsys) -> None:
    with ConversionProgress("objects/train", 10) as progress:
        progress.add(10)
    assert capsys.readouterr().err == ""
