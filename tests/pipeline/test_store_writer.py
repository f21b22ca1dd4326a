"""The store's writer: resumable, byte-identical, one recipe in one place."""

import errno
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from msgspec import structs

from pipeline.errors import UserError
from pipeline.store import FeatureStore
from pipeline.store.layout import FEATURES, KEY_HASH, MARKERS, shard_file
from pipeline.store.marker import marker_path, read_marker, write_marker
from tests.pipeline.made_store import (
    fill,
    made_features,
    made_index,
    made_store,
    made_text,
    open_writer,
    tree,
)


def test_two_stores_of_the_same_numbers_are_the_same_bytes(tmp_path: Path) -> None:
    one, other = made_store(tmp_path / "one"), made_store(tmp_path / "other")
    assert tree(one) == tree(other)
    assert not list(one.rglob("*.partial"))


def test_the_order_of_writing_does_not_show(tmp_path: Path) -> None:
    index = made_index()
    writer = open_writer(tmp_path / "backwards", index)
    writer.write_text(made_text())
    for shard in (2, 0, 1):
        writer.write(shard, made_features(index, shard))
    assert tree(writer.path) == tree(made_store(tmp_path / "forwards"))


def test_one_tar_is_one_file_of_every_array(tmp_path: Path) -> None:
    files = set(tree(made_store(tmp_path)))
    arrays = {
        f"{array}/c/{n}{inner}"
        for n in range(3)
        for array, inner in (
            ("features", "/0/0"), ("digests", "/0/0"), ("key_hash", ""),
        )
    }  # fmt: skip
    assert arrays < files
    assert {f"markers/{n:06d}.tar.0.json" for n in range(3)} < files


def test_a_finished_store_has_nothing_pending(tmp_path: Path) -> None:
    before = tree(made_store(tmp_path))
    writer = open_writer(tmp_path, made_index())
    assert fill(writer) == []
    assert tree(writer.path) == before


@pytest.mark.parametrize("shard", [0, 2])
def test_a_tar_without_its_marker_is_written_again(tmp_path: Path, shard: int) -> None:
    path = made_store(tmp_path)
    before = tree(path)
    marker_path(path, f"{shard:06d}.tar").unlink()
    assert fill(open_writer(tmp_path, made_index())) == [shard]
    assert tree(path) == before


@pytest.mark.parametrize("array", ["features", "digests", "key_hash"])
@pytest.mark.parametrize("damage", ["missing", "truncated"])
def test_a_missing_or_truncated_shard_is_written_again(
    tmp_path: Path, array: str, damage: str
) -> None:
    path = made_store(tmp_path)
    before, file = tree(path), shard_file(path, array, 1)
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-1])
    assert fill(open_writer(tmp_path, made_index())) == [1]
    assert tree(path) == before


@pytest.mark.parametrize("name", ["zarr.json", "features/zarr.json", "key_hash/zarr.json"])
@pytest.mark.parametrize("content", [None, b"", b"{}", b"\xff"])
def test_damaged_metadata_is_written_anew(tmp_path: Path, name: str, content: bytes | None) -> None:
    path = made_store(tmp_path)
    before = tree(path)
    (path / name).unlink()
    if content is not None:
        (path / name).write_bytes(content)
    assert fill(open_writer(tmp_path, made_index())) == []
    assert tree(path) == before


@pytest.mark.parametrize("name", ["text_features/zarr.json", "text_features/c/0/0"])
@pytest.mark.parametrize("content", [None, b"", b"{}"])
def test_damaged_text_is_written_anew(tmp_path: Path, name: str, content: bytes | None) -> None:
    path = made_store(tmp_path)
    before = tree(path)
    (path / name).unlink()
    if content is not None:
        (path / name).write_bytes(content)
    fill(open_writer(tmp_path, made_index()))
    assert tree(path) == before


def test_renamed_classes_need_new_text(tmp_path: Path) -> None:
    made_store(tmp_path)
    renamed = replace(made_index(), classes=["ball", "rod", "sphere"])
    assert not open_writer(tmp_path, renamed).has_text()
    assert open_writer(tmp_path, made_index()).has_text()


def test_a_tar_that_changed_is_written_again_alone(tmp_path: Path) -> None:
    made_store(tmp_path)
    index = made_index()
    index.shards[1] = structs.replace(index.shards[1], xxh3="changed")
    assert fill(open_writer(tmp_path, index)) == [1]


