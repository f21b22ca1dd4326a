"""Ctrl-C while workers are at it: one line of the command, none of theirs, and nobody stays."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil

from tests.stage1_extract.conftest import write_params
from tests.tiny_world import tiny_params

ROOT = Path(__file__).parents[2]
PATIENCE = 300
"""Seconds; nothing comes near unless it hangs."""


def test_ctrl_c_reaches_all_and_only_the_command_speaks(
    prepared_world: Path, tmp_path: Path
) -> None:
    params = write_params(tiny_params(prepared_world, cache=str(tmp_path / "c")), tmp_path / "p")
    flags = ["--teacher", "clip", "--workers", "1", "--params", params]
    with subprocess.Popen(
        [sys.executable, "-m", "stage1_extract", *flags], cwd=ROOT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    ) as command:  # fmt: skip
        group = started_worker(command)
        os.killpg(command.pid, signal.SIGINT)
        _, said = command.communicate(timeout=PATIENCE)
    assert command.returncode == 130
    assert said.startswith("stopped by Ctrl-C; finished tars are kept; to go on, run: python -m ")
    assert said.endswith(f"stage1_extract --teacher clip --workers 1 --params {params}\n")
    assert said.count("\n") == 1
    assert not psutil.wait_procs(group, timeout=PATIENCE)[1]


def started_worker(command: subprocess.Popen) -> list[psutil.Process]:
    """The command's processes, once a worker among them imports what it needs."""
    ends = time.monotonic() + PATIENCE
    while True:
        children = psutil.Process(command.pid).children(recursive=True)
        with suppress(psutil.Error):  # one may have ended meanwhile
            if any("spawn_main" in " ".join(child.cmdline()) for child in children):
                return children
        assert command.poll() is None, command.communicate()
        assert time.monotonic() < ends
        time.sleep(0.05)
