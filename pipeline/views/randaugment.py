"""RandAugment (Cubuk et al., 2020), magnitude 9 of 30, two operations, on PIL images.

Operations and magnitude ranges are those of torchvision's RandAugment (num_ops=2, magnitude=9,
num_magnitude_bins=31); the draws are ours, so that a view never depends on a global generator.
"""

from collections.abc import Callable

from PIL import Image
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as F

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

Operation = Callable[[Image.Image, float], Image.Image]


def _shear(image: Image.Image, x: float, y: float) -> Image.Image:
    """Shear about the upper left corner by the tangents x and y."""
    return image.transform(image.size, Image.Transform.AFFINE, (1, x, 0, y, 1, 0))


def _translate(image: Image.Image, x: float, y: float) -> Image.Image:
    """Move right and down by these shares of the sides, in whole pixels cut as torchvision cuts."""
    shift = (1, 0, -int(x * image.width), 0, 1, -int(y * image.height))
    return image.transform(image.size, Image.Transform.AFFINE, shift)


def _rotate(image: Image.Image, sign: float) -> Image.Image:
    return F.rotate(image, sign * _ROTATE, interpolation=InterpolationMode.NEAREST)


OPERATIONS: dict[str, Operation] = {
    "identity": lambda image, sign: image,
    "shear_x": lambda image, sign: _shear(image, sign * _SHEAR, 0.0),
    "shear_y": lambda image, sign: _shear(image, 0.0, sign * _SHEAR),
    "translate_x": lambda image, sign: _translate(image, sign * _TRANSLATE, 0.0),
    "translate_y": lambda image, sign: _translate(image, 0.0, sign * _TRANSLATE),
    "rotate": _rotate,
    "brightness": lambda image, sign: F.adjust_brightness(image, 1 + sign * _ENHANCE),
    "color": lambda image, sign: F.adjust_saturation(image, 1 + sign * _ENHANCE),
    "contrast": lambda image, sign: F.adjust_contrast(image, 1 + sign * _ENHANCE),
    "sharpness": lambda image, sign: F.adjust_sharpness(image, 1 + sign * _ENHANCE),
    "posterize": lambda image, sign: F.posterize(image, _POSTERIZE),
    "solarize": lambda image, sign: F.solarize(image, _SOLARIZE),
    "autocontrast": lambda image, sign: F.autocontrast(image),
    "equalize": lambda image, sign: F.equalize(image),
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
    image: Image.Image, operations: tuple[int, ...], signs: tuple[int, ...]
) -> Image.Image:
    """Apply the drawn operations (indices into `NAMES`) with the drawn signs (+1 or -1)."""
    for index, sign in zip(operations, signs, strict=True):
        image = OPERATIONS[NAMES[index]](image, sign)
    return image


def randaugment_geometric(
    image: Image.Image, operations: tuple[int, ...], signs: tuple[int, ...]
) -> Image.Image:
    """Only the drawn operations that move pixels; any mode, floats included."""
    for index, sign in zip(operations, signs, strict=True):
        if NAMES[index] in GEOMETRIC:
            image = OPERATIONS[NAMES[index]](image, sign)
    return image
