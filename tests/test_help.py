"""Every command answers --help and wrong arguments before it imports torch, which takes seconds."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("pipeline", "stage1_extract", "stage2_train", "eval", "benchmarks", "demo")


def commands() -> list[str]:
    """Every module that `python -m` runs, and the example scripts."""
    files = [file for package in PACKAGES for file in sorted(ROOT.joinpath(package).rglob("*.py"))]
    parts = [
        file.relative_to(ROOT).with_suffix("").parts
        for file in files
        if '\nif __name__ == "__main__":' in file.read_text()
    ]
    scripts = [str(file.relative_to(ROOT)) for file in sorted(ROOT.glob("examples/*.py"))]
    return [".".join(part).removesuffix(".__main__") for part in parts] + scripts


@pytest.fixture(scope="module", params=["--help", "--no-such-option"])
def asked(request: pytest.FixtureRequest) -> tuple[str, dict[str, tuple[int, str]]]:
    """The argument, and every command's exit code and answer to it."""
    typed = [sys.executable, "-m", "tests.forked_commands", request.param, *commands()]
    told = subprocess.run(typed, cwd=ROOT, capture_output=True, text=True, check=True)
    return request.param, dict(zip(commands(), map(json.loads, told.stdout.splitlines())))


@pytest.mark.parametrize("command", commands())
def test_a_command_answers_before_it_imports_torch(command: str, asked) -> None:
    argument, answers = asked
    code, printed = answers[command]
    assert code == (0 if argument == "--help" else 2), printed
    assert printed.startswith("usage: ")
