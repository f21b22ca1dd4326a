"""JPEG by simplejpeg (libjpeg-turbo, as in Pillow: the same pixels), whose warnings are errors.

Pillow drops libjpeg's warnings, so that a picture whose second half is missing comes out grey.
Two things libjpeg does not warn of are looked up in the markers: scans that are missing as a whole,
and so many of them that a small file keeps it busy for minutes.
"""

import re
from collections.abc import Iterator

import numpy as np
import simplejpeg

from pipeline.errors import UnreadableSample

MAX_SAMPLES = 192_000_000
"""Pixels times colours: 400 MB of coefficients where there are several scans."""
MAX_SCANNED = 1_200_000_000
"""Samples over all scans, about 2 seconds; 64 megapixels in the usual 10 scans take 900 million."""
SEQUENTIAL, PROGRESSIVE = (0xC0, 0xC1), 0xC2
_FRAMES = {code for code in range(0xC0, 0xD0) if code not in (0xC4, 0xC8, 0xCC)}
_START_OF_SCAN, _END = 0xDA, 0xD9
_MARKER = re.compile(rb"\xff+([\x01-\xcf\xd8-\xfe])")
"""Neither a byte FF of the pixels, which a 0 follows, nor a restart marker."""
_PADDED = "extraneous bytes before marker 0xd9"
"""libjpeg's warning of a picture that is complete and has something behind it."""


def jpeg_pixels(data: bytes) -> np.ndarray:
    """Uint8 [H, W, 3] of a grey or colour JPEG, [H, W, 4] of CMYK as stored.

    Raises:
        UnreadableSample: damaged, cut anywhere, of a kind that browsers do not show, or too large.
    """
    colours = _check_scans(data)
    colourspace = "CMYK" if colours == 4 else "RGB"
    try:
        return simplejpeg.decode_jpeg(data, colourspace)
    except ValueError as error:
        if _PADDED not in str(error):
            raise
        return simplejpeg.decode_jpeg(data, colourspace, strict=False)


def _check_scans(data: bytes) -> int:
    """Number of colours, once the scans have been counted."""
    segments = _segments(data)
    code, frame = next(((code, body) for code, body in segments if code in _FRAMES), (0, b""))
    if code != PROGRESSIVE and code not in SEQUENTIAL:
        raise UnreadableSample("image: neither a sequential nor a progressive JPEG")
    names = frame[6 : 6 + 3 * frame[5] : 3]
    pixels = int.from_bytes(frame[1:3], "big") * int.from_bytes(frame[3:5], "big")
    if pixels * len(names) > MAX_SAMPLES:
        raise UnreadableSample(f"image: {pixels} pixels of {len(names)} colours; too large")
    known, scanned = dict.fromkeys(names, 0), 0
    for scan in (body for code, body in segments if code == _START_OF_SCAN):
        scanned += scan[0] * pixels
        if scanned > MAX_SCANNED:
            raise UnreadableSample(
                f"image: the scans of a JPEG of {pixels} pixels take too long; save it with fewer"
            )
        for name, coefficients in _exact(scan, progressive=code == PROGRESSIVE):
            known[name] |= coefficients
        if code in SEQUENTIAL and all(known.values()):
            break
    if any(coefficients != _ALL for coefficients in known.values()):
        raise UnreadableSample("image: truncated, scans of the JPEG are missing")
    return len(names)


_ALL = (1 << 64) - 1
"""A block's 64 coefficients, one bit each."""


def _exact(scan: bytes, progressive: bool) -> Iterator[tuple[int, int]]:
    """(colour, coefficients) that are known to their last bit after a scan."""
    count = scan[0]
    first, last, shift = scan[1 + 2 * count : 4 + 2 * count]
    if not progressive:
        first, last, shift = 0, 63, 0
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
