"""A training's logs on a full disk: the error names them, and nothing has a traceback."""

import resource
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stage2_train.training.logbook import LOG, TENSORBOARD, Logbook


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
