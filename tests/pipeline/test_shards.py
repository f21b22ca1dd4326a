"""Tars and their index: the same bytes for the same samples, and a clear line for damaged ones."""

import json
import os
import re
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import webdataset
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from pipeline import small_files
from pipeline.datasets import RawItem
from pipeline.errors import UserError
from pipeline.shards import (
    FORMAT,
    INDEX,
    ROWS,
    ShardIndex,
    ShardInfo,
    file_hash,
    read_index,
    read_shard,
    split_name,
    write_index,
    write_shard,
)
from pipeline.tar import BLOCK

REPEATABLE = settings(deadline=None, derandomize=True, max_examples=60)
MEND = r"run: python -m pipeline.prepare --source objects$"
SAMPLES = [
    (f"chair-{n}", {"points.npy": bytes([n]) * 700, "meta.json": b"{}", "image.webp": b"w" * n})
    for n in range(5)
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "objects" / "train").mkdir(parents=True)
    return tmp_path / "objects" / "train"


@pytest.fixture
def shard(folder: Path) -> ShardInfo:
    return write_shard(folder / "000000.tar", SAMPLES)


def index_of(shards: list[ShardInfo]) -> ShardIndex:
    return ShardIndex(
        format=FORMAT, dataset="objects", split="train", modality="points", classes=["chair"],
        captions=[], licence="none", recipe={}, samples_per_shard=5, shards=shards,
    )  # fmt: skip


def test_an_index_without_words_does_not_tell_of_them(folder: Path, shard: ShardInfo) -> None:
    write_index(folder, index_of([shard]))
    assert not {"class_words", "expected"} & json.loads((folder / INDEX).read_bytes()).keys()
    assert read_index(folder).words == ["chair"]
    write_index(folder, replace(index_of([shard]), class_words=["a seat"]))
    assert read_index(folder).words == ["a seat"]
    write_index(folder, replace(index_of([shard]), class_words=[]))
    with pytest.raises(UserError, match="expected words for 1 classes, found 0"):
        read_index(folder)


def test_a_tar_comes_back_as_it_was_written(folder: Path, shard: ShardInfo) -> None:
    assert list(read_shard(folder, shard)) == SAMPLES
    path = folder / shard.name
    assert (shard.count, shard.bytes) == (5, path.stat().st_size)
    assert shard.xxh3 == file_hash(path)
    assert sorted(folder.iterdir()) == [path, folder / f"{shard.name}{ROWS}"]


def test_the_same_samples_give_the_same_bytes(folder: Path, shard: ShardInfo) -> None:
    backwards = [(key, dict(reversed(members.items()))) for key, members in SAMPLES]
    assert write_shard(folder / "again.tar", backwards).xxh3 == shard.xxh3


def test_webdataset_reads_the_same(folder: Path, shard: ShardInfo) -> None:
    read = webdataset.WebDataset(str(folder / shard.name), shardshuffle=False)
    samples = [
        (s["__key__"], {name: data for name, data in s.items() if name[0] != "_"}) for s in read
    ]
    assert samples == SAMPLES


KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=130)


@REPEATABLE
@given(st.lists(KEYS, min_size=1, max_size=4, unique=True))
def test_every_key_that_is_allowed_comes_back(tmp_path_factory, keys: list[str]) -> None:
    folder, samples = tmp_path_factory.mktemp("keys"), []
    for key in keys:
        try:
            samples.append((RawItem(key, dict).key, {"meta.json": key.encode()}))
        except UserError:
            assert re.search(r"[.\x00-\x1f\x7f]|^/|/$|^__", key)
    info = write_shard(folder / "000000.tar", samples)
    assert list(read_shard(folder, info)) == samples
    theirs = webdataset.WebDataset(
        str(folder / "000000.tar"), shardshuffle=False, empty_check=False
    )
    assert [s["__key__"] for s in theirs] == [key for key, _ in samples]


