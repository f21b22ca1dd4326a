"""Single samples of a tar, each sought and proved by itself.

The file beside a tar tells where each sample ends and the hash of its bytes; the index holds that
file's own hash. So any process reads the samples that it needs, and nothing else, as surely as the
whole tar. Behind a URL the samples that are asked for together are fetched together.
"""

import os
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

TABLES = 1024
"""Tars whose `ROWS` file a process keeps in memory: 16 bytes a sample."""


def read_rows(
    folder: Path, shard: ShardInfo, rows: Sequence[int]
) -> list[tuple[str, dict[str, bytes]]]:
    """(key, members) of some samples of a tar, by their places in it.

    Raises:
        UserError: the tar or the file beside it is missing, cut, or not what its index tells of.
    """
    path = folder / shard.name
    table = _table(path, shard.rows_xxh3, shard.count)
    spans = [(int(table[row - 1, 0]) if row else 0, int(table[row, 0])) for row in rows]
    try:
        contents = _fetched(path, spans) if is_remote(path) else _read(path, spans, shard.bytes)
        for row, content in zip(rows, contents):
            _prove(path, row, content, int(table[row, 1]))
        return [_sample(content) for content in contents]
    except (OSError, TarError) as error:
        present(folder, shard)
        raise UserError(f"{path}: unreadable ({error}); {remake_command(folder)}") from None


@lru_cache(maxsize=TABLES)
def _table(path: Path, xxh3: str, count: int) -> np.ndarray:
    """Uint64 [samples, 2]: where each one ends in the tar, and its hash."""
    file, mend = path.with_name(path.name + ROWS), remake_command(path.parent)
    try:
        data = read_small(file, mend, 16 * count)
    except FileNotFoundError:
        raise UserError(f"{file}: not found; {mend}") from None
    found = xxhash.xxh3_128_hexdigest(data)
    if found != xxh3 or len(data) != 16 * count:
        raise UserError(f"{file}: expected xxh3 {xxh3 or 'in its index'}, found {found}; {mend}")
    return np.frombuffer(data, dtype="<u8").reshape(count, 2)


def _read(path: Path, spans: Sequence[tuple[int, int]], size: int) -> list[bytes]:
    file = regular_descriptor(path)
    try:
        found = os.fstat(file).st_size
        if found != size:
            raise UserError(
                f"{path}: expected {size} bytes, found {found}; {remake_command(path.parent)}"
            )
        return [os.pread(file, end - start, start) for start, end in spans]
    finally:
        os.close(file)


def _fetched(path: Path, spans: Sequence[tuple[int, int]]) -> list[bytes]:
    url = cast(UPath, path)
    starts, ends = [start for start, _ in spans], [end for _, end in spans]
    found = url.fs.cat_ranges([url.path] * len(spans), starts, ends, on_error="raise")
    return cast(list[bytes], found)


def _prove(path: Path, row: int, content: bytes, expected: int) -> None:
    found = xxhash.xxh3_64_intdigest(content)
    if found != expected:
        raise UserError(
            f"{path}: expected xxh3 {expected:016x} of sample {row}, found {found:016x}; "
            f"{remake_command(path.parent)}"
        )


def _sample(content: bytes) -> tuple[str, dict[str, bytes]]:
    keys, members = set[str](), dict[str, bytes]()
    for name, data in proved_files(content):
        key, member = split_name(name)
        keys.add(key)
        members[member] = data
    (key,) = keys
    return key, members
