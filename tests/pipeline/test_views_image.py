"""Image views: statistics of Table 1's draws, and every operation beside torchvision's."""

import math
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision.transforms import InterpolationMode, RandAugment
from torchvision.transforms import functional as F
from torchvision.transforms.autoaugment import _apply_op
from torchvision.transforms.v2.functional import resize, resized_crop

from pipeline.config import ViewsConfig
from pipeline.views import EVALUATION, ViewMaker, ViewRng, chain_for, colours
from pipeline.views.boxes import crop_box, first_fitting_box
from pipeline.views.image import CropParams, ImageParams, apply_image, sample_crop, sample_image
from pipeline.views.randaugment import NAMES, OPERATIONS

REPEATABLE = settings(deadline=None, derandomize=True)
DRAWS = 10_000
TORCHVISION = (
    "Identity", "ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate", "Brightness", "Color",
    "Contrast", "Sharpness", "Posterize", "Solarize", "AutoContrast", "Equalize",
)  # fmt: skip


@pytest.fixture(scope="module")
def drawn() -> list[ImageParams]:
    return [sample_image(ViewRng(0, f"sample-{number}", 0)) for number in range(DRAWS)]


def picture(width: int = 48, height: int = 40, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def tensor(pixels: np.ndarray) -> torch.Tensor:
    """What torchvision resizes as we do: with antialias, in integers."""
    return torch.from_numpy(pixels).permute(2, 0, 1)


def planes(image: Image.Image) -> np.ndarray:
    return F.pil_to_tensor(image).numpy()


def neutral(**changes: object) -> ImageParams:
    """The whole image, with every operation off but those named."""
    whole = {"crop_boxes": np.array([[1.0, 1.0, 0.0, 0.0]]), "flip": False, "erase": False}
    rest = {
        "operations": (0, 0), "signs": (1, 1), "jitter_order": np.arange(3),
        "jitter": np.ones(3), "erase_boxes": np.array([[0.25, 1.0, 0.5, 0.5]]),
    }  # fmt: skip
    return ImageParams(**{**whole, **rest, **changes})


def evenly(values: np.ndarray, low: float, high: float, slack: float = 0.02) -> bool:
    """Whether values lie in low..high and their quartiles where a uniform's would."""
    quartiles = (np.quantile(values, [0.25, 0.5, 0.75]) - low) / (high - low)
    inside = low <= values.min() and values.max() <= high
    return inside and bool(np.abs(quartiles - [0.25, 0.5, 0.75]).max() < slack)


def test_flips_and_erasing_have_table_1s_probabilities(drawn: list[ImageParams]) -> None:
    assert np.mean([p.flip for p in drawn]) == pytest.approx(0.5, abs=0.02)
    assert np.mean([p.erase for p in drawn]) == pytest.approx(0.25, abs=0.02)


def test_crops_draw_area_and_ratio_of_randresizecrop(drawn: list[ImageParams]) -> None:
    boxes = np.concatenate([p.crop_boxes for p in drawn])
    assert evenly(boxes[:, 0], 0.08, 1.0)
    assert evenly(np.log(boxes[:, 1]), math.log(3 / 4), math.log(4 / 3))
    assert evenly(boxes[:, 2], 0, 1)
    assert evenly(boxes[:, 3], 0, 1)


def test_erased_boxes_draw_area_and_ratio_of_randerasing(drawn: list[ImageParams]) -> None:
    boxes = np.concatenate([p.erase_boxes for p in drawn])
    assert evenly(boxes[:, 0], 0.02, 0.33)
    assert evenly(np.log(boxes[:, 1]), math.log(0.3), math.log(3.3))


def test_jitter_draws_three_factors_in_every_order(drawn: list[ImageParams]) -> None:
    factors = np.stack([p.jitter for p in drawn])
    assert all(evenly(factors[:, column], 0.6, 1.4) for column in range(3))
    orders = Counter(tuple(p.jitter_order.tolist()) for p in drawn)
    assert len(orders) == 6
    assert all(abs(count - DRAWS / 6) < 5 * math.sqrt(DRAWS / 6) for count in orders.values())


def test_randaugment_draws_two_of_fourteen_uniformly(drawn: list[ImageParams]) -> None:
    assert len(NAMES) == 14
    assert all(len(p.operations) == len(p.signs) == 2 for p in drawn)
    pairs = Counter(p.operations for p in drawn)
    singles = Counter(op for p in drawn for op in p.operations)
    assert len(pairs) == 196
    assert set(singles) == set(range(14))
    assert all(abs(n - DRAWS / 7) < 5 * math.sqrt(DRAWS / 7) for n in singles.values())
    assert Counter(sign for p in drawn for sign in p.signs)[1] / (2 * DRAWS) == pytest.approx(
        0.5, abs=0.02
    )


def test_draws_of_a_view_are_independent_of_one_another(drawn: list[ImageParams]) -> None:
    columns = [[p.flip, p.erase, p.crop_boxes[0, 0], p.jitter[0], p.signs[0]] for p in drawn]
    correlations = np.corrcoef(np.array(columns, dtype=float).T) - np.eye(5)
    assert np.abs(correlations).max() < 0.05


@pytest.mark.parametrize("values", [(0, 256), (90, 200), (255, 256)])
@pytest.mark.parametrize("size", [32, 224, 225])
@pytest.mark.parametrize(("ours", "theirs"), list(zip(OPERATIONS, TORCHVISION)))
def test_each_operation_is_torchvisions_at_bin_9_of_31(
    ours: str, theirs: str, size: int, values: tuple[int, int]
) -> None:
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(*values, (size, size, 3), dtype=np.uint8))
    before = planes(image)
    magnitudes, signed = RandAugment()._augmentation_space(31, (size, size))[theirs]
    magnitude = float(magnitudes[9]) if magnitudes.ndim else 0.0
    for sign in (1, -1) if signed else (1,):
        expected = _apply_op(image, theirs, sign * magnitude, InterpolationMode.NEAREST, None)
        assert np.array_equal(OPERATIONS[ours](before, sign), planes(expected))
    assert np.array_equal(before, planes(image))


