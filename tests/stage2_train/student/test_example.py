"""The example script: a file and some texts in, the texts by nearness out."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from stage2_train.student import Student
from tests.tiny_world import npy_bytes

ROOT = Path(__file__).parents[3]


def test_the_example_ranks_texts_for_a_cloud(five: Student, tmp_path: Path) -> None:
    five.config = replace(five.config, arch=five.openclip.arch)
    five.save(tmp_path / "student")
    cloud = np.random.default_rng(0).normal(size=(99, 3)).astype(np.float32)
    (tmp_path / "cloud.npy").write_bytes(npy_bytes(cloud))
    command = [sys.executable, "examples/encode.py", tmp_path / "student", "points"]
    command += [tmp_path / "cloud.npy", "a ball", "a stick"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    scores = [float(line.split()[0]) for line in printed.splitlines()]
    assert {line.split(maxsplit=1)[1] for line in printed.splitlines()} == {"a ball", "a stick"}
    assert scores == sorted(scores, reverse=True)
