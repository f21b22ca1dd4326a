"""Members of a sample: what they are called, and how their bytes are decoded within bounds."""

import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Annotated, Any, TypeVar

import msgspec
import numpy as np
from PIL import Image, UnidentifiedImageError

from pipeline.decoding.audio import Recording, decode_audio
from pipeline.decoding.depth import decode_depth
from pipeline.decoding.video import Video, decode_video
from pipeline.errors import UnreadableSample

IMAGE_MEMBERS = ("image.jpg", "image.png", "image.webp")
AUDIO_MEMBERS = ("audio.flac", "audio.ogg", "audio.wav")
MAX_PIXELS = 64_000_000
"""Larger images are refused before they are decoded: 192 MB of RGB."""
MAX_SIDE_RATIO = 100
"""Longer images are refused too: the evaluation view scales their short side up to its size."""
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
    """Decode one member of a sample.

    `image` gives a PIL RGB image, `points` float32 [N, 3|6], `depth` a `decoding.depth.Depth`.
    `video` and `audio` are only opened (`decoding.video.Video`, `decoding.audio.Recording`): a
    view decodes the part it needs.

    Raises:
        UnreadableSample: missing, truncated, too large, empty or not finite.
    """
    if member == "points":
        return decode_points(_required(sample, "points.npy"))
    if member == "video":
        return decode_video(_required(sample, "video.mp4"))
    if member == "audio":
        return decode_audio(_first_of(sample, AUDIO_MEMBERS))
    if member == "depth":
        sensor = _decode_json(sample, "meta.json", dict).get("depth")
        return decode_depth(_required(sample, "depth.png"), sensor)
    return decode_image(_first_of(sample, IMAGE_MEMBERS))


def check_member(sample: Mapping[str, bytes], member: str) -> None:
    """Decode the whole of a member, as any view may do later.

    Raises:
        UnreadableSample: as `decode_member`, or damaged anywhere, or silent throughout.
    """
    decoded = decode_member(sample, member)
    if isinstance(decoded, Video | Recording):
        decoded.check()


def decode_text(sample: Mapping[str, bytes]) -> SampleText:
    """Labels of `meta.json` and captions of `text.json`.

    Raises:
        UnreadableSample: neither a label nor a caption.
    """
    meta = _decode_json(sample, "meta.json", _Meta)
    text = _decode_json(sample, "text.json", _Text)
    if not meta.labels and not text.captions:
        raise UnreadableSample("neither a label in meta.json nor a caption in text.json")
    return SampleText(meta.labels, text.captions)


def decode_image(data: bytes) -> Image.Image:
    """RGB image; its size is read from the header and bounded before any pixel is decoded."""
    try:
        image = Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "WEBP"))
        _check_size(*image.size)
        image.load()
        return image if image.mode == "RGB" else image.convert("RGB")
    except UnreadableSample:
        raise
    except UnidentifiedImageError:
        raise UnreadableSample("image: not a JPEG, PNG or WebP") from None
    except Exception as error:  # damaged files make Pillow raise nearly anything
        raise _unreadable("image", error) from None


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise UnreadableSample(f"image of {width} x {height} pixels; the limit is {MAX_PIXELS}")
    if max(width, height) > MAX_SIDE_RATIO * min(width, height):
        raise UnreadableSample(
            f"image of {width} x {height} pixels; one side is over {MAX_SIDE_RATIO} times the other"
        )


def decode_points(data: bytes) -> np.ndarray:
    """Cloud float32 [N, 3|6] from the bytes of a float .npy, checked by its header first."""
    file = io.BytesIO(data)
    try:
        with _NPY_LOCK:
            shape, fortran, dtype = _NPY_HEADERS[np.lib.format.read_magic(file)](file)
    except Exception as error:  # a damaged header raises nearly anything, RecursionError too
        raise _unreadable("points.npy: no plain .npy header", error) from None
    if len(shape) != 2 or shape[1] not in (3, 6) or dtype.kind != "f":
        raise UnreadableSample(f"points.npy: expected float [N, 3|6], found {dtype} {shape}")
    if not 1 <= shape[0] <= MAX_POINTS:
        raise UnreadableSample(f"points.npy: expected 1 to {MAX_POINTS} points, found {shape[0]}")
    stored, promised = data[file.tell() :], math.prod(shape) * dtype.itemsize
    if len(stored) < promised:
        raise UnreadableSample(f"points.npy: {promised} bytes expected, found {len(stored)}")
    array = np.frombuffer(stored[:promised], dtype).reshape(shape, order="F" if fortran else "C")
    with np.errstate(over="ignore"):
        cloud = np.ascontiguousarray(array, dtype=np.float32)
    if not np.isfinite(cloud).all():
        raise UnreadableSample("points.npy: NaN, or coordinates that float32 cannot hold")
    return cloud


_NPY_LOCK = Lock()
"""numpy reads headers through `ast`, whose recursion depth CPython 3.11 counts for all threads
together: where a collection of garbage lets another in, a sound header is refused (gh-106905)."""
_NPY_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


@dataclass(frozen=True)
class _Meta:
    labels: tuple[Annotated[int, msgspec.Meta(ge=0)], ...] = ()


@dataclass(frozen=True)
class _Text:
    captions: tuple[str, ...] = ()


Json = TypeVar("Json")


def _decode_json(sample: Mapping[str, bytes], member: str, declared: type[Json]) -> Json:
    try:
        return msgspec.json.decode(sample.get(member, b"{}"), type=declared)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _unreadable(member, error) from None


def _unreadable(what: str, error: Exception) -> UnreadableSample:
    reason = " ".join(str(error).split()) or type(error).__name__
    return UnreadableSample(f"{what}: {reason}")


def _first_of(sample: Mapping[str, bytes], names: tuple[str, ...]) -> bytes:
    """The first of the names that is there; if none is, the error names the first."""
    return _required(sample, next((name for name in names if name in sample), names[0]))


def _required(sample: Mapping[str, bytes], name: str) -> bytes:
    if name not in sample:
        raise UnreadableSample(f"no member {name}; found {', '.join(sorted(sample)) or 'nothing'}")
    return sample[name]
