"""WebDataset shards: byte-identical tars of a fixed number of samples, and their index."""

import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO, cast

import msgspec
import numpy as np
import webdataset as wds
import xxhash

from pipeline import commands
from pipeline.errors import UserError
from pipeline.locations import is_remote
from pipeline.small_files import open_regular, read_json
from pipeline.tar import TarError, plain_files

INDEX = "index.json"
FORMAT = 2
ROWS = ".idx"
"""Ends the name of the file beside a tar that tells where its samples are."""
LARGEST_INDEX = 1 << 26
"""Bytes of an index: 400,000 tars, or a million captions."""
LARGEST_TAR = 1 << 37
"""Bytes."""
MOST_SAMPLES = 1 << 20
"""In one tar."""
_NAME = re.compile(r"[^/\x00-\x1f\x7f\ud800-\udfff]{1,200}\.tar")


class ShardInfo(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True):
    """One tar. Whoever reads a sample seeks its open file by this, so it keeps its hash."""

    name: str
    count: int
    """Samples in it."""
    bytes: int
    xxh3: str
    """xxh3-128 of the file."""
    rows_xxh3: str = ""
    """xxh3-128 of the file beside it that `pipeline.rows` reads its samples by."""


@dataclass(frozen=True, kw_only=True)
class ShardIndex:
    """`index.json` of a prepared dataset split."""

    format: int
    dataset: str
    split: str
    modality: str
    classes: list[str]
    """Label names as the dataset spells them."""
    class_words: list[str] | None = None
    """What prompts call them, where that is not how the dataset spells them."""
    captions: list[str]
    """Sorted captions of the samples without a label: their label texts."""
    licence: str
    recipe: dict[str, Any]
    """What determined the tars: converter, seed, samples per shard."""
    samples_per_shard: int
    shards: list[ShardInfo]
    expected: int | None = None
    """Samples of the official split, where another number was there."""

    @property
    def words(self) -> list[str]:
        """What prompts call the classes."""
        return self.classes if self.class_words is None else self.class_words

    @property
    def samples(self) -> int:
        """Samples in all shards together."""
        return sum(shard.count for shard in self.shards)

    @property
    def rows(self) -> int:
        """Rows of the feature store: every tar has room for `samples_per_shard`."""
        return len(self.shards) * self.samples_per_shard

    def row_slice(self, shard: int) -> slice:
        """Rows of the feature store that belong to a shard, its unused room included."""
        return slice(shard * self.samples_per_shard, (shard + 1) * self.samples_per_shard)


def file_hash(path: Path) -> str:
    """xxh3-128 of a file, hexadecimal."""
    state = xxhash.xxh3_128()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            state.update(block)
    return state.hexdigest()


def write_shard(path: Path, samples: list[tuple[str, dict[str, bytes]]]) -> ShardInfo:
    """Write one tar: times 0, fixed owner, members sorted; same samples, same bytes.

    Beside it goes its `ROWS` file: for each sample its end in the tar, where the next one starts,
    and the xxh3-64 of its bytes, as little-endian uint64 pairs.
    """
    partial, ends = path.with_name(path.name + ".partial"), []
    with partial.open("wb") as file, wds.TarWriter(file, encoder=False, mtime=0) as tar:
        for key, members in samples:
            tar.write({"__key__": key, **members})
            ends.append(tar.tarstream.offset)
    xxh3, rows = _hashes(partial, ends)
    path.with_name(path.name + ROWS).write_bytes(rows)
    partial.replace(path)
    return ShardInfo(
        name=path.name, count=len(samples), bytes=path.stat().st_size, xxh3=xxh3,
        rows_xxh3=xxhash.xxh3_128_hexdigest(rows),
    )  # fmt: skip


def _hashes(path: Path, ends: list[int]) -> tuple[str, bytes]:
    """xxh3-128 of a tar, and what its `ROWS` file is to hold, read once."""
    whole, rows, start = xxhash.xxh3_128(), [], 0
    with path.open("rb") as file:
        for end in ends:
            sample = file.read(end - start)
            whole.update(sample)
            rows.append((end, xxhash.xxh3_64_intdigest(sample)))
            start = end
        whole.update(file.read())
    return whole.hexdigest(), np.array(rows, dtype="<u8").tobytes()


def write_index(folder: Path, index: ShardIndex) -> None:
    """Write `index.json`, the last step of a conversion.

    Raises:
        UserError: it would be larger than readers accept.
    """
    said = {name: value for name, value in msgspec.to_builtins(index).items() if value is not None}
    content = json.dumps(said, indent=1).encode() + b"\n"
    if len(content) > LARGEST_INDEX:
        raise UserError(
            f"{folder / INDEX}: expected at most {LARGEST_INDEX:,} bytes, found {len(content):,}; "
            "raise samples_per_shard, or make several sources of this one"
        )
    partial = folder / f"{INDEX}.partial"
    partial.write_bytes(content)
    partial.replace(folder / INDEX)


