"""The pack's depth maps keep their promises: metres before a wall, in the frame of the renders."""

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import binary_dilation

from demo.cameras import DEPTH_CAMERAS
from demo.training_data import Subject, load_subjects
from pipeline.datasets.pack_depths import CAMERAS, read_sensors
from pipeline.datasets.reading.pack import PackZip
from pipeline.decoding.depth import Depth, decode_depth

PACK = Path(__file__).parents[2] / "demo" / "pack"
WALL = 2600


@pytest.fixture(scope="module")
def subjects() -> list[Subject]:
    return [s for split in ("train", "test") for s in load_subjects(PACK, "objects", split)]


@pytest.fixture(scope="module")
def depths(subjects: list[Subject]) -> list[tuple[Depth, ...]]:
    archive, sensors = PackZip(PACK / "depths.zip"), read_sensors(PACK)

    def decoded(place: str) -> Depth:
        return decode_depth(archive.read(f"{place}.png"), sensors[place])

    return [tuple(decoded(f"{s.id}/{camera}") for camera in CAMERAS) for s in subjects]


def test_every_object_has_its_maps_and_no_other(subjects):
    expected = sorted(f"{s.id}/{camera}.png" for s in subjects for camera in CAMERAS)
    assert tuple(camera.name for camera in DEPTH_CAMERAS) == CAMERAS
    with zipfile.ZipFile(PACK / "depths.zip") as archive:
        assert archive.namelist() == expected
    lines = [json.loads(line) for line in (PACK / "depths.jsonl").read_text().splitlines()]
    assert sorted(f"{line['id']}/{line['camera']}.png" for line in lines) == expected


def test_every_map_shows_a_model_before_the_wall(depths):
    for depth in [one for of_object in depths for one in of_object]:
        assert depth.raw.shape == (96, 96)
        assert 1100 <= depth.raw.min() < depth.raw.max() == WALL  # no holes, no map of wall alone
        assert (depth.encoding, depth.baseline) == ("millimetres", 0.075)
        assert 120 < depth.fx < 400


def test_disparities_lie_where_vitlens_expects_them(depths):
    pixels = np.stack([one.disparity(one.raw) for of_object in depths for one in of_object])
    assert 5 < pixels.mean() < 7
    assert 1.5 < pixels.std() < 3
    assert pixels.min() > 3
    assert np.percentile(pixels, 99) < 14


def test_a_map_has_the_frame_of_its_render(subjects, depths):
    """Its silhouette, but for white models and glass, which hardly stand out in a render."""
    shares = []
    with zipfile.ZipFile(PACK / "renders.zip") as archive:
        for subject, maps in list(zip(subjects, depths))[::10]:
            for camera, depth in zip(CAMERAS, maps):
                image = Image.open(io.BytesIO(archive.read(f"{subject.id}/{camera}.webp")))
                shares.append(overlap(image.convert("RGB"), depth.raw < WALL))
    inked, joint = np.array(shares).T
    assert np.percentile(inked, 5) > 0.95
    assert np.median(joint) > 0.9


def test_the_maps_are_small():
    assert (PACK / "depths.zip").stat().st_size <= 3.7e6
    assert (PACK / "depths.jsonl").stat().st_size <= 0.3e6


def overlap(image: Image.Image, solid: np.ndarray) -> tuple[float, float]:
    """Share of the inked pixels at most a pixel from solid ones; intersection over union."""
    pixels = np.asarray(image.resize(solid.shape, Image.Resampling.BOX), int)
    ink = np.abs(pixels - 237).max(axis=2) > 12
    nearly = binary_dilation(solid, np.ones((3, 3)))
    return (ink & nearly).sum() / max(ink.sum(), 1), (ink & solid).sum() / (ink | solid).sum()
