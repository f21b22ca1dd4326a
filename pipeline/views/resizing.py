"""Antialiased resizing of 8-bit pixels by torch's kernel for bytes.

It sums in integers and so gives the same bits with and without AVX2 or AVX-512, in a fifth of
Pillow's time; the two differ by rounding.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import Literal

import numpy as np
import torch
from torch.nn.functional import interpolate

Filter = Literal["bicubic", "bilinear"]
_AVX = torch.backends.cpu.get_cpu_capability().startswith("AVX")
"""Whether the kernel is fastest on pixels as they are; others are on planes of each colour."""


def resized(pixels: np.ndarray, height: int, width: int, kind: Filter) -> np.ndarray:
    """Uint8 [3, height, width] of RGB pixels uint8 [H, W, 3]; its axes lie in any order."""
    return _resized(pixels[None], height, width, kind)[0]


def resized_frames(
    frames: Sequence[np.ndarray], height: int, width: int, kind: Filter
) -> np.ndarray:
    """Uint8 [frames, 3, height, width] of RGB pixels uint8 [H, W, 3] each, at once where they are
    of one size; its axes lie in any order."""
    parts = [np.stack(list(same)) for _, same in groupby(frames, key=np.shape)]
    views = [_resized(part, height, width, kind) for part in parts]
    return views[0] if len(views) == 1 else np.concatenate(views)


def centre_crop(pixels: np.ndarray, size: int) -> np.ndarray:
    """Short side to `size`, bicubic, and the central square: uint8 [3, size, size]."""
    height, width = pixels.shape[:2]
    short = min(height, width)
    scaled = resized(pixels, size * height // short, size * width // short, "bicubic")
    top, left = (round((side - size) / 2) for side in scaled.shape[1:])
    return np.ascontiguousarray(scaled[:, top : top + size, left : left + size])


def _resized(pixels: np.ndarray, height: int, width: int, kind: Filter) -> np.ndarray:
    images = torch.from_numpy(np.require(pixels, requirements=["C", "W"])).permute(0, 3, 1, 2)
    images = images if _AVX else images.contiguous()
    return interpolate(images, (height, width), mode=kind, antialias=True).numpy()
