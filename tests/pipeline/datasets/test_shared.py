"""What converters share: folders, tables, HDF5, raw files, keys, expected numbers."""

import os
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from pipeline.config.little_data import unworkable
from pipeline.datasets import RawDataset, RawItem, key_of, noted
from pipeline.datasets.reading.files import read_file
from pipeline.datasets.reading.folders import list_files, subfolders
from pipeline.datasets.reading.hdf5 import Hdf5File
from pipeline.datasets.reading.tables import read_lines, read_table
from pipeline.errors import UnreadableSample, UserError
from pipeline.preparation.official import lacking, remarks
from pipeline.tar import file_places
from tests.pipeline.datasets.conversions import put
from tests.tiny_world import tiny_params


def test_files_are_listed_in_one_order_without_what_systems_leave(tmp_path: Path) -> None:
    put(tmp_path, {"b/2.JPG": b"", "b/1.jpg": b"", "a/x.jpg": b"", "a/._x.jpg": b"",
                   "a/Thumbs.db": b"", "__MACOSX/a.jpg": b"", "read.me": b""})  # fmt: skip
    listing = list_files(tmp_path, (".jpg",))
    names = [path.relative_to(tmp_path).as_posix() for path in listing.files]
    assert names == ["a/x.jpg", "b/1.jpg", "b/2.JPG"]
    assert listing.notes == (f"1 files in {tmp_path} end in none of .jpg: read.me",)
    assert subfolders(tmp_path) == ["a", "b"]
    put(tmp_path, {"a-b/1.jpg": b"", "a.jpg": b"", "a/1/x.jpg": b"", "a/1.jpg": b""})
    found = list_files(tmp_path, (".jpg",)).files
    assert found == sorted(found, key=lambda path: path.parts)


def test_a_link_to_a_folder_above_is_told(tmp_path: Path) -> None:
    put(tmp_path, {"a/1.jpg": b""})
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    with pytest.raises(UserError, match="up: a link to a folder above it"):
        list_files(tmp_path, (".jpg",))


