"""The label prompts in the teacher's own text space, sealed to the recipe and the classes."""

import json
from pathlib import Path

import numpy as np
import xxhash

from pipeline.atomic import write_atomically
from pipeline.places import remove
from pipeline.store.layout import TEXT
from pipeline.store.zarr_files import array_files, array_of

SEAL = "xxh3"
METADATA, CHUNK = "zarr.json", "c/0/0"


def write_text(store: Path, features: np.ndarray, fingerprint: str, classes: list[str]) -> None:
    """Write float32 [classes, dim] and the seal over it, its recipe and its classes."""
    values = np.ascontiguousarray(features, dtype=np.float32)
    remove(store / TEXT)
    files = array_files(values, {SEAL: _seal(values, fingerprint, classes)})
    for name, content in sorted(files.items()):  # zarr.json, with the seal, last
        write_atomically(store / TEXT / name, content)


def read_text(store: Path, fingerprint: str, classes: list[str]) -> np.ndarray | None:
    """What `write_text` wrote for this recipe and these classes; None if it is not there intact."""
    try:
        files = {name: (store / TEXT / name).read_bytes() for name in (METADATA, CHUNK)}
        array = array_of(files)
        values = np.asarray(array[:])
        intact = array.attrs.get(SEAL) == _seal(values, fingerprint, classes)
    except Exception:  # damaged metadata makes zarr raise nearly anything
        return None
    return values if intact else None


def _seal(values: np.ndarray, fingerprint: str, classes: list[str]) -> str:
    described = [fingerprint, classes, values.dtype.str, values.shape]
    state = xxhash.xxh3_128(json.dumps(described).encode())
    state.update(np.ascontiguousarray(values).data)
    return state.hexdigest()
