"""One inner chunk of an uncompressed Zarr v3 shard, read from its file in one go.

A (tar, view) plane lies in one piece, so this takes two short reads where an array library takes
milliseconds (`python -m benchmarks.cache`). Nothing is believed that is read here: the caller
checks the plane against its marker.
"""

import math
import os
from pathlib import Path

import numpy as np

from pipeline.store.layout import INDEX_CHECKSUM, INDEX_ENTRY


def read_chunk(file: Path, number: int, of: int, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Chunk `number` of the `of` that a shard file holds, as an array that cannot be written.

    Raises:
        OSError: the file is not there or cannot be read.
        ValueError: it is too short, or its index points elsewhere than to such a chunk.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    descriptor = os.open(file, os.O_RDONLY)
    try:
        index = os.fstat(descriptor).st_size - of * INDEX_ENTRY - INDEX_CHECKSUM
        if index < 0:
            raise ValueError("too short for its index")
        entry = os.pread(descriptor, INDEX_ENTRY, index + number * INDEX_ENTRY)
        offset, length = np.frombuffer(entry, "<u8").tolist()
        if length != size or offset + length > index:
            raise ValueError(f"its index puts view {number} at {offset} to {offset + length}")
        data = os.pread(descriptor, size, offset)
    finally:
        os.close(descriptor)
    return np.frombuffer(data, dtype).reshape(shape)
