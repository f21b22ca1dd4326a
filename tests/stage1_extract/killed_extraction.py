"""Extractions that SIGKILL ends: a script, so that whole processes die and not the tests'.

    python -m tests.stage1_extract.killed_extraction ROOT step:12=CACHE time:0.2=CACHE ...

Each runs over the tiny world in ROOT into a cache of its own, in a process that is killed before
its 12th file operation on that cache, or after 0.2 seconds. Prints how many were killed.
"""

import os
import signal
import sys
import time
from pathlib import Path

import torch

from tests.conftest import extract
from tests.tiny_world import FakeTeacher, tiny_params

FILE_OPERATIONS = {"open", "os.rename", "os.mkdir", "os.remove", "os.link", "shutil.rmtree"}


class SlowTeacher(FakeTeacher):
    """Takes as long as a small model, so that a moment in time falls anywhere in the run."""

    def encode(self, batch: torch.Tensor) -> torch.Tensor:
        time.sleep(0.03)
        return super().encode(batch)


def die_before(step: int, cache: str) -> None:
    """Kill this process when it is about to touch the cache for the step-th time."""
    left = step

    def hook(event: str, arguments: tuple) -> None:
        nonlocal left
        if event in FILE_OPERATIONS and str(arguments[0]).startswith(cache):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def killed(root: Path, moment: str, cache: str) -> bool:
    """Fork, extract there until the moment; whether it came before the end."""
    kind, value = moment.split(":")
    child = os.fork()
    if child == 0:
        if kind == "step":
            die_before(int(value), cache)
        extract(tiny_params(root, cache=cache), "fake-objects", SlowTeacher())
        os._exit(0)
    if kind == "time":
        time.sleep(float(value))
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


if __name__ == "__main__":
    torch.set_num_threads(1)
    places = [argument.split("=") for argument in sys.argv[2:]]
    print(sum(killed(Path(sys.argv[1]), *place) for place in places))
