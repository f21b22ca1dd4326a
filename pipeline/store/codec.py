"""How features become the numbers that a store keeps, and come back.

float16 keeps them as they are. int8 keeps each row's values in 127ths of its largest, beside that
scale: half the bytes, at a cosine of 0.9999 and more for features without extreme outliers.
"""

import numpy as np
import torch

from pipeline.store.layout import FEATURES, SCALE

FLOAT16_MAX = float(np.finfo(np.float16).max)
_LEVELS = 127


def without_unstorable(features: np.ndarray) -> np.ndarray:
    """The same features, NaN instead of what a store cannot hold: beyond float16, or infinite."""
    return np.where(np.abs(features) <= FLOAT16_MAX, features, np.nan)


def encode(features: np.ndarray, dtype: str) -> dict[str, np.ndarray]:
    """Row arrays that keep features.

    Args:
        features: float [..., dim]; a row with a NaN counts as failed as a whole.
        dtype: `float16` or `int8`.
    """
    if dtype == "float16":
        return {FEATURES: features.astype(np.float16)}
    wide = features.astype(np.float32)
    scale = np.abs(wide).max(-1) / _LEVELS
    divisor = np.where(scale > 0, scale, 1)[..., None]  # a row of zeros, or of NaN
    steps = np.nan_to_num(np.rint(wide / divisor)).clip(-_LEVELS, _LEVELS)  # subnormal scales
    return {FEATURES: steps.astype(np.int8), SCALE: scale}


def decode(features: np.ndarray, scale: np.ndarray | None) -> np.ndarray:
    """Float32 [..., dim] of what was kept; NaN where the sample failed."""
    wide = torch.tensor(features).float().numpy()  # numpy takes twenty times as long
    return wide if scale is None else wide * scale[..., None]