@REPEATABLE
@given(st.floats(0.6, 1.4), st.integers(0, 2))
def test_colours_are_jittered_as_torchvision_does(factor: float, which: int) -> None:
    theirs = (F.adjust_brightness, F.adjust_contrast, F.adjust_saturation)[which]
    ours = (colours.brightness, colours.contrast, colours.saturation)[which]
    expected = theirs(Image.fromarray(picture()), factor)
    assert np.array_equal(ours(planes(Image.fromarray(picture())), factor), planes(expected))


def test_the_whole_chain_is_torchvisions_with_the_drawn_values() -> None:
    """Crop, flip, RandAugment, jitter, erase, in this order, with torchvision's own functions."""
    params = neutral(
        crop_boxes=np.array([[0.5, 1.2, 0.3, 0.6]]), flip=True, operations=(1, 13), signs=(-1, 1),
        jitter_order=np.array([2, 0, 1]), jitter=np.array([0.7, 1.3, 1.1]), erase=True,
    )  # fmt: skip
    top, left, height, width = crop_box(params.crop_boxes, 48, 40)
    crop = resized_crop(
        tensor(picture()), top, left, height, width, [32, 32], InterpolationMode.BICUBIC
    )
    expected = F.to_pil_image(crop)
    expected = _apply_op(F.hflip(expected), "ShearX", -0.09, InterpolationMode.NEAREST, None)
    expected = F.adjust_saturation(F.equalize(expected), 1.1)
    expected = F.adjust_contrast(F.adjust_brightness(expected, 0.7), 1.3)
    erased = F.erase(F.pil_to_tensor(expected), 8, 8, 16, 16, torch.zeros(1, dtype=torch.uint8))
    assert np.array_equal(apply_image(picture(), params, 32), erased.numpy())


def test_a_neutral_draw_changes_nothing() -> None:
    image = picture(32, 32)
    assert np.array_equal(apply_image(image, neutral(), 32), tensor(image).numpy())


@REPEATABLE
@given(st.integers(1, 400), st.integers(1, 400), st.integers(0, 100))
def test_boxes_lie_within_the_image(width: int, height: int, number: int) -> None:
    params = sample_image(ViewRng(1, str(number), 0))
    boxes = [crop_box(params.crop_boxes, width, height)]
    boxes += filter(None, [first_fitting_box(params.erase_boxes, width, height)])
    for top, left, h, w in boxes:
        assert min(h, w) >= 1
        assert 0 <= top <= height - h
        assert 0 <= left <= width - w


def test_crop_area_follows_the_draw() -> None:
    """Over many views the cropped share of a square image has the drawn mean."""
    shares = []
    for number in range(2000):
        boxes = sample_crop(ViewRng(2, str(number), 0)).crop_boxes
        _, _, height, width = crop_box(boxes, 400, 400)
        shares.append(height * width / 160_000)
    assert min(shares) == pytest.approx(0.08, abs=0.01)
    assert 0.48 < np.mean(shares) < 0.56  # boxes that do not fit are drawn again: below 0.54


@pytest.mark.parametrize(("width", "height"), [(1, 100), (100, 1), (1, 1), (7, 400)])
def test_thin_images_have_views_too(width: int, height: int) -> None:
    for params in (sample_image(ViewRng(0, "thin", 0)), sample_crop(ViewRng(0, "thin", 0))):
        assert apply_image(picture(width, height), params, 32).shape == (3, 32, 32)


def test_apply_is_pure() -> None:
    image = picture()
    before, params = image.tobytes(), sample_image(ViewRng(0, "pure", 0))
    first = apply_image(image, params, 32)
    assert image.tobytes() == before
    assert np.array_equal(apply_image(image, params, 32), first)
    assert (first.dtype, first.shape, first.flags["C_CONTIGUOUS"]) == (np.uint8, (3, 32, 32), True)


def test_the_evaluation_view_is_the_centre_and_never_random() -> None:
    views = ViewsConfig(image_size=32)
    made = [
        ViewMaker(chain_for("image", "image"), seed, views)(picture(), key, EVALUATION)
        for seed, key in ((0, "a"), (1, "b"))
    ]
    scaled = resize(tensor(picture()), [32], InterpolationMode.BICUBIC)
    assert np.array_equal(made[0].array, F.center_crop(scaled, [32, 32]).numpy())
    assert np.array_equal(made[0].array, made[1].array)


def test_the_image_paired_with_points_is_only_cropped() -> None:
    """Table 1, last row: RandResizeCrop and nothing else."""
    maker = ViewMaker(chain_for("points", "image"), 0, ViewsConfig(image_size=32))
    params = maker.params("chair", 0)
    assert type(params) is CropParams
    box = crop_box(params.crop_boxes, 48, 40)
    expected = resized_crop(tensor(picture()), *box, [32, 32], InterpolationMode.BICUBIC)
    view = maker(picture(), "chair", 0)
    assert np.array_equal(view.array, expected.numpy())
