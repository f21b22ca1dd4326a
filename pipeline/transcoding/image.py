"""Pictures of a bounded size."""

import io

from PIL import Image

from pipeline.decoding.image import decode_image

QUALITY = 95
"""Of JPEG, as img2dataset stores."""


def stored_picture(data: bytes, short_side: int) -> bytes | None:
    """A JPEG whose short side has so many pixels, upright and opaque; None of one no larger.

    Raises:
        UnreadableSample: see `decode_image`.
    """
    image = Image.fromarray(decode_image(data))
    if min(image.size) <= short_side:
        return None
    scale = short_side / min(image.size)
    width, height = (round(side * scale) for side in image.size)
    return jpeg(image.resize((width, height), Image.Resampling.BICUBIC))


def jpeg(image: Image.Image) -> bytes:
    """An RGB picture as a JPEG."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=QUALITY)
    return file.getvalue()
