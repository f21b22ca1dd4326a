"""Zarr's files as bytes: zarr makes them in memory, and each is then written whole and at once."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import zarr
from zarr.storage import MemoryStore

Files = dict[str, bytes]
"""Name within the group or array -> content."""


def fill_value(dtype: str) -> float:
    """What stands where nothing was written."""
    return np.nan if np.dtype(dtype).kind == "f" else 0


def group_files(arrays: Mapping[str, Mapping[str, Any]]) -> Files:
    """Every zarr.json of a group of uncompressed arrays, each given as `create_array` takes it."""
    files: dict[str, Any] = {}
    group = zarr.open_group(MemoryStore(files), mode="w", zarr_format=3)
    for name, described in arrays.items():
        fill = fill_value(described["dtype"])
        group.create_array(name, **described, **_PLAIN, fill_value=fill)
    return _bytes(files)


def shard_content(values: np.ndarray, chunks: tuple[int, ...]) -> bytes:
    """The file of one shard that holds all of `values`, in inner chunks of this shape."""
    files: dict[str, Any] = {}
    array = zarr.create_array(
        MemoryStore(files), shape=values.shape, dtype=values.dtype, shards=values.shape,
        chunks=chunks, **_PLAIN, fill_value=fill_value(values.dtype.str), zarr_format=3,
    )  # fmt: skip
    # Otherwise chunks that equal the fill value, such as those of failed samples, are left out
    array.with_config({"write_empty_chunks": True})[...] = values
    (content,) = (data for name, data in _bytes(files).items() if name != "zarr.json")
    return content


def array_files(values: np.ndarray, attributes: Mapping[str, Any]) -> Files:
    """All files of an array of one chunk."""
    files: dict[str, Any] = {}
    zarr.create_array(
        MemoryStore(files), data=values, chunks=values.shape, **_PLAIN,
        attributes=dict(attributes), zarr_format=3,
    )  # fmt: skip
    return _bytes(files)


_PLAIN: dict[str, Any] = {"compressors": None, "filters": None}


def _bytes(files: dict[str, Any]) -> Files:
    return {name: buffer.to_bytes() for name, buffer in files.items()}
