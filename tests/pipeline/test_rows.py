"""Samples sought in a tar: the same as read in turn, and each of them proved."""

import os
import resource
from functools import lru_cache
from pathlib import Path

import numpy as np
import psutil
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from pipeline import rows as rows_module
from pipeline.errors import UserError
from pipeline.rows import read_places, read_rows
from pipeline.shards import ROWS, ShardInfo, read_shard, write_shard
from pipeline.tar import BLOCK

MEND = "run: python -m pipeline.prepare --source objects$"
SAMPLES = [
    (f"chair-{n}" + n * "x" * 30, {"points.npy": bytes([n]) * 700, "meta.json": b"{}"})
    for n in range(6)
]
"""The keys of the last are longer than a header has room for."""


@pytest.fixture(autouse=True)
def _no_tar_is_open() -> None:
    rows_module._opened.cache_clear()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "objects" / "train").mkdir(parents=True)
    return tmp_path / "objects" / "train"


@pytest.fixture
def shard(folder: Path) -> ShardInfo:
    return write_shard(folder / "000000.tar", SAMPLES)


@settings(derandomize=True)
@given(rows=st.lists(st.integers(0, 5), max_size=9))
def test_any_rows_are_those_of_the_whole_tar(tmp_path_factory, rows: list[int]) -> None:
    folder = tmp_path_factory.mktemp("rows")
    shard = write_shard(folder / "000000.tar", SAMPLES)
    whole = list(read_shard(folder, shard))
    assert read_rows(folder, shard, rows) == [whole[row] for row in rows]


def test_samples_of_several_tars_come_in_the_order_they_are_asked_for(
    folder: Path, shard: ShardInfo
) -> None:
    other = write_shard(folder / "000001.tar", SAMPLES[::-1])
    found = read_places(folder, [(shard, 1), (other, 1), (shard, 0)])
    assert list(found) == [SAMPLES[1], SAMPLES[4], SAMPLES[0]]


def test_a_changed_byte_of_a_sample_is_noticed_by_who_reads_it(
    folder: Path, shard: ShardInfo
) -> None:
    path = folder / shard.name
    content = bytearray(path.read_bytes())
    content[content.index(bytes([3]) * 700) + 350] ^= 1
    path.write_bytes(content)
    assert read_rows(folder, shard, [0, 2, 4]) == [SAMPLES[row] for row in (0, 2, 4)]
    with pytest.raises(UserError, match=rf"000000.tar: expected xxh3 \w+ of sample 3, .*{MEND}"):
        read_rows(folder, shard, [2, 3])


def test_a_tar_that_is_cut_is_noticed(folder: Path, shard: ShardInfo) -> None:
    path = folder / shard.name
    path.write_bytes(path.read_bytes()[:4000])
    with pytest.raises(UserError, match=rf"expected {shard.bytes} bytes, found 4000; {MEND}"):
        read_rows(folder, shard, [0])
    path.unlink()
    with pytest.raises(UserError, match=f"000000.tar: missing shard.*{MEND}"):
        read_rows(folder, shard, [0])


def test_a_tar_that_was_mended_is_read_anew(folder: Path, shard: ShardInfo) -> None:
    """Another file in the place of one that is open."""
    path = folder / shard.name
    whole = path.read_bytes()
    path.write_bytes(whole[:4000])
    with pytest.raises(UserError, match="expected"):
        read_rows(folder, shard, [0])
    (folder / "mended").write_bytes(whole)
    (folder / "mended").rename(path)
    assert read_rows(folder, shard, [0]) == SAMPLES[:1]


def test_a_tar_that_is_cut_while_it_is_open_is_noticed(folder: Path, shard: ShardInfo) -> None:
    path = folder / shard.name
    assert read_rows(folder, shard, [0]) == SAMPLES[:1]
    with path.open("r+b") as file:
        file.truncate(4000)
    with pytest.raises(UserError, match=rf"expected {shard.bytes} bytes, found 4000; {MEND}"):
        read_rows(folder, shard, [5])


def test_no_more_tars_than_a_process_may_open_stay_open(folder: Path, monkeypatch) -> None:
    monkeypatch.setattr(rows_module, "_opened", lru_cache(maxsize=2)(rows_module._Tar))
    before = psutil.Process().num_fds()
    for number in range(6):
        shard = write_shard(folder / f"{number:06}.tar", SAMPLES)
        read_rows(folder, shard, [number])
    assert psutil.Process().num_fds() <= before + 2


@pytest.mark.parametrize(("allowed", "most"), [(256, 128), (1 << 20, 512), (-1, 512)])
def test_half_of_what_a_process_may_open_is_left_to_others(
    monkeypatch: pytest.MonkeyPatch, allowed: int, most: int
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (allowed, -1))
    assert rows_module._most_open() == most


@pytest.mark.parametrize("spoil", [lambda data: data[:-8], lambda data: data[::-1], None])
def test_a_table_that_is_not_its_indexs_is_refused(folder: Path, shard: ShardInfo, spoil) -> None:
    table = folder / f"{shard.name}{ROWS}"
    table.write_bytes(spoil(table.read_bytes())) if spoil else table.unlink()
    found = "expected xxh3" if spoil else "not found"
    with pytest.raises(UserError, match=rf"000000.tar.idx: {found}.*{MEND}"):
        read_rows(folder, shard, [0])


@pytest.mark.parametrize("end", [0, 1 << 14, 1 << 35, 1 << 40])
def test_a_table_of_impossible_lengths_is_refused(folder: Path, end: int) -> None:
    """A sparse tar and an index that vouches for all of it: nothing of that size is read."""
    (folder / "a.tar").touch()
    os.truncate(folder / "a.tar", 1 << 36)
    table = np.array([1 << 13, 0, end, 0], "<u8").tobytes()
    (folder / f"a.tar{ROWS}").write_bytes(table)
    proof = xxhash.xxh3_128_hexdigest(table)
    shard = ShardInfo(name="a.tar", count=2, bytes=1 << 36, xxh3="", rows_xxh3=proof)
    refusal = "expected xxh3" if end == 1 << 14 else "expected samples one after the other"
    with pytest.raises(UserError, match=f"{refusal}.*{MEND}"):
        read_rows(folder, shard, [1])


def test_a_span_of_two_samples_is_refused(folder: Path, shard: ShardInfo) -> None:
    whole = folder.joinpath(shard.name).read_bytes()
    end = len(whole) - 2 * BLOCK
    table = np.array([end, xxhash.xxh3_64_intdigest(whole[:end])], "<u8").tobytes()
    folder.joinpath(f"{shard.name}{ROWS}").write_bytes(table)
    told = structs.replace(shard, count=1, rows_xxh3=xxhash.xxh3_128_hexdigest(table))
    with pytest.raises(UserError, match=f"files of 6 samples in the place of one.*{MEND}"):
        read_rows(folder, told, [0])
