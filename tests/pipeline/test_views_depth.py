"""Depth views: disparity in pixels, one geometric draw with the paired image, Table 1's values."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import interpolate

from pipeline.config import ViewsConfig
from pipeline.decoding.depth import Depth
from pipeline.samples import decode_member
from pipeline.views import EVALUATION, ViewMaker, ViewRng, chain_for
from pipeline.views.depth import DepthParams, apply_depth, sample_depth, sample_depth_image
from pipeline.views.randaugment import GEOMETRIC, NAMES
from stage1_extract.teachers.vitlens_preprocess import prepare_disparity
from tests.made_members import SENSOR, depth_png, waves

DRAWS = 10_000
SIZES = ViewsConfig(image_size=64)
DEPTH = Depth(waves(), "millimetres", 0.075, 520.0)
IDENTITY = NAMES.index("identity")


@pytest.fixture(scope="module")
def drawn() -> list[DepthParams]:
    return [sample_depth(ViewRng(0, f"map-{n}", 0)) for n in range(DRAWS)]


def plain(params: DepthParams, **changes: object) -> DepthParams:
    """The same crop, and nothing else unless it is named."""
    nothing = {"flip": False, "operations": (IDENTITY, IDENTITY), "erase": False}
    return replace(params, **{**nothing, **changes})


@pytest.mark.parametrize(("name", "chance"), [("flip", 0.5), ("erase", 0.25)])
def test_chances_are_table_ones(name: str, chance: float, drawn: list[DepthParams]) -> None:
    share = np.mean([getattr(params, name) for params in drawn])
    assert share == pytest.approx(chance, abs=4 * (chance * (1 - chance) / DRAWS) ** 0.5)


def test_two_operations_of_fourteen_and_their_signs(drawn: list[DepthParams]) -> None:
    operations = np.bincount(np.array([params.operations for params in drawn]).ravel())
    assert operations.sum() == 2 * DRAWS
    assert len(operations) == 14
    assert np.abs(operations - 2 * DRAWS / 14).max() < 5 * (2 * DRAWS / 14) ** 0.5
    assert {sign for params in drawn for sign in params.signs} == {-1, 1}


def test_the_crop_has_8_to_100_percent_of_the_area(drawn: list[DepthParams]) -> None:
    areas = np.array([params.crop_boxes[0, 0] for params in drawn])
    ratios = np.log([params.crop_boxes[0, 1] for params in drawn])
    assert np.abs(np.histogram(areas, 10, (0.08, 1))[0] - DRAWS / 10).max() < 160
    span = (np.log(3 / 4), np.log(4 / 3))
    assert np.abs(np.histogram(ratios, 10, span)[0] - DRAWS / 10).max() < 160


def test_the_paired_image_has_the_maps_geometry_and_its_own_colours() -> None:
    for view in range(50):
        depth = sample_depth(ViewRng(0, "room", view))
        image = sample_depth_image(ViewRng(0, "room", view))
        assert all(np.array_equal(value, getattr(image, n)) for n, value in vars(depth).items())
        assert vars(image).keys() - vars(depth).keys() == {"jitter", "jitter_order"}


def test_map_and_image_stay_on_top_of_each_other() -> None:
    """A bright square at one place of both is at one place of both views."""
    raw, image = np.full((96, 128), 4000, np.uint16), np.zeros((96, 128, 3), np.uint8)
    raw[30:70, 50:100], image[30:70, 50:100] = 1000, 255
    members = {
        "depth.png": depth_png(raw),
        "image.png": depth_png(image),
        "meta.json": json.dumps({"labels": [0], "depth": SENSOR}).encode(),
    }
    makers = [ViewMaker(chain_for("depth", model), 0, SIZES) for model in ("depth", "image")]
    overlaps = []
    for number in range(40):
        depth, picture = (
            maker(decode_member(members, maker.chain.member), f"room-{number}", 0).array
            for maker in makers
        )
        near = depth[0] > 0.075 * 520 / 2
        used = {NAMES[i] for i in makers[0].params(f"room-{number}", 0).operations}
        if not used & {"solarize", "equalize", "autocontrast"} and 200 < near.sum() < 3600:
            bright = picture.mean(axis=0) > 100
            overlaps.append((near & bright).sum() / (near | bright).sum())
    assert len(overlaps) > 10
    assert min(overlaps) > 0.85


def test_the_crop_is_resized_without_antialias() -> None:
    params = plain(sample_depth(ViewRng(0, "room", 1)))
    params.crop_boxes[0] = (1.0, 80 / 60, 0, 0)
    whole = torch.from_numpy(DEPTH.disparity(DEPTH.raw))[None, None]
    expected = interpolate(whole, (32, 32), mode="bilinear", align_corners=False, antialias=False)
    assert np.abs(apply_depth(DEPTH, params, 32) - expected[0].numpy()).max() < 1e-4


@pytest.mark.parametrize("name", NAMES)
def test_only_geometric_operations_move_a_map(name: str) -> None:
    params = sample_depth(ViewRng(0, "room", 2))
    still = apply_depth(DEPTH, plain(params), 64)
    moved = apply_depth(DEPTH, plain(params, operations=(NAMES.index(name), IDENTITY)), 64)
    assert np.array_equal(still, moved) == (name not in GEOMETRIC)


def test_flip_and_erasing_do_what_they_say() -> None:
    params = sample_depth(ViewRng(0, "room", 3))
    still = apply_depth(DEPTH, plain(params), 64)
    assert np.array_equal(apply_depth(DEPTH, plain(params, flip=True), 64), still[..., ::-1])
    erased = apply_depth(DEPTH, plain(params, erase=True), 64)
    share = (erased == 0).mean()
    assert share == pytest.approx(params.erase_boxes[0, 0], abs=0.02)
    assert np.array_equal(erased[erased > 0], still[erased > 0])


def test_a_view_is_pure() -> None:
    before, params = DEPTH.raw.copy(), sample_depth(ViewRng(0, "room", 4))
    first = apply_depth(DEPTH, params, 64)
    assert first.shape == (1, 64, 64)
    assert first.dtype == np.float32
    assert np.array_equal(apply_depth(DEPTH, params, 64), first)
    assert np.array_equal(DEPTH.raw, before)


def test_evaluation_gives_vitlens_what_its_own_preprocessing_would() -> None:
    view = ViewMaker(chain_for("depth", "depth"), 0, SIZES)(DEPTH, "room", EVALUATION).array
    official = prepare_disparity(DEPTH.disparity(DEPTH.raw)[None], 64)
    assert (prepare_disparity(view, 64) - official).abs().max() < 1e-4


def test_holes_do_not_bleed_beyond_what_a_saturated_pixel_would() -> None:
    raw = waves()
    raw[20:30, 20:30] = 0
    view = apply_depth(replace(DEPTH, raw=raw), plain(sample_depth(ViewRng(0, "room", 5))), 64)
    assert view.max() <= 75
    assert view.min() > 0


@pytest.mark.parametrize("shape", [(1, 1), (2, 200), (200, 2)])
def test_any_shape_of_map_gives_a_view(shape: tuple[int, int]) -> None:
    depth = replace(DEPTH, raw=np.full(shape, 1500, np.uint16))
    for number in range(30):
        view = apply_depth(depth, sample_depth(ViewRng(0, str(number), 0)), 64)
        assert view.shape == (1, 64, 64)


def test_the_view_of_a_png_is_that_of_its_integers() -> None:
    file = io.BytesIO()
    Image.fromarray(DEPTH.raw).save(file, "png")
    meta = json.dumps({"labels": [0], "depth": SENSOR}).encode()
    decoded = decode_member({"depth.png": file.getvalue(), "meta.json": meta}, "depth")
    maker = ViewMaker(chain_for("depth", "depth"), 0, SIZES)
    assert maker(decoded, "k", 0).content_digest == maker(DEPTH, "k", 0).content_digest
