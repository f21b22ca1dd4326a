"""The watchdog's clock: the first step has its own time, each later one `train.step_timeout`."""

import subprocess
import sys

import pytest

WATCHED = """
import time
from stage2_train import watchdog
watchdog.START = {start}
with watchdog.Watchdog(timeout=0.2) as dog:
    for step in range({steps}):
        dog.at(step + 1, "training")
    time.sleep(1.0 if {survives} else 600)
print("survived")
"""


def watched(start: float, steps: int, survives: bool) -> subprocess.CompletedProcess:
    script = WATCHED.format(start=start, steps=steps, survives=survives)
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)


@pytest.mark.parametrize("steps", [0, 1])
def test_the_start_and_the_first_step_may_take_longer(steps: int) -> None:
    assert watched(600, steps, survives=True).stdout == "survived\n"


@pytest.mark.parametrize(
    ("start", "steps", "said"),
    [
        (600, 2, "error: rank 0, step 2: training for over 0.2 s (train.step_timeout); run"),
        (2, 1, "error: rank 0, step 1: training for over 2 s (train.step_timeout); run"),
        (2, 0, "error: rank 0, step 0: starting for over 2 s (train.step_timeout); run"),
    ],
)
def test_what_hangs_says_where_and_ends(start: float, steps: int, said: str) -> None:
    ended = watched(start, steps, survives=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith(said)
