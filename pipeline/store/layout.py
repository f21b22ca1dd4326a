"""Where things lie in a store, and how its Zarr arrays are made.

    <cache>/<teacher>/<dataset>-<split>.zarr/
        provenance.json                 fingerprint and what it stands for
        features/                       [rows, views, dim] float16
        params_digest/ view_digest/     [rows, views] uint64
        key_hash/                       [rows] uint64
        text_features/                  [classes, dim] float32, where the teacher reads text
        markers/<tar>.json              written last: this tar is complete, with its checksums

One tar is one Zarr shard of every array and one task: whoever writes it owns it whole.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
import zarr

FEATURES = "features"
PARAMS_DIGEST = "params_digest"
VIEW_DIGEST = "view_digest"
KEY_HASH = "key_hash"
TEXT = "text_features"
MARKERS = "markers"
ROW_ARRAYS = (FEATURES, PARAMS_DIGEST, VIEW_DIGEST, KEY_HASH)


def store_path(cache: str | Path, teacher: str, dataset: str, split: str) -> Path:
    """Folder of the store of a teacher over a dataset split."""
    return Path(cache) / teacher / f"{dataset}-{split}.zarr"


def create_arrays(
    store: Path, *, rows: int, rows_per_shard: int, views: int, dim: int
) -> zarr.Group:
    """Create the group and its empty row arrays: inner chunk = the rows of a tar x one view."""
    group = zarr.open_group(store, mode="a", zarr_format=3)
    shapes: dict[str, tuple[tuple[int, ...], Any, Any]] = {
        FEATURES: ((rows, views, dim), "float16", np.nan),
        PARAMS_DIGEST: ((rows, views), "uint64", 0),
        VIEW_DIGEST: ((rows, views), "uint64", 0),
        KEY_HASH: ((rows,), "uint64", 0),
    }
    for name, (shape, dtype, fill) in shapes.items():
        if name not in group:
            shard = (rows_per_shard, *shape[1:])
            chunk = (rows_per_shard, 1, *shape[2:]) if len(shape) > 1 else shard
            group.create_array(
                name, shape=shape, dtype=dtype, shards=shard, chunks=chunk,
                compressors=None, filters=None, fill_value=fill,
            )  # fmt: skip
    return group


def shard_file(store: Path, array: str, shard: int) -> Path:
    """File that holds one tar's part of a row array."""
    inner = {FEATURES: "0/0", PARAMS_DIGEST: "0", VIEW_DIGEST: "0", KEY_HASH: ""}[array]
    return store / array / "c" / str(shard) / inner


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all, also after a power cut."""
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
