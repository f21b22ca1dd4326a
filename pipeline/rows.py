"""Single samples of a tar, each sought and proved by itself.

The file beside a tar tells where each sample ends and the hash of its bytes; the index holds that
file's own hash. So any process reads the samples that it needs, and nothing else, as surely as the
whole tar. Behind a URL the samples of a tar that are asked for together are fetched together.
"""

import os
import resource
import weakref
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from struct import Struct
from typing import cast

import numpy as np
import xxhash
from upath import UPath

from pipeline.errors import UserError
from pipeline.locations import is_remote
from pipeline.shards import ROWS, ShardInfo, present, remake_command, split_name
from pipeline.small_files import read_small, regular_descriptor
from pipeline.tar import TarError, proved_files

OPEN = 512
"""Tars that a process keeps open, each with its `ROWS` file in memory: 16 bytes a sample. Training
takes from 64 of a source in turn; with fewer than those of all its sources each would be opened for
every sample. Where that is more than half of what a process may open (`ulimit -n`), that half."""
LONGEST = 0x7FFFF000
"""Bytes of a sample: as many as Linux reads at once. Room for them is made before they are read."""
Sample = tuple[str, dict[str, bytes]]
"""Key, and member -> content."""
_ENTRY = 16
"""Bytes of a sample in a `ROWS` file: where it ends in the tar, and its hash."""
_SPAN = Struct("<Q8xQQ")
"""Of a sample's entry and the one before, whose end is its start: start, end and hash."""


def read_rows(folder: Path, shard: ShardInfo, rows: Iterable[int]) -> list[Sample]:
    """Some samples of a tar, by their places in it; raises what `read_places` raises."""
    return list(read_places(folder, [(shard, row) for row in rows]))


def read_places(folder: Path, places: Sequence[tuple[ShardInfo, int]]) -> Iterator[Sample]:
    """Samples of a split, each read when it is asked for: one is taken apart and used while it is
    in the processor's cache.

    Args:
        folder: of the split.
        places: each sample's tar, and its place there.

    Raises:
        UserError: a tar or the file beside it is missing, cut, or not what its index tells of.
    """
    try:
        if is_remote(folder):
            for shard, of_tar in groupby(places, itemgetter(0)):
                yield from _opened(folder, shard).fetched([row for _, row in of_tar])
        else:
            for shard, row in places:
                yield _opened(folder, shard).sample(row)
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
        self._table = bytes(_ENTRY) + _table(self._path, shard)
        self._is_remote = is_remote(self._path)
        if not self._is_remote:
            self._file = regular_descriptor(self._path)
            weakref.finalize(self, os.close, self._file)
            self._check_size()

    def sample(self, row: int) -> Sample:
        """One of a local tar, proved."""
        start, end, expected = self._span(row)
        return self._proved(row, os.pread(self._file, end - start, start), expected)

    def fetched(self, rows: Sequence[int]) -> list[Sample]:
        """Some of a tar behind a URL, asked for together and proved."""
        url = cast(UPath, self._path)
        starts, ends, hashes = zip(*map(self._span, rows))
        contents = url.fs.cat_ranges([url.path] * len(rows), starts, ends, on_error="raise")
        return list(map(self._proved, rows, contents, hashes))

    def _span(self, row: int) -> tuple[int, int, int]:
        """Where a sample starts and ends, and its hash."""
        return _SPAN.unpack_from(self._table, _ENTRY * row)

    def _proved(self, row: int, content: bytes, expected: int) -> Sample:
        if xxhash.xxh3_64_intdigest(content) != expected:
            raise self._changed(row, content, expected)
        return _sample(content)

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


def _most_open() -> int:
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return OPEN if allowed == resource.RLIM_INFINITY else min(OPEN, allowed // 2)


_opened = lru_cache(maxsize=_most_open())(_Tar)


def _table(path: Path, shard: ShardInfo) -> bytes:
    """The content of the `ROWS` file beside a tar, proved."""
    file, mend = path.with_name(path.name + ROWS), remake_command(path.parent)
    size = _ENTRY * shard.count
    try:
        data = read_small(file, mend, size)
    except FileNotFoundError:
        raise UserError(f"{file}: not found; {mend}") from None
    found = xxhash.xxh3_128_hexdigest(data)
    if found != shard.rows_xxh3 or len(data) != size:
        expected = shard.rows_xxh3 or "in its index"
        raise UserError(f"{file}: expected xxh3 {expected}, found {found}; {mend}")
    ends = np.frombuffer(data, dtype="<u8")[::2]
    starts = np.append(np.uint64(0), ends[:-1])
    if not (starts < ends).all() or ends[-1] > shard.bytes or (ends - starts).max() > LONGEST:
        raise UserError(
            f"{file}: expected samples one after the other in {shard.bytes:,} bytes, each of at "
            f"most {LONGEST:,}; {mend}"
        )
    return data


def _sample(content: bytes) -> Sample:
    keys: set[str] = set()
    members: dict[str, bytes] = {}
    for name, data in proved_files(content):
        key, member = split_name(name)
        keys.add(key)
        members[member] = data
    if len(keys) != 1:
        raise TarError(f"files of {len(keys)} samples in the place of one")
    return key, members