@pytest.mark.parametrize("name", ["{0..3}", "pipe:echo", "s3:x", "a b"])
def test_folder_names_mean_nothing_but_themselves(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    info = write_shard(tmp_path / name / "000000.tar", SAMPLES)
    assert list(read_shard(tmp_path / name, info)) == SAMPLES


@pytest.mark.parametrize("share", [0, 0.01, 0.3, 0.5, 0.99])
def test_a_truncated_tar_is_one_clear_error(folder: Path, shard: ShardInfo, share: float) -> None:
    os.truncate(folder / shard.name, int(share * shard.bytes))
    with pytest.raises(UserError, match=rf"000000.tar: expected {shard.bytes} bytes.*{MEND}"):
        list(read_shard(folder, shard))


def test_a_tar_cut_between_two_members_is_noticed(folder: Path, shard: ShardInfo) -> None:
    """The last sample would only lack a member; its count would be right."""
    path = folder / shard.name
    data = path.read_bytes()
    last = data.rindex(b"chair-4.points.npy")
    path.write_bytes(data[:last] + bytes(1024))
    with pytest.raises(UserError, match=rf"bytes, found.*{MEND}"):
        list(read_shard(folder, shard))


def test_a_tar_of_garbage_is_one_clear_error(folder: Path, shard: ShardInfo) -> None:
    garbage = np.random.default_rng(0).bytes(shard.bytes)
    (folder / shard.name).write_bytes(garbage)
    with pytest.raises(UserError, match=rf"000000.tar: expected xxh3 {shard.xxh3}.*{MEND}"):
        list(read_shard(folder, shard))


@REPEATABLE
@given(st.integers(0, 10**6), st.integers(0, 7), st.integers(0, 10**6))
def test_any_damaged_byte_gives_samples_or_one_clear_error(
    tmp_path_factory, place: int, bit: int, other: int
) -> None:
    folder = tmp_path_factory.mktemp("bytes")
    info = write_shard(folder / "000000.tar", SAMPLES)
    data = bytearray((folder / "000000.tar").read_bytes())
    data[place % 2048] ^= 1 << bit
    data[other % len(data)] ^= 1 << bit
    (folder / "000000.tar").write_bytes(data)
    with suppress(UserError):
        assert len(list(read_shard(folder, info))) == 5


def test_a_tar_with_another_count_is_one_clear_error(folder: Path, shard: ShardInfo) -> None:
    with pytest.raises(UserError, match=rf"expected 6 samples, found 5; {MEND}"):
        list(read_shard(folder, structs.replace(shard, count=6)))
    samples = read_shard(folder, structs.replace(shard, count=1))
    assert next(samples) == SAMPLES[0]
    with pytest.raises(UserError, match=rf"expected 1 samples, found 2 or more; {MEND}"):
        next(samples)


def test_a_missing_tar_is_one_clear_error(folder: Path, shard: ShardInfo) -> None:
    (folder / shard.name).unlink()
    with pytest.raises(UserError, match=rf"missing shard, 5 samples expected; {MEND}"):
        list(read_shard(folder, shard))


def test_a_tar_that_is_not_its_indexs_is_one_clear_error(folder: Path, shard: ShardInfo) -> None:
    list(read_shard(folder, shard))
    write_shard(folder / shard.name, SAMPLES[::-1])
    with pytest.raises(UserError, match=rf"000000.tar: expected xxh3 {shard.xxh3}.*{MEND}"):
        next(read_shard(folder, shard))


def test_one_other_bit_within_a_sample_is_refused(folder: Path, shard: ShardInfo) -> None:
    path = folder / shard.name
    content = bytearray(path.read_bytes())
    content[BLOCK] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match=rf"expected xxh3 {shard.xxh3}.*{MEND}"):
        next(read_shard(folder, shard))


def test_the_index_comes_back_and_counts(folder: Path, shard: ShardInfo) -> None:
    index = index_of([shard, structs.replace(shard, name="000001.tar", count=2)])
    write_index(folder, index)
    assert read_index(folder) == index
    assert (index.samples, index.rows, index.row_slice(1)) == (7, 10, slice(5, 10))


def test_commas_in_captions_are_no_values(
    folder: Path, shard: ShardInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a million captions that list what is seen there are more than an index may have values."""
    monkeypatch.setattr(small_files, "MOST_VALUES", 50)
    captions = ["a [red] chair, wooden" + ", old" * 99, 'a "pan, of tin", or {a pot\\', '"']
    index = replace(index_of([shard]), captions=captions)
    write_index(folder, index)
    assert read_index(folder) == index


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "not found, the dataset is not prepared"),
        (b"", "truncated"),
        (b"{}", "missing required field"),
        (b"\xff\xfe", "index.json"),
        (b'{"format": "one"}', "Expected `int`"),
    ],
)
def test_a_broken_index_is_one_clear_error(folder: Path, content: bytes | None, why: str) -> None:
    if content is not None:
        (folder / INDEX).write_bytes(content)
    with pytest.raises(UserError, match=rf"{why}.*{MEND}"):
        read_index(folder)


def test_an_index_of_another_format_is_refused(folder: Path, shard: ShardInfo) -> None:
    write_index(folder, replace(index_of([shard]), format=FORMAT + 1))
    with pytest.raises(UserError, match=rf"expected format {FORMAT}, found {FORMAT + 1}; {MEND}"):
        read_index(folder)


@pytest.mark.parametrize("folder_name", ["", "chairs/", "v1.5/", "a/v1.5/"])
@pytest.mark.parametrize("member", ["", "image.jpg"])
def test_the_first_dot_of_a_files_own_name_ends_the_key(folder_name: str, member: str) -> None:
    name = f"{folder_name}chair-1" + ("." + member if member else "")
    assert split_name(name) == (f"{folder_name}chair-1", member)
