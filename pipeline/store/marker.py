"""Completion markers of shards, one tar under one block of views each: no marker, not there."""

from pathlib import Path

import msgspec
import numpy as np
import xxhash

from pipeline.atomic import write_atomically
from pipeline.errors import UserError
from pipeline.small_files import read_json
from pipeline.store.layout import MARKERS, Layout, shard_file


class ShardMarker(msgspec.Struct, frozen=True, kw_only=True):
    """Checksums of everything stage 2 reads of one tar under one block of views."""

    tar: str
    block: int
    tar_xxh3: str
    """xxh3-128 of the tar the features were made from."""
    fingerprint: str
    rows: int
    failed: list[str]
    """Keys whose features are NaN because the sample could not be used."""
    checksums: dict[str, list[str]]
    """Array name -> xxh3-128 of each view's plane (one entry for key_hash)."""
    sizes: dict[str, int]
    """Array name -> bytes of its shard file."""
    xxh3: str = ""
    """xxh3-128 of this marker without this field."""

    def sealed(self) -> "ShardMarker":
        """The same marker with its own checksum filled in."""
        bare = msgspec.structs.replace(self, xxh3="")
        seal = xxhash.xxh3_128_hexdigest(msgspec.json.encode(bare))
        return msgspec.structs.replace(bare, xxh3=seal)


def marker_path(store: Path, tar: str, block: int = 0) -> Path:
    """File of a shard's marker."""
    return store.joinpath(MARKERS, f"{tar}.{block}.json")


def write_marker(store: Path, marker: ShardMarker) -> None:
    """Write a marker, sealed; the last step of a task."""
    path = marker_path(store, marker.tar, marker.block)
    write_atomically(path, msgspec.json.format(msgspec.json.encode(marker.sealed()), indent=1))


def read_marker(store: Path, tar: str, block: int = 0) -> ShardMarker | None:
    """The shard's marker, or None where it is missing or damaged."""
    path = marker_path(store, tar, block)
    try:
        marker = read_json(path, ShardMarker, "extract this tar again")
    except (FileNotFoundError, UserError):
        return None
    fits = marker == marker.sealed() and (marker.tar, marker.block) == (tar, block)
    return marker if fits else None


def drop_markers(store: Path, tars: set[str]) -> list[str]:
    """Delete the markers of all tars but these, and what was left half written.

    Returns the tars that were dropped.
    """
    dropped = set()
    for marker in (store / MARKERS).glob("*"):
        tar, _, ending = marker.name.removesuffix(".json").rpartition(".")
        if tar not in tars or not ending.isdecimal():
            marker.unlink()
            dropped |= {tar} - tars if ending.isdecimal() else set()
    return sorted(dropped)


def blocks_there(store: Path) -> int:
    """Blocks of views up to the last that has a marker."""
    endings = (path.stem.rpartition(".")[2] for path in (store / MARKERS).glob("*.json"))
    numbers = (int(ending) for ending in endings if ending.isdecimal() and len(ending) < 5)
    return max((number + 1 for number in numbers), default=0)


def plane_checksum(plane: np.ndarray) -> str:
    """xxh3-128 over an array's bytes."""
    return xxhash.xxh3_128_hexdigest(np.ascontiguousarray(plane).data)


def files_are_whole(store: Path, layout: Layout, shard: int, marker: ShardMarker) -> bool:
    """Whether every file of a shard has the size that its marker recorded."""
    try:
        return all(
            shard_file(store, name, shard, marker.block).stat().st_size == marker.sizes[name]
            for name in layout.dtypes
        )
    except (FileNotFoundError, NotADirectoryError, KeyError):
        return False
