"""RandAugment (Cubuk et al., 2020), magnitude 9 of 30, two operations, on planes [C, H, W].

Operations and magnitude ranges are those of torchvision's RandAugment (num_ops=2, magnitude=9,
num_magnitude_bins=31); the draws are ours, so that a view never depends on a global generator.
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from PIL import Image

from pipeline.views import colours
from pipeline.views.rng import ViewRng

OPERATIONS_A_VIEW = 2
"""n=2."""
LEVEL = 9 / 30
"""m=9 on the paper's scale of 30."""
RANDAUGMENT_TEXT = f"RandAugment(m=9, n={OPERATIONS_A_VIEW}"

_SHEAR = 0.3 * LEVEL
_TRANSLATE = 150 / 331 * LEVEL
_ROTATE = 30.0 * LEVEL
_ENHANCE = 0.9 * LEVEL
_POSTERIZE = 8 - round(4 * LEVEL)
_SOLARIZE = 255.0 * (1 - LEVEL)

Operation = Callable[[np.ndarray, float], np.ndarray]
Move = Callable[[Image.Image, float], Image.Image]


def _moved(planes: np.ndarray, move: Move, sign: float) -> np.ndarray:
    """Planes of bytes or floats moved as Pillow moves a picture; 0 comes in where nothing was."""
    channels, height, width = planes.shape
    padded = np.zeros((channels, 1 + height * width), planes.dtype)
    padded[:, 1:] = planes.reshape(channels, -1)
    return np.take(padded, _origins(move, sign, height, width), axis=1)


@lru_cache(maxsize=32)
def _origins(move: Move, sign: float, height: int, width: int) -> np.ndarray:
    """[H, W]: 1 + the place in a plane that each pixel comes from, 0 of what comes from outside."""
    places = 1 + np.arange(height * width, dtype=np.int32).reshape(height, width)
    return np.asarray(move(Image.fromarray(places), sign)).astype(np.intp)


def _affine(image: Image.Image, *matrix: float) -> Image.Image:
    return image.transform(image.size, Image.Transform.AFFINE, matrix)


def _shear_x(image: Image.Image, sign: float) -> Image.Image:
    """About the upper left corner, as the next."""
    return _affine(image, 1, sign * _SHEAR, 0, 0, 1, 0)


def _shear_y(image: Image.Image, sign: float) -> Image.Image:
    return _affine(image, 1, 0, 0, sign * _SHEAR, 1, 0)


def _rotate(image: Image.Image, sign: float) -> Image.Image:
    return image.rotate(sign * _ROTATE)


def _translated_x(planes: np.ndarray, sign: float) -> np.ndarray:
    """By whole pixels, cut as torchvision cuts; 0 comes in."""
    width = planes.shape[2]
    right, result = int(sign * _TRANSLATE * width), np.zeros_like(planes)
    result[:, :, max(right, 0) : width + right] = planes[:, :, max(-right, 0) : width - right]
    return result


def _translated_y(planes: np.ndarray, sign: float) -> np.ndarray:
    return _translated_x(planes.swapaxes(1, 2), sign).swapaxes(1, 2)


OPERATIONS: dict[str, Operation] = {
    "identity": lambda planes, sign: planes,
    "shear_x": lambda planes, sign: _moved(planes, _shear_x, sign),
    "shear_y": lambda planes, sign: _moved(planes, _shear_y, sign),
    "translate_x": lambda planes, sign: _translated_x(planes, sign),
    "translate_y": lambda planes, sign: _translated_y(planes, sign),
    "rotate": lambda planes, sign: _moved(planes, _rotate, sign),
    "brightness": lambda planes, sign: colours.brightness(planes, 1 + sign * _ENHANCE),
    "color": lambda planes, sign: colours.saturation(planes, 1 + sign * _ENHANCE),
    "contrast": lambda planes, sign: colours.contrast(planes, 1 + sign * _ENHANCE),
    "sharpness": lambda planes, sign: colours.sharpness(planes, 1 + sign * _ENHANCE),
    "posterize": lambda planes, sign: colours.posterize(planes, _POSTERIZE),
    "solarize": lambda planes, sign: colours.solarize(planes, _SOLARIZE),
    "autocontrast": lambda planes, sign: colours.autocontrast(planes),
    "equalize": lambda planes, sign: colours.equalize(planes),
}
"""The 14 operations; the second argument is the drawn sign, ignored where there is none."""

NAMES = tuple(OPERATIONS)
GEOMETRIC = frozenset({"shear_x", "shear_y", "translate_x", "translate_y", "rotate"})
"""Operations that move pixels; the others change their colours."""


def sample_operations(rng: ViewRng) -> tuple[int, ...]:
    """Draw the operations of a view, indices into `NAMES`."""
    return tuple(rng.integer(len(NAMES)) for _ in range(OPERATIONS_A_VIEW))


def sample_signs(rng: ViewRng) -> tuple[int, ...]:
    """Draw a sign, +1 or -1, for each of them."""
    return tuple(1 - 2 * rng.integer(2) for _ in range(OPERATIONS_A_VIEW))


def randaugment(
    planes: np.ndarray, operations: tuple[int, ...], signs: tuple[int, ...]
) -> np.ndarray:
    """Uint8 [3, H, W] after the drawn operations (indices into `NAMES`) with signs +1 or -1."""
    for index, sign in zip(operations, signs, strict=True):
        planes = OPERATIONS[NAMES[index]](planes, sign)
    return planes


def randaugment_geometric(
    planes: np.ndarray, operations: tuple[int, ...], signs: tuple[int, ...]
) -> np.ndarray:
    """Only the drawn operations that move pixels; of any [C, H, W], floats included."""
    for index, sign in zip(operations, signs, strict=True):
        if NAMES[index] in GEOMETRIC:
            planes = OPERATIONS[NAMES[index]](planes, sign)
    return planes
