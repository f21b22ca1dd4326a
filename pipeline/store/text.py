"""The label prompts in the teacher's own text space, sealed to the recipe and the classes."""

import json
import shutil
from pathlib import Path

import numpy as np
import xxhash
import zarr

from pipeline.store.layout import TEXT

SEAL = "xxh3"


def write_text(store: Path, features: np.ndarray, fingerprint: str, classes: list[str]) -> None:
    """Write float32 [classes, dim] and the seal over it, its recipe and its classes."""
    values = np.ascontiguousarray(features, dtype=np.float32)
    shutil.rmtree(store / TEXT, ignore_errors=True)
    zarr.create_array(
        store / TEXT, data=values, chunks=values.shape, compressors=None, filters=None,
        attributes={SEAL: _seal(values, fingerprint, classes)}, zarr_format=3,
    )  # fmt: skip


def read_text(store: Path, fingerprint: str, classes: list[str]) -> np.ndarray | None:
    """What `write_text` wrote for this recipe and these classes; None if it is not there intact."""
    try:
        array = zarr.open_array(store / TEXT, mode="r", zarr_format=3)
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
