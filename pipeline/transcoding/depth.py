"""Depth maps whose PNG is inflated at once: the same integers."""

from pipeline.decoding.depth import depth_pixels
from pipeline.decoding.plain_png import decode_plain, encode_plain


def stored_depth(data: bytes) -> bytes | None:
    """A PNG of the same integers without filters, upright; None of one that is so already.

    Raises:
        UnreadableSample: see `depth_pixels`.
    """
    return None if decode_plain(data) is not None else encode_plain(depth_pixels(data))
