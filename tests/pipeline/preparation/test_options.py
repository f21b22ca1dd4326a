"""Options of a source: its modality's own, in the recipe, and in the tars."""

import io
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from pipeline.config import SourceConfig
from pipeline.datasets import RawDataset, RawItem
from pipeline.decoding.image import decode_image
from pipeline.preparation import prepare, split
from pipeline.shards import read_shard
from tests.made_members import every_member
from tests.tiny_world import tiny_params


def made(modality: str, **options: object) -> SourceConfig:
    return SourceConfig(modality=modality, converter="pack_objects", raw="raw", **options)


@pytest.mark.parametrize(
    ("modality", "options", "why"),
    [
        ("points", {"short_side": 64}, "short_side is an option of image and video sources, and"),
        ("image", {"keyframe_every": 8}, "keyframe_every is an option of video sources, and this"),
        ("depth", {"sample_rate": 16000}, "option of audio sources, .* is depth: leave it out$"),
        ("audio", {"sample_rate": 8000}, "sample_rate must be 16000, found 8000"),
        ("video", {"keyframe_every": 0}, r"keyframe_every must be within 1\.\.250, found 0"),
        ("image", {"short_side": 4}, r"short_side must be within 16\.\.8192, found 4"),
    ],
)
def test_an_option_of_another_modality_or_size_is_refused(
    modality: str, options: dict, why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        made(modality, **options)


def test_a_tar_is_made_on_one_thread_of_blas(tmp_path: Path, monkeypatch) -> None:
    """Those that wait spin: on two cores a resampled sound takes three times as long."""
    seen = []

    def read() -> dict[str, bytes]:
        seen.extend(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")
        return every_member()

    dataset = RawDataset([RawItem("a", read)], ["ball"], ("image",), "none")
    monkeypatch.setattr(split, "read_raw", lambda *_: dataset)
    with threadpool_limits(2, user_api="blas"):
        prepare(tiny_params(tmp_path), "renders", "train", tmp_path)
    assert set(seen) == {1}


def test_options_enter_the_recipe_and_the_tars(tmp_path: Path, monkeypatch) -> None:
    dataset = RawDataset([RawItem("a", every_member)], ["ball"], ("image",), "none")
    monkeypatch.setattr(split, "read_raw", lambda *_: dataset)
    params = tiny_params(tmp_path)
    params.sources["things"] = made("image", short_side=30)
    index = prepare(params, "things", "train", tmp_path)
    assert index.recipe == {"converter": "pack_objects", "seed": 5, "short_side": 30}
    ((_, members),) = read_shard(tmp_path / "shards/things/train", index.shards[0])
    assert decode_image(members["image.jpg"]).shape == (30, 40, 3)
    assert np.load(io.BytesIO(members["points.npy"])).shape == (200, 3)
