"""One recipe in one place: another one sets the store aside, going back takes it up again."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import zarr

from pipeline.errors import UserError
from pipeline.store import FeatureStore
from pipeline.store.layout import KEY_HASH, shard_file
from tests.pipeline.made_store import (
    VIEWS,
    fill,
    made_features,
    made_index,
    made_provenance,
    made_store,
    open_writer,
    tree,
)


def test_another_recipe_sets_the_old_store_aside_and_going_back_takes_it_up(
    tmp_path: Path,
) -> None:
    path = made_store(tmp_path)
    before = tree(path)
    other = open_writer(tmp_path, made_index(), made_provenance(views={"seed": 6}))
    assert tree(other.set_aside) == before
    assert fill(other) == [0, 1, 2]
    back = open_writer(tmp_path, made_index())
    assert fill(back) == []
    assert tree(back.path) == before
    assert fill(open_writer(tmp_path, made_index(), other.provenance)) == []


def test_a_store_set_aside_twice_keeps_the_newer(tmp_path: Path) -> None:
    """DVC may bring a store back beside the one that was set aside."""
    path = made_store(tmp_path)
    shutil.copytree(path, tmp_path / "copy")
    other = made_provenance(views={"seed": 6})
    open_writer(tmp_path, made_index(), other)
    shutil.rmtree(path)
    (tmp_path / "copy").rename(path)
    assert fill(open_writer(tmp_path, made_index(), other)) == [0, 1, 2]
    assert fill(open_writer(tmp_path, made_index())) == []


def test_more_views_are_appended_and_touch_nothing_of_the_old(tmp_path: Path) -> None:
    path = made_store(tmp_path)
    before = {name: data for name, data in tree(path).items() if not name.endswith("zarr.json")}
    times = {name: (path / name).stat().st_mtime_ns for name in before}
    assert fill(open_writer(tmp_path, made_index(), views=VIEWS + 1)) == [0, 1, 2]
    after = tree(path)
    assert {name: after[name] for name in before} == before
    assert {name: (path / name).stat().st_mtime_ns for name in before} == times
    store = FeatureStore(path, made_index())
    assert store.views == 2 * VIEWS
    for block, view in ((0, 1), (1, 0)):
        found = store.read(2, block * VIEWS + view)
        made = made_features(made_index(), 2, VIEWS, block)
        assert np.array_equal(found.features, made.features[:, view])
        assert np.array_equal(found.view_digest, made.view_digest[:, view])
    assert np.array_equal(store.key_hash(2), made.key_hash)


def test_zarr_reads_the_same_planes(tmp_path: Path) -> None:
    path = made_store(tmp_path)
    fill(open_writer(tmp_path, made_index(), views=2 * VIEWS))
    store, index = FeatureStore(path, made_index()), made_index()
    for name in ("features", "digests"):
        array = zarr.open_array(path / name, mode="r")
        for shard, info in enumerate(index.shards):
            rows = array[index.row_slice(shard)][: info.count]
            for view in range(2 * VIEWS):
                assert np.array_equal(rows[:, view], getattr(store.read(shard, view), name))


def test_fewer_views_than_there_are_drop_nothing(tmp_path: Path) -> None:
    made_store(tmp_path)
    path = open_writer(tmp_path, made_index(), views=3 * VIEWS).path
    assert fill(open_writer(tmp_path, made_index(), views=3 * VIEWS)) == [0, 1, 2] * 2
    before = tree(path)
    assert fill(open_writer(tmp_path, made_index(), views=1)) == []
    assert tree(path) == before


def test_a_new_tar_gets_every_block_and_the_others_stay(tmp_path: Path) -> None:
    made_store(tmp_path)
    fill(open_writer(tmp_path, made_index(), views=2 * VIEWS))
    longer = made_index((6, 6, 4, 5))
    assert fill(open_writer(tmp_path, longer, views=2 * VIEWS)) == [3, 3]


def test_appended_views_heal_keys_that_were_lost(tmp_path: Path) -> None:
    path = made_store(tmp_path)
    shard_file(path, KEY_HASH, 1).write_bytes(b"torn")
    fill(open_writer(tmp_path, made_index(), views=2 * VIEWS))
    found = FeatureStore(path, made_index()).key_hash(1)
    assert np.array_equal(found, made_features(made_index(), 1).key_hash)


def test_int8_keeps_half_the_bytes_and_the_direction(tmp_path: Path) -> None:
    writer = open_writer(tmp_path, made_index(), made_provenance("int8"))
    fill(writer)
    found = FeatureStore(writer.path, made_index()).read(0, 1)
    assert found.features.dtype == np.int8
    for row, made in enumerate(made_features(made_index(), 0).features[:, 1].astype(np.float32)):
        kept = found.target(row)
        assert kept.dtype == np.float32
        assert kept @ made / np.linalg.norm(kept) / np.linalg.norm(made) > 0.9999


def test_an_empty_folder_or_leftovers_without_provenance_are_in_nobodys_way(tmp_path: Path) -> None:
    path = made_store(tmp_path)
    before = tree(path)
    open_writer(tmp_path, made_index(), made_provenance(views={"seed": 6}))
    shutil.rmtree(path)
    (path / "features").mkdir(parents=True)
    (path / "features" / "junk.partial").write_bytes(b"half")
    assert fill(open_writer(tmp_path, made_index())) == []
    assert tree(path) == before


def test_a_store_that_lost_its_provenance_is_completed(tmp_path: Path) -> None:
    """Markers name the fingerprint, so finished tars still prove whose they are."""
    path = made_store(tmp_path)
    before = tree(path)
    (path / "provenance.json").unlink()
    assert fill(open_writer(tmp_path, made_index())) == []
    assert tree(path) == before


def test_a_store_without_provenance_is_not_taken_for_another_recipes(tmp_path: Path) -> None:
    path = made_store(tmp_path)
    (path / "provenance.json").unlink()
    other = open_writer(tmp_path, made_index(), made_provenance(views={"seed": 6}))
    assert not other.has_text()
    assert fill(other) == [0, 1, 2]


def test_a_damaged_provenance_stops_the_writer(tmp_path: Path) -> None:
    path = made_store(tmp_path)
    (path / "provenance.json").write_text("{}")
    with pytest.raises(UserError, match=r"damaged.*delete .*objects-train.zarr and run: python -m"):
        open_writer(tmp_path, made_index())
