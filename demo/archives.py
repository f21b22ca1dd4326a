"""Zip archives whose bytes depend on their members alone: fixed dates, sorted names."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

_EPOCH = (1980, 1, 1, 0, 0, 0)


def write_zip(path: Path, members: Mapping[str, bytes], compress: bool) -> None:
    """Write `members` to `path` through a temporary neighbour; `compress` uses deflate 9."""
    method = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    partial = path.with_name(path.name + ".partial")
    with zipfile.ZipFile(partial, "w", method, compresslevel=9) as archive:
        for name, content in sorted(members.items()):
            info = zipfile.ZipInfo(name, _EPOCH)
            info.compress_type = method
            info.external_attr = 0o644 << 16
            archive.writestr(info, content)
    partial.replace(path)


def npy_bytes(array: np.ndarray) -> bytes:
    """The array as a `.npy` file, readable by `np.load(allow_pickle=False)`."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()
