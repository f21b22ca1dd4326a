"""RandShortSideScale, RandCrop, flip and RandAugment: video frames, and images paired with audio.

The crop is resized straight from whole pixels of the frame, each edge within a pixel of where Table
1 would crop the scaled frame: scaling all of it costs twice as much.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.decoding.video_frames import UnconvertedFrame
from pipeline.views.image import FLIP, CentreParams
from pipeline.views.randaugment import (
    RANDAUGMENT_TEXT,
    randaugment,
    sample_operations,
    sample_signs,
)
from pipeline.views.resizing import centre_crop, resized_frames
from pipeline.views.rng import ViewRng

SHORT_SIDE = (256, 340)
"""Both included, for a crop of 224; for another size S they scale with S / 224."""
CROP = 224
AUGMENT = 0.3
"""Probability of RandAugment: once for both operations and for all frames."""

Picture = np.ndarray | UnconvertedFrame
"""Uint8 [H, W, 3], or what has its shape and gives parts of it."""

SHORT_SIDE_CHAIN = (
    f"RandShortSideScale{SHORT_SIDE} and RandCrop({CROP}), both times size/{CROP}, in whole "
    f"pixels of the frame, bilinear, "
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


def apply_short_side(frames: Sequence[Picture], params: object, size: int) -> np.ndarray:
    """Uint8 [frames, 3, size, size] of RGB frames [H, W, 3], the same draw for all; pure."""
    if isinstance(params, CentreParams):
        return np.stack([centre_crop(frame[:, :], size) for frame in frames])
    assert isinstance(params, ShortSideParams)
    views = resized_frames([_crop(frame, params, size) for frame in frames], size, size, "bilinear")
    views = np.ascontiguousarray(views[..., ::-1] if params.flip else views)
    if params.augment:
        views = np.stack([randaugment(view, params.operations, params.signs) for view in views])
    return views


def apply_short_side_image(pixels: np.ndarray, params: object, size: int) -> np.ndarray:
    """Uint8 [3, size, size] of one RGB image uint8 [H, W, 3]; pure."""
    return apply_short_side([pixels], params, size)[0]


def _crop(frame: Picture, params: ShortSideParams, size: int) -> np.ndarray:
    height, width = frame.shape[:2]
    top, left, side = _crop_in_frame(height, width, params, size)
    return frame[top : top + side, left : left + side]


def _crop_in_frame(
    height: int, width: int, params: ShortSideParams, size: int
) -> tuple[int, int, int]:
    """(top, left, side), in the frame's own pixels, of a crop of the scaled frame."""
    scale = params.short_side / min(height, width)
    side = max(1, round(size / scale))
    top = int(params.top * (int(height * scale) - size + 1)) / scale
    left = int(params.left * (int(width * scale) - size + 1)) / scale
    return min(round(top), height - side), min(round(left), width - side), side
