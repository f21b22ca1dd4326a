"""Shards and stores on S3: the bytes of local ones, resumed and read alike, also where it drops."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from botocore.exceptions import EndpointConnectionError
from msgspec import structs
from s3fs import S3FileSystem

from pipeline.errors import UserError
from pipeline.locations import path_or_url
from pipeline.preparation import executors, prepare, split
from pipeline.rows import read_rows
from pipeline.shards import read_index, read_shard
from pipeline.store import FeatureStore
from stage1_extract.extraction import Extraction
from stage1_extract.progress import ExtractionProgress
from tests.pipeline.made_store import tree
from tests.s3_server import BUCKET, DroppingProxy, s3_server
from tests.tiny_world import FakeTeacher, tiny_params

SHARDS, CACHE = f"s3://{BUCKET}/shards", f"s3://{BUCKET}/cache"


@pytest.fixture(scope="module")
def proxy() -> Iterator[DroppingProxy]:
    with s3_server() as started:
        yield started


@pytest.fixture(scope="module")
def remote(proxy: DroppingProxy, prepared_world: Path) -> Path:
    """The tiny world, its shards and the fake teacher's store in the bucket."""
    params = tiny_params(prepared_world, shards=SHARDS, cache=CACHE)
    prepare(params, "objects", "train", prepared_world / "pack")
    extracted(prepared_world)
    return prepared_world


def extracted(root: Path, **changes: object) -> tuple[Extraction, int]:
    """Run what is lacking; also say how many batches that took."""
    teacher = FakeTeacher()
    params = tiny_params(root, shards=SHARDS, cache=CACHE, **changes)
    extraction = Extraction(params, "fake-objects", teacher)
    with ExtractionProgress("test") as progress:
        extraction.run(progress)
    return extraction, teacher.batches


def objects(url: str) -> dict[str, bytes]:
    """Every object below a URL, with its content."""
    folder = path_or_url(url)
    files = folder.fs.find(folder.path)  # type: ignore[attr-defined]
    return {name[len(folder.path) + 1 :]: folder.fs.cat_file(name) for name in files}  # type: ignore[attr-defined]


def test_shards_and_store_have_the_bytes_of_local_ones(remote: Path, cached_world: Path) -> None:
    assert objects(f"{SHARDS}/objects/train") == tree(remote / "shards" / "objects" / "train")
    local = tree(cached_world / "cache" / "fake" / "objects-train.zarr")
    assert objects(f"{CACHE}/fake/objects-train.zarr") == local


