"""A killed extraction, run again, gives the bytes of one that was never interrupted."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.shards import read_index
from tests.conftest import extract
from tests.pipeline.made_store import tree
from tests.tiny_world import FakeTeacher, tiny_params

ROOT = Path(__file__).parents[2]
RNG = np.random.default_rng(11)
STEPS = sorted(RNG.choice(np.arange(1, 135), 12, replace=False).tolist())
FRESH = [f"step:{step}" for step in STEPS] + [f"time:{t:.3f}" for t in RNG.uniform(0.05, 0.6, 4)]
REPLACING = ["step:01", "step:02", "step:03", "step:60"]
"""Moments in an extraction that sets another recipe's store aside first."""


@pytest.fixture(scope="module")
def dead(prepared_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Caches that killed processes left behind, each in a folder named after its moment."""
    folder = tmp_path_factory.mktemp("dead")
    extract(tiny_params(prepared_world, cache=str(folder / "older"), seed=6), "fake-objects")
    for place in ("replaced", *REPLACING):
        shutil.copytree(folder / "older", folder / place)
    places = [f"{moment}={folder / moment}" for moment in FRESH + REPLACING]
    command = [sys.executable, "-m", "tests.stage1_extract.killed_extraction", str(prepared_world)]
    printed = subprocess.check_output([*command, *places], cwd=ROOT, text=True)
    assert int(printed.split()[-1]) >= len(STEPS) + len(REPLACING)
    for place in ("fresh", "replaced"):
        extract(tiny_params(prepared_world, cache=str(folder / place)), "fake-objects")
    return folder


@pytest.mark.parametrize(
    ("moment", "uninterrupted"),
    [(moment, "fresh") for moment in FRESH] + [(moment, "replaced") for moment in REPLACING],
)
def test_running_again_gives_the_same_bytes_and_repeats_no_finished_tar(
    prepared_world: Path, dead: Path, moment: str, uninterrupted: str
) -> None:
    cache, teacher, expected = dead / moment, FakeTeacher(), tree(dead / uninterrupted)
    before = tree(cache)
    extract(tiny_params(prepared_world, cache=str(cache)), "fake-objects", teacher)
    assert tree(cache) == expected
    index = read_index(prepared_world / "shards" / "objects" / "train")
    markers = {f"fake/objects-train.zarr/markers/{s.name}.0.json": s.count for s in index.shards}
    missing = [count for name, count in markers.items() if before.get(name) != expected[name]]
    assert teacher.batches == sum(-(-count // 4) for count in missing)
