"""Conversions that SIGKILL ends: a script, so that whole processes die and not the tests'.

    python -m tests.pipeline.preparation.killed_preparation ROOT STEP STEP ...

Each runs in a process that is killed before its STEP-th file operation on the shards, the next
one over what it left. Prints how many were killed.
"""

import os
import signal
import sys
from pathlib import Path

from tests.pipeline.preparation.made_raw import prepared
from tests.stage1_extract.killed_extraction import die_before


def killed(root: Path, step: int) -> bool:
    """Fork, and prepare there until the step; whether it came before the end."""
    child = os.fork()
    if child == 0:
        die_before(step, str(root / "shards"))
        prepared(root)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


if __name__ == "__main__":
    print(sum(killed(Path(sys.argv[1]), int(step)) for step in sys.argv[2:]))
