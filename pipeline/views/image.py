"""Image views: Table 1's chains, from a decoded PIL image to the canonical uint8 [3, S, S]."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageEnhance
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as F

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
from pipeline.views.rng import ViewRng

FLIP = 0.5
JITTER = 0.4
"""ColorJitter(0.4): brightness, contrast and saturation; a single number leaves the hue alone."""

IMAGE_CHAIN = (
    f"{CROP_TEXT}, bicubic), RandHorizontalFlip({FLIP}), "
    f"{RANDAUGMENT_TEXT}), ColorJitter({JITTER}), {ERASE_TEXT}; v3"
)
PAIRED_IMAGE_CHAIN = f"{CROP_TEXT}, bicubic); v2"
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


def apply_image(image: Image.Image, params: object, size: int) -> np.ndarray:
    """The canonical view uint8 [3, size, size] of an RGB image; pure."""
    if isinstance(params, CentreParams):
        return image_array(centre_crop(image, size))
    assert isinstance(params, CropParams)
    view = _resized_crop(image, params, size)
    if isinstance(params, ImageParams):
        view = F.hflip(view) if params.flip else view
        view = randaugment(view, params.operations, params.signs)
        view = _jitter(view, params)
    array = image_array(view)
    if isinstance(params, ImageParams) and params.erase:
        erase(array, params.erase_boxes)
    return array


def _resized_crop(image: Image.Image, params: CropParams, size: int) -> Image.Image:
    box = crop_box(params.crop_boxes, image.width, image.height)
    return F.resized_crop(image, *box, [size, size], InterpolationMode.BICUBIC)


def centre_crop(image: Image.Image, size: int) -> Image.Image:
    """Short side to `size`, bicubic, and the central square."""
    return F.center_crop(F.resize(image, size, InterpolationMode.BICUBIC), [size, size])


_ENHANCERS = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)


def _jitter(image: Image.Image, params: ImageParams) -> Image.Image:
    for index in params.jitter_order:
        image = _ENHANCERS[index](image).enhance(float(params.jitter[index]))
    return image


def image_array(image: Image.Image) -> np.ndarray:
    """Uint8 [3, H, W] of an RGB image."""
    lines = np.frombuffer(image.tobytes("raw", "RGB;L"), np.uint8)  # a line of R, of G, of B
    return np.ascontiguousarray(lines.reshape(image.height, 3, image.width).transpose(1, 0, 2))
