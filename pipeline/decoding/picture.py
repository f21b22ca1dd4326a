"""What images and depth maps share: the bounds of their size, and which way up they are."""

from collections.abc import Callable

import numpy as np
from PIL import Image

from pipeline.errors import UnreadableSample

MAX_PIXELS = 64_000_000
"""Larger pictures are refused before they are decoded: 192 MB of RGB."""
MAX_SIDE_RATIO = 100
"""Longer ones are refused too: the evaluation view scales their short side up to its size."""
ORIENTATION = 0x0112
"""The EXIF tag."""
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes a picture upright, by its orientation."""


def check_picture_size(what: str, width: int, height: int) -> None:
    """Refuse what takes too much memory, decoded or scaled by its short side."""
    if width * height > MAX_PIXELS:
        raise UnreadableSample(f"{what} of {width} x {height} pixels; the limit is {MAX_PIXELS}")
    if max(width, height) > MAX_SIDE_RATIO * min(width, height):
        raise UnreadableSample(
            f"{what} of {width} x {height} pixels; one side is over {MAX_SIDE_RATIO} "
            "times the other"
        )


def upright(pixels: np.ndarray, read_tags: Callable[[], Image.Exif]) -> np.ndarray:
    """Pixels [H, W, ...] turned as their EXIF tags say; tags that cannot be read say nothing."""
    try:
        turn = TURNS.get(read_tags().get(ORIENTATION, 1))
    except Exception:  # as damaged files make Pillow raise nearly anything
        return pixels
    return pixels if turn is None else np.asarray(Image.fromarray(pixels).transpose(turn))
