"""What the tests' worker processes do."""

import os
import signal
import time
from pathlib import Path

import numpy as np
import torch

from pipeline.errors import UserError


def doubled(task: int) -> dict[str, object]:
    """Arrays and a tensor among plain data."""
    return {"number": task, "twice": np.full(3, 2 * task), "tensor": torch.tensor([task, 0.5])}


def pid(task: int) -> int:
    return os.getpid()


def refuses_three(task: int) -> int:
    if task == 3:
        raise UserError("file.tar: damaged")
    return task


def ended_by(number: int) -> int:
    """Ends its process by that signal; 0 does not."""
    if number:
        os.kill(os.getpid(), number)
    return number


def stalls(task: int) -> int:
    if task == 2:
        time.sleep(600)
    return task


def hold(pids: Path) -> None:
    """In a process that is to be killed: say who works for it."""
    from pipeline.engine import Workers

    with Workers(pid, 2, "") as workers:
        made = workers.map(range(8), 8)
        pids.write_text(" ".join(map(str, {next(made) for _ in range(8)})))
        os.kill(os.getpid(), signal.SIGKILL)
