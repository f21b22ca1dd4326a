"""`depth.png` and its sensor: the stored integers, and the disparity they stand for.

At most `decoding.picture.MAX_PIXELS`: some 2 seconds and 0.7 GB, the evaluation view included.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from reprlib import repr as short
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from pipeline.decoding.picture import check_picture_size, upright
from pipeline.decoding.plain_png import decode_plain
from pipeline.decoding.reasons import unreadable
from pipeline.errors import UnreadableSample

LARGEST = 1e9
"""Of the sensor's numbers, so that float32 holds their product."""
UNITS_PER_METRE = {"millimetres": 1000, "sunrgbd-raw": 1000}
"""Encoding -> stored units in what is read as one metre.

`sunrgbd-raw` is SUN RGB-D's file as it is: millimetres rotated left by 3 bits, so a reading is 8
times the metres up to 8.19 m and wraps beyond. ViT-Lens was trained on that reading (its issues #9
and #12), so it is not rotated back. A sensor's true millimetres give 8 times those disparities.
"""
METRES = (0.01, 50.0)
"""Readings outside are clipped, holes (0) to the nearest (ViT-Lens, snippet in its issue #9)."""
DISPARITY = (0.01, 75.0)
"""Pixels; clamped before any resampling, so that holes do not bleed (ViT-Lens, RGBD_Processor)."""


@dataclass(frozen=True, kw_only=True)
class DepthSensor:
    """What a depth map's integers mean; the `depth` object of `meta.json`.

    Raises:
        ValueError: an unknown encoding, or a number that is not positive.
    """

    baseline: float
    """Metres between the sensor's two eyes."""
    fx: float
    """Focal length in pixels."""
    encoding: str = "millimetres"
    """Key of `UNITS_PER_METRE`."""

    def __post_init__(self) -> None:
        if self.encoding not in tuple(UNITS_PER_METRE):  # a list in its place has no hash
            raise ValueError(
                f"encoding is {short(self.encoding)}, expected one of {', '.join(UNITS_PER_METRE)}"
            )
        for name in ("baseline", "fx"):
            value: Any = getattr(self, name)
            if type(value) not in (int, float) or not 0 < value < LARGEST:
                raise ValueError(f"{name} is {short(value)}, expected a number > 0")


@dataclass(frozen=True)
class Depth:
    """A stored depth map."""

    raw: np.ndarray
    """Uint16 [H, W], 0 where the sensor saw nothing."""
    encoding: str
    """Key of `UNITS_PER_METRE`."""
    baseline: float
    """Metres between the sensor's two eyes."""
    fx: float
    """Focal length in pixels."""

    def disparity(self, raw: np.ndarray) -> np.ndarray:
        """Disparity float32 in pixels, baseline * fx / metres, of any part of `raw`."""
        metres = raw / np.float32(UNITS_PER_METRE[self.encoding])
        np.clip(metres, *METRES, out=metres)
        disparity = np.divide(np.float32(self.baseline * self.fx), metres, out=metres)
        return np.clip(disparity, *DISPARITY, out=disparity)


def decode_depth(data: bytes, sensor: Any) -> Depth:
    """Depth map from the bytes of `depth.png`.

    Args:
        data: of the file.
        sensor: a `DepthSensor`, or the `depth` object of `meta.json`.

    Raises:
        UnreadableSample: no 16-bit grey PNG, truncated, too large, or all zero; or a sensor
            without a known encoding and a positive baseline and fx.
    """
    known = sensor if isinstance(sensor, DepthSensor) else _sensor(sensor)
    raw = depth_pixels(data)
    if not raw.any():
        raise UnreadableSample("depth.png: every value is 0, the sensor saw nothing")
    return Depth(raw, known.encoding, float(known.baseline), float(known.fx))


def depth_pixels(data: bytes) -> np.ndarray:
    """The integers of `depth.png`, uint16 [H, W], upright; bounded before any is decoded.

    Raises:
        UnreadableSample: no 16-bit grey PNG, truncated or too large.
    """
    plain = decode_plain(data)
    if plain is not None:
        check_picture_size("depth.png", *reversed(plain.shape))
        return plain
    try:
        image = Image.open(io.BytesIO(data), formats=("PNG",))
        check_picture_size("depth.png", *image.size)
        if image.mode != "I;16":
            raise UnreadableSample(f"depth.png: expected 16-bit grey, found mode {image.mode}")
        image.load()
        return upright(np.asarray(image), image.getexif)
    except UnreadableSample:
        raise
    except UnidentifiedImageError:
        raise UnreadableSample("depth.png: not a PNG") from None
    except Exception as error:  # damaged files make Pillow raise nearly anything
        raise unreadable("depth.png", error) from None


def _sensor(stored: Any) -> DepthSensor:
    """Of meta.json, which names all three."""
    if not isinstance(stored, Mapping):
        raise UnreadableSample("meta.json: expected `depth` with encoding, baseline and fx")
    named: dict[str, Any] = {name: stored.get(name) for name in ("baseline", "fx", "encoding")}
    try:
        return DepthSensor(**named)
    except ValueError as error:
        raise UnreadableSample(f"meta.json: depth.{error}") from None
