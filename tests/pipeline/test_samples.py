"""Hostile and damaged members: each refused with its reason, nothing large allocated."""

import gc
import io
import json
import struct
import sys
import tracemalloc
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from pipeline.samples import UnreadableSample, decode_member, decode_text

REPEATABLE = settings(deadline=None, derandomize=True, max_examples=300)
FORMATS = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP"}
PIXELS = np.random.default_rng(0).integers(0, 256, (40, 48, 3), dtype=np.uint8)


def image_bytes(extension: str, image: Image.Image | None = None) -> bytes:
    file = io.BytesIO()
    (image or Image.fromarray(PIXELS)).save(file, FORMATS[extension])
    return file.getvalue()


def npy(array: np.ndarray, pickled: bool = False) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=pickled)
    return file.getvalue()


def npy_with_header(header: str, data: bytes = b"") -> bytes:
    padded = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(padded)) + padded + data


def png_header(width: int, height: int) -> bytes:
    """A PNG that promises a size and holds almost nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(b"\0" * 64))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


def reason(sample: dict[str, bytes], member: str) -> str:
    """Why a member is refused; refusing it may not take memory."""
    tracemalloc.start()
    try:
        with pytest.raises(UnreadableSample) as caught:
            decode_member(sample, member)
        assert tracemalloc.get_traced_memory()[1] < 30e6
    finally:
        tracemalloc.stop()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("extension", FORMATS)
def test_images_decode_to_rgb(extension: str) -> None:
    image = decode_member({f"image.{extension}": image_bytes(extension)}, "image")
    assert (image.mode, image.size) == ("RGB", (48, 40))
    if extension == "png":
        assert np.array_equal(np.asarray(image), PIXELS)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA", "1", "CMYK", "I;16"])
def test_other_modes_become_rgb(mode: str) -> None:
    extension = "jpg" if mode == "CMYK" else "png"
    image = Image.fromarray(PIXELS).convert("L" if mode == "I;16" else mode)
    data = image_bytes(extension, image.convert(mode))
    assert decode_member({f"image.{extension}": data}, "image").mode == "RGB"


@pytest.mark.parametrize("extension", FORMATS)
@pytest.mark.parametrize("share", [0, 0.01, 0.1, 0.5, 0.9])
def test_truncated_images_are_refused(extension: str, share: float) -> None:
    data = image_bytes(extension)
    assert "image" in reason({f"image.{extension}": data[: int(share * len(data))]}, "image")


@pytest.mark.parametrize(
    ("side", "why"), [(9_000, "9000 x 9000 pixels; the limit"), (50_000, "exceeds limit of")]
)
def test_a_huge_image_is_refused_by_its_header(side: int, why: str) -> None:
    assert why in reason({"image.png": png_header(side, side)}, "image")


def test_an_extremely_long_image_is_refused() -> None:
    """Scaled by its short side for the evaluation view, it would take gigabytes."""
    assert "over 100 times" in reason({"image.png": png_header(60_000, 1)}, "image")


@pytest.mark.parametrize("data", [b"", b"GIF89a" + bytes(60), b"%!PS-Adobe-3.0 EPSF-3.0\n"])
def test_other_formats_are_refused_without_their_decoders(data: bytes) -> None:
    assert reason({"image.png": data}, "image") == "image: not a JPEG, PNG or WebP"


@REPEATABLE
@given(st.sampled_from(sorted(FORMATS)), st.integers(0, 10_000), st.integers(0, 255))
def test_a_changed_byte_decodes_or_is_refused(extension: str, place: int, value: int) -> None:
    data = bytearray(image_bytes(extension))
    data[place % min(len(data), 200)] = value
    with suppress(UnreadableSample):
        assert decode_member({f"image.{extension}": bytes(data)}, "image").mode == "RGB"


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f4"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("channels", [3, 6])
def test_clouds_decode_to_float32(dtype: str, order: str, channels: int) -> None:
    array = np.random.default_rng(0).normal(size=(9, channels)).astype(dtype, order=order)
    cloud = decode_member({"points.npy": npy(array)}, "points")
    assert cloud.dtype == np.float32
    assert np.array_equal(cloud, array.astype(np.float32))


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
        (np.array([[0, 0, 1e300]]), "float32 cannot hold"),
        (np.zeros((2_000_001, 3), "f2"), "2000000 points, found 2000001"),
    ],
)
def test_clouds_of_the_wrong_content_are_refused(array: np.ndarray, why: str) -> None:
    with pytest.raises(UnreadableSample, match=why):
        decode_member({"points.npy": npy(array)}, "points")


def test_pickled_clouds_are_never_unpickled() -> None:
    class Trap:
        def __reduce__(self) -> tuple:
            return pytest.fail, ("unpickled",)

    data = npy(np.array([[Trap()] * 3], dtype=object), pickled=True)
    assert "found object" in reason({"points.npy": data}, "points")


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000, 3)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000, 3)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (" + "9" * 40 + ", 3)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-4, 3)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (4.0, 3)}",
        "{'descr': 'f99', 'fortran_order': False, 'shape': (4, 3)}",
        "{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': (4, 3)}",
        "__import__('os').abort()",
        "(" * 100,
        "",
    ],
)
def test_hostile_npy_headers_are_refused(header: str) -> None:
    assert reason({"points.npy": npy_with_header(header)}, "points").startswith("points.npy")


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
    sample = {"points.npy": npy(np.ones((4, 3), np.float32))}
    with ThreadPoolExecutor(5) as threads:
        clouds = list(threads.map(lambda _: decode_member(sample, "points"), range(2000)))
    assert all(cloud.shape == (4, 3) for cloud in clouds)


def test_a_truncated_cloud_and_an_npz_are_refused() -> None:
    data = npy(np.zeros((9, 3), "f4"))
    assert "108 bytes expected, found 107" in reason({"points.npy": data[:-1]}, "points")
    file = io.BytesIO()
    np.savez(file, np.zeros((9, 3), "f4"))
    assert "no plain .npy" in reason({"points.npy": file.getvalue()}, "points")


@REPEATABLE
@given(st.integers(0, 127), st.integers(0, 255), st.integers(0, 300))
def test_any_damaged_npy_decodes_or_is_refused(place: int, value: int, cut: int) -> None:
    data = bytearray(npy(np.zeros((9, 3), "f4")))
    data[place] = value
    try:
        cloud = decode_member({"points.npy": bytes(data[: len(data) - cut])}, "points")
    except UnreadableSample:
        return
    assert cloud.shape[1] in (3, 6)


def test_text_has_labels_or_captions() -> None:
    words = decode_text({"meta.json": b'{"labels": [3, 1], "id": "x"}', "text.json": b"{}"})
    assert (words.labels, words.label_texts) == ((3, 1), ())
    words = decode_text({"text.json": json.dumps({"captions": ["a", "b"]}).encode()})
    assert words.label_texts == ("a", "b")


@REPEATABLE
@given(st.binary())
@example(b"not json")
@example(b"[]")
@example(b"\xff\xfe")
@example(b"[" * 100_000)
@example(b'{"labels": 3}')
@example(b'{"labels": null}')
@example(b'{"labels": "chair"}')
@example(b'{"labels": [-1]}')
@example(b'{"labels": [1.5]}')
@example(b'{"labels": [true]}')
@example(b'{"captions": [3]}')
def test_text_that_is_not_as_declared_is_refused(data: bytes) -> None:
    with pytest.raises(UnreadableSample, match=r"meta.json|neither a label"):
        decode_text({"meta.json": data, "text.json": b"{}"})
    with pytest.raises(UnreadableSample, match=r"text.json|neither a label"):
        decode_text({"text.json": data})


@pytest.mark.parametrize("member", ["image", "points"])
def test_a_missing_member_is_named_with_what_is_there(member: str) -> None:
    with pytest.raises(UnreadableSample, match=rf"no member {member}\..*found meta.json"):
        decode_member({"meta.json": b"{}"}, member)
