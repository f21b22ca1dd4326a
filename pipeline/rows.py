"""Single samples of a tar, each sought and proved by itself.

The file beside a tar tells where each sample ends and the hash of its bytes; the index holds that
file's own hash. So any process reads the samples that it needs, and nothing else, as surely as the
whole tar. Behind a URL the samples that are asked for together are fetched together.
"""

import os
import weakref
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import cast

import numpy as np
import xxhash
from upath import UPath

from pipeline.errors import UserError
from pipeline.locations import is_remote
from pipeline.shards import ROWS, ShardInfo, present, remake_command, split_name
from pipeline.small_files import read_small, regular_descriptor
from pipeline.tar import TarError, proved_files

OPEN = 256
"""Tars that a process keeps open, each with its `ROWS` file in memory: 24 bytes a sample."""
LONGEST = 0x7FFFF000
"""Bytes of a sample: as many as Linux reads at once. Room for them is made before they are read."""


def read_rows(
    folder: Path, shard: ShardInfo, rows: Sequence[int]
) -> list[tuple[str, dict[str, bytes]]]:
    """(key, members) of some samples of a tar, by their places in it.

    Raises:
        UserError: the tar or the file beside it is missing, cut, or not what its index tells of.
    """
    try:
        return _opened(folder, shard).samples(rows)
    except (OSError, TarError, UserError) as error:
        _opened.cache_clear()  # what mends a tar puts another file in its place
        if isinstance(error, UserError):
            raise
        path = present(folder, shard)
        raise UserError(f"{path}: unreadable ({error}); {remake_command(folder)}") from None


class _Tar:
    """A tar that stays open, and where its samples lie."""

    def __init__(self, folder: Path, shard: ShardInfo) -> None:
        self._path, self._size = folder / shard.name, shard.bytes
        self._table = _table(self._path, shard).data  # gives ints sooner than the array
        self._is_remote = is_remote(self._path)
        if not self._is_remote:
            self._file = regular_descriptor(self._path)
            weakref.finalize(self, os.close, self._file)
            self._check_size()

    def samples(self, rows: Sequence[int]) -> list[tuple[str, dict[str, bytes]]]:
        """(key, members) of some samples, each proved."""
        spans = [self._span(row) for row in rows]
        # One at a time: each is taken apart while it is in the processor's cache
        contents = self._fetched(spans) if self._is_remote else map(self._read, spans)
        samples = []
        for row, content, (_, _, expected) in zip(rows, contents, spans):
            if xxhash.xxh3_64_intdigest(content) != expected:
                raise self._changed(row, content, expected)
            samples.append(_sample(content))
        return samples

    def _span(self, row: int) -> tuple[int, int, int]:
        table = self._table
        return table[row, 0], table[row, 1], table[row, 2]

    def _read(self, span: tuple[int, int, int]) -> bytes:
        start, end, _ = span
        return os.pread(self._file, end - start, start)

    def _fetched(self, spans: Sequence[tuple[int, int, int]]) -> list[bytes]:
        url = cast(UPath, self._path)
        starts, ends = [start for start, _, _ in spans], [end for _, end, _ in spans]
        found = url.fs.cat_ranges([url.path] * len(spans), starts, ends, on_error="raise")
        return cast(list[bytes], found)

    def _check_size(self) -> None:
        found = os.fstat(self._file).st_size
        if found != self._size:
            mend = remake_command(self._path.parent)
            raise UserError(f"{self._path}: expected {self._size} bytes, found {found}; {mend}")

    def _changed(self, row: int, content: bytes, expected: int) -> UserError:
        if not self._is_remote:
            self._check_size()
        found = xxhash.xxh3_64_intdigest(content)
        return UserError(
            f"{self._path}: expected xxh3 {expected:016x} of sample {row}, found {found:016x}; "
            f"{remake_command(self._path.parent)}"
        )


_opened = lru_cache(maxsize=OPEN)(_Tar)


def _table(path: Path, shard: ShardInfo) -> np.ndarray:
    """Uint64 [samples, 3]: where each one starts and ends in the tar, and its hash."""
    file, mend = path.with_name(path.name + ROWS), remake_command(path.parent)
    size = 16 * shard.count
    try:
        data = read_small(file, mend, size)
    except FileNotFoundError:
        raise UserError(f"{file}: not found; {mend}") from None
    found = xxhash.xxh3_128_hexdigest(data)
    if found != shard.rows_xxh3 or len(data) != size:
        expected = shard.rows_xxh3 or "in its index"
        raise UserError(f"{file}: expected xxh3 {expected}, found {found}; {mend}")
    ends, hashes = np.frombuffer(data, dtype="<u8").reshape(-1, 2).T
    starts = np.append(np.uint64(0), ends[:-1])
    if not (starts < ends).all() or ends[-1] > shard.bytes or (ends - starts).max() > LONGEST:
        raise UserError(
            f"{file}: expected samples one after the other in {shard.bytes:,} bytes, each of at "
            f"most {LONGEST:,}; {mend}"
        )
    return np.stack([starts, ends, hashes], axis=1)


def _sample(content: bytes) -> tuple[str, dict[str, bytes]]:
    keys: set[str] = set()
    members: dict[str, bytes] = {}
    for name, data in proved_files(content):
        key, member = split_name(name)
        keys.add(key)
        members[member] = data
    if len(keys) != 1:
        raise TarError(f"files of {len(keys)} samples in the place of one")
    return key, members
