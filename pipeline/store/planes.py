"""One inner chunk of an uncompressed Zarr v3 shard, read from its file in one go.

A (tar, view) plane lies in one piece, so this takes two short reads where an array library takes
milliseconds (`python -m benchmarks.cache`). Nothing is believed that is read here: the caller
checks the plane against its marker.
"""

import math
import os
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from pipeline.places import is_remote
from pipeline.store.layout import INDEX_CHECKSUM, INDEX_ENTRY


def read_chunk(file: Path, number: int, of: int, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Chunk `number` of the `of` that a shard file holds, as an array that cannot be written.

    Raises:
        OSError: the file is not there or cannot be read.
        ValueError: it is too short, or its index points elsewhere than to such a chunk.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    with open_file(file) as opened:
        index = opened.seek(0, os.SEEK_END) - of * INDEX_ENTRY - INDEX_CHECKSUM
        if index < 0:
            raise ValueError("too short for its index")
        opened.seek(index + number * INDEX_ENTRY)
        offset, length = np.frombuffer(opened.read(INDEX_ENTRY), "<u8").tolist()
        if length != size or offset + length > index:
            raise ValueError(f"its index puts view {number} at {offset} to {offset + length}")
        opened.seek(offset)
        data = opened.read(size)
    return np.frombuffer(data, dtype).reshape(shape)


def open_file(file: Path) -> BinaryIO:
    """Without a buffer, which would copy a plane once more; of a URL, without reading ahead."""
    if is_remote(file):
        return cast(BinaryIO, file.open("rb", cache_type="none"))  # type: ignore[call-overload]
    return cast(BinaryIO, file.open("rb", buffering=0))
