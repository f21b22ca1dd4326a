"""One recipe in one place: another one sets the store aside, going back takes it up again."""

import shutil
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.store import FeatureStore
from tests.pipeline.made_store import (
    VIEWS,
    fill,
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


def test_another_number_of_views_is_another_store(tmp_path: Path) -> None:
    made_store(tmp_path)
    assert fill(open_writer(tmp_path, made_index(), views=3)) == [0, 1, 2]
    path = open_writer(tmp_path, made_index(), views=3).path
    assert FeatureStore(path, made_index()).views == 3
    assert fill(open_writer(tmp_path, made_index(), views=VIEWS)) == []


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
