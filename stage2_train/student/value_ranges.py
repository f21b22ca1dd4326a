"""Values that a student could not tell from others and would silently answer wrongly for."""

from collections.abc import Callable

import torch
from torch import Tensor

from pipeline.decoding.resample import LOUDEST
from pipeline.errors import UserError
from pipeline.views.points import SCALE, SHIFT

BRIGHTEST = 10.0
"""No image that CLIP has normalised gets there: white is at about 2.7 standard deviations."""
FARTHEST = SCALE[1] + SHIFT * 3**0.5 + 0.01
"""From the origin: as far as a view's scale and shift take a point of the unit sphere."""
NEAREST_REACH = 0.3
"""Of a cloud's farthest point: dropped points take it below 1, another unit far below."""


def check_values(modality: str, x: Tensor | tuple[Tensor, ...]) -> None:
    """Raise `UserError` where a batch for `Student.encode` has the values of another convention.

    Not checked are the parts that `group_points` made of clouds, and spectrograms.
    """
    if modality == "depth" and isinstance(x, tuple):
        _images(x[0])
        _CHECKS["depth"](x[1])
    elif isinstance(x, Tensor) and len(x):
        _finite(modality, x)
        _CHECKS[modality](x)


def _finite(modality: str, x: Tensor) -> None:
    if x.is_floating_point() and not torch.isfinite(x).all():
        raise UserError(f"{modality}: expected finite values, found NaN or infinity")


def _images(x: Tensor) -> None:
    if x.dtype == torch.uint8:
        return
    low, high = float(x.min()), float(x.max())
    pixels = 0 <= low < high <= 1
    if not x.is_floating_point() or high > BRIGHTEST or pixels:
        raise UserError(
            f"images: {x.dtype} within {low:g}..{high:g}; expected uint8 pixels within 0..255, or "
            "floats that CLIP's mean and std have normalised: give the pixels as uint8"
        )


def _points(x: Tensor) -> None:
    reach = x[..., :3].float().norm(dim=-1).amax(dim=-1)
    wrong = (reach > FARTHEST) | (reach < NEAREST_REACH)
    if wrong.any():
        first = int(wrong.nonzero()[0])
        raise UserError(
            f"points: the farthest point of cloud {first} is {float(reach[first]):g} from the "
            "origin; expected clouds in the unit sphere: subtract the mean of the coordinates and "
            "divide by the largest distance from it"
        )


def _depth(x: Tensor) -> None:
    if float(x.min()) < 0 or not x.is_floating_point():
        raise UserError(
            f"depth: {x.dtype} from {float(x.min()):g}; expected disparities in pixels as floats, "
            "baseline * fx / metres"
        )


def _audio(x: Tensor) -> None:
    loudest = float(x.abs().max()) if x.ndim == 2 else 0.0
    if x.ndim == 2 and (not x.is_floating_point() or loudest > LOUDEST):
        raise UserError(
            f"audio: {x.dtype} up to {loudest:g}; expected waveforms as floats within -1..1: "
            "divide 16-bit samples by 32768"
        )


_CHECKS: dict[str, Callable[[Tensor], None]] = {
    "image": _images,
    "video": _images,
    "points": _points,
    "depth": _depth,
    "audio": _audio,
}
