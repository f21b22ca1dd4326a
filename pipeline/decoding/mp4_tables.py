"""The claims of an MP4's sample tables, held against the size of the file.

FFmpeg keeps 32 bytes for every sample that a table claims, in each pass of an edit list. Tables are
looked up as FFmpeg finds them: by name, wherever they lie, for the track (`trak`) begun last.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from pipeline.errors import UnreadableSample

MAX_ENTRIES = 1_000_000
"""Samples of a track times the passes of its edit list; hours of AAC have fewer."""
OVERLAP = 2
"""Samples may take as many times the file's size: some files use a sample twice."""
_TABLES = re.compile(rb"trak|hdlr|stsz|stz2|stsc|stco|co64|stts|elst|trun|cmov")


@dataclass
class _Track:
    """Tables of one track, by name, without their version and flags."""

    tables: dict[bytes, bytes] = field(default_factory=dict)
    handlers: set[bytes] = field(default_factory=set)

    def count(self, name: bytes, at: int = 0) -> int:
        """The number at a place of a table; 0 where there is no such table."""
        return int.from_bytes(self.tables.get(name, b"")[at : at + 4], "big")

    @property
    def is_plain_sound(self) -> bool:
        """PCM, of which FFmpeg indexes 1024 samples as one."""
        is_one_each = self.count(b"stts") == 1 and self.count(b"stts", 8) == 1
        return is_one_each and self.handlers & {b"soun", b"vide"} == {b"soun"}


def check_tables(boxes: Iterable[bytes], size: int) -> None:
    """Check the tables in the top-level boxes of a file of so many bytes.

    Raises:
        UnreadableSample: more samples, or larger ones, than the file could hold.
    """
    fragments = 0
    for track, runs in _tracks(boxes):
        fragments += sum(runs)
        _check_track(track, size)
    if fragments > MAX_ENTRIES:
        raise _claim(f"{fragments} samples in fragments")


def _tracks(boxes: Iterable[bytes]) -> Iterator[tuple[_Track, list[int]]]:
    """Every track, and the numbers of samples in the fragments listed after it."""
    track, runs = _Track(), list[int]()
    for box in boxes:
        for found in _TABLES.finditer(box):
            name, end = found[0], found.start() - 4
            end += int.from_bytes(box[max(0, end) : found.start()], "big")
            table = box[found.end() + 4 : end]
            if name == b"trak":
                yield track, runs
                track, runs = _Track(), []
            elif name == b"trun":
                runs.append(int.from_bytes(table[:4], "big"))
            elif name == b"hdlr":
                track.handlers.add(table[4:8])
            elif name == b"cmov" or name in track.tables:
                raise _claim(f"an unexpected table {name.decode()}")
            else:
                track.tables[name] = table
    yield track, runs


def _check_track(track: _Track, size: int) -> None:
    samples, total = _samples(track)
    if total > OVERLAP * size:
        raise _claim(f"{samples} samples of {total} bytes in a file of {size}")
    indexed = samples // 1024 if track.is_plain_sound else samples
    if indexed * max(1, track.count(b"elst")) > MAX_ENTRIES:
        raise _claim(f"{samples} samples, {track.count(b'elst')} edits")
    in_chunks = _in_chunks(track)
    if in_chunks > OVERLAP * samples:
        raise _claim(f"{in_chunks} samples in chunks, {samples} in all")


def _samples(track: _Track) -> tuple[int, int]:
    """Number of samples and bytes of all of them."""
    if b"stz2" in track.tables:
        return _compact_samples(track)
    each, samples = track.count(b"stsz"), track.count(b"stsz", 4)
    if each:
        return samples, samples * each
    sizes = np.frombuffer(_whole(track.tables.get(b"stsz", b"")[8:]), ">u4")
    if len(sizes) < samples:
        raise _claim(f"{samples} samples, {len(sizes)} sizes")
    return samples, int(sizes[:samples].sum(dtype=np.uint64))


def _compact_samples(track: _Track) -> tuple[int, int]:
    """As `_samples`, of a table whose sizes take 4, 8 or 16 bits each: not added up."""
    bits, samples = track.count(b"stz2") & 0xFF, track.count(b"stz2", 4)
    if bits not in (4, 8, 16) or samples * bits > 8 * len(track.tables[b"stz2"]):
        raise _claim(f"{samples} samples of {bits} bits each")
    return samples, 0


def _in_chunks(track: _Track) -> int:
    """Samples that the chunks of a track hold by its tables."""
    table = np.frombuffer(_whole(track.tables.get(b"stsc", b"")[4:], 12), ">u4").reshape(-1, 3)
    chunks = track.count(b"stco") or track.count(b"co64")
    firsts = np.append(np.minimum(table[:, 0], chunks + 1), chunks + 1).astype(np.float64)
    return int((np.diff(firsts).clip(min=0) * table[:, 1]).sum())


def _whole(table: bytes, entry: int = 4) -> bytes:
    return table[: len(table) // entry * entry]


def _claim(what: str) -> UnreadableSample:
    return UnreadableSample(f"video.mp4: its tables claim {what}; damaged, or made to harm")
