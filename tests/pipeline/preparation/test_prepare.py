"""Preparation: the same tars from the same raw data, nothing lost silently, nothing half done."""

import json
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.config import Params
from pipeline.datasets import RawDataset, RawItem
from pipeline.errors import UserError
from pipeline.preparation import prepare, read_raw
from pipeline.preparation import split as module
from pipeline.shards import read_index, read_shard
from tests.tiny_world import make_pack, npy_bytes, tiny_params


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("packed")
    make_pack(root / "pack")
    return root


@pytest.fixture
def root(packed: Path, tmp_path: Path) -> Path:
    shutil.copytree(packed, tmp_path / "copy")
    return tmp_path / "copy"


def run(root: Path, split: str = "train", **source: object) -> Path:
    prepare(with_source(root, **source), "objects", split, root / "pack")
    return root / "shards" / "objects" / split


def with_source(root: Path, **changes: object) -> Params:
    source = {
        "modality": "points", "converter": "pack_objects", "raw": str(root / "pack"),
        "splits": ["train", "test"], "samples_per_shard": 6, **changes,
    }  # fmt: skip
    return tiny_params(root, sources={"objects": source, "renders": source})


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def replace_member(zipped: Path, name: str, data: bytes | None) -> None:
    """Change a member of a zip, or take it out."""
    with zipfile.ZipFile(zipped) as file:
        members = {entry: file.read(entry) for entry in file.namelist()}
    members[name] = data or b""
    with zipfile.ZipFile(zipped, "w") as file:
        for entry, content in members.items():
            if entry != name or data is not None:
                file.writestr(entry, content)


def edit_records(root: Path, change: Callable[[list[dict]], list[dict]]) -> None:
    path = root / "pack" / "objects.jsonl"
    records = change([json.loads(line) for line in path.read_text().splitlines()])
    path.write_text("".join(json.dumps(record) + "\n" for record in records))


def test_two_runs_give_the_same_bytes(root: Path, packed: Path, tmp_path: Path) -> None:
    shutil.copytree(packed, tmp_path / "elsewhere")
    first, second, third = tree(run(root)), tree(run(root)), tree(run(tmp_path / "elsewhere"))
    assert first == second == third
    assert first.keys() == {
        "index.json", "rejected.jsonl", "000000.tar", "000001.tar", "000002.tar",
        "000000.tar.idx", "000001.tar.idx", "000002.tar.idx",
    }  # fmt: skip


def test_another_listing_order_gives_the_same_bytes(root: Path) -> None:
    first = tree(run(root))
    edit_records(root, lambda records: records[::-1])
    assert tree(run(root)) == first


def test_another_seed_gives_another_order_of_the_same_samples(root: Path) -> None:
    def keys(seed: int) -> list[str]:
        params = tiny_params(root, seed=seed)
        index = prepare(params, "objects", "train", root / "pack")
        folder = root / "shards" / "objects" / "train"
        return [key for shard in index.shards for key, _ in read_shard(folder, shard)]

    assert keys(1) != keys(2)
    assert sorted(keys(1)) == sorted(keys(2))


def test_every_tar_is_full_and_the_last_may_be_short(root: Path) -> None:
    index = read_index(run(root))
    assert [shard.count for shard in index.shards] == [6, 6, 4]
    assert [shard.name for shard in index.shards] == ["000000.tar", "000001.tar", "000002.tar"]


def test_the_index_says_what_was_prepared(root: Path) -> None:
    index = read_index(run(root))
    assert (index.dataset, index.split, index.modality) == ("objects", "train", "points")
    assert index.classes == ["ball", "stick"]
    assert index.recipe == {"converter": "pack_objects", "seed": 5}
    unlabelled = [f"a ball {n}" for n in range(0, 24, 4) if n % 3 != 2]
    assert index.captions == sorted(unlabelled)


def test_splits_share_no_sample(root: Path) -> None:
    keys = [
        {key for shard in read_index(folder).shards for key, _ in read_shard(folder, shard)}
        for folder in (run(root, "train"), run(root, "test"))
    ]
    assert (len(keys[0]), len(keys[1]), keys[0] & keys[1]) == (16, 8, set())


@pytest.mark.parametrize(
    ("data", "why"), [(b"not npy", "no plain .npy"), (b"", "no plain .npy"), (None, "no item")]
)
def test_an_unreadable_sample_is_rejected_with_its_reason(
    root: Path, data: bytes | None, why: str
) -> None:
    replace_member(root / "pack" / "points.zip", "thing-03.npy", data)
    folder = run(root, max_rejected=0.1)
    (line,) = (folder / "rejected.jsonl").read_text().splitlines()
    assert json.loads(line)["key"] == "thing-03"
    assert why in json.loads(line)["reason"]
    assert read_index(folder).samples == 15


def test_a_damaged_zip_member_is_rejected(root: Path) -> None:
    path = root / "pack" / "points.zip"
    data = bytearray(path.read_bytes())
    data[data.index(b"thing-04.npy") + 300] ^= 1
    path.write_bytes(data)
    folder = run(root, max_rejected=0.1)
    assert "Bad CRC-32" in (folder / "rejected.jsonl").read_text()


