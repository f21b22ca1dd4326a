"""Small files made to hang, flood or break their readers: each is refused in one line."""

import gzip
import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.config import load_params
from pipeline.config.yaml_document import LARGEST
from pipeline.errors import UserError
from pipeline.locations import path_or_url
from pipeline.shards import INDEX, LARGEST_INDEX, ShardInfo, read_index, write_index
from pipeline.small_files import LIMIT, check_gzip, read_json
from pipeline.store import FeatureStore, Provenance, drift
from pipeline.store.marker import blocks_there, marker_path, read_marker
from pipeline.store.planes import read_chunk
from stage1_extract.estimate import card_of
from stage2_train.student.portable import CARD, FORMAT, read_card
from tests.pipeline.made_store import made_index, made_provenance, made_text, open_writer
from tests.pipeline.refusals import ODD_PLACES, refused

JSON: dict[str, Callable[[Path], object]] = {
    "index.json": lambda path: read_index(path.parent),
    "student.json": lambda path: read_card(path.parent),
    "provenance.json": lambda path: Provenance.read(path.parent, "extract"),
    "arch.json": lambda path: card_of("ulip", str(path)),
}
"""The readers of JSON files that have no default."""
BROKEN = {
    "empty": b"",
    "no object": b"[]",
    "no text": b"\xff\xfe",
    "deep arrays": b"[" * 100_000,
    "deep objects": b'{"notes":' * 100_000,
    "a wide integer": b'{"format": ' + b"1" * 400 + b', "notes": {}, "dim": ' + b"1" * 400 + b"}",
    "a flood of values": b'{"classes": [' + b"[]," * (1 << 21) + b"[]]}",
    "a flood in a text without an end": b'{"classes": ["' + b',\\"' * (1 + (1 << 22)),
    "NaN": b'{"format": NaN, "dim": NaN}',
}


@pytest.mark.parametrize("name", JSON)
@pytest.mark.parametrize("content", BROKEN)
def test_broken_json_is_refused(tmp_path: Path, name: str, content: str) -> None:
    path = tmp_path / name
    path.write_bytes(BROKEN[content])
    assert refused(lambda: JSON[name](path)).startswith(f"{path}: ")


@pytest.mark.parametrize("name", [*JSON, "params.yaml"])
@pytest.mark.parametrize("kind", ODD_PLACES)
def test_what_is_no_file_is_refused(tmp_path: Path, name: str, kind: str) -> None:
    path = tmp_path / name
    ODD_PLACES[kind](path)
    line = refused(lambda: {**JSON, "params.yaml": load_params}[name](path))
    assert f"{path}: expected a regular file, found {kind}" in line


@pytest.mark.parametrize("name", JSON)
def test_what_may_not_be_read_need_not_be_made_anew(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.symlink_to(path)  # read permissions do not bind root
    said = f"{path}: Too many levels of symbolic links; let it be read, or else "
    assert said in refused(lambda: JSON[name](path))


@pytest.mark.parametrize(
    ("name", "limit"), [*((name, LIMIT) for name in list(JSON)[1:]), (INDEX, LARGEST_INDEX),
                        ("params.yaml", LARGEST)],
)  # fmt: skip
def test_larger_files_are_not_read(tmp_path: Path, name: str, limit: int) -> None:
    path = tmp_path / name
    path.touch()
    os.truncate(path, 1 << 40)
    line = refused(lambda: {**JSON, "params.yaml": load_params}[name](path))
    assert f"{path}: expected at most {limit:,} bytes, found 1,099,511,627,776" in line


@pytest.mark.parametrize("digits", [20, 400, 5000])
def test_integers_end_at_64_bits(tmp_path: Path, digits: int) -> None:
    (tmp_path / "a.json").write_text('{"a": [{"b": -%s}]}' % ("9" * digits))
    line = refused(lambda: read_json(tmp_path / "a.json", dict[str, Any], "mend it"))
    assert re.search("64 bits|out of range", line)
    (tmp_path / "a.json").write_text('{"a": 18446744073709551615}')
    assert read_json(tmp_path / "a.json", dict[str, Any], "") == {"a": (1 << 64) - 1}


INDEXES: dict[str, tuple[dict[str, object], dict[str, object]]] = {
    "expected 1 to 6 samples, found 0": ({}, {"count": 0}),
    "expected 1 to 6 samples, found -1": ({}, {"count": -1}),
    "expected 1 to 6 samples, found 7": ({}, {"count": 7}),
    "in -1 bytes": ({}, {"bytes": -1}),
    "expected tars of 1 to": ({"samples_per_shard": 0}, {}),
    "found 3 tars of up to 1000000000000": ({"samples_per_shard": 10**12}, {}),
    "found 0 tars": ({"shards": []}, {}),
    "Expected `str`, got `int`": ({"classes": [1, 2]}, {}),
    "Expected `str`, got `null`": ({"captions": [None]}, {}),
    "found '../../etc/passwd'": ({}, {"name": "../../etc/passwd"}),
    "found '/etc/passwd.tar'": ({}, {"name": "/etc/passwd.tar"}),
    "found one twice": ({}, {"name": "000001.tar"}),
    "found 'a\\nb.tar'": ({}, {"name": "a\nb.tar"}),
}


@pytest.mark.parametrize("said", INDEXES)
def test_an_index_that_no_conversion_writes_is_refused(tmp_path: Path, said: str) -> None:
    content, (whole, shard) = msgspec.to_builtins(made_index()), INDEXES[said]
    content["shards"][0] |= shard
    (tmp_path / INDEX).write_text(json.dumps({**content, **whole}))
    assert said in refused(lambda: read_index(tmp_path))


def test_an_index_of_100_000_tars_is_read(tmp_path: Path) -> None:
    tars = [ShardInfo(name=f"{n}.tar", count=6, bytes=1, xxh3="0" * 32) for n in range(100_000)]
    write_index(tmp_path, replace(made_index(), shards=tars))
    assert read_index(tmp_path).samples == 600_000


def test_an_index_too_large_to_be_read_is_not_written(tmp_path: Path) -> None:
    large = replace(made_index(), captions=["c" * LARGEST_INDEX])
    assert "raise samples_per_shard" in refused(lambda: write_index(tmp_path, large))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("sizes", "teachers"),
    [({"rank": 10**9}, {}), ({"experts": {"owned": 10**9}}, {}), ({"top_k": -1}, {}),
     ({"points": {"widths": [8, 10**9, 8]}}, {}), ({"points": {"groups": 0}}, {}),
     ({"video": {"frames": 10**9}}, {}), ({"audio": {"kernel": 10**9}}, {}), ({}, {"a": 10**9}),
     ({}, {"a": -1})],
)  # fmt: skip
def test_a_student_of_impossible_sizes_is_refused(
    tmp_path: Path, sizes: dict, teachers: dict
) -> None:
    card = {"format": FORMAT, "config": {"modalities": ["image"], **sizes}, "clip": {}}
    (tmp_path / CARD).write_text(json.dumps({**card, "teachers": teachers}))
    assert "train it or copy it again" in refused(lambda: read_card(tmp_path))


