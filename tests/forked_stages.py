"""`dvc` whose stages are forks of this process, which has imported what all of them need.

    python -m tests.forked_stages repro

Over a small pack a stage takes less than the imports of a process of its own.
"""

import multiprocessing
import os
import runpy
import shlex
import sys

from dvc.cli import main
from dvc.stage import run
from dvc.stage.exceptions import StageCmdFailedError

import stage2_train.training.trainer  # noqa: F401


def forked(executable: str, command: str, cwd: str, env: dict[str, str], **_: object) -> None:
    """In place of a shell that runs `python -m MODULE ...`."""
    stage = multiprocessing.get_context("fork").Process(
        target=become, args=(shlex.split(command), cwd, env)
    )
    stage.start()
    stage.join()
    if stage.exitcode:
        raise StageCmdFailedError(command, stage.exitcode)


def become(command: list[str], cwd: str, env: dict[str, str]) -> None:
    assert command[:2] == ["python", "-m"]
    os.chdir(cwd)
    os.environ |= env
    sys.argv = command[2:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    run._run = forked
    sys.exit(main(sys.argv[1:]))