def test_a_class_that_is_not_listed_is_rejected(root: Path) -> None:
    edit_records(root, lambda records: [{**records[1], "class": "sofa"}, *records[2:]])
    folder = run(root, max_rejected=0.1)
    assert "class 'sofa' is not in classes.json" in (folder / "rejected.jsonl").read_text()


def test_too_many_rejected_stop_the_run_and_keep_the_last_good_folder(root: Path) -> None:
    before = tree(run(root))
    replace_member(root / "pack" / "points.zip", "thing-03.npy", b"not npy")
    with pytest.raises(
        UserError, match=r"1 of 16 samples.*max_rejected is 0.01; first: thing-03: "
    ):
        run(root)
    assert tree(root / "shards" / "objects" / "train") == before
    assert (root / "shards/objects/train.partial/rejected.jsonl").read_text().count("\n") == 1


def test_a_stopped_run_leaves_the_last_good_folder(root: Path, monkeypatch) -> None:
    before = tree(run(root))
    monkeypatch.setattr(module, "write_index", lambda *_: pytest.exit("killed"))
    with pytest.raises(pytest.exit.Exception):
        run(root, samples_per_shard=4)
    monkeypatch.setattr(module, "too_many", lambda *_: pytest.exit("killed again"))
    with pytest.raises(pytest.exit.Exception):
        run(root, samples_per_shard=3)
    assert tree(root / "shards" / "objects" / "train") == before
    monkeypatch.undo()
    assert tree(run(root)) == before
    assert [p.name for p in (root / "shards" / "objects").iterdir()] == ["train"]


def test_a_split_behind_a_link_is_replaced_where_it_lies(root: Path, tmp_path: Path) -> None:
    expected = tree(run(root))
    split, disk = root / "shards" / "objects" / "train", tmp_path / "disk"
    shutil.move(split, disk)
    split.symlink_to(disk)
    for _ in range(2):
        (disk / "000000.tar").write_bytes(b"damaged")
        run(root)
        assert tree(disk) == expected
        assert split.is_symlink()
    left = split.with_name("train.old.partial")
    split.unlink()
    left.symlink_to(disk)
    assert tree(run(root)) == tree(disk) == expected
    run(root)
    assert not left.is_symlink()


def test_duplicate_keys_are_refused(root: Path) -> None:
    edit_records(root, lambda records: [*records, records[3]])
    with pytest.raises(UserError, match="2 samples with the key 'thing-03'"):
        run(root)
    assert not (root / "shards").exists()


def test_a_split_without_samples_is_refused(root: Path) -> None:
    with pytest.raises(UserError, match="no samples of split 'trian'"):
        run(root, "trian")


@pytest.mark.parametrize("labels", [[2], [0, 7]])
def test_a_label_outside_the_classes_is_rejected(
    root: Path, labels: list[int], monkeypatch
) -> None:
    cloud = npy_bytes(np.eye(4, 3, dtype=np.float32))
    members = {"points.npy": cloud, "meta.json": json.dumps({"labels": labels}).encode()}
    dataset = RawDataset([RawItem("a", lambda: members)], ["ball", "stick"], ("points",), "none")
    monkeypatch.setattr(module, "read_raw", lambda *_: dataset)
    with pytest.raises(UserError, match=rf"label {labels[-1]}, but 2 classes"):
        run(root, max_rejected=1)


@pytest.mark.parametrize(
    ("converter", "near"),
    [("pack_object", "pack_objects"), ("pack", "pack_"), ("os.path", "pack_")],
)
def test_a_misspelt_converter_names_the_nearest(root: Path, converter: str, near: str) -> None:
    source = with_source(root, converter=converter).sources["objects"]
    with pytest.raises(UserError, match=rf"unknown converter '{converter}'; did you mean '{near}"):
        read_raw(source, root / "pack", "train")


def test_missing_raw_data_is_one_clear_line(root: Path) -> None:
    shutil.rmtree(root / "pack")
    with pytest.raises(UserError, match=r"pack: raw data not found; download .* --raw$"):
        run(root)


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("objects.jsonl", None, "not found"),
        ("objects.jsonl", "{", "not JSON lines"),
        ("objects.jsonl", "[]\n", "line 1 lacks id"),
        ("classes.json", None, "no class names of objects"),
        ("classes.json", "[]", "no class names of objects"),
        ("points.zip", None, "not a readable zip"),
        ("points.zip", "text", "not a readable zip"),
    ],
)
def test_a_damaged_pack_is_one_clear_line(
    root: Path, name: str, content: str | None, why: str
) -> None:
    (root / "pack" / name).unlink()
    if content is not None:
        (root / "pack" / name).write_text(content)
    with pytest.raises(UserError, match=re.escape(name) + rf": {why}"):
        run(root)


@pytest.mark.parametrize("key", ["", "a.b", "/a", "a/", "__a", "a\nb", "a\0"])
def test_keys_that_a_tar_would_mangle_are_refused(key: str) -> None:
    with pytest.raises(UserError, match="sample key"):
        RawItem(key, dict)
