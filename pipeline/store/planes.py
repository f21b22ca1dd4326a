"""One inner chunk of an uncompressed Zarr v3 shard, read from its file in one go.

The chunks of such a shard lie one after the other, before its index, so a (tar, view) plane is one
range of one file: a read of microseconds, where an array library takes milliseconds
(`python -m benchmarks.cache`). Nothing is believed that is read here: the caller checks the plane
against its marker.
"""

import math
import os
from pathlib import Path
from typing import cast

import numpy as np
from upath import UPath

from pipeline.locations import is_remote


def read_chunk(file: Path, number: int, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Chunk `number` of a shard file, as an array that cannot be written.

    Raises:
        OSError: the file is not there or cannot be read.
        ValueError: it ends before the chunk does.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    data = _range(file, number * size, size)
    if len(data) != size:
        raise ValueError(f"it ends {size - len(data)} bytes before view {number} does")
    return np.frombuffer(data, dtype).reshape(shape)


def _range(file: Path, start: int, size: int) -> bytes:
    """Bytes of a file, fewer at its end, without a buffer, which would copy a plane once more."""
    if is_remote(file):
        url = cast(UPath, file)
        return cast(bytes, url.fs.cat_file(url.path, start=start, end=start + size))
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        # Room for what is asked is made at once, and what is asked follows from other files
        there = os.fstat(descriptor).st_size - start
        return os.pread(descriptor, max(0, min(size, there)), start)
    finally:
        os.close(descriptor)
