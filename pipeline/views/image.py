"""Image views: Table 1's chains, from a decoded PIL image to the canonical uint8 [3, S, S]."""

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageEnhance
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as F

from pipeline.views.randaugment import NAMES, randaugment
from pipeline.views.rng import ViewRng

CROP_SCALE = (0.08, 1.0)
CROP_RATIO = (3 / 4, 4 / 3)
CROP_TRIES = 10
"""RandomResizedCrop as in Inception training and torchvision: area, aspect ratio, attempts."""
FLIP = 0.5
RANDAUGMENT_OPS = 2
JITTER = 0.4
"""ColorJitter(0.4): brightness, contrast and saturation; a single number leaves the hue alone."""
ERASE = 0.25
ERASE_SCALE = (0.02, 0.33)
ERASE_RATIO = (0.3, 3.3)
"""RandomErasing of Zhong et al., 2020; erased pixels become 0 in the canonical view."""

IMAGE_CHAIN = (
    f"RandResizeCrop(scale={CROP_SCALE}, ratio=(3/4, 4/3), bicubic), RandHorizontalFlip({FLIP}), "
    f"RandAugment(m=9, n={RANDAUGMENT_OPS}), ColorJitter({JITTER}), "
    f"RandErasing({ERASE}, scale={ERASE_SCALE}, ratio={ERASE_RATIO}, value=0); v1"
)
PAIRED_IMAGE_CHAIN = f"RandResizeCrop(scale={CROP_SCALE}, ratio=(3/4, 4/3), bicubic); v1"
"""The image paired with points: the last row of Table 1."""


@dataclass(frozen=True)
class CropParams:
    """RandomResizedCrop, drawn before the image's size is known."""

    crop_boxes: np.ndarray
    """[attempts, 4]: share of the area, width over height, vertical and horizontal place, 0..1."""


@dataclass(frozen=True)
class ImageParams(CropParams):
    """Everything random in an image view."""

    flip: bool
    operations: tuple[int, ...]
    signs: tuple[int, ...]
    jitter_order: np.ndarray
    """Order of brightness (0), contrast (1) and saturation (2)."""
    jitter: np.ndarray
    """Their factors."""
    erase: bool
    erase_boxes: np.ndarray
    """[attempts, 4]: as `crop_boxes`, of the erased box."""


@dataclass(frozen=True)
class CentreParams:
    """The evaluation view: nothing is random."""


def sample_crop(rng: ViewRng) -> CropParams:
    """Draw the paired image's chain."""
    return CropParams(crop_boxes=_box_draws(rng, CROP_SCALE, CROP_RATIO))


def sample_image(rng: ViewRng) -> ImageParams:
    """Draw the image chain."""
    return ImageParams(
        crop_boxes=_box_draws(rng, CROP_SCALE, CROP_RATIO),
        flip=rng.chance(FLIP),
        operations=tuple(rng.integer(len(NAMES)) for _ in range(RANDAUGMENT_OPS)),
        signs=tuple(1 - 2 * rng.integer(2) for _ in range(RANDAUGMENT_OPS)),
        jitter_order=rng.permutation(3),
        jitter=rng.uniforms(3, 1 - JITTER, 1 + JITTER),
        erase=rng.chance(ERASE),
        erase_boxes=_box_draws(rng, ERASE_SCALE, ERASE_RATIO),
    )


def apply_image(image: Image.Image, params: object, size: int) -> np.ndarray:
    """The canonical view uint8 [3, size, size] of an RGB image; pure."""
    if isinstance(params, CentreParams):
        return _array(_centre_crop(image, size))
    assert isinstance(params, CropParams)
    view = _resized_crop(image, params, size)
    if isinstance(params, ImageParams):
        view = F.hflip(view) if params.flip else view
        view = randaugment(view, params.operations, params.signs)
        view = _jitter(view, params)
    array = _array(view)
    if isinstance(params, ImageParams) and params.erase:
        _erase(array, params.erase_boxes)
    return array


def _box_draws(rng: ViewRng, scale: tuple[float, float], ratio: tuple[float, float]) -> np.ndarray:
    """[attempts, 4]: areas, log-uniform ratios and two places for every attempt at a box."""
    draws = [
        rng.uniforms(CROP_TRIES, *scale),
        np.exp(rng.uniforms(CROP_TRIES, math.log(ratio[0]), math.log(ratio[1]))),
        rng.uniforms(CROP_TRIES),
        rng.uniforms(CROP_TRIES),
    ]
    return np.stack(draws, axis=1)


def _first_fitting_box(
    boxes: np.ndarray, width: int, height: int
) -> tuple[int, int, int, int] | None:
    """(top, left, height, width) of the first drawn box that fits, as torchvision tries them."""
    for area, ratio, top, left in boxes:
        w = round(math.sqrt(area * width * height * ratio))
        h = round(math.sqrt(area * width * height / ratio))
        if 0 < w <= width and 0 < h <= height:
            return int(top * (height - h + 1)), int(left * (width - w + 1)), h, w
    return None


def _resized_crop(image: Image.Image, params: CropParams, size: int) -> Image.Image:
    box = _first_fitting_box(params.crop_boxes, image.width, image.height)
    if box is None:  # no attempt fits a very long image: its central square-ish part
        w = min(image.width, round(image.height * CROP_RATIO[1]))
        h = min(image.height, round(image.width / CROP_RATIO[0]))
        box = (image.height - h) // 2, (image.width - w) // 2, h, w
    return F.resized_crop(image, *box, [size, size], InterpolationMode.BICUBIC)


def _centre_crop(image: Image.Image, size: int) -> Image.Image:
    return F.center_crop(F.resize(image, size, InterpolationMode.BICUBIC), [size, size])


_ENHANCERS = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)


def _jitter(image: Image.Image, params: ImageParams) -> Image.Image:
    for index in params.jitter_order:
        image = _ENHANCERS[index](image).enhance(float(params.jitter[index]))
    return image


def _erase(array: np.ndarray, boxes: np.ndarray) -> None:
    box = _first_fitting_box(boxes, array.shape[2], array.shape[1])
    if box is not None:
        top, left, height, width = box
        array[:, top : top + height, left : left + width] = 0


def _array(image: Image.Image) -> np.ndarray:
    return np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1))
