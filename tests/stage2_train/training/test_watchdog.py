"""The watchdog's clock: the first step has its own time, each later one `train.step_timeout`."""

import time
from pathlib import Path

import pytest

from stage2_train.training import watchdog
from tests.stage2_train.training.rank_processes import on_ranks


def survives(start: float, steps: int, busy: float) -> bool:
    watchdog.START = start
    with watchdog.Watchdog(timeout=0.2) as dog:
        for step in range(steps):
            dog.at(step + 1, "training")
        time.sleep(busy)
    return True


@pytest.mark.parametrize("steps", [0, 1])
def test_the_start_and_the_first_step_may_take_longer(steps: int) -> None:
    assert on_ranks(1, survives, 600, steps, 1.0) == [True]


@pytest.mark.parametrize(
    ("start", "steps", "said"),
    [
        (600, 2, "error: rank 0, step 2: training for over 0.2 s (train.step_timeout); run"),
        (2, 1, "error: rank 0, step 1: training for over 2 s (train.step_timeout); run"),
        (2, 0, "error: rank 0, step 0: starting for over 2 s (train.step_timeout); run"),
    ],
)
def test_what_hangs_says_where_and_ends(
    tmp_path: Path, start: float, steps: int, said: str
) -> None:
    stderr = tmp_path / "stderr"
    assert on_ranks(1, survives, start, steps, 600, stderr=stderr) == [1]
    assert stderr.read_text().startswith(said)