def test_a_conversion_that_was_stopped_goes_on_and_leaves_no_tar_of_another(
    remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    url = f"s3://{BUCKET}/again"
    params = tiny_params(remote, shards=url)
    folder = path_or_url(f"{url}/objects/train")
    (folder / "000009.tar").write_bytes(b"of an older conversion")
    with monkeypatch.context() as patch:
        patch.setattr(split, "_index", interrupt)
        with pytest.raises(KeyboardInterrupt):
            prepare(params, "objects", "train", remote / "pack")
    # An older tar; three tars, their rows and records; rejected.jsonl; the seconds
    assert len(objects(url)) == 1 + 3 * 3 + 1 + 1
    with monkeypatch.context() as patch:
        patch.setattr(executors, "convert_shard", interrupt)
        prepare(params, "objects", "train", remote / "pack")
    assert objects(f"{url}/objects") == {
        f"train/{name}": data for name, data in tree(remote / "shards/objects/train").items()
    }


def test_what_is_lacking_is_extracted_alone(remote: Path) -> None:
    before = objects(CACHE)
    (path_or_url(CACHE) / "fake/objects-train.zarr/markers/000001.tar.0.json").unlink()
    _, batches = extracted(remote)
    assert batches == 2  # 6 samples x 2 views, 8 a batch
    assert extracted(remote)[1] == 0
    assert objects(CACHE) == before


def test_another_recipe_is_set_aside_and_taken_up_again(remote: Path) -> None:
    before = objects(f"{CACHE}/fake/objects-train.zarr")
    assert extracted(remote, seed=6)[1] == 5
    assert objects(f"{CACHE}/fake/objects-train.zarr") != before
    assert extracted(remote)[1] == 0
    assert objects(f"{CACHE}/fake/objects-train.zarr") == before


def test_a_connection_that_drops_in_mid_shard_is_taken_up_again(
    remote: Path, proxy: DroppingProxy
) -> None:
    folder, local = path_or_url(f"{SHARDS}/objects/train"), remote / "shards" / "objects" / "train"
    info = read_index(folder).shards[0]
    drops = proxy.drops
    proxy.arm(after=info.bytes // 2)
    assert list(read_shard(folder, info)) == list(read_shard(local, info))
    assert proxy.drops == drops + 1


def test_samples_are_sought_behind_a_url(remote: Path) -> None:
    folder, local = path_or_url(f"{SHARDS}/objects/train"), remote / "shards" / "objects" / "train"
    info = read_index(folder).shards[1]
    assert read_rows(folder, info, [5, 0, 5]) == read_rows(local, info, [5, 0, 5])
    with pytest.raises(UserError, match=r"^s3://made/shards/.*9.tar.idx: not found; run: "):
        read_rows(folder, structs.replace(info, name="9.tar"), [0])


def test_a_plane_whose_connection_drops_is_read_right(
    remote: Path, cached_world: Path, proxy: DroppingProxy
) -> None:
    index = read_index(path_or_url(f"{SHARDS}/objects/train"))
    store = FeatureStore(path_or_url(f"{CACHE}/fake/objects-train.zarr"), index)
    local = FeatureStore(cached_world / "cache" / "fake" / "objects-train.zarr", index)
    drops = proxy.drops
    proxy.arm(after=200)
    plane = store.read(1, 0)
    assert proxy.drops == drops + 1
    assert np.array_equal(plane.features, local.read(1, 0).features)


def test_a_flipped_bit_is_refused(remote: Path) -> None:
    file = path_or_url(CACHE) / "fake/objects-train.zarr/features/c/0/0/0"
    good = file.read_bytes()
    file.write_bytes(bytes([good[0] ^ 1]) + good[1:])
    index = read_index(path_or_url(f"{SHARDS}/objects/train"))
    store = FeatureStore(path_or_url(f"{CACHE}/fake/objects-train.zarr"), index)
    with pytest.raises(UserError, match=r"^s3://made/cache/fake.*c/0/0/0: damaged, view 0"):
        store.read(0, 0)
    file.write_bytes(good)


def test_a_server_that_is_not_there_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    S3FileSystem.clear_instance_cache()
    with pytest.raises(UserError, match=r"^s3://elsewhere/shards: cannot be reached \(.*AWS_ENDP"):
        path_or_url("s3://elsewhere/shards")
    S3FileSystem.clear_instance_cache()


def test_a_scheme_that_nothing_reads_is_one_clear_line() -> None:
    with pytest.raises(UserError, match=r"^s4://made/shards: .*pip install"):
        path_or_url("s4://made/shards")


def test_a_bucket_that_is_not_there_is_one_clear_line(remote: Path) -> None:
    with pytest.raises(UserError, match=r"^s3://nowhere/shards/train/index.json: not found"):
        read_index(path_or_url("s3://nowhere/shards/train"))


def test_a_tar_that_cannot_be_asked_for_is_not_taken_for_missing(
    remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = path_or_url(f"{SHARDS}/objects/train")
    info = read_index(folder).shards[0]

    async def gone(*_: object, **__: object) -> None:
        raise EndpointConnectionError(endpoint_url="http://here")

    monkeypatch.setattr(S3FileSystem, "_info", gone)
    with pytest.raises(EndpointConnectionError):
        next(read_shard(folder, info))
