"""Image views: Table 1's chains, from uint8 [H, W, 3] to the canonical uint8 [3, S, S]."""

from dataclasses import dataclass

import numpy as np

from pipeline.views import colours
from pipeline.views.boxes import (
    CROP_TEXT,
    ERASE,
    ERASE_TEXT,
    crop_box,
    erase,
    sample_crop_boxes,
    sample_erase_boxes,
)
from pipeline.views.randaugment import (
    RANDAUGMENT_TEXT,
    randaugment,
    sample_operations,
    sample_signs,
)
from pipeline.views.resizing import centre_crop, resized
from pipeline.views.rng import ViewRng

FLIP = 0.5
JITTER = 0.4
"""ColorJitter(0.4): brightness, contrast and saturation; a single number leaves the hue alone."""

IMAGE_CHAIN = (
    f"{CROP_TEXT}, bicubic), RandHorizontalFlip({FLIP}), "
    f"{RANDAUGMENT_TEXT}), ColorJitter({JITTER}), {ERASE_TEXT}; v4"
)
PAIRED_IMAGE_CHAIN = f"{CROP_TEXT}, bicubic); v3"
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
    return CropParams(crop_boxes=sample_crop_boxes(rng))


def sample_image(rng: ViewRng) -> ImageParams:
    """Draw the image chain."""
    return ImageParams(
        crop_boxes=sample_crop_boxes(rng),
        flip=rng.chance(FLIP),
        operations=sample_operations(rng),
        signs=sample_signs(rng),
        jitter_order=rng.permutation(3),
        jitter=rng.uniforms(3, 1 - JITTER, 1 + JITTER),
        erase=rng.chance(ERASE),
        erase_boxes=sample_erase_boxes(rng),
    )


def apply_image(pixels: np.ndarray, params: object, size: int) -> np.ndarray:
    """The canonical view uint8 [3, size, size] of RGB pixels uint8 [H, W, 3]; pure."""
    if isinstance(params, CentreParams):
        return centre_crop(pixels, size)
    assert isinstance(params, CropParams)
    view = _resized_crop(pixels, params, size)
    if not isinstance(params, ImageParams):
        return np.ascontiguousarray(view)
    view = np.ascontiguousarray(view[..., ::-1] if params.flip else view)
    view = _jitter(randaugment(view, params.operations, params.signs), params)
    if params.erase:
        erase(view, params.erase_boxes)
    return view


def _resized_crop(pixels: np.ndarray, params: CropParams, size: int) -> np.ndarray:
    height, width = pixels.shape[:2]
    top, left, height, width = crop_box(params.crop_boxes, width, height)
    return resized(pixels[top : top + height, left : left + width], size, size, "bicubic")


_JITTERS = (colours.brightness, colours.contrast, colours.saturation)


def _jitter(planes: np.ndarray, params: ImageParams) -> np.ndarray:
    for index in params.jitter_order:
        planes = _JITTERS[index](planes, float(params.jitter[index]))
    return planes
