"""RandAugment (Cubuk et al., 2020), magnitude 9 of 30, two operations, on planes [C, H, W].

Operations and magnitude ranges are those of torchvision's RandAugment (num_ops=2, magnitude=9,
num_magnitude_bins=31); the draws are ours, so that a view never depends on a global generator.
"""

from collections.abc import Callable

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
_AFFINE = Image.Transform.AFFINE

Operation = Callable[[np.ndarray, float], np.ndarray]


def _moved(planes: np.ndarray, move: Callable[[Image.Image], Image.Image]) -> np.ndarray:
    """Each plane, of bytes or floats, moved alike; 0 comes in where nothing was."""
    return np.stack([np.asarray(move(Image.fromarray(plane))) for plane in planes])


def _affine(planes: np.ndarray, matrix: tuple[float, ...]) -> np.ndarray:
    return _moved(planes, lambda image: image.transform(image.size, _AFFINE, matrix))


def _shear(planes: np.ndarray, x: float, y: float) -> np.ndarray:
    """Shear about the upper left corner by the tangents x and y."""
    return _affine(planes, (1, x, 0, y, 1, 0))


def _translate(planes: np.ndarray, x: float, y: float) -> np.ndarray:
    """Move right and down by these shares of the sides, in whole pixels cut as torchvision cuts."""
    height, width = planes.shape[1:]
    return _affine(planes, (1, 0, -int(x * width), 0, 1, -int(y * height)))


def _rotate(planes: np.ndarray, sign: float) -> np.ndarray:
    return _moved(planes, lambda image: image.rotate(sign * _ROTATE))


OPERATIONS: dict[str, Operation] = {
    "identity": lambda planes, sign: planes,
    "shear_x": lambda planes, sign: _shear(planes, sign * _SHEAR, 0.0),
    "shear_y": lambda planes, sign: _shear(planes, 0.0, sign * _SHEAR),
    "translate_x": lambda planes, sign: _translate(planes, sign * _TRANSLATE, 0.0),
    "translate_y": lambda planes, sign: _translate(planes, 0.0, sign * _TRANSLATE),
    "rotate": _rotate,
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
