"""`points.npy`: a plain float array, read by its header; at most 2 million points in 200 MB."""

import io
import math
from threading import Lock

import numpy as np

from pipeline.decoding.reasons import one_line, unreadable
from pipeline.errors import UnreadableSample

MAX_POINTS = 2_000_000
MIN_STEPS = 100
"""Fewer steps of the stored numbers across a whole cloud leave a lattice in place of its shape."""
BLOCK = 64
"""Points that are compared at once."""
ROUNDING = 1e-3
"""By which interpolated colours may leave 0..1."""


def decode_points(data: bytes) -> np.ndarray:
    """Cloud float32 [N, 3|6] from the bytes of a float .npy, checked by its header first.

    Float64 is centred before it is cast, so that map coordinates keep their millimetres.

    Raises:
        UnreadableSample: another array, cut short, not finite, all in one place or resolved too
            coarsely there, or colours outside 0..1.
    """
    stored = _stored(data)
    wide = stored if stored.itemsize > 4 else np.ascontiguousarray(stored, dtype=np.float32)
    low, high = _bounds(wide)
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        raise UnreadableSample("points.npy: NaN or infinite")
    _check_extent(low[:3], high[:3], stored.dtype)
    if low[3:].min(initial=0) < -ROUNDING or high[3:].max(initial=1) > 1 + ROUNDING:
        raise UnreadableSample(
            f"points.npy: channels 4 to 6 are colours in 0..1, found {low[3:].min():g} to "
            f"{high[3:].max():g}; scale them, or leave out what is no colour"
        )
    return wide if wide.dtype == np.float32 else _centred(wide, low, high)


def _bounds(cloud: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Smallest and largest value of every channel, NaN where one is among them.

    Over rows of many points at once, of which numpy compares whole registers: ten times as fast.
    """
    even = len(cloud) // BLOCK * BLOCK
    rows = cloud[:even].reshape(-1, BLOCK * cloud.shape[1])
    low, high = cloud[even:], cloud[even:]
    if even:
        low = np.concatenate([rows.min(axis=0).reshape(BLOCK, -1), low])
        high = np.concatenate([rows.max(axis=0).reshape(BLOCK, -1), high])
    return low.min(axis=0), high.max(axis=0)


def _check_extent(low: np.ndarray, high: np.ndarray, dtype: np.dtype) -> None:
    """Refuse a cloud without a shape: its bounding box against a step of its numbers there."""
    with np.errstate(over="ignore"):
        extent = float((high - low).max())
    if extent == 0:
        raise UnreadableSample("points.npy: all points are in one place")
    farthest = np.maximum(abs(low), abs(high)).max()
    step = float(np.spacing(farthest.astype(dtype.newbyteorder("="))))
    if extent < MIN_STEPS * step:
        raise UnreadableSample(
            f"points.npy: {dtype.name} has steps of {step:g} at {farthest:g}, too coarse for a "
            f"cloud {extent:g} wide; centre it before it is stored"
        )


def _centred(wide: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Float32 of a wider cloud about the middle of its bounding box."""
    middle = np.zeros_like(low)
    middle[:3] = low[:3] / 2 + high[:3] / 2
    cloud = np.empty(wide.shape, dtype=np.float32)
    with np.errstate(over="ignore"):
        np.subtract(wide, middle, out=cloud, casting="same_kind")
        if not np.isfinite((high - low).astype(np.float32)).all():
            raise UnreadableSample("points.npy: coordinates that float32 cannot hold")
    return cloud


def _stored(data: bytes) -> np.ndarray:
    """The array as it is stored, float [N, 3|6]."""
    file = io.BytesIO(data)
    try:
        with _NPY_LOCK:
            shape, fortran, dtype = _NPY_HEADERS[np.lib.format.read_magic(file)](file)
    except Exception as error:  # a damaged header raises nearly anything, RecursionError too
        raise unreadable("points.npy: no plain .npy header", error) from None
    if len(shape) != 2 or shape[1] not in (3, 6) or dtype.kind != "f" or bool in map(type, shape):
        found = one_line(f"{dtype} {shape}")
        raise UnreadableSample(f"points.npy: expected float [N, 3|6], found {found}")
    if not 1 <= shape[0] <= MAX_POINTS:
        found = one_line(str(shape[0]))
        raise UnreadableSample(f"points.npy: expected 1 to {MAX_POINTS} points, found {found}")
    there, promised = data[file.tell() :], math.prod(shape) * dtype.itemsize
    if len(there) < promised:
        raise UnreadableSample(f"points.npy: {promised} bytes expected, found {len(there)}")
    array = np.frombuffer(there[:promised], dtype)
    return array.reshape(shape, order="F" if fortran else "C")


_NPY_LOCK = Lock()
"""numpy reads headers through `ast`, whose recursion depth CPython 3.11 counts for all threads
together: where a collection of garbage lets another in, a sound header is refused (gh-106905)."""
_NPY_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