def test_tables_survive_editors(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(
        b'\xef\xbb\xbf# told\r\nid, says\r\n-x, "a, b"\r\n\r\n y ,"two\r\nlines"\r\n'
    )
    rows = list(read_table(tmp_path / "t.csv", ["says", "id"], comment="#"))
    assert rows == [("a, b", "-x"), ("two\r\nlines", "y")]
    (tmp_path / "l.txt").write_bytes(b"\xef\xbb\xbfa b \r\n\r\nc\r\n")
    assert read_lines(tmp_path / "l.txt") == ["a b", "c"]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"idd,says\n1,2\n", "unknown column 'id'; did you mean 'idd'"),
        (b"says,id\n1\n", "line 2: expected at least 2 columns, found 1"),
        (b"id,\xff\n", "not a text in UTF-8"),
        (b"id\n" + b"1" * 200_000, "line 2: field larger than field limit"),
        (None, "not found"),
    ],
)
def test_a_table_that_is_none_is_told(tmp_path: Path, content: bytes | None, why: str) -> None:
    if content is not None:
        (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(UserError, match=f"t.csv: {why}"):
        list(read_table(tmp_path / "t.csv", ["id"]))


def test_hdf5_leads_to_no_other_file(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["data"] = np.zeros((2, 3))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["linked"] = h5py.ExternalLink("other.h5", "data")
        file.create_dataset("far", (2, 3), "f8", external=[("x.bin", 0, 48)])
        file.create_dataset("wide", (1, 1 << 26, 3), "f4", chunks=(1, 1 << 24, 3))
        file["words"] = np.zeros(3)
    opened = Hdf5File(tmp_path / "a.h5")
    for name in ("linked", "far"):
        with pytest.raises(UserError, match=f"'{name}' is no array in this file"):
            opened.array(name, (None, 3), "f")
    with pytest.raises(UserError, match=r"'wide': rows of 805,306,368 bytes"):
        opened.array("wide", (None, None, 3), "f")
    with pytest.raises(UserError, match="no 'data'; found far, linked, wide, words"):
        opened.array("data", (None,), "f")
    with pytest.raises(UserError, match="'words': expected a cell array of texts"):
        opened.texts("words")


def test_hdf5_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.h5").write_bytes(b"<html>")
    with pytest.raises(UserError, match="no readable HDF5 file"):
        Hdf5File(tmp_path / "a.h5")
    with pytest.raises(UserError, match="b.h5: not found"):
        Hdf5File(tmp_path / "b.h5")


def test_a_damaged_row_is_one_bad_sample(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("data", data=np.random.default_rng(0).normal(size=(2, 500)),
                            chunks=(1, 500), compression="gzip", fletcher32=True)  # fmt: skip
        place = file["data"].id.get_chunk_info(1)
    with (tmp_path / "a.h5").open("r+b") as raw:
        raw.seek(place.byte_offset + 20)
        raw.write(b"\0" * 50)
    array = Hdf5File(tmp_path / "a.h5").array("data", (None, 500), "f")
    assert array.row(0).shape == (500,)
    with pytest.raises(UnreadableSample, match="'data' row 1"):
        array.row(1)


def test_a_raw_file_that_is_none_is_one_bad_sample(tmp_path: Path) -> None:
    put(tmp_path, {"page": b"\n<!DOCTYPE HTML>", "empty": b"", "large": b"12345"})
    os.mkfifo(tmp_path / "pipe")
    for name, why in (("page", "is HTML, probably an error page"), ("empty", "is empty"),
                      ("large", "5 bytes; the limit is 4"), ("pipe", "found a named pipe"),
                      ("gone", "No such file")):  # fmt: skip
        with pytest.raises(UnreadableSample, match=f"{name}: .*{why}"):
            read_file(tmp_path / name, 4 if name == "large" else 100)


def test_keys_and_notes() -> None:
    assert key_of("a/b.c/d.jpg") == "a/b-c/d-jpg"
    assert RawItem(key_of("__a.b\n"), dict).key == "-__a-b-"
    assert noted("files", []) == ()
    assert noted("files are odd", list("abcd")) == ("4 files are odd: a, b, c, ...",)


@pytest.mark.parametrize(
    ("samples", "there", "left"),
    [(None, 3, None), (None, 2, 3), (2, 2, None), ({"train": 4}, 3, 4), ({"test": 4}, 3, None)],
)
def test_the_source_says_the_number_or_else_the_dataset(
    tmp_path: Path, samples: int | dict[str, int] | None, there: int, left: int | None
) -> None:
    source = replace(tiny_params(tmp_path).sources["objects"], samples=samples)
    items = [RawItem(str(number), dict) for number in range(there)]
    dataset = RawDataset(items, [], ("points",), "none", expected=3, notes=("a note",))
    assert lacking("train", source, dataset) == left
    said = remarks("objects", "train", source, dataset)
    assert said[0] == "objects/train: a note"
    assert len(said) == (1 if left is None else 2)
    exact = replace(dataset, exact=True)
    if left is not None:
        with pytest.raises(UserError, match=f"{there} of {left} samples.*a note.*complete"):
            remarks("objects", "train", source, exact)


def test_little_data_is_told_with_the_way_out(tmp_path: Path) -> None:
    config = tiny_params(tmp_path).train  # 12 a step, half of it from each source
    assert unworkable(config, {"objects": 6, "renders": 6}, 3) == []
    late, large = unworkable(config, {"objects": 5, "renders": 6}, 2)
    assert "warmup_steps is 2, the whole training has 2 steps" in late
    assert "6 of it from objects, which has 5 samples" in large
    assert "set it to at most 10" in large


def test_places_in_a_tar_are_those_of_its_files(prepared_world: Path) -> None:
    path = prepared_world / "shards" / "objects" / "train" / "000000.tar"
    content = path.read_bytes()
    with path.open("rb") as tar:
        places = dict(file_places(tar, len(content)))
    first, size = next(place for name, place in places.items() if name.endswith("points.npy"))
    assert content[first : first + 6] == b"\x93NUMPY"
    assert first + size <= len(content)
