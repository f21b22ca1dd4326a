"""Hostile and damaged members: each refused with its reason, nothing large allocated."""

import io
import json
import struct
import tracemalloc
import zlib
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
    assert (image.dtype, image.shape) == (np.uint8, (40, 48, 3))
    if extension == "png":
        assert np.array_equal(image, PIXELS)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA", "1", "CMYK", "I;16"])
def test_other_modes_become_rgb(mode: str) -> None:
    extension = "jpg" if mode == "CMYK" else "png"
    image = Image.fromarray(PIXELS).convert("L" if mode == "I;16" else mode)
    data = image_bytes(extension, image.convert(mode))
    assert decode_member({f"image.{extension}": data}, "image").shape == PIXELS.shape


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
        assert decode_member({f"image.{extension}": bytes(data)}, "image").shape[2] == 3


@pytest.mark.parametrize(
    "caption", ["", "  ", "\t\n", "\u200b", "\ufeff\u200d", "\u3000\xa0", "\u3164", "\u2800", "..."]
)
def test_a_caption_without_a_word_is_refused(caption: str) -> None:
    for captions in ([caption], ["a dog", caption]):
        with pytest.raises(UnreadableSample, match=f"caption {len(captions) - 1} has no word"):
            decode_text({"text.json": json.dumps({"captions": captions}).encode()})


@pytest.mark.parametrize("caption", ["a dog", "犬", "🐕", "3", " \u200bдом"])
def test_a_caption_with_a_word_is_kept_as_it_is(caption: str) -> None:
    text = {"text.json": json.dumps({"captions": [caption]}).encode()}
    assert decode_text(text).captions == (caption,)


def test_json_beyond_its_bound_is_refused_unread() -> None:
    data = b'{"labels": [' + b"0," * (1 << 20) + b"0]}"
    with pytest.raises(UnreadableSample, match="meta.json: [0-9]* bytes; the limit is 1048576"):
        decode_text({"meta.json": data})


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
@example(b'{"labels": [' + b"9" * 400 + b"]}")
@example(b'{"labels": ' + b"[" * 900 + b"]" * 900 + b"}")
def test_text_that_is_not_as_declared_is_refused(data: bytes) -> None:
    with pytest.raises(UnreadableSample, match=r"meta.json|neither a label"):
        decode_text({"meta.json": data, "text.json": b"{}"})
    with pytest.raises(UnreadableSample, match=r"text.json|neither a label"):
        decode_text({"text.json": data})


@pytest.mark.parametrize("member", ["image", "points"])
def test_a_missing_member_is_named_with_what_is_there(member: str) -> None:
    with pytest.raises(UnreadableSample, match=rf"no member {member}\..*found meta.json"):
        decode_member({"meta.json": b"{}"}, member)