def read_index(folder: Path) -> ShardIndex:
    """Read a split's `index.json`.

    Raises:
        UserError: it is missing, broken, or of another format.
    """
    path = folder / INDEX
    mend = remake_command(folder)
    try:
        index = read_json(path, ShardIndex, mend, LARGEST_INDEX)
    except FileNotFoundError:
        raise UserError(f"{path}: not found, the dataset is not prepared; {mend}") from None
    if index.format != FORMAT:
        raise UserError(f"{path}: expected format {FORMAT}, found {index.format}; {mend}")
    problem = _problem(index)
    if problem:
        raise UserError(f"{path}: {problem}; {mend}")
    return index


def _problem(index: ShardIndex) -> str | None:
    """What no conversion writes, found before paths and arrays are made of it."""
    room = index.samples_per_shard
    if not index.shards or not 1 <= room <= MOST_SAMPLES:
        tars = len(index.shards)
        return f"expected tars of 1 to {MOST_SAMPLES} samples, found {tars} tars of up to {room}"
    for shard in index.shards:
        if not _NAME.fullmatch(shard.name):
            return f"expected a tar beside it, found {shard.name!r}"
        if not (1 <= shard.count <= room and 0 <= shard.bytes <= LARGEST_TAR):
            found = f"found {shard.count} in {shard.bytes} bytes"
            return f"{shard.name}: expected 1 to {room} samples, {found}"
    if len(index.words) != len(index.classes):
        return f"expected words for {len(index.classes)} classes, found {len(index.words)}"
    if len({shard.name for shard in index.shards}) < len(index.shards):
        return "expected every tar once, found one twice"
    return None


def read_shard(folder: Path, shard: ShardInfo) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Stream (key, members) from a tar; members stay bytes, nothing is unpacked to disk.

    Its content is compared with the hash in the index when a process first reads it, and again
    where the file has changed since; behind a URL each time.

    Raises:
        UserError: the tar is missing, damaged, was changed after its index was written, or holds
            another number of samples.
    """
    path, mend = present(folder, shard), remake_command(folder)
    size, count = path.stat().st_size, 0
    if size != shard.bytes:
        raise UserError(f"{path}: expected {shard.bytes} bytes, found {size}; {mend}")
    try:
        file = _proved(path, shard)
        for key, group in groupby(entries(file, size), key=lambda entry: entry[0]):
            members = {member: data for _, member, data in group}
            count += 1
            if count > shard.count:
                break
            yield key, members
    except (OSError, TarError) as error:
        raise UserError(f"{path}: unreadable after {count} samples ({error}); {mend}") from None
    if count != shard.count:
        more = " or more" if count > shard.count else ""
        raise UserError(f"{path}: expected {shard.count} samples, found {count}{more}; {mend}")


def _proved(path: Path, shard: ShardInfo) -> BinaryIO:
    """A tar of the very content that its index tells of, opened.

    Raises:
        UserError: it is of another.
        OSError: it cannot be read.
    """
    if is_remote(path):
        content = path.read_bytes()
        found, file = xxhash.xxh3_128_hexdigest(content), cast(BinaryIO, io.BytesIO(content))
    else:
        there = path.stat()
        found = _known_hash(path, there.st_ino, there.st_size, there.st_mtime_ns)
        file = open_regular(path)
    if found != shard.xxh3:
        file.close()
        raise UserError(
            f"{path}: expected xxh3 {shard.xxh3} of {path.with_name(INDEX)}, found {found}; "
            f"{remake_command(path.parent)}"
        )
    return file


@lru_cache(maxsize=1 << 16)
def _known_hash(path: Path, *identity: int) -> str:
    return file_hash(path)


def entries(tar: BinaryIO, size: int) -> Iterator[tuple[str, str, bytes]]:
    """(key, member, data) of a tar's files; see `split_name`."""
    with tar as file:
        for name, data in plain_files(file, size):
            yield *split_name(name), data


def split_name(name: str) -> tuple[str, str]:
    """(key, member) of a file in a tar: the first dot of its own name ends the key."""
    stem, _, member = name.partition(".")
    if "/" not in member:
        return stem, member
    folder, slash, name = name.rpartition("/")  # the dot was a folder's
    stem, _, member = name.partition(".")
    return f"{folder}{slash}{stem}", member


def present(folder: Path, shard: ShardInfo) -> Path:
    """The path of a tar; raises UserError where it is missing."""
    path = folder / shard.name
    # Behind a URL `is_file` takes whatever goes wrong for a no
    if not (path.exists() if is_remote(path) else path.is_file()):
        raise UserError(
            f"{path}: missing shard, {shard.count} samples expected; {remake_command(folder)}"
        )
    return path


def remake_command(folder: Path) -> str:
    """What mends the shards of a split, for messages."""
    return f"run: {commands.prepare_command(folder.parent.name)}"
