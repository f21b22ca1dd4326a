"""The store's reader: the written numbers or one clear error, whatever happened to the files."""

import math
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from msgspec import structs

from pipeline.errors import UserError
from pipeline.shards import ShardIndex
from pipeline.store import FeatureStore, Provenance
from pipeline.store.layout import BLOCK, shard_file
from pipeline.store.marker import marker_path, read_marker, write_marker
from tests.pipeline.made_store import (
    VIEWS,
    made_features,
    made_index,
    made_provenance,
    made_store,
    made_text,
)

EXTRACT = r"run: python -m stage1_extract --teacher made --source objects$"
REPAIR = r"run: python -m stage1_extract.verify --teacher made --source objects --repair$"
ARRAYS = ["features", "digests", "key_hash"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_store(tmp_path_factory.mktemp("whole"))


@pytest.fixture
def store(whole: Path, tmp_path: Path) -> Path:
    shutil.copytree(whole, tmp_path / "made" / whole.name)
    return tmp_path / "made" / whole.name


def everything(path: Path, index: ShardIndex | None = None) -> list:
    """Every value that a reader can ask for, as comparable bytes."""
    store = FeatureStore(path, index or made_index(), made_provenance().determines)
    planes = [store.read(shard, view) for shard in range(3) for view in range(store.views)]
    values = [(plane.features.tobytes(), plane.digests.tobytes()) for plane in planes]
    keys = [store.key_hash(shard).tobytes() for shard in range(3)]
    markers = [store.marker(shard) for shard in range(3)]
    text = store.text_features()
    return [values, keys, store.views, text.tobytes(), markers, dict(store.provenance.notes)]


def test_what_was_written_is_read(whole: Path) -> None:
    store, index = FeatureStore(whole, made_index()), made_index()
    for shard in range(3):
        written = made_features(index, shard)
        for view in range(VIEWS):
            plane = store.read(shard, view)
            assert np.array_equal(plane.features, written.features[:, view])
            assert np.array_equal(plane.params_digest, written.params_digest[:, view])
            assert np.array_equal(plane.view_digest, written.view_digest[:, view])
        assert np.array_equal(store.key_hash(shard), written.key_hash)
    assert np.array_equal(store.text_features(), made_text())


def test_a_view_that_is_not_there_names_the_command_that_appends_it(whole: Path) -> None:
    with pytest.raises(UserError, match=rf"000000.tar.1.json: no valid completion.*{EXTRACT}"):
        FeatureStore(whole, made_index()).read(0, 2)


def test_two_hundred_flipped_bits_never_give_a_wrong_value(store: Path) -> None:
    """One at a time, over every file: an error that names the way out, or nothing changed."""
    expected, rng = everything(store), np.random.default_rng(0)
    files = sorted(path for path in store.rglob("*") if path.is_file())
    found = dict.fromkeys(("refused", "harmless"), 0)
    for number in range(240):
        file = files[number % len(files)]
        data = bytearray(file.read_bytes())
        data[rng.integers(len(data))] ^= 1 << rng.integers(8)
        outcome = outcome_of(file, bytes(data), store, expected)
        found[outcome] += 1
    assert found["refused"] > 100


def outcome_of(file: Path, damaged: bytes, store: Path, expected: list) -> str:
    good = file.read_bytes()
    file.write_bytes(damaged)
    try:
        assert everything(store) == expected, f"{file}: a wrong value was read"
    except UserError as error:
        said = str(error)
    else:
        said = ""
    file.write_bytes(good)
    assert not said or re.search(r"^[^\n]+ run: python -m stage1_extract[^\n]+$", said)
    return "refused" if said else "harmless"


def test_every_bit_of_the_small_files_is_covered(store: Path) -> None:
    """One flip in every byte of the provenance, a marker and the metadata."""
    expected, rng = everything(store), np.random.default_rng(1)
    names = ("provenance.json", "markers/000002.tar.0.json", "features/zarr.json", "zarr.json")
    for file in [*(store / name for name in names), store / "text_features" / "zarr.json"]:
        data = file.read_bytes()
        for place in range(0, len(data), 17):
            damaged = bytearray(data)
            damaged[place] ^= 1 << rng.integers(8)
            outcome_of(file, bytes(damaged), store, expected)


@pytest.mark.parametrize("array", ARRAYS)
def test_a_flipped_bit_names_the_file_the_view_and_the_repair(store: Path, array: str) -> None:
    file = shard_file(store, array, 1)
    data = bytearray(file.read_bytes())
    data[5] ^= 1
    file.write_bytes(data)
    found = FeatureStore(store, made_index())
    found.read(0, 0)
    with pytest.raises(UserError, match=rf"{file}: damaged, view 0 does not fit.*{REPAIR}"):
        found.key_hash(1) if array == "key_hash" else found.read(1, 0)


@pytest.mark.parametrize("array", ARRAYS)
def test_a_missing_shard_file_is_named(store: Path, array: str) -> None:
    shard_file(store, array, 2).unlink()
    with pytest.raises(UserError, match=rf"{array}/c/2.*the file is missing; {REPAIR}"):
        everything(store)


@pytest.mark.parametrize("array", ARRAYS)
@pytest.mark.parametrize("share", [0, 0.3, 0.99])
def test_a_truncated_shard_file_is_named(store: Path, array: str, share: float) -> None:
    file, layout = shard_file(store, array, 0), FeatureStore(store, made_index()).layout
    kept = math.prod(layout.shape(array)) * np.dtype(layout.dtypes[array]).itemsize
    file.write_bytes(file.read_bytes()[: int(share * kept)])
    with pytest.raises(UserError, match=rf"{array}/c/0.*damaged.*{REPAIR}"):
        everything(store)


@pytest.mark.parametrize("content", [None, b"", b"{}", b"\xff"])
def test_a_missing_or_damaged_marker_is_named(store: Path, content: bytes | None) -> None:
    marker = marker_path(store, "000001.tar")
    marker.unlink()
    if content is not None:
        marker.write_bytes(content)
    with pytest.raises(UserError, match=rf"{marker}: no valid completion marker.*{EXTRACT}"):
        everything(store)


def test_a_marker_of_another_recipe_is_refused(store: Path) -> None:
    marker = read_marker(store, "000001.tar")
    write_marker(store, structs.replace(marker, fingerprint="other"))
    with pytest.raises(
        UserError, match=rf"000001.tar.0.json: damaged.*another fingerprint; {REPAIR}"
    ):
        everything(store)


def test_two_shards_that_changed_places_are_noticed(store: Path) -> None:
    one, other = shard_file(store, "features", 0), shard_file(store, "features", 1)
    one.rename(one.with_name("kept"))
    other.rename(one)
    one.with_name("kept").rename(other)
    with pytest.raises(UserError, match="does not fit its checksum"):
        everything(store)


def test_a_tar_that_changed_or_joined_is_named(store: Path) -> None:
    index = made_index()
    index.shards[2] = structs.replace(index.shards[2], xxh3="changed")
    with pytest.raises(UserError, match=rf"000002.tar.0.json: the tar has changed.*{EXTRACT}"):
        everything(store, index)
    joined = FeatureStore(store, made_index((6, 6, 4, 3)))
    with pytest.raises(UserError, match=rf"000003.tar.0.json: no valid completion.*{EXTRACT}"):
        joined.read(3, 0)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"teacher": {"weights_sha256": "1" * 64}}, "teacher.weights_sha256 is '000"),
        ({"views": {"seed": 6}}, "views.seed is 5, expected 6"),
        ({"text": {"prompts": "scene"}}, "text.prompts is 'photo', expected 'scene'"),
        ({"storage": {"dtype": "int8"}}, "storage.dtype is 'float16'"),
        ({"views": {"chain": "new"}}, "views.chain is None, expected 'new'"),
    ],
)
def test_another_recipe_is_refused_by_its_field(whole: Path, changes: dict, field: str) -> None:
    with pytest.raises(UserError, match=rf"made for another recipe \({field}.*{EXTRACT}"):
        FeatureStore(whole, made_index(), changes)


