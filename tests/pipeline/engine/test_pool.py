"""Worker processes: any number gives the same results, and whatever ends one is one clear line."""

import multiprocessing
import os
import signal
import time
from itertools import islice
from pathlib import Path

import numpy as np
import psutil
import pytest

from pipeline.engine import Workers
from pipeline.errors import UserError
from tests.pipeline.engine import worker_functions
from tests.pipeline.engine.worker_functions import doubled, ended_by, refuses_three, stalls

PATIENCE = 120
"""Seconds; nothing comes near unless it hangs."""


def ended(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("count", [0, 1, 3, 9])
def test_results_come_in_the_order_of_the_tasks(count: int) -> None:
    with Workers(doubled, count, "") as workers:
        results = list(workers.map(range(7), 1))
        assert len(list(workers.map(range(2), 1))) == 2
    assert [result["number"] for result in results] == list(range(7))
    for number, result in enumerate(results):
        assert np.array_equal(result["twice"], [2 * number] * 3)
        assert result["tensor"].tolist() == [number, 0.5]


def address(result: dict[str, np.ndarray]) -> int:
    return result["twice"].ctypes.data


def test_memory_is_used_again_but_for_results_that_are_kept() -> None:
    with Workers(doubled, 2, "") as workers:
        every_fifth, used = [], set()
        for number, result in enumerate(workers.map(range(50), 4)):
            used.add(address(result))
            if number % 5 == 0:
                every_fifth.append(result)
    assert [result["number"] for result in every_fifth] == list(range(0, 50, 5))
    assert all(np.array_equal(each["twice"], [2 * each["number"]] * 3) for each in every_fifth)
    assert 10 <= len(used) <= 20


def test_memory_of_results_that_nobody_took_is_used_again() -> None:
    with Workers(doubled, 1, "") as workers:
        firsts = {address(next(workers.map(range(9), 4))) for _ in range(20)}
    assert len(firsts) < 12


@pytest.mark.parametrize("count", [0, 2])
def test_an_error_of_the_function_comes_at_its_tasks_turn(count: int) -> None:
    with Workers(refuses_three, count, "") as workers:
        results = workers.map(range(9), 9)
        assert list(islice(results, 3)) == [0, 1, 2]
        with pytest.raises(UserError, match=r"^file.tar: damaged$"):
            next(results)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -9), (signal.SIGBUS, -7)])
def test_a_process_that_dies_is_one_line(number: int, code: int) -> None:
    """The kernel kills by SIGKILL where memory is full, by SIGBUS where it cannot read a file."""
    line = (
        rf"^a worker process died \(exit code {code}\) at \d+ or a .* was memory full\? Run again$"
    )
    with Workers(ended_by, 2, "Run again") as workers, pytest.raises(UserError, match=line):
        list(workers.map([0, 0, number, 0, 0, 0, 0], 1))


def test_a_process_that_hangs_is_one_line_with_its_task() -> None:
    line = r"^2: a worker process hangs on it for over 0.5 s"
    with (
        Workers(stalls, 2, "Run again", patience=0.5) as workers,
        pytest.raises(UserError, match=line),
    ):
        list(workers.map([2, 0, 1], 1))


def test_none_is_left_where_the_results_are_left_alone() -> None:
    with Workers(doubled, 2, "") as workers:
        next(workers.map(range(99), 1))
        processes = [psutil.Process(child.pid) for child in multiprocessing.active_children()]
        assert processes
    assert not any(process.is_running() for process in processes)


def test_they_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    context = multiprocessing.get_context("forkserver")
    parent = context.Process(target=worker_functions.hold, args=(tmp_path / "pids",))
    parent.start()
    parent.join(PATIENCE)
    assert parent.exitcode == -signal.SIGKILL
    pids, ends = map(int, (tmp_path / "pids").read_text().split()), time.monotonic() + PATIENCE
    for pid in pids:
        while psutil.pid_exists(pid) and not ended(psutil.Process(pid)):
            assert time.monotonic() < ends
            time.sleep(0.05)


def test_they_are_deaf_to_ctrl_c() -> None:
    with Workers(worker_functions.pid, 1, "") as workers:
        [first] = workers.map([0], 1)
        os.kill(first, signal.SIGINT)
        assert list(workers.map([0, 0], 1)) == [first, first]
