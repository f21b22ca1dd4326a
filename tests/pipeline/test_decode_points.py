"""Clouds: plain float arrays with a shape, centred before they are cast, and no others."""

import gc
import io
import struct
import sys
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.decoding.points import decode_points
from pipeline.errors import UnreadableSample
from tests.made_media import npy

REPEATABLE = settings(deadline=None, derandomize=True, max_examples=300)
BALL = np.random.default_rng(5).normal(size=(700, 3))
BALL /= np.linalg.norm(BALL, axis=1, keepdims=True)


def npy_with_header(header: str, data: bytes = b"") -> bytes:
    padded = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(padded)) + padded + data


def reason(data: bytes) -> str:
    """Why a member is refused; refusing it may not take memory."""
    tracemalloc.start()
    try:
        with pytest.raises(UnreadableSample) as caught:
            decode_points(data)
        assert tracemalloc.get_traced_memory()[1] < 30e6
    finally:
        tracemalloc.stop()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f4"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("channels", [3, 6])
def test_clouds_decode_to_float32(dtype: str, order: str, channels: int) -> None:
    for count in (9, 200):
        array = np.random.default_rng(0).uniform(size=(count, channels))
        array[:, :3] -= 0.5
        array = array.astype(dtype, order=order)
        cloud = decode_points(npy(array))
        assert cloud.dtype == np.float32
        assert np.array_equal(cloud, array.astype(np.float32))


@pytest.mark.parametrize("count", [9, 200])
@pytest.mark.parametrize("channels", [3, 6])
def test_float64_far_from_0_is_centred_but_for_its_colours(count: int, channels: int) -> None:
    array = np.random.default_rng(0).uniform(size=(count, channels))
    array[:, :3] += [7, 0, 1e6]
    middle = (array.min(axis=0) + array.max(axis=0)) / 2
    middle[3:] = 0
    assert np.array_equal(decode_points(npy(array)), (array - middle).astype(np.float32))


@pytest.mark.parametrize(
    ("array", "why"),
    [
        (np.zeros((0, 3), "f4"), "1 to 2000000 points, found 0"),
        (np.zeros((5, 4), "f4"), r"\[N, 3\|6\], found float32 \(5, 4\)"),
        (np.zeros(3, "f4"), "found float32"),
        (np.zeros((2, 5, 3), "f4"), "found float32"),
        (np.zeros((5, 3), "i4"), "found int32"),
        (np.zeros((5, 3), "c8"), "found complex64"),
        (np.full((5, 3), np.nan, "f4"), "NaN"),
        (np.array([[0, 0, np.inf]], "f4"), "NaN, or"),
        (np.where(np.arange(300).reshape(100, 3) == 77, np.nan, BALL[:100]), "NaN, or"),
        (np.where(np.arange(300).reshape(100, 3) == 298, -np.inf, BALL[:100]), "NaN, or"),
        (np.array([[0, 0, 1e300], [0, 0, 0]]), "float32 cannot hold"),
        (np.array([[0, 0, 1e308], [0, 0, -1e308]]), "float32 cannot hold"),
        (np.zeros((5, 3), "f4"), "all points are in one place"),
        (np.full((500, 3), 4.5e6), "all points are in one place"),
        (np.ones((1, 3)), "all points are in one place"),
        ((BALL + [5e5, 4.5e6, 100]).astype("f4"), "float32 has steps of 0.5 at 4.5e[+]06"),
        ((BALL + [300, 500, 100]).astype("f2"), "float16 has steps of 0.25 at 50.*centre it"),
        (BALL * 1e-6 + 1e9, "float64 has steps"),
        (np.c_[BALL, BALL], "channels 4 to 6 are colours in 0..1, found -0.9.* to 0.9"),
        (np.c_[BALL, 255 * abs(BALL)].astype("f4"), "found 0.* to 25.*; scale them"),
        (np.c_[BALL, 65535 * abs(BALL)], "found 0.* to 6.*; scale them"),
        (np.zeros((2_000_001, 3), "f2"), "2000000 points, found 2000001"),
    ],
)
def test_clouds_of_the_wrong_content_are_refused(array: np.ndarray, why: str) -> None:
    with pytest.raises(UnreadableSample, match=why):
        decode_points(npy(array))


def test_pickled_clouds_are_never_unpickled() -> None:
    class Trap:
        def __reduce__(self) -> tuple:
            return pytest.fail, ("unpickled",)

    data = npy(np.array([[Trap()] * 3], dtype=object))
    assert "found object" in reason(data)


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000, 3)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000, 3)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (" + "9" * 40 + ", 3)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-4, 3)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (4.0, 3)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (True, 3)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (" + "9" * 400 + ", 3)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (4, " + "9" * 5000 + ")}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': " + "(" * 90 + ")" * 90 + "}",
        "{'descr': 'f99', 'fortran_order': False, 'shape': (4, 3)}",
        "{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (4, 3)}",
        "__import__('os').abort()",
        "(" * 100,
        "",
    ],
)
def test_hostile_npy_headers_are_refused(header: str) -> None:
    assert reason(npy_with_header(header)).startswith("points.npy")


@pytest.fixture
def busy_collector() -> Iterator[None]:
    """Garbage is collected all the time, with a callback that other threads may interrupt."""
    thresholds, interval = gc.get_threshold(), sys.getswitchinterval()
    busy = lambda *_: sum(range(50))  # noqa: E731
    gc.callbacks.append(busy)
    gc.set_threshold(50)
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)
    gc.set_threshold(*thresholds)
    gc.callbacks.remove(busy)


@pytest.mark.usefixtures("busy_collector")
def test_threads_decode_sound_clouds() -> None:
    sample = npy(np.eye(4, 3, dtype=np.float32))
    with ThreadPoolExecutor(5) as threads:
        clouds = list(threads.map(lambda _: decode_points(sample), range(2000)))
    assert all(cloud.shape == (4, 3) for cloud in clouds)


def test_a_truncated_cloud_and_an_npz_are_refused() -> None:
    data = npy(np.zeros((9, 3), "f4"))
    assert "108 bytes expected, found 107" in reason(data[:-1])
    file = io.BytesIO()
    np.savez(file, np.zeros((9, 3), "f4"))
    assert "no plain .npy" in reason(file.getvalue())


@REPEATABLE
@given(st.integers(0, 127), st.integers(0, 255), st.integers(0, 300))
def test_any_damaged_npy_decodes_or_is_refused(place: int, value: int, cut: int) -> None:
    data = bytearray(npy(np.zeros((9, 3), "f4")))
    data[place] = value
    try:
        cloud = decode_points(bytes(data[: len(data) - cut]))
    except UnreadableSample:
        return
    assert cloud.shape[1] in (3, 6)


def test_map_coordinates_keep_their_shape() -> None:
    """Far from 0 float32 has steps of half a metre: float64 is centred first."""
    near, far = (decode_points(npy(BALL + place)) for place in ([0, 0, 0], [5e5, 4.5e6, 100.0]))
    assert np.abs((far - far[0]) - (near - near[0])).max() < 1e-6


def test_colours_may_be_a_rounding_beyond_1() -> None:
    cloud = np.c_[BALL, np.full((len(BALL), 3), 1.0004)].astype("f4")
    assert decode_points(npy(cloud)).shape == (700, 6)
