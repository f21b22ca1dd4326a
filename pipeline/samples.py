"""Members of a sample: what they are called, and how their bytes are decoded within bounds."""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from pipeline.errors import UnreadableSample

IMAGE_MEMBERS = ("image.jpg", "image.png", "image.webp")
MAX_PIXELS = 64_000_000
"""Larger images are refused before they are decoded: 192 MB of RGB."""
MAX_POINTS = 2_000_000


@dataclass(frozen=True)
class SampleText:
    """What is known of a sample in words."""

    labels: tuple[int, ...]
    """Indices into the dataset's classes; empty where there is only a caption."""
    captions: tuple[str, ...]

    @property
    def label_texts(self) -> tuple[str, ...]:
        """Captions that stand in for a label; none where there is one."""
        return () if self.labels else self.captions


def decode_member(sample: Mapping[str, bytes], member: str) -> Any:
    """Decode `image` (PIL RGB) or `points` (float32 [N, 3|6]) of a sample.

    Raises:
        UnreadableSample: missing, truncated, too large, empty or not finite.
    """
    if member == "points":
        return decode_points(_required(sample, "points.npy"))
    name = next((name for name in IMAGE_MEMBERS if name in sample), IMAGE_MEMBERS[0])
    return decode_image(_required(sample, name))


def decode_text(sample: Mapping[str, bytes]) -> SampleText:
    """Labels of `meta.json` and captions of `text.json`.

    Raises:
        UnreadableSample: neither a label nor a caption.
    """
    try:
        meta = json.loads(sample.get("meta.json", b"{}"))
        text = json.loads(sample.get("text.json", b"{}"))
        words = SampleText(tuple(meta.get("labels", ())), tuple(text.get("captions", ())))
    except (ValueError, AttributeError) as error:
        raise UnreadableSample(f"meta.json or text.json: not a JSON object ({error})") from None
    if not words.labels and not words.captions:
        raise UnreadableSample("neither a label in meta.json nor a caption in text.json")
    return words


def decode_image(data: bytes) -> Image.Image:
    """RGB image; its size is read from the header and bounded before any pixel is decoded."""
    try:
        image = Image.open(io.BytesIO(data))
        if image.width * image.height > MAX_PIXELS:
            raise UnreadableSample(
                f"image of {image.width} x {image.height} pixels; the limit is {MAX_PIXELS}"
            )
        return image.convert("RGB")
    except UnreadableSample:
        raise
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise UnreadableSample(f"image: {error}") from None
    except Image.DecompressionBombError as error:
        raise UnreadableSample(f"image: {error}") from None


def decode_points(data: bytes) -> np.ndarray:
    """Cloud float32 [N, 3|6] from the bytes of a float .npy."""
    try:
        array = np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, OSError, EOFError, MemoryError) as error:
        reason = " ".join(str(error).split()) or "its header promises more than fits in memory"
        raise UnreadableSample(f"points.npy: {reason}") from None
    if array.ndim != 2 or array.shape[1] not in (3, 6) or array.dtype.kind != "f":
        raise UnreadableSample(
            f"points.npy: expected float [N, 3|6], found {array.dtype} {array.shape}"
        )
    if not 1 <= len(array) <= MAX_POINTS:
        raise UnreadableSample(f"points.npy: expected 1 to {MAX_POINTS} points, found {len(array)}")
    if not np.isfinite(array).all():
        raise UnreadableSample("points.npy: NaN or infinite coordinates")
    return array.astype(np.float32)


def _required(sample: Mapping[str, bytes], name: str) -> bytes:
    if name not in sample:
        raise UnreadableSample(f"no member {name}; found {', '.join(sorted(sample)) or 'nothing'}")
    return sample[name]
