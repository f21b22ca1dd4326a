"""Whether a clip's file is there to its end, and claims no more than it can hold.

FFmpeg reads half a Matroska or AVI without complaint, and believes an MP4's sample tables: 3 KB
that claim 50 million samples take it 1.8 GB before a frame is read. So both are checked here first;
an own process with limits would do the second too, at some milliseconds a clip.
"""

from collections.abc import Iterator

from pipeline.decoding.mp4_tables import check_tables
from pipeline.errors import UnreadableSample

MAX_BOXES = 100_000
"""Looked at in one file."""
_MATROSKA = b"\x1a\x45\xdf\xa3"
_SEGMENT, _CLUSTER = b"\x18\x53\x80\x67", b"\x1f\x43\xb6\x75"
_FIRST_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"styp", b"moof")
_LARGE = 0x7FFF0000
"""A RIFF of this size or more, or of 0, was streamed: its length is unknown."""


def check_container(data: bytes) -> None:
    """Refuse a truncated MP4, AVI or Matroska, and one whose tables claim too much.

    Raises:
        UnreadableSample: see above; what is no such file is left to FFmpeg.
    """
    if data[:4] == _MATROSKA:
        _walk(data, _matroska_elements(data))
    elif data[:4] == b"RIFF":
        _walk(data, _riff_chunks(data))
    else:
        boxes = _walk(data, _mp4_boxes(data)) or [(0, len(data), b"")]
        check_tables([data[begin:end] for begin, end, name in boxes if name != b"mdat"], len(data))


def _walk(data: bytes, parts: Iterator[tuple[int, int, bytes]]) -> list[tuple[int, int, bytes]]:
    """The parts of a file as (begin, end, name), all of them within it."""
    walked = []
    for begin, end, name in parts:
        walked.append((begin, end, name))
        if end > len(data):
            raise UnreadableSample(f"video.mp4: cut short, {end} bytes promised, {len(data)} found")
        if len(walked) > MAX_BOXES:
            raise UnreadableSample(f"video.mp4: over {MAX_BOXES} parts in its container")
    return walked


def _mp4_boxes(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    place = 0
    if data[4:8] not in _FIRST_BOXES:
        return
    while place + 8 <= len(data):
        size, name = int.from_bytes(data[place : place + 4], "big"), data[place + 4 : place + 8]
        if size == 1:
            size = int.from_bytes(data[place + 8 : place + 16], "big")
        if size < 8 or not name.isascii():  # 0: to the end; else what somebody appended
            size = len(data) - place
        yield place, place + size, name
        place += size
        if name == b"moof" and place == len(data):
            yield place, place + 8, b"mdat"  # a fragment's samples follow its tables
    if place < len(data) and data[place:] != bytes(4):  # QuickTime's end of a list
        yield place, place + 8, b""


def _riff_chunks(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """The RIFF lists of an AVI, of which large ones have several."""
    place = 0
    while data[place : place + 4] == b"RIFF":
        size = int.from_bytes(data[place + 4 : place + 8], "little")
        if size == 0 or size >= _LARGE:
            return
        yield place, place + 8 + size, b"RIFF"
        place += 8 + size + size % 2


def _matroska_elements(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """The segment; where a live stream left its size open, what is in it and in its clusters."""
    place = 0
    while place < len(data):
        name = data[place : place + _vint_length(data, place)]
        at = place + len(name)
        length = _vint_length(data, at)
        size = int.from_bytes(data[at : at + length], "big") & ((1 << 7 * length) - 1)
        body = at + length
        is_open = size == (1 << 7 * length) - 1 and name in (_SEGMENT, _CLUSTER)
        end = body if is_open else body + size
        yield place, end, name
        if name == _SEGMENT and not is_open:
            return
        place = end


def _vint_length(data: bytes, place: int) -> int:
    """Bytes of a variable-length number, by the zeros before its first 1."""
    first = data[place] if place < len(data) else 0
    if first == 0:
        raise UnreadableSample("video.mp4: cut short, or a damaged Matroska")
    return 9 - first.bit_length()
