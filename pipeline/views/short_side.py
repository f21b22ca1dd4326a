"""RandShortSideScale, RandCrop, flip and RandAugment: video frames, and images paired with audio.

The crop is resized straight from the frame: scaling the whole frame first, as Table 1 words it,
gives the same pixels and costs twice as much.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image
from torchvision.transforms import functional as F

from pipeline.views.image import FLIP, CentreParams, centre_crop, image_array
from pipeline.views.randaugment import (
    RANDAUGMENT_TEXT,
    randaugment,
    sample_operations,
    sample_signs,
)
from pipeline.views.rng import ViewRng

SHORT_SIDE = (256, 340)
"""Both included, for a crop of 224; for another size S they scale with S / 224."""
CROP = 224
AUGMENT = 0.3
"""Probability of RandAugment: once for both operations and for all frames."""

SHORT_SIDE_CHAIN = (
    f"RandShortSideScale{SHORT_SIDE} and RandCrop({CROP}), both times size/{CROP}, bilinear, "
    f"RandHorizontalFlip({FLIP}), {RANDAUGMENT_TEXT}, p={AUGMENT})"
)


@dataclass(frozen=True)
class ShortSideParams:
    """Drawn before a frame's size is known."""

    short_side: int
    """Pixels of the scaled frame's short side."""
    top: float
    """Place of the crop, 0..1 of what is left over."""
    left: float
    flip: bool
    augment: bool
    operations: tuple[int, ...]
    signs: tuple[int, ...]


def sample_short_side(rng: ViewRng, size: int) -> ShortSideParams:
    """Draw the chain for views of size x size."""
    low, high = (round(side * size / CROP) for side in SHORT_SIDE)
    return ShortSideParams(
        short_side=low + rng.integer(high - low + 1),
        top=rng.uniform(),
        left=rng.uniform(),
        flip=rng.chance(FLIP),
        augment=rng.chance(AUGMENT),
        operations=sample_operations(rng),
        signs=sample_signs(rng),
    )


def apply_short_side(frames: Sequence[Image.Image], params: object, size: int) -> np.ndarray:
    """Uint8 [frames, 3, size, size] of RGB frames, the same draw for all; pure."""
    if isinstance(params, CentreParams):
        return np.stack([image_array(centre_crop(frame, size)) for frame in frames])
    assert isinstance(params, ShortSideParams)
    return np.stack([image_array(_augmented(frame, params, size)) for frame in frames])


def apply_short_side_image(image: Image.Image, params: object, size: int) -> np.ndarray:
    """Uint8 [3, size, size] of one RGB image; pure."""
    return apply_short_side([image], params, size)[0]


def _augmented(frame: Image.Image, params: ShortSideParams, size: int) -> Image.Image:
    box = _crop_in_frame(frame.width, frame.height, params, size)
    view = frame.resize((size, size), Image.Resampling.BILINEAR, box=box)
    view = F.hflip(view) if params.flip else view
    return randaugment(view, params.operations, params.signs) if params.augment else view


def _crop_in_frame(
    width: int, height: int, params: ShortSideParams, size: int
) -> tuple[float, float, float, float]:
    """(left, top, right, bottom) in the frame's own pixels of a crop of the scaled frame."""
    scaled_width = params.short_side * width // min(width, height)
    scaled_height = params.short_side * height // min(width, height)
    left = int(params.left * (scaled_width - size + 1))
    top = int(params.top * (scaled_height - size + 1))
    x, y = width / scaled_width, height / scaled_height
    right, bottom = min((left + size) * x, width), min((top + size) * y, height)
    return left * x, top * y, right, bottom
