"""Operations that change the colours of an image, uint8 [3, H, W]; pure.

Each gives the bytes of Pillow's own (ImageEnhance, ImageOps), in less time. What depends on nothing
but a value itself is looked up, which stringzilla does for a whole vector register at once.
"""

from collections.abc import Sequence

import numpy as np
import stringzilla
from PIL import Image

LEVELS = np.arange(256)
_LUMA = np.array([19595, 38470, 7471], np.float32) / 65536
"""Rec. 601 in 16 bits, as Pillow's."""


def brightness(planes: np.ndarray, factor: float) -> np.ndarray:
    """Towards black below 1, away from it above."""
    return _looked_up(planes, _levels_blended(0, factor))


def contrast(planes: np.ndarray, factor: float) -> np.ndarray:
    """Towards the mean grey below 1, away from it above."""
    grey = _grey(planes.astype(np.float32))
    rows = grey.sum(axis=1)  # exact, as sums of whole numbers below 2**24
    return _looked_up(planes, _levels_blended(int(rows.sum(dtype=float) / grey.size + 0.5), factor))


def saturation(planes: np.ndarray, factor: float) -> np.ndarray:
    """Towards each pixel's grey below 1, away from it above."""
    colours = planes.astype(np.float32)
    return _blended(_grey(colours), colours, factor)


def sharpness(planes: np.ndarray, factor: float) -> np.ndarray:
    """Towards the smoothed image below 1, away from it above; the outermost pixels stay."""
    result, inner = planes.copy(), planes[:, 1:-1, 1:-1].astype(np.float32)
    result[:, 1:-1, 1:-1] = _blended(_smooth(planes).astype(np.float32), inner, factor)
    return result


def posterize(planes: np.ndarray, bits: int) -> np.ndarray:
    """Only the upper `bits` of each value."""
    return planes & np.uint8(256 - (1 << (8 - bits)))


def solarize(planes: np.ndarray, threshold: float) -> np.ndarray:
    """Values of at least the threshold inverted."""
    return _looked_up(planes, np.where(threshold > LEVELS, LEVELS, 255 - LEVELS).astype(np.uint8))


def autocontrast(planes: np.ndarray) -> np.ndarray:
    """Each colour stretched to the whole range."""
    bounds = zip(planes.min(axis=(1, 2)).tolist(), planes.max(axis=(1, 2)).tolist())
    return _each_looked_up(planes, [_stretching(low, high) for low, high in bounds])


def equalize(planes: np.ndarray) -> np.ndarray:
    """Each colour spread so that its histogram is even."""
    histograms = [np.array(Image.fromarray(plane).histogram()) for plane in planes]
    return _each_looked_up(planes, [_equalizing(histogram) for histogram in histograms])


def _looked_up(planes: np.ndarray, table: np.ndarray) -> np.ndarray:
    result = planes.copy()
    _look_up(result, table)
    return result


def _look_up(values: np.ndarray, table: np.ndarray) -> None:
    stringzilla.translate(values.reshape(-1).data, table.data, inplace=True)


def _each_looked_up(planes: np.ndarray, tables: Sequence[np.ndarray]) -> np.ndarray:
    result = planes.copy()
    for plane, table in zip(result, tables):
        _look_up(plane, table)
    return result


def _levels_blended(degenerate: int, factor: float) -> np.ndarray:
    """The table of `_blended` for every level."""
    return _blended(np.array(degenerate, np.float32), LEVELS.astype(np.float32), factor)


def _blended(degenerate: np.ndarray, values: np.ndarray, factor: float) -> np.ndarray:
    """Uint8 of degenerate + factor * (values - degenerate), cut off as Pillow's C does.

    The values, float32, are worked on in place; up to a factor of 1 they stay between the two.
    """
    values -= degenerate
    values *= np.float32(factor)
    values += degenerate
    if factor > 1:
        np.clip(values, 0, 255, out=values)
    return values.astype(np.uint8)


def _grey(planes: np.ndarray) -> np.ndarray:
    """Float32 [H, W] of whole numbers, of float32 planes. The products are sums of 24 bits at most,
    so exact."""
    grey = _LUMA @ planes.reshape(3, -1)
    grey += np.float32(0.5)
    return np.floor(grey, out=grey).reshape(planes.shape[1:])


def _smooth(planes: np.ndarray) -> np.ndarray:
    """Mean of 3 x 3 pixels of which the central one counts 5 times, rounded; without the edge."""
    wide = planes.astype(np.uint16)
    rows = wide[..., :-2] + wide[..., 1:-1]
    rows += wide[..., 2:]
    total = rows[:, :-2] + rows[:, 1:-1]
    total += rows[:, 2:]
    total += 4 * wide[:, 1:-1, 1:-1]
    total += 6
    total //= 13
    return total


def _stretching(low: int, high: int) -> np.ndarray:
    if low == high:
        return LEVELS.astype(np.uint8)
    scale = 255.0 / (high - low)
    return np.clip(LEVELS * scale - low * scale, 0, 255).astype(np.uint8)


def _equalizing(histogram: np.ndarray) -> np.ndarray:
    used = histogram[histogram > 0]
    step = (used.sum() - used[-1]) // 255
    if step == 0:
        return LEVELS.astype(np.uint8)
    below = np.cumsum(histogram) - histogram
    return np.minimum((step // 2 + below) // step, 255).astype(np.uint8)
