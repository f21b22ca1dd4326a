"""Random boxes, drawn before the size of what they cut is known: crops and erased rectangles."""

import math

import numpy as np

from pipeline.views.rng import ViewRng

CROP_SCALE = (0.08, 1.0)
CROP_RATIO = (3 / 4, 4 / 3)
"""RandomResizedCrop as in Inception training and torchvision: area and aspect ratio."""
ERASE = 0.25
ERASE_SCALE = (0.02, 0.33)
ERASE_RATIO = (0.3, 3.3)
"""RandomErasing of Zhong et al., 2020; erased values become 0 in the canonical view."""
TRIES = 10
"""Attempts at a box that fits, of either kind, as in torchvision."""

CROP_TEXT = f"RandResizeCrop(scale={CROP_SCALE}, ratio=(3/4, 4/3)"
ERASE_TEXT = f"RandErasing({ERASE}, scale={ERASE_SCALE}, ratio={ERASE_RATIO}, value=0)"


def sample_crop_boxes(rng: ViewRng) -> np.ndarray:
    """Draw RandomResizedCrop; see `sample_boxes`."""
    return sample_boxes(rng, CROP_SCALE, CROP_RATIO)


def sample_erase_boxes(rng: ViewRng) -> np.ndarray:
    """Draw RandomErasing's box; see `sample_boxes`."""
    return sample_boxes(rng, ERASE_SCALE, ERASE_RATIO)


def sample_boxes(
    rng: ViewRng, scale: tuple[float, float], ratio: tuple[float, float]
) -> np.ndarray:
    """Float64 [tries, 4]: share of the area, width over height, vertical and horizontal place.

    Areas are uniform, ratios log-uniform, places uniform in 0..1.
    """
    boxes = rng.uniforms(4 * TRIES).reshape(4, TRIES)
    boxes[0] = scale[0] + (scale[1] - scale[0]) * boxes[0]
    low, high = (math.log(bound) for bound in ratio)
    boxes[1] = np.exp(low + (high - low) * boxes[1])
    return np.ascontiguousarray(boxes.T)


def first_fitting_box(
    boxes: np.ndarray, width: int, height: int
) -> tuple[int, int, int, int] | None:
    """(top, left, height, width) of the first drawn box that fits, as torchvision tries them."""
    for area, ratio, top, left in boxes.tolist():
        w = round(math.sqrt(area * width * height * ratio))
        h = round(math.sqrt(area * width * height / ratio))
        if 0 < w <= width and 0 < h <= height:
            return int(top * (height - h + 1)), int(left * (width - w + 1)), h, w
    return None


def crop_box(boxes: np.ndarray, width: int, height: int) -> tuple[int, int, int, int]:
    """(top, left, height, width) of the crop; of a very long image its central, squarer part."""
    box = first_fitting_box(boxes, width, height)
    if box is not None:
        return box
    w = min(width, round(height * CROP_RATIO[1]))
    h = min(height, round(width / CROP_RATIO[0]))
    return (height - h) // 2, (width - w) // 2, h, w


def erase(array: np.ndarray, boxes: np.ndarray) -> None:
    """Set the first box that fits to 0 in place, in every channel and frame of [..., H, W]."""
    box = first_fitting_box(boxes, array.shape[-1], array.shape[-2])
    if box is not None:
        top, left, height, width = box
        array[..., top : top + height, left : left + width] = 0
