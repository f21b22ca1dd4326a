"""Operations that change the colours of an image, uint8 [3, H, W]; pure.

Each gives the bytes of Pillow's own (ImageEnhance, ImageOps), in less time.
"""

from collections.abc import Callable

import numpy as np
from PIL import Image

LEVELS = np.arange(256)
_LUMA = np.array([19595, 38470, 7471], np.float32) / 65536
"""Rec. 601 in 16 bits, as Pillow's."""


def brightness(planes: np.ndarray, factor: float) -> np.ndarray:
    """Towards black below 1, away from it above."""
    return _looked_up(planes, _blended(0, LEVELS, factor))


def contrast(planes: np.ndarray, factor: float) -> np.ndarray:
    """Towards the mean grey below 1, away from it above."""
    return _looked_up(planes, _blended(int(_grey(planes).mean(dtype=float) + 0.5), LEVELS, factor))


def saturation(planes: np.ndarray, factor: float) -> np.ndarray:
    """Towards each pixel's grey below 1, away from it above."""
    colours = planes.astype(np.float32)
    return _blended(_grey(colours), colours, factor)


def sharpness(planes: np.ndarray, factor: float) -> np.ndarray:
    """Towards the smoothed image below 1, away from it above; the outermost pixels stay."""
    result, inner = planes.copy(), planes[:, 1:-1, 1:-1]
    result[:, 1:-1, 1:-1] = _blended(_smooth(planes), inner, factor)
    return result


def posterize(planes: np.ndarray, bits: int) -> np.ndarray:
    """Only the upper `bits` of each value."""
    return planes & np.uint8(256 - (1 << (8 - bits)))


def solarize(planes: np.ndarray, threshold: float) -> np.ndarray:
    """Values of at least the threshold inverted."""
    return _looked_up(planes, np.where(threshold > LEVELS, LEVELS, 255 - LEVELS).astype(np.uint8))


def autocontrast(planes: np.ndarray) -> np.ndarray:
    """Each colour stretched to the whole range."""
    return _by_histogram(planes, _stretching)


def equalize(planes: np.ndarray) -> np.ndarray:
    """Each colour spread so that its histogram is even."""
    return _by_histogram(planes, _equalizing)


def _looked_up(planes: np.ndarray, table: np.ndarray) -> np.ndarray:
    translated = bytearray(np.ascontiguousarray(planes)).translate(table.tobytes())
    return np.frombuffer(translated, np.uint8).reshape(planes.shape)


def _blended(degenerate: int | np.ndarray, values: np.ndarray, factor: float) -> np.ndarray:
    """Uint8 of degenerate + factor * (values - degenerate), cut off as Pillow's C does."""
    grey = np.asarray(degenerate, np.float32)
    blend = np.subtract(values, grey, dtype=np.float32)
    blend *= np.float32(factor)
    blend += grey
    return np.clip(blend, 0, 255, out=blend).astype(np.uint8)


def _grey(planes: np.ndarray) -> np.ndarray:
    """Float32 [H, W] of whole numbers. The products are sums of 24 bits at most, so exact."""
    grey = _LUMA @ planes.reshape(3, -1).astype(np.float32, copy=False)
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
    total *= 2
    total += 13
    total //= 26
    return total


def _by_histogram(planes: np.ndarray, table: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    histograms = [np.array(Image.fromarray(plane).histogram()) for plane in planes]
    return np.stack([_looked_up(p, table(h)) for p, h in zip(planes, histograms)])


def _stretching(histogram: np.ndarray) -> np.ndarray:
    low, high = np.flatnonzero(histogram)[[0, -1]].tolist()
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
