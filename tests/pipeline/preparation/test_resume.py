"""A conversion that was killed goes on from its finished tars, to the same bytes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.lock import exclusive
from pipeline.preparation import executors, split
from tests.pipeline.made_store import tree
from tests.pipeline.preparation.made_raw import SPLIT, copy_of, prepared, spoil
from tests.tiny_world import make_pack

KILLED = "tests.pipeline.preparation.killed_preparation"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_pack(tmp_path / "pack")
    return tmp_path


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the tars that are made, not found finished."""
    names: list[str] = []
    convert = executors.convert_shard

    def noted(listed: object, folder: Path, task: object, *rest: object) -> object:
        names.append(task.tar)
        return convert(listed, folder, task, *rest)

    monkeypatch.setattr(executors, "convert_shard", noted)
    return names


def stopped(root: Path, monkeypatch: pytest.MonkeyPatch, **changes: object) -> None:
    """A run that ends when all its tars are made, before its index is."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(split, "_index", interrupt)
        with pytest.raises(KeyboardInterrupt):
            prepared(root, **changes)


def test_runs_that_are_killed_anywhere_end_in_the_same_bytes(root: Path, tmp_path: Path) -> None:
    prepared(copy_of(root, tmp_path / "once"))
    steps = [str(step) for step in (2, 5, 8, 11, 14, 17)]
    ran = subprocess.run(
        [sys.executable, "-m", KILLED, root, *steps], capture_output=True, text=True, check=True
    )
    assert int(ran.stdout.split()[-1]) == len(steps)
    prepared(root)
    assert tree(root / "shards") == tree(tmp_path / "once" / "shards")


def test_finished_tars_are_not_made_again(root: Path, made: list[str], monkeypatch) -> None:
    stopped(root, monkeypatch)
    assert len(made) == 6
    prepared(root)
    assert len(made) == 6
    assert {path.name for path in (root / "shards/objects").iterdir()} == {"train"}


@pytest.mark.parametrize("change", [{"samples_per_shard": 4}, {"prompts": "scene"}])
def test_another_recipe_starts_anew(root: Path, made: list[str], monkeypatch, change: dict) -> None:
    stopped(root, monkeypatch)
    made.clear()
    prepared(root, **change)
    assert len(made) == (4 if "samples_per_shard" in change else 0)  # prompts change no tar


def test_a_damaged_tar_or_record_is_made_again(root: Path, made: list[str], monkeypatch) -> None:
    stopped(root, monkeypatch)
    made.clear()
    partial = root / f"{SPLIT}.partial"
    data = (partial / "000001.tar").read_bytes()
    (partial / "000001.tar").write_bytes(data[:-1] + b"x")
    (partial / "finished/000003.tar.json").write_text("{")
    prepared(root)
    assert made == ["000001.tar", "000003.tar"]


def test_mended_raw_data_are_read_again(root: Path, made: list[str], monkeypatch) -> None:
    good = (root / "pack/points.zip").read_bytes()
    spoil(root, "thing-03")
    with pytest.raises(UserError, match="thing-03"):
        prepared(root, max_rejected=0.0)
    (root / "pack/points.zip").write_bytes(good)
    index = prepared(root, max_rejected=0.0)
    assert index.samples == 16


def test_tars_of_rejected_samples_alone_are_made_again_where_the_limit_is_raised(
    root: Path, made: list[str]
) -> None:
    spoil(root, "thing-03")
    with pytest.raises(UserError):
        prepared(root, max_rejected=0.0)
    first = list(made)
    assert prepared(root, max_rejected=0.5).samples == 15
    assert made.count(first[-1]) == 2
    assert len(made) == 7


def test_a_second_run_on_a_split_is_refused(root: Path) -> None:
    with (
        exclusive(root / SPLIT),
        pytest.raises(UserError, match=r"train: another run is writing it \(process \d+"),
    ):
        prepared(root)


def test_a_record_tells_of_its_tar(root: Path, monkeypatch) -> None:
    stopped(root, monkeypatch)
    record = json.loads((root / f"{SPLIT}.partial/finished/000000.tar.json").read_text())
    assert record["done"]["shard"]["name"] == "000000.tar"
    assert len(record["done"]["shard"]["xxh3"]) == len(record["identity"]) == 32
