"""Completion markers: a tar without a valid marker is not there."""

from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np
import xxhash

from pipeline.store.layout import MARKERS, ROW_ARRAYS, shard_file, write_atomically


@dataclass(frozen=True, kw_only=True)
class ShardMarker:
    """Checksums of everything stage 2 reads of one tar."""

    tar: str
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
        bare = replace(self, xxh3="")
        return replace(bare, xxh3=xxhash.xxh3_128_hexdigest(msgspec.json.encode(bare)))


def marker_path(store: Path, tar: str) -> Path:
    """File of a tar's marker."""
    return store / MARKERS / f"{tar}.json"


def write_marker(store: Path, marker: ShardMarker) -> None:
    """Write a marker, sealed; the last step of a task."""
    path = marker_path(store, marker.tar)
    path.parent.mkdir(exist_ok=True)
    write_atomically(path, msgspec.json.format(msgspec.json.encode(marker.sealed()), indent=1))


def read_marker(store: Path, tar: str) -> ShardMarker | None:
    """The tar's marker, or None where it is missing or damaged."""
    try:
        marker = msgspec.json.decode(marker_path(store, tar).read_bytes(), type=ShardMarker)
    except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError):
        return None
    return marker if marker == marker.sealed() else None


def drop_markers(store: Path, tars: set[str]) -> None:
    """Delete the markers of all tars but these, and what was left half written."""
    for marker in (store / MARKERS).glob("*"):
        if marker.name.removesuffix(".json") not in tars:
            marker.unlink()


def plane_checksum(plane: np.ndarray) -> str:
    """xxh3-128 over an array's bytes."""
    return xxhash.xxh3_128_hexdigest(np.ascontiguousarray(plane).data)


def files_are_whole(store: Path, shard: int, marker: ShardMarker) -> bool:
    """Whether every shard file of a tar has the size that its marker recorded."""
    try:
        return all(
            shard_file(store, name, shard).stat().st_size == marker.sizes[name]
            for name in ROW_ARRAYS
        )
    except (FileNotFoundError, NotADirectoryError, KeyError):
        return False
