"""Members of a sample: what they are called, and how their bytes are decoded within bounds."""

import unicodedata
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec.json import Decoder

from pipeline.decoding.audio import Recording, decode_audio
from pipeline.decoding.depth import decode_depth
from pipeline.decoding.image import decode_image
from pipeline.decoding.points import decode_points
from pipeline.decoding.reasons import unreadable
from pipeline.decoding.video import Video, decode_video
from pipeline.errors import UnreadableSample

IMAGE_MEMBERS = ("image.jpg", "image.png", "image.webp")
AUDIO_MEMBERS = ("audio.flac", "audio.ogg", "audio.wav")
MAX_JSON = 1 << 20
"""Bytes of meta.json or text.json: parsed, small values take 30 times as many."""
BLANKS = "\u115f\u1160\u2800\u3164\uffa0"
"""What Unicode counts among letters and symbols although nothing of it is seen."""


class SampleText(msgspec.Struct, frozen=True):
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

    `image` gives RGB pixels uint8 [H, W, 3], `points` float32 [N, 3|6], `depth` a
    `decoding.depth.Depth`.
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
        sensor = _decode_json(sample, "meta.json", _DICT).get("depth")
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
        UnreadableSample: neither a label nor a caption, or a caption without a word.
    """
    labels = _decode_json(sample, "meta.json", _META).labels if "meta.json" in sample else ()
    captions = _decode_json(sample, "text.json", _TEXT).captions if "text.json" in sample else ()
    if not labels and not captions:
        raise UnreadableSample("neither a label in meta.json nor a caption in text.json")
    for number, caption in enumerate(captions):
        if not _has_word(caption):
            raise UnreadableSample(f"text.json: caption {number} has no word in it; leave it out")
    return SampleText(labels, captions)


def _has_word(caption: str) -> bool:
    """Whether a letter, a number or a symbol can be seen in it: spaces and points say nothing."""
    return any(unicodedata.category(sign)[0] in "LNS" and sign not in BLANKS for sign in caption)


class _Meta(msgspec.Struct):
    labels: tuple[Annotated[int, msgspec.Meta(ge=0, lt=1 << 31)], ...] = ()


class _Text(msgspec.Struct):
    captions: tuple[str, ...] = ()


Json = TypeVar("Json")
_META, _TEXT = msgspec.json.Decoder(_Meta), msgspec.json.Decoder(_Text)
_DICT = msgspec.json.Decoder(dict)


def _decode_json(sample: Mapping[str, bytes], member: str, decoder: Decoder[Json]) -> Json:
    data = sample.get(member, b"{}")
    if len(data) > MAX_JSON:
        raise UnreadableSample(f"{member}: {len(data)} bytes; the limit is {MAX_JSON}")
    try:
        return decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise unreadable(member, error) from None


def _first_of(sample: Mapping[str, bytes], names: tuple[str, ...]) -> bytes:
    """The first of the names that is there; if none is, the error names the first."""
    return _required(sample, next((name for name in names if name in sample), names[0]))


def _required(sample: Mapping[str, bytes], name: str) -> bytes:
    if name not in sample:
        raise UnreadableSample(f"no member {name}; found {', '.join(sorted(sample)) or 'nothing'}")
    return sample[name]
