"""The label prompts in the teacher's own text space, sealed to the recipe and the classes."""

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import xxhash

from pipeline.atomic import write_atomically
from pipeline.locations import remove
from pipeline.small_files import read_json, read_small
from pipeline.store.layout import TEXT
from pipeline.store.zarr_files import array_files

SEAL = "xxh3"
METADATA, CHUNK = "zarr.json", "c/0/0"
WIDEST = 1 << 16
"""Numbers of a text feature."""


def write_text(store: Path, features: np.ndarray, fingerprint: str, classes: list[str]) -> None:
    """Write float32 [classes, dim] and the seal over it, its recipe and its classes."""
    values = np.ascontiguousarray(features, dtype=np.float32)
    remove(store / TEXT)
    files = array_files(values, {SEAL: _seal(values, fingerprint, classes)})
    for name, content in sorted(files.items()):  # zarr.json, with the seal, last
        write_atomically(store / TEXT / name, content)


def read_text(store: Path, fingerprint: str, classes: list[str]) -> np.ndarray | None:
    """What `write_text` wrote for this recipe and these classes; None if it is not there intact."""
    mend = "write it anew"
    try:
        metadata = read_json(store / TEXT / METADATA, _Metadata, mend)
        content = read_small(store / TEXT / CHUNK, mend, limit=4 * WIDEST * len(classes))
        values = np.frombuffer(content, "<f4").reshape(metadata.shape).copy()
    except (OSError, ValueError, OverflowError):
        return None
    intact = metadata.attributes.get(SEAL) == _seal(values, fingerprint, classes)
    return values if intact else None


class _Metadata(msgspec.Struct):
    """What is used of an uncompressed array's zarr.json; the seal proves the rest."""

    shape: tuple[int, int]
    attributes: dict[str, Any]


def _seal(values: np.ndarray, fingerprint: str, classes: list[str]) -> str:
    described = [fingerprint, classes, values.dtype.str, values.shape]
    state = xxhash.xxh3_128(json.dumps(described).encode())
    state.update(np.ascontiguousarray(values).data)
    return state.hexdigest()
