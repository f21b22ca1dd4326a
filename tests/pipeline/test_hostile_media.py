"""Small files made to harm: each refused in one line, within 5 seconds and 500 MB."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def refusals() -> list[tuple[str, str, float, float]]:
    """(name, reason, seconds, megabytes), each in a process of its own."""
    command = [sys.executable, "-m", "tests.pipeline.hostile_media"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    printed = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=True)
    assert printed.stderr == b""
    return json.loads(printed.stdout)


def test_each_is_refused_in_one_line(refusals: list) -> None:
    assert len(refusals) > 40
    for name, reason, _, _ in refusals:
        assert reason != "accepted", name
        assert "escaped" not in reason, name
        assert "\n" not in reason, name
        assert len(reason) < 300, name


def test_each_takes_little_time_and_memory(refusals: list) -> None:
    for name, _, seconds, megabytes in refusals:
        assert seconds < 5, name
        assert megabytes < 500, name
