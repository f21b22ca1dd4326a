"""`image.{jpg,png,webp}` as a viewer shows it: upright, opaque on white, 8 bits a colour.

At most `MAX_PIXELS`, known from the header: some 3 seconds and 1.3 GB at worst (a WebP with
transparency; a JPEG takes 0.9 GB). What is refused is refused within 500 MB.
"""

import io
import warnings
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from pipeline.decoding import jpeg
from pipeline.decoding.picture import check_picture_size, upright
from pipeline.decoding.reasons import unreadable
from pipeline.errors import UnreadableSample

warnings.filterwarnings("ignore", module=r"PIL\.")  # of bombs and damaged tags; we decide


def decode_image(data: bytes) -> np.ndarray:
    """RGB pixels uint8 [H, W, 3]; their number is bounded, by the header, before any is decoded.

    Raises:
        UnreadableSample: no JPEG, PNG or WebP, damaged, cut short or out of bounds.
    """
    try:
        return jpeg.decode_jpeg(data) if data.startswith(jpeg.START) else _png_or_webp(data)
    except UnreadableSample:
        raise
    except UnidentifiedImageError:
        raise UnreadableSample("image: not a JPEG, PNG or WebP") from None
    except Exception as error:  # damaged files make decoders raise nearly anything
        raise unreadable("image", error) from None


def _png_or_webp(data: bytes) -> np.ndarray:
    image = Image.open(io.BytesIO(data), formats=("PNG", "WEBP"))
    check_picture_size("image", *image.size)
    return upright(np.asarray(_on_white(image, data)), image.getexif)


def _on_white(image: Image.Image, data: bytes) -> Image.Image:
    """RGB of a PNG or WebP; transparency shows white, as img2dataset has it."""
    image.load()
    if image.format == "PNG" and "transparency" in image.info:
        image.info["transparency"] = _in_8_bits(image.info["transparency"], image.mode, data[24])
    if image.mode == "I;16":
        image = _grey(image)
    if not image.has_transparency_data:
        return image if image.mode == "RGB" else image.convert("RGB")
    colours = image.convert("RGBA")
    white = Image.new("RGB", image.size, "white")
    white.paste(colours, mask=colours.getchannel("A"))
    return white


def _in_8_bits(transparent: Any, mode: str, depth: int) -> Any:
    """The transparent colour of a PNG of other depths, which Pillow scales in the pixels only."""
    if mode == "L" and depth < 8:
        return transparent * 255 // ((1 << depth) - 1)
    if mode == "RGB" and depth == 16:
        return tuple(value >> 8 for value in transparent)
    return transparent


def _grey(image: Image.Image) -> Image.Image:
    """A 16-bit grey PNG scaled to 8 bits, where Pillow would cut off what is above 255."""
    stored = np.asarray(image)
    grey = Image.fromarray(((stored.astype(np.uint32) + 128) // 257).astype(np.uint8))
    if "transparency" in image.info:
        grey.putalpha(Image.fromarray(stored != image.info["transparency"]).convert("L"))
    return grey
