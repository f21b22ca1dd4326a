"""Candidates of a tar are fixed by the listing: rejected ones leave it short, or out."""

from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.preparation.listing import shard_tasks
from pipeline.preparation.shard_task import ShardTask
from pipeline.shards import ShardIndex, read_shard
from tests.pipeline.made_store import tree
from tests.pipeline.preparation.made_raw import SPLIT, prepared, spoil
from tests.tiny_world import make_pack


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_pack(tmp_path / "pack")
    return tmp_path


def keys(root: Path, index: ShardIndex) -> dict[str, list[str]]:
    folder = root / SPLIT
    return {each.name: [key for key, _ in read_shard(folder, each)] for each in index.shards}


def test_tasks_depend_on_the_keys_and_the_seed_alone() -> None:
    tasks = shard_tasks(["a", "b", "c", "d", "e"], 0, 2)
    assert tasks == shard_tasks(["e", "d", "c", "b", "a"], 0, 2)
    assert [task.tar for task in tasks] == ["000000.tar", "000001.tar", "000002.tar"]
    assert sorted(key for task in tasks for key in task.keys) == ["a", "b", "c", "d", "e"]
    assert all(isinstance(task, ShardTask) and len(task.keys) <= 2 for task in tasks)


def test_a_rejected_sample_leaves_its_tar_short_and_the_others_as_they_were(root: Path) -> None:
    before = keys(root, prepared(root))
    files = tree(root / SPLIT)
    gone = before["000001.tar"][1]
    spoil(root, gone)
    after = keys(root, prepared(root))
    assert after == {name: [key for key in kept if key != gone] for name, kept in before.items()}
    others = set(files) - {"000001.tar", "000001.tar.idx", "index.json", "rejected.jsonl"}
    assert {name: tree(root / SPLIT)[name] for name in others} == {n: files[n] for n in others}


def test_a_tar_without_any_readable_sample_is_left_out(root: Path) -> None:
    before = keys(root, prepared(root))
    spoil(root, *before.pop("000002.tar"))
    index = prepared(root)
    assert keys(root, index) == before
    assert {name for name in tree(root / SPLIT) if name.endswith(".tar")} == set(before)


def test_rejections_stand_in_the_order_of_the_listing(root: Path) -> None:
    order = [key for kept in keys(root, prepared(root)).values() for key in kept]
    spoil(root, *order[::4])
    prepared(root)
    lines = (root / SPLIT / "rejected.jsonl").read_text().splitlines()
    assert [key for line in lines for key in order if f'"{key}"' in line] == order[::4]


def test_a_conversion_stops_as_soon_as_too_many_are_rejected(root: Path) -> None:
    first = keys(root, prepared(root))["000000.tar"]
    spoil(root, *first)
    why = r"3 of 16 samples are unreadable among the first 3 that were read, max_rejected is 0.1"
    with pytest.raises(UserError, match=why):
        prepared(root, max_rejected=0.1)
