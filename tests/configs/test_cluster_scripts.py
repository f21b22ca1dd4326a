"""Scripts that start workers elsewhere: stand-ins for SLURM and GPUs; what goes wrong is a line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def said(folder: Path, *command: str) -> str:
    """What a command that fails says last; programs in a folder go before the system's."""
    environment = os.environ | {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(command, cwd=ROOT, env=environment, text=True, capture_output=True)
    assert done.returncode == 1
    return done.stderr.splitlines()[-1]


def program(file: Path, script: str) -> None:
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


def test_jobs_that_slurm_refuses_end_the_command(tmp_path: Path) -> None:
    program(tmp_path / "sbatch", "echo 'sbatch: error: invalid partition' >&2; exit 1")
    line = said(tmp_path, sys.executable, "configs/slurm.py", "2", "--teacher", "ulip")
    assert line.startswith("error: sbatch refused 2 of 2 jobs, see above; adapt ")


def test_some_jobs_that_slurm_refuses_end_the_others(tmp_path: Path) -> None:
    program(tmp_path / "sbatch", f"mkdir {tmp_path}/one && echo Submitted batch job 7")
    program(tmp_path / "scancel", f"echo $* > {tmp_path}/ended")
    line = said(tmp_path, sys.executable, "configs/slurm.py", "2", "--teacher", "ulip")
    assert line.startswith("error: sbatch refused 1 of 2 jobs")
    assert (tmp_path / "ended").read_text() == "7\n"


def test_a_machine_without_gpus_says_so(tmp_path: Path) -> None:
    program(tmp_path / "nvidia-smi", "echo 'NVIDIA-SMI has failed'; exit 9")
    line = said(tmp_path, "bash", "configs/machines.sh", "gpus", "tcp://a:8786")
    assert line.endswith("lists no GPU here; run: bash configs/machines.sh cpus tcp://a:8786")


@pytest.mark.parametrize("words", [[], ["gpus"], ["cpu", "tcp://a:8786"]])
def test_other_words_are_refused(tmp_path: Path, words: list[str]) -> None:
    assert said(tmp_path, "bash", "configs/machines.sh", *words).startswith("error: expected: ")
