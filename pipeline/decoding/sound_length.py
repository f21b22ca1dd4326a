"""The length that the header of a sound states, against the length that the file has.

libsndfile reads what is there, so that half a WAV or OGG passes for a whole one; and it cannot
place itself in a FLAC of unknown length, which is what an encoder leaves that writes to a pipe.
"""

import io
import struct

import soundfile

from pipeline.errors import UnreadableSample

UNKNOWN = 0x7FFF0000
"""Programs that stream a WAV write sizes from here on (sox 7FFFF000, FFmpeg FFFFFFFF), or 0."""
MAX_CHUNKS = 1000
"""Before the samples."""
BLOCK = 1 << 20


def with_true_length(data: bytes, most: int) -> bytes:
    """The same sound under a header that states its length; all other bytes as they are.

    Args:
        data: of the file; what is neither WAV, FLAC nor OGG is left to libsndfile.
        most: samples of all channels beyond which a FLAC of unknown length is not read.

    Raises:
        UnreadableSample: the file ends before its header says, or an OGG without its last page.
        soundfile.LibsndfileError: a FLAC of unknown length is damaged.
    """
    kind = data[:4]
    if kind in (b"RIFF", b"RIFX", b"RF64") and data[8:12] == b"WAVE":
        return _wav(data, ">" if kind == b"RIFX" else "<")
    if kind == b"fLaC" and not _flac_total(data):
        return _counted_flac(data, most)
    if kind == b"OggS":
        _check_last_page(data)
    return data


def _wav(data: bytes, order: str) -> bytes:
    place, long_sizes = 12, 0
    for _ in range(MAX_CHUNKS):
        if place + 8 > len(data):
            raise UnreadableSample("audio: a WAV that ends before its samples")
        name, size = struct.unpack_from(f"{order}4sI", data, place)
        if name == b"data":
            return _with_size(data, order, place, size, long_sizes)
        if name == b"ds64":
            long_sizes = place + 8
        place += 8 + size + size % 2
    raise UnreadableSample(f"audio: no samples in the first {MAX_CHUNKS} chunks of a WAV")


def _with_size(data: bytes, order: str, place: int, size: int, long_sizes: int) -> bytes:
    """Write the size of the samples where it is unknown: at `place`, or in the chunk ds64."""
    at, form, there = place + 4, f"{order}I", len(data) - place - 8
    if long_sizes and size == 0xFFFFFFFF:
        at, form = long_sizes + 8, "<Q"
        size = int.from_bytes(data[at : at + 8], "little")
    if there < size < UNKNOWN:
        raise UnreadableSample(f"audio: {size} bytes of samples promised, {there} found")
    next_name = data[place + 8 : place + 12]  # of a chunk, if there are no samples
    if 0 < size <= there or next_name.strip().isalnum() and not size:
        return data
    return data[:at] + struct.pack(form, there) + data[at + struct.calcsize(form) :]


def _flac_total(data: bytes) -> int:
    """Samples of each channel by the header, 0 where it does not know."""
    return int.from_bytes(data[21:26], "big") & 0xFFFFFFFFF


class _Unplaced(soundfile.SoundFile):
    """Read from its start to its end: seeking is what a FLAC of unknown length cannot do."""

    def seekable(self) -> bool:
        return False


def _counted_flac(data: bytes, most: int) -> bytes:
    total, read = 0, BLOCK
    with _Unplaced(io.BytesIO(data)) as file:
        while read == BLOCK and total * file.channels <= most:
            read = len(file.read(BLOCK, dtype="int16"))
            total += read
    known = int.from_bytes(data[21:26], "big") | total
    return data[:21] + known.to_bytes(5, "big") + data[26:]


def _check_last_page(data: bytes) -> None:
    """The last page of an OGG says that it is the last, and is there to its end."""
    page = data.rfind(b"OggS")
    segments = data[page + 27 : page + 27 + data[page + 26]] if page + 26 < len(data) else b""
    is_last = bool(segments) and data[page + 5] & 4
    if not is_last or page + 27 + len(segments) + sum(segments) > len(data):
        raise UnreadableSample("audio: cut short, the last page of the OGG is missing")