@pytest.mark.parametrize("content", [None, *BROKEN.values()])
def test_a_hostile_marker_is_none(tmp_path: Path, content: bytes | None) -> None:
    path = marker_path(tmp_path, "a.tar")
    path.parent.mkdir()
    os.mkfifo(path) if content is None else path.write_bytes(content)
    assert read_marker(tmp_path, "a.tar") is None
    marker_path(tmp_path, "a.tar", 10**90).touch()
    assert blocks_there(tmp_path) == 1


@pytest.mark.parametrize("content", [None, *BROKEN.values()])
def test_a_hostile_word_of_drift_is_one(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / drift.FILE
    os.mkfifo(path) if content is None else path.write_bytes(content)
    assert "the teacher no longer gives" in refused(lambda: drift.refuse_drifted(tmp_path))


@pytest.mark.parametrize(
    ("storage", "block"),
    [({"dim": 10**15}, 2), ({"dim": -1}, 2), ({"dim": "5"}, 2), ({"dim": True}, 2), ({}, 10**15),
     ({"rows_per_shard": 0}, 2), ({"dtype": "object"}, 2), ({}, None)],
)  # fmt: skip
def test_a_store_of_impossible_sizes_is_refused(tmp_path: Path, storage: dict, block: Any) -> None:
    """Its fingerprint and seal are right: whoever wrote it knew how."""
    right = {"dtype": "float16", "rows_per_shard": 6, "dim": 5}
    made = made_provenance(storage={**right, **storage})
    replace(made, notes={"views_per_shard": block}).write(tmp_path)
    line = refused(lambda: FeatureStore(tmp_path, made_index()))
    assert "provenance.json: tells of no array that can be" in line


def test_a_plane_is_no_larger_than_its_file(tmp_path: Path) -> None:
    (tmp_path / "0").write_bytes(b"data")
    with pytest.raises(ValueError, match="ends .* bytes before"):
        read_chunk(tmp_path / "0", 0, (1 << 20, 1 << 20), "float16")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="Illegal seek"):
        read_chunk(tmp_path / "pipe", 0, (1, 1), "float16")


@pytest.mark.parametrize("name", ["zarr.json", "c/0/0"])
@pytest.mark.parametrize("content", [None, b'{"shape": [99999999999, -1], "attributes": {}}'])
def test_hostile_text_features_are_none(tmp_path: Path, name: str, content: bytes | None) -> None:
    writer = open_writer(tmp_path, made_index())
    writer.write_text(made_text())
    assert writer.has_text()
    path = writer.path / "text_features" / name
    path.unlink()
    os.mkfifo(path) if content is None else path.write_bytes(content)
    assert not writer.has_text()


def test_a_gzip_bomb_is_not_unpacked(tmp_path: Path) -> None:
    (tmp_path / "merges.gz").write_bytes(gzip.compress(bytes(1 << 28)))
    line = refused(lambda: check_gzip(tmp_path / "merges.gz", "expected merges"))
    assert "unpacks to more than 16,777,216 bytes; expected merges" in line
    (tmp_path / "merges.gz").write_bytes(b"no gzip")
    assert "Not a gzipped file" in refused(lambda: check_gzip(tmp_path / "merges.gz", "mend it"))


SECRETS = ["s3://k:hush@bucket/a", "s3://k:hu/hush+@bucket/a", "s3://bucket/a?token=hush"]


@pytest.mark.parametrize("url", SECRETS)
def test_the_secrets_of_an_address_are_not_shown(url: str) -> None:
    for line in (refused(lambda: path_or_url(url)), str(UserError(f"{url}/index.json: not found"))):
        assert "***" in line
        assert "bucket/a" in line
        assert "hush" not in line


def test_an_address_without_secrets_is_shown_whole() -> None:
    for text in ("hf://org/repo@v2/w.pt: none", "http://host:9000/a: why?", "s3://b/a@1?", "?a=b"):
        assert str(UserError(text)) == text


def test_what_a_file_says_cannot_steer_a_terminal() -> None:
    line = str(UserError("a\nb\x1b[2J\u202e\ud800" + "c" * 10_000))
    assert line.startswith("a b\\x1b[2J\\u202e\\ud800ccc")
    assert len(line) < 5000
