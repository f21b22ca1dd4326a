"""JPEG by simplejpeg (libjpeg-turbo, as in Pillow: the same pixels), whose warnings are errors.

Pillow drops libjpeg's warnings, so that a picture whose second half is missing comes out grey.
Two things libjpeg does not warn of are looked up in the markers: scans that are missing as a whole,
and so many of them that a small file keeps it busy for minutes.
"""

import io
import re
from collections.abc import Iterable, Iterator

import numpy as np
import simplejpeg
from PIL import Image

from pipeline.decoding.picture import MAX_PIXELS, check_picture_size, upright
from pipeline.errors import UnreadableSample

MAX_SAMPLES = 3 * MAX_PIXELS
"""Pixels times colours: 400 MB of coefficients where there are several scans."""
MAX_SCANNED = 1_200_000_000
"""Samples over all scans, about 2 seconds; 64 megapixels in the usual 10 scans take 900 million."""
START = b"\xff\xd8\xff"
_FRAMES = {code for code in range(0xC0, 0xD0) if code not in (0xC4, 0xC8, 0xCC)}
_SEQUENTIAL, _PROGRESSIVE = (0xC0, 0xC1), 0xC2
_SCAN, _END, _EXIF = 0xDA, 0xD9, 0xE1
_MARKER = re.compile(rb"\xff([\x01-\xcf\xd8-\xfe])")
"""Neither a byte FF of the pixels, which a 0 follows, nor a restart marker."""
_PADDED = "extraneous bytes before marker 0xd9"
"""libjpeg's warning of a picture that is complete and has something behind it."""
_ALL = (1 << 64) - 1
"""A block's 64 coefficients, one bit each."""


def decode_jpeg(data: bytes) -> np.ndarray:
    """RGB pixels uint8 [H, W, 3], upright.

    Raises:
        UnreadableSample: cut short, of a kind that browsers do not show, or out of bounds.
        Exception: nearly any, where the file is damaged otherwise.
    """
    segments = _segments(data)
    code, frame, exif = 0, b"", b""
    for code, frame in segments:
        if code in _FRAMES:
            break
        if code == _EXIF and frame.startswith(b"Exif\0\0"):
            exif = exif or frame
    if code not in (*_SEQUENTIAL, _PROGRESSIVE):
        raise UnreadableSample("image: neither a sequential nor a progressive JPEG")
    height, width = int.from_bytes(frame[1:3], "big"), int.from_bytes(frame[3:5], "big")
    check_picture_size("image", width, height)
    names = frame[6 : 6 + 3 * frame[5] : 3]
    scans = (body for code, body in segments if code == _SCAN)
    _check_scans(scans, names, width * height, code == _PROGRESSIVE)
    pixels = _cmyk(data) if len(names) == 4 else _strictly(data, "RGB")
    return upright(pixels, lambda: _tags(exif)) if exif else pixels


def _cmyk(data: bytes) -> np.ndarray:
    """By Pillow, which knows whose CMYK is stored inverted, once it is known to be whole."""
    _strictly(data, "CMYK")
    return np.asarray(Image.open(io.BytesIO(data), formats=("JPEG",)).convert("RGB"))


def _strictly(data: bytes, colourspace: str) -> np.ndarray:
    try:
        return simplejpeg.decode_jpeg(data, colourspace)
    except ValueError as error:
        if _PADDED not in str(error):
            raise
        return simplejpeg.decode_jpeg(data, colourspace, strict=False)


def _check_scans(scans: Iterable[bytes], names: bytes, pixels: int, progressive: bool) -> None:
    """Bound the work of all scans, and see that they hold every coefficient of every colour."""
    if pixels * len(names) > MAX_SAMPLES:
        raise UnreadableSample(f"image: {pixels} pixels of {len(names)} colours; too large")
    known, scanned = dict.fromkeys(names, 0), 0
    for scan in scans:
        scanned += scan[0] * pixels
        if scanned > MAX_SCANNED:
            raise UnreadableSample(
                f"image: the scans of a JPEG of {pixels} pixels take too long; save it with fewer"
            )
        for name, coefficients in _exact(scan, progressive):
            known[name] |= coefficients
        if not progressive and all(known.values()):
            break
    if any(coefficients != _ALL for coefficients in known.values()):
        raise UnreadableSample("image: cut short, scans of the JPEG are missing")


def _exact(scan: bytes, progressive: bool) -> Iterator[tuple[int, int]]:
    """(colour, coefficients) that are known to their last bit after a scan."""
    count = scan[0]
    first, last, shift = scan[1 + 2 * count : 4 + 2 * count] if progressive else (0, 63, 0)
    coefficients = (1 << (last + 1)) - (1 << first) if shift & 15 == 0 else 0
    for name in scan[1 : 1 + 2 * count : 2]:
        yield name, coefficients


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(marker, body) of every segment up to the end of the picture."""
    place = 2
    while (found := _MARKER.search(data, place)) and found[1][0] != _END:
        begin = found.end()
        place = begin + max(2, int.from_bytes(data[begin : begin + 2], "big"))
        yield found[1][0], data[begin + 2 : place]


def _tags(exif: bytes) -> Image.Exif:
    tags = Image.Exif()
    tags.load(exif)
    return tags
