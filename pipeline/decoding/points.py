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

    Float64 that lies farther from 0 than it is wide is centred before it is cast, so that map
    coordinates keep their millimetres.

    Raises:
        UnreadableSample: another array, cut short, not finite, all in one place or resolved too
            coarsely there, or colours outside 0..1.
    """
    stored = _stored(data)
    with np.errstate(over="ignore"):
        cloud = np.ascontiguousarray(stored, dtype=np.float32)
    low, high = _extreme(np.minimum, cloud), _extreme(np.maximum, cloud)
    if not all(map(math.isfinite, low + high)):
        raise UnreadableSample("points.npy: NaN, or coordinates that float32 cannot hold")
    if stored.itemsize > 4 and _farthest(low, high) > _extent(low, high):
        low, high = _extreme(np.minimum, stored), _extreme(np.maximum, stored)
        cloud = _less(stored, [one / 2 + other / 2 for one, other in zip(low[:3], high[:3])])
    _check_extent(low, high, stored.dtype)
    if min(low[3:], default=0) < -ROUNDING or max(high[3:], default=1) > 1 + ROUNDING:
        raise UnreadableSample(
            f"points.npy: channels 4 to 6 are colours in 0..1, found {min(low[3:]):g} to "
            f"{max(high[3:]):g}; scale them, or leave out what is no colour"
        )
    return cloud


def _extreme(choose: np.ufunc, cloud: np.ndarray) -> list[float]:
    """Smallest or largest value of every channel, NaN where one is among them."""
    channels = cloud.shape[1]
    if len(cloud) >= BLOCK:
        rows, end = _rows(cloud), cloud[-BLOCK:].reshape(-1)
        cloud = choose(choose.reduce(rows), end).reshape(BLOCK, channels)
    return choose.reduce(cloud).tolist()


def _less(wide: np.ndarray, middle: list[float]) -> np.ndarray:
    """Float32 of a wider cloud about another origin."""
    shift = np.zeros(wide.shape[1], wide.dtype)
    shift[:3] = middle
    cloud = np.empty(wide.shape, dtype=np.float32)
    rows = _rows(cloud)
    np.subtract(_rows(wide), np.tile(shift, BLOCK), out=rows, casting="same_kind")
    rest = len(rows) * BLOCK
    np.subtract(wide[rest:], shift, out=cloud[rest:], casting="same_kind")
    return cloud


def _rows(cloud: np.ndarray) -> np.ndarray:
    """All but the last points, `BLOCK` a row: numpy is several times faster along long rows."""
    return cloud[: len(cloud) // BLOCK * BLOCK].reshape(-1, BLOCK * cloud.shape[1])


def _extent(low: list[float], high: list[float]) -> float:
    """The longest side of the bounding box."""
    return max(one - other for one, other in zip(high[:3], low[:3]))


def _farthest(low: list[float], high: list[float]) -> float:
    """The largest coordinate without its sign."""
    return max(map(abs, low[:3] + high[:3]))


def _check_extent(low: list[float], high: list[float], dtype: np.dtype) -> None:
    """Refuse a cloud without a shape: its bounding box against a step of its numbers there."""
    extent, farthest = _extent(low, high), _farthest(low, high)
    if extent == 0:
        raise UnreadableSample("points.npy: all points are in one place")
    step = math.ldexp(float(np.finfo(dtype).eps), math.frexp(farthest)[1] - 1)
    if extent < MIN_STEPS * step:
        raise UnreadableSample(
            f"points.npy: {dtype.name} has steps of {step:g} at {farthest:g}, too coarse for a "
            f"cloud {extent:g} wide; centre it before it is stored"
        )


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
