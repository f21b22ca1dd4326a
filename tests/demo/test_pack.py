"""The committed pack keeps its promises: split, balance, shapes, sizes."""

import io
import json
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

PACK = Path(__file__).parents[2] / "demo" / "pack"


@pytest.fixture(scope="module")
def objects() -> list[dict]:
    return [json.loads(line) for line in (PACK / "objects.jsonl").read_text().splitlines()]


def test_every_object_is_listed_once_in_order(objects):
    ids = [line["id"] for line in objects]
    assert len(ids) == 820
    assert ids == sorted(set(ids))


def test_variants_of_one_mesh_never_straddle_the_split(objects):
    side = {line["id"]: line["split"] for line in objects}
    for group in json.loads((PACK / "build.json").read_text())["variants_kept_together"]:
        assert len({side[key] for key in group}) == 1, group


def test_the_test_set_is_balanced_and_has_classes_only(objects):
    test = Counter(line["class"] for line in objects if line["split"] == "test")
    assert None not in test
    assert set(test) == set(json.loads((PACK / "classes.json").read_text())["objects"])
    assert max(test.values()) / test.total() <= 0.08


def test_clouds_are_centred_in_the_unit_sphere(objects):
    with zipfile.ZipFile(PACK / "points.zip") as archive:
        for line in objects[::40]:
            cloud = np.load(io.BytesIO(archive.read(f"{line['id']}.npy")), allow_pickle=False)
            assert cloud.dtype == np.float16
            assert cloud.shape == (1536, 3)
            assert np.linalg.norm(cloud.astype(float), axis=1).max() == pytest.approx(1, abs=5e-3)
            assert np.abs(cloud.astype(float).mean(axis=0)).max() < 5e-3


def test_renders_show_something_on_the_light_background(objects):
    with zipfile.ZipFile(PACK / "renders.zip") as archive:
        for line in objects[::80]:
            image = Image.open(io.BytesIO(archive.read(f"{line['id']}/front.webp")))
            pixels = np.asarray(image.convert("RGB"), float)
            assert pixels.shape == (128, 128, 3)
            assert np.abs(pixels - 237).max(axis=2).mean() > 1


def test_the_pack_is_small_enough_for_git():
    sizes = [path.stat().st_size for path in PACK.parent.rglob("*") if path.is_file()]
    assert max(sizes) < 10e6
    assert sum(sizes) < 32e6
