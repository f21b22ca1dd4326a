"""What cannot be used: NaN and named, or one clear line; never zero, never the end of the run."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.errors import UserError
from pipeline.shards import read_index, read_shard, write_shard
from pipeline.store import FeatureStore
from pipeline.views.digest import key_digest, params_digest
from tests.conftest import extract
from tests.stage1_extract.changed_shards import opened, rewrite, train_folder
from tests.tiny_world import FakeTeacher, tiny_params


class Faulty(FakeTeacher):
    """One value of one view of the first sample is not what a feature should be."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def encode(self, batch: torch.Tensor) -> torch.Tensor:
        features = super().encode(batch)
        if self.batches == 1:
            features[1, 2] = self.value
        return features


def broken(samples: list, place: int = 1) -> list:
    key, members = samples[place]
    return [*samples[:place], (key, {**members, "points.npy": b"broken"}), *samples[place + 1 :]]


def test_an_unreadable_sample_is_nan_and_named_and_the_run_goes_on(
    own_world: Path, cache: str
) -> None:
    rewrite(own_world, 0, broken)
    done = extract(tiny_params(own_world, cache=cache), "fake-objects")
    key = list(read_shard(done.folder, done.index.shards[0]))[1][0]
    store = opened(done)
    assert store.marker(0).failed == [key]
    for view in range(2):
        plane = store.read(0, view)
        assert np.isnan(plane.features).any(axis=1).tolist() == [False, True, *[False] * 4]
        drawn = params_digest(key, view, done.maker.params(key, view))
        assert plane.params_digest[1] == drawn
    assert store.key_hash(0)[1] == key_digest(key)
    assert not np.isnan(store.read(2, 1).features).any()


def test_an_unreadable_sample_does_not_change_its_neighbours(
    own_world: Path, cached_world: Path, cache: str
) -> None:
    rewrite(own_world, 0, broken)
    done = extract(tiny_params(own_world, cache=cache), "fake-objects")
    index = read_index(train_folder(cached_world))
    whole = FeatureStore(cached_world / "cache" / "fake" / "objects-train.zarr", index).read(0, 0)
    others = [0, 2, 3, 4, 5]
    assert np.array_equal(opened(done).read(0, 0).features[others], whole.features[others])


def test_a_tar_of_unreadable_samples_stops_the_run(own_world: Path, cache: str) -> None:
    def all_broken(samples: list) -> list:
        for place in range(len(samples)):
            samples = broken(samples, place)
        return samples

    rewrite(own_world, 1, all_broken)
    with pytest.raises(UserError, match="000001.tar: none of its 6 samples gives a finite feature"):
        extract(tiny_params(own_world, cache=cache), "fake-objects")
    markers = Path(cache) / "fake" / "objects-train.zarr" / "markers"
    assert (markers / "000000.tar.0.json").exists()
    assert not (markers / "000001.tar.0.json").exists()


@pytest.mark.parametrize("value", [float("inf"), -float("inf"), float("nan"), 7e4, -65505.0])
def test_a_feature_that_float16_cannot_hold_is_a_failed_sample(
    prepared_world: Path, cache: str, value: float
) -> None:
    done = extract(tiny_params(prepared_world, cache=cache), "fake-objects", Faulty(value))
    store = opened(done)
    assert len(store.marker(0).failed) == 1
    features = np.stack([store.read(0, view).features for view in range(2)])
    assert np.isnan(features).all(axis=(0, 2)).tolist() == [True, *[False] * 5]


def test_the_largest_float16_is_no_failure(prepared_world: Path, cache: str) -> None:
    done = extract(tiny_params(prepared_world, cache=cache), "fake-objects", Faulty(65504.0))
    assert opened(done).marker(0).failed == []
    assert opened(done).read(0, 1).features[0, 2] == 65504


def test_a_tar_that_is_not_its_indexs_is_refused_and_those_before_it_kept(
    own_world: Path, cache: str
) -> None:
    folder = train_folder(own_world)
    info = read_index(folder).shards[2]
    write_shard(folder / info.name, list(read_shard(folder, info))[::-1])
    with pytest.raises(UserError, match=r"000002.tar.idx: expected xxh3 .*run: python -m "):
        extract(tiny_params(own_world, cache=cache), "fake-objects")
    markers = Path(cache) / "fake" / "objects-train.zarr" / "markers"
    assert sorted(path.name for path in markers.iterdir()) == [
        "000000.tar.0.json", "000001.tar.0.json",
    ]  # fmt: skip


def test_a_truncated_or_missing_tar_is_one_clear_line(own_world: Path, cache: str) -> None:
    tar = train_folder(own_world) / "000001.tar"
    tar.write_bytes(tar.read_bytes()[:3000])
    with pytest.raises(UserError, match=r"000001.tar: expected \d+ bytes, found 3000"):
        extract(tiny_params(own_world, cache=cache), "fake-objects")
    tar.unlink()
    with pytest.raises(UserError, match=r"000001.tar: missing shard, 6 samples expected"):
        extract(tiny_params(own_world, cache=cache), "fake-objects")