def test_no_store_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=rf"no feature store there; {EXTRACT}"):
        FeatureStore(tmp_path / "made" / "objects-train.zarr", made_index())


@pytest.mark.parametrize("name", ["zarr.json", "c/0/0", ""])
def test_missing_text_is_an_error_and_not_none(store: Path, name: str) -> None:
    there = store / "text_features" / name
    shutil.rmtree(there) if there.is_dir() else there.unlink()
    with pytest.raises(UserError, match=rf"text_features: missing, damaged or of.*{EXTRACT}"):
        FeatureStore(store, made_index()).text_features()


def test_text_of_other_classes_is_refused(whole: Path) -> None:
    renamed = replace(made_index(), classes=["ball", "rod", "sphere"])
    with pytest.raises(UserError, match="of other classes"):
        FeatureStore(whole, renamed).text_features()


def test_without_classes_or_a_text_space_there_is_no_text(whole: Path, store: Path) -> None:
    assert FeatureStore(whole, replace(made_index(), classes=[])).text_features() is None
    mute = made_provenance(text={"prompts": "photo", "features": False})
    replace(mute, notes={BLOCK: VIEWS}).write(store)
    assert FeatureStore(store, made_index()).text_features() is None


@pytest.mark.parametrize(
    ("written", "changed"),
    [('"seed": 5', '"seed": 4'), ('"licence": "none"', '"licence": "free"'), ('"fing', '"gnif')],
)
def test_a_provenance_edited_by_hand_is_refused(store: Path, written: str, changed: str) -> None:
    file = store / "provenance.json"
    file.write_text(file.read_text().replace(written, changed))
    with pytest.raises(UserError, match=rf"{file}: damaged.*delete {store} and {EXTRACT}"):
        FeatureStore(store, made_index())


def test_the_fingerprint_stands_for_what_determines_the_numbers(store: Path) -> None:
    provenance = made_provenance()
    assert replace(provenance, notes={"licence": "MIT"}).fingerprint == provenance.fingerprint
    assert made_provenance(views={"seed": 6}).fingerprint != provenance.fingerprint
    backwards = dict(reversed(provenance.determines.items()))
    assert replace(provenance, determines=backwards).fingerprint == provenance.fingerprint
    assert Provenance.read(store, "").determines == provenance.determines


def test_a_store_of_an_older_version_is_told(store: Path) -> None:
    replace(made_provenance(), notes={}).write(store)
    with pytest.raises(UserError, match=rf"written by an older version; {EXTRACT}"):
        FeatureStore(store, made_index())
