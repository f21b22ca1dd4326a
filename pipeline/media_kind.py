"""Which modality a file is of: by its content, never by its name."""

import io
from typing import cast

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition

from pipeline.config.data import Modality
from pipeline.decoding.container_file import check_container
from pipeline.decoding.reasons import unreadable
from pipeline.decoding.video_packets import CONTAINERS
from pipeline.errors import UnreadableSample

HEAD = 32
"""Bytes that tell the modality of all but containers of clips and sounds."""
_PNG, _MATROSKA = b"\x89PNG\r\n\x1a\n", b"\x1a\x45\xdf\xa3"
_IMAGES = (b"\xff\xd8\xff", _PNG, b"GIF8", b"II*\0", b"MM\0*")
_SOUNDS = (b"fLaC", b"OggS", b"ID3")
_STILL_BRANDS = (b"heic", b"heix", b"mif1", b"avif")
_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"styp", b"moof")
_GREY_16 = b"\x10\x00"
"""Bit depth and colour type of a PNG's header."""
EXPECTED = (
    "expected an image (JPEG, PNG, WebP), a clip (MP4, AVI, Matroska), a cloud (.npy), a depth map "
    "(16-bit grey PNG) or a sound (FLAC, OGG, WAV)"
)


def modality_of(data: bytes) -> Modality:
    """The modality of a whole file; nothing of it is decoded.

    A 16-bit grey PNG is a depth map. What shows frames is a clip; what has sound alone, a sound.
    Kinds that no decoder here takes (a GIF, an MP3) have a modality too: the decoder says what it
    would take instead.

    Raises:
        UnreadableSample: none of all these, or a container that is damaged or empty.
    """
    known = known_by_head(data[:HEAD])
    return _of_container(data) if known is None else known


def known_by_head(head: bytes) -> Modality | None:
    """The modality by a file's first `HEAD` bytes; None of a container of clips and sounds.

    Raises:
        UnreadableSample: no media file.
    """
    if head.startswith(_PNG) and head[24:26] == _GREY_16:
        return "depth"
    if head.startswith(_IMAGES) or head[8:12] == b"WEBP" or head[8:12] in _STILL_BRANDS:
        return "image"
    if head.startswith(b"\x93NUMPY"):
        return "points"
    if head.startswith(_SOUNDS) or head[8:12] == b"WAVE":
        return "audio"
    if is_container(head):
        return None
    raise UnreadableSample(f"{EXPECTED}, found {_described(head)}")


def is_container(head: bytes) -> bool:
    """Whether a file begins as an MP4, AVI or Matroska."""
    is_avi = head.startswith(b"RIFF") and head[8:12] == b"AVI "
    return head.startswith(_MATROSKA) or is_avi or head[4:8] in _BOXES


def _of_container(data: bytes) -> Modality:
    check_container(data)  # before FFmpeg believes its tables
    options = {"format_whitelist": CONTAINERS, "skip_frame": "all"}
    try:
        opened = av.open(io.BytesIO(data), options=options, metadata_errors="replace")
        with cast(InputContainer, opened) as container:
            streams = container.streams
            if any(not s.disposition & Disposition.attached_pic for s in streams.video):
                return "video"
            if streams.audio:
                return "audio"
    except FFmpegError as error:
        raise UnreadableSample(f"a damaged MP4, AVI or Matroska ({error.strerror})") from None
    except Exception as error:  # damaged files make PyAV raise nearly anything
        raise unreadable("a damaged MP4, AVI or Matroska", error) from None
    raise UnreadableSample("an MP4, AVI or Matroska without a clip or a sound in it")


def _described(head: bytes) -> str:
    if not head:
        return "an empty file"
    return "text" if head.isascii() and b"\0" not in head else f"bytes that begin {head[:8].hex()}"
