"""Commands as forks of one small process without torch: what each answers, as JSON lines.

    python -m tests.forked_commands ASKED COMMAND...

A command is a module or a script; its answer is [exit code, what it printed].
"""

import json
import os
import runpy
import sys
from importlib.abc import MetaPathFinder

import pipeline.config  # noqa: F401 (most of them need it)


def answer(command: str, asked: str) -> tuple[int, str]:
    """What it prints and returns, given one argument."""
    end, into = os.pipe()
    process = os.fork()
    if not process:
        for stream in (1, 2):
            os.dup2(into, stream)
        become(command, asked)
    os.close(into)
    with os.fdopen(end) as file:
        printed = file.read()
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), printed


class NoTorch(MetaPathFinder):
    """Ends a command that imports torch."""

    def find_spec(self, name: str, *_: object) -> None:
        if name == "torch":
            sys.exit("torch was imported")


def become(command: str, asked: str) -> None:
    sys.meta_path.insert(0, NoTorch())
    sys.argv = [command, asked]
    run = runpy.run_path if command.endswith(".py") else runpy.run_module
    run(command, run_name="__main__")


if __name__ == "__main__":
    for name in sys.argv[2:]:
        print(json.dumps(answer(name, sys.argv[1])), flush=True)