def test_a_dataset_that_gained_tars_keeps_the_others(tmp_path: Path) -> None:
    path = made_store(tmp_path, made_index((6, 6)))
    assert fill(open_writer(tmp_path, made_index((6, 6, 4)))) == [2]
    assert tree(path) == tree(made_store(tmp_path / "fresh"))


def test_a_dataset_that_lost_tars_loses_their_rows(tmp_path: Path) -> None:
    path = made_store(tmp_path)
    shorter = open_writer(tmp_path, made_index((6, 6)))
    assert shorter.dropped == ["000002.tar"]
    assert fill(shorter) == []
    assert tree(path) == tree(made_store(tmp_path / "fresh", made_index((6, 6))))


def test_a_last_tar_that_filled_up_is_written_again(tmp_path: Path) -> None:
    path = made_store(tmp_path, made_index((6, 6, 4)))
    full = made_index((6, 6, 6))
    full.shards[2] = structs.replace(full.shards[2], xxh3="fuller")
    assert fill(open_writer(tmp_path, full)) == [2]
    assert FeatureStore(path, full).read(2, 0).features.shape == (6, 5)


def test_a_tar_whose_samples_all_failed_is_stored(tmp_path: Path) -> None:
    """All of its bytes equal the fill value, which Zarr would not write at all."""
    index = made_index()
    writer = open_writer(tmp_path, index)
    nothing = made_features(index, 0)
    zeros = np.zeros_like(nothing.view_digest)
    nan = np.full_like(nothing.features, np.nan)
    writer.write(0, replace(nothing, features=nan, view_digest=zeros, failed=["a"]))
    assert writer.pending() == [(1, 0), (2, 0)]
    assert np.isnan(FeatureStore(writer.path, index).read(0, 1).features).all()


def test_rows_that_do_not_fit_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    writer = open_writer(tmp_path, made_index())
    with pytest.raises(ValueError, match=r"000002.tar: features is \(6, 2, 5\), expected \(4, 2"):
        writer.write(2, made_features(made_index(), 0))
    assert not shard_file(writer.path, FEATURES, 2).exists()


def test_the_marker_is_withdrawn_before_the_rows_change(tmp_path: Path, monkeypatch) -> None:
    made_store(tmp_path)
    writer = open_writer(tmp_path, made_index())
    monkeypatch.setattr(writer, "_marker", lambda *_: pytest.fail("killed here"))
    with pytest.raises(pytest.fail.Exception):
        writer.write(0, made_features(made_index(), 0))
    assert not marker_path(writer.path, "000000.tar").exists()


def test_a_marker_comes_back_sealed_and_any_change_voids_it(tmp_path: Path) -> None:
    path = made_store(tmp_path)
    marker = read_marker(path, "000000.tar")
    assert marker is not None
    assert set(marker.checksums) == {"features", "digests", "key_hash"}
    assert len(marker.checksums[KEY_HASH]) == 1
    text = marker_path(path, "000000.tar").read_text()
    marker_path(path, "000000.tar").write_text(text.replace('"rows": 6', '"rows": 5'))
    assert read_marker(path, "000000.tar") is None
    write_marker(path, structs.replace(marker, rows=5))
    assert read_marker(path, "000000.tar").rows == 5


def test_markers_of_unknown_tars_and_half_written_files_go(tmp_path: Path) -> None:
    path = made_store(tmp_path)
    (path / MARKERS / "000009.tar.0.json").write_text("{}")
    (path / MARKERS / "000000.tar.0.json.partial").write_text("{")
    (path / "features" / "c" / "1" / "0" / f".{'a' * 32}.partial").write_bytes(b"half")
    open_writer(tmp_path, made_index())
    assert tree(path) == tree(made_store(tmp_path / "fresh"))


def test_a_full_disk_is_one_clear_line_and_the_tar_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = open_writer(tmp_path, made_index())
    writer.write(0, made_features(made_index(), 0))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "features/c/1")

    monkeypatch.setattr("pipeline.store.shard_writer.write_atomically", full)
    with pytest.raises(UserError, match=r"^features/c/1: No space left.*kept; make room.*run: py"):
        writer.write(1, made_features(made_index(), 1))
    monkeypatch.undo()
    assert open_writer(tmp_path, made_index()).pending() == [(1, 0), (2, 0)]
    assert fill(open_writer(tmp_path, made_index())) == [1, 2]


def test_a_folder_that_cannot_be_written_is_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_only(*_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system", "objects-train.zarr")

    monkeypatch.setattr("pipeline.store.writer.lay_out", read_only)
    with pytest.raises(UserError, match=r"^objects-train.zarr: Read-only file system; .*run: py"):
        open_writer(tmp_path, made_index())
