"""Depth views: Table 1's chain, from stored integers to disparity in pixels, float32 [1, S, S].

The paired image shares one geometric draw with its depth map: crop, flip, the operations of
RandAugment and the erased box, as the official joint transform does. ViT-Lens's RandAugment never
touches its four channels (its guard fails), but Table 1 asks for it, so the operations that move
pixels act on both; those that change colours have no meaning for metres and act on the image only.

Resampling takes the four nearest pixels without antialiasing: what torchvision 0.12 did with
tensors, on which the official weights were trained.
"""

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as F

from pipeline.decoding.depth import Depth
from pipeline.views.boxes import CROP_TEXT, ERASE_TEXT, crop_box, erase
from pipeline.views.image import (
    FLIP,
    JITTER,
    CentreParams,
    CropParams,
    ImageParams,
    sample_image,
)
from pipeline.views.randaugment import RANDAUGMENT_TEXT, randaugment_geometric
from pipeline.views.rng import ViewRng

DEPTH_CHAIN = (
    f"disparity, {CROP_TEXT}, bilinear, no antialias), RandHorizontalFlip({FLIP}), "
    f"{RANDAUGMENT_TEXT}; its geometric operations), {ERASE_TEXT}; v1"
)
DEPTH_IMAGE_CHAIN = (
    f"geometry of the depth map: {CROP_TEXT}, bicubic), RandHorizontalFlip({FLIP}), "
    f"{RANDAUGMENT_TEXT}), ColorJitter({JITTER}), {ERASE_TEXT}; v3"
)


@dataclass(frozen=True)
class DepthParams(CropParams):
    """Everything random in a depth view; the fields mean what they mean in `ImageParams`."""

    flip: bool
    operations: tuple[int, ...]
    signs: tuple[int, ...]
    erase: bool
    erase_boxes: np.ndarray


def sample_depth_image(rng: ViewRng) -> ImageParams:
    """Draw the chain of the image paired with a depth map."""
    return sample_image(rng.stream("depth"))


def sample_depth(rng: ViewRng) -> DepthParams:
    """Draw the depth chain: what the paired image's has, without its colours."""
    drawn = sample_depth_image(rng)
    return DepthParams(
        crop_boxes=drawn.crop_boxes,
        flip=drawn.flip,
        operations=drawn.operations,
        signs=drawn.signs,
        erase=drawn.erase,
        erase_boxes=drawn.erase_boxes,
    )


def apply_depth(depth: Depth, params: object, size: int) -> np.ndarray:
    """The canonical view, disparity in pixels, float32 [1, size, size]; pure."""
    if isinstance(params, CentreParams):
        return _centre(depth.disparity(depth.raw), size)
    assert isinstance(params, DepthParams)
    view = _resized_crop(depth, params, size)
    view = view[..., ::-1] if params.flip else view
    view = np.array(randaugment_geometric(view, params.operations, params.signs), order="C")
    if params.erase:
        erase(view, params.erase_boxes)
    return view


def _resized_crop(depth: Depth, params: DepthParams, size: int) -> np.ndarray:
    """Float32 [1, size, size]."""
    top, left, height, width = crop_box(params.crop_boxes, *reversed(depth.raw.shape))
    crop = Image.fromarray(depth.disparity(depth.raw[top : top + height, left : left + width]))
    extent = (0, 0, width, height)
    kind = Image.Transform.EXTENT
    view = crop.transform((size, size), kind, extent, Image.Resampling.BILINEAR)
    return np.asarray(view)[None]


def _centre(disparity: np.ndarray, size: int) -> np.ndarray:
    """Short side to `size`, bicubic, and the central square: ViT-Lens's evaluation."""
    map_ = torch.from_numpy(disparity)[None]
    resized = F.resize(map_, [size], InterpolationMode.BICUBIC, antialias=False)
    return F.center_crop(resized, [size, size]).numpy()
