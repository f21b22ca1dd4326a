"""A training's logs: on a full disk the error names them; a long one is read line by line."""

import json
import resource
import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stage2_train.training import logbook
from stage2_train.training.logbook import CURVES, LOG, TENSORBOARD, Logbook


@contextmanager
def full_from(size: int) -> Iterator[None]:
    """No file may grow beyond so many bytes, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def log_steps(out: Path, count: int) -> None:
    with Logbook(out, "recipe", 0, count) as log:
        for step in range(1, count + 1):
            log.step(step, {"loss": 1.0}, 8, 0.0)


@pytest.mark.parametrize("size", [100, 1000])
def test_what_cannot_be_logged_is_named(
    tmp_path: Path, size: int, capsys: pytest.CaptureFixture[str]
) -> None:
    hook = threading.excepthook
    with pytest.raises(OSError) as caught, full_from(size):
        log_steps(tmp_path, 100)
    assert caught.value.filename in {str(tmp_path / LOG), str(tmp_path / TENSORBOARD)}
    assert "Traceback" not in capsys.readouterr().err
    assert threading.excepthook is hook


def test_a_long_log_is_never_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logbook, "draw_curves", lambda points, file: None)
    lines = (json.dumps({"step": n, "recipe": "ours", "loss": 1.0, "more": "-" * 1000})
             for n in range(8000))  # fmt: skip
    (tmp_path / LOG).write_text("\n".join(lines) + "\n")
    log_steps(tmp_path / "imports", 1)
    tracemalloc.start()
    with Logbook(tmp_path, "ours", 7000, 8000) as log:
        log.write_curves()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < (tmp_path / LOG).stat().st_size / 3
    assert len((tmp_path / LOG).read_text().splitlines()) == 7001
    assert len(json.loads((tmp_path / CURVES).read_text())) == 201
