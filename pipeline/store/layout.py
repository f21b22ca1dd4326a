"""Where things lie in a store, and how its Zarr arrays are made.

    <cache>/<teacher>/<dataset>-<split>.zarr/
        provenance.json                 fingerprint and what it stands for
        features/                       [rows, views, dim] float16
        params_digest/ view_digest/     [rows, views] uint64
        key_hash/                       [rows] uint64
        text_features/                  [classes, dim] float32, where the teacher has a text space
        markers/<tar>.json              written last: this tar is complete, with its checksums

One tar is one Zarr shard of every array and one task: whoever writes it owns it whole.
"""

import math
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.storage import MemoryStore

FEATURES = "features"
PARAMS_DIGEST = "params_digest"
VIEW_DIGEST = "view_digest"
KEY_HASH = "key_hash"
TEXT = "text_features"
MARKERS = "markers"
ROW_ARRAYS = (FEATURES, PARAMS_DIGEST, VIEW_DIGEST, KEY_HASH)
DTYPES = dict(zip(ROW_ARRAYS, ("float16", "uint64", "uint64", "uint64")))
INDEX_ENTRY, INDEX_CHECKSUM = 16, 4
"""Bytes of a Zarr shard's index: offset and length of each inner chunk, then a crc32c."""


def store_path(cache: str | Path, teacher: str, dataset: str, split: str) -> Path:
    """Folder of the store of a teacher over a dataset split."""
    return Path(cache) / teacher / f"{dataset}-{split}.zarr"


def extract_command(store: Path) -> str:
    """The command that fills a store, for the errors that recommend it."""
    return f"python -m stage1_extract {_arguments(store)}"


def repair_command(store: Path) -> str:
    """The command that extracts the damaged tars of a store again."""
    return f"python -m stage1_extract.verify {_arguments(store)} --repair"


def _arguments(store: Path) -> str:
    return f"--teacher {store.parent.name} --source {store.stem.rpartition('-')[0]}"


def lay_out(store: Path, *, rows: int, rows_per_shard: int, views: int, dim: int) -> None:
    """Put the metadata of the row arrays in place: inner chunk = the rows of a tar x one view.

    It follows from the arguments alone; what is missing, damaged or of another number of rows is
    written anew, and shard files beyond the rows are deleted.
    """
    metadata = _metadata(rows, rows_per_shard, views, dim)
    for name, content in metadata.items():
        file = store / name
        if not file.is_file() or file.read_bytes() != content:
            file.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(file, content)
    _delete_shards(store, rows // rows_per_shard)


def open_to_write(store: Path) -> dict[str, zarr.Array]:
    """The row arrays of a store that is laid out, for writing whole shards."""
    arrays = {name: zarr.open_array(store / name, mode="r+", zarr_format=3) for name in ROW_ARRAYS}
    # Otherwise a shard that equals the fill value, such as a tar of failed samples, has no file.
    return {name: a.with_config({"write_empty_chunks": True}) for name, a in arrays.items()}


def shard_bytes(rows_per_shard: int, views: int, dim: int) -> int:
    """Bytes of one tar's files: features, digests and keys, and the index of their chunks."""
    total = 0
    for name, shape in array_shapes(rows_per_shard, views, dim).items():
        chunks = views if len(shape) > 1 else 1
        total += math.prod(shape) * np.dtype(DTYPES[name]).itemsize
        total += chunks * INDEX_ENTRY + INDEX_CHECKSUM
    return total


def array_shapes(rows: int, views: int, dim: int) -> dict[str, tuple[int, ...]]:
    """Shape of every row array."""
    pairs = (rows, views)
    shapes: tuple[tuple[int, ...], ...] = ((*pairs, dim), pairs, pairs, (rows,))
    return dict(zip(ROW_ARRAYS, shapes))


def _metadata(rows: int, rows_per_shard: int, views: int, dim: int) -> dict[str, bytes]:
    """File name -> content of every zarr.json, as this version of zarr writes them."""
    files: dict[str, Any] = {}
    group = zarr.open_group(MemoryStore(files), mode="w", zarr_format=3)
    for name, shape in array_shapes(rows, views, dim).items():
        shard = (rows_per_shard, *shape[1:])
        chunk = (rows_per_shard, 1, *shape[2:]) if len(shape) > 1 else shard
        group.create_array(
            name, shape=shape, dtype=DTYPES[name], shards=shard, chunks=chunk,
            compressors=None, filters=None, fill_value=np.nan if name == FEATURES else 0,
        )  # fmt: skip
    return {name: buffer.to_bytes() for name, buffer in files.items()}


def _delete_shards(store: Path, count: int) -> None:
    """Delete the shards of tars that the dataset no longer has."""
    for name in ROW_ARRAYS:
        for there in (store / name / "c").glob("*"):
            if not there.name.isdecimal() or int(there.name) >= count:
                shutil.rmtree(there) if there.is_dir() else there.unlink()


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
