"""The seconds of a stage: added up over the runs that made one output, and never in the way."""

from pathlib import Path

import pytest

from pipeline import timing
from pipeline.timing import read_timing, split_timing, timed


@pytest.fixture
def clock(monkeypatch) -> list[float]:
    """Says its numbers one after the other."""
    told: list[float] = []
    monkeypatch.setattr(timing.time, "monotonic", lambda: told.pop(0))
    return told


def record(path: Path, of: str = "a", resumed: bool = True, share: float = 1) -> float:
    with timed(path, of, path.parent, resumed, share):
        pass
    return read_timing(path).seconds


def test_resumed_runs_add_up_and_what_is_made_anew_begins_anew(tmp_path: Path, clock) -> None:
    clock += [0, 3, 10, 14, 20, 21, 30, 32, 40, 48]
    path = tmp_path / "x.timing.json"
    assert [record(path), record(path)] == [3, 7]
    assert record(path, of="b") == 1
    assert record(path, of="b", resumed=False) == 2
    assert record(path, of="b", share=0.25) == 4


def test_an_interrupted_run_counts_too(tmp_path: Path, clock) -> None:
    clock += [0, 3, 5, 6]
    with pytest.raises(KeyboardInterrupt), timed(tmp_path / "x", "a", tmp_path, resumed=False):
        raise KeyboardInterrupt
    assert read_timing(tmp_path / "x").seconds == 3
    with pytest.raises(OSError), timed(tmp_path / "y", "a", tmp_path / "gone", resumed=False):
        raise OSError
    with pytest.raises(OSError), timed(tmp_path / "y", "a", within=None, resumed=False):
        raise OSError
    assert read_timing(tmp_path / "y") is None


def test_no_run_fails_because_of_its_record(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no timing")
    with timed(tmp_path / "file" / "x", "a", tmp_path, resumed=True):
        pass
    assert read_timing(tmp_path / "file") is None
    assert read_timing(tmp_path / "none") is None


def test_a_preparation_is_recorded_beside_its_source(prepared_world: Path) -> None:
    shards = prepared_world / "shards"
    assert read_timing(shards / "objects-train.timing.json").seconds > 0
    assert split_timing(shards / "objects" / "test").exists()
