"""Pictures as a viewer shows them: upright, opaque, 8 bits, whole; whatever the file's kind."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from benchmarks.view_members import scene
from pipeline.decoding.image import decode_image
from pipeline.decoding.picture import TURNS
from pipeline.errors import UnreadableSample
from tests.made_media import BLUE, GREEN, PALE, RED, corners, png, saved, tagged

UNDO = {5: 5, 6: 8, 7: 7, 8: 6}
"""The orientation that turns a picture back, where it is another one."""
LOSSLESS = {"jpeg": {"quality": 95, "subsampling": 0}, "png": {}, "webp": {"lossless": True}}
SCENE = Image.fromarray(scene(90, 70))


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(decode_image(data)).astype(int)


def near(found: np.ndarray, colour: tuple[int, ...]) -> bool:
    return bool((abs(found - np.array(colour)) < 12).all())


@pytest.mark.parametrize("kind", LOSSLESS)
@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_orientations_come_out_upright(kind: str, orientation: int) -> None:
    back = UNDO.get(orientation, orientation)
    stored = corners() if back == 1 else corners().transpose(TURNS[back])
    found = pixels(tagged(stored, kind, orientation, **LOSSLESS[kind]))
    assert found.shape == (32, 48, 3)
    assert near(found[3, 3], RED)
    assert near(found[3, -3], GREEN)
    assert near(found[-3, 3], BLUE)
    assert near(found[-3, -3], PALE)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_is_none_turns_nothing(orientation: int) -> None:
    assert pixels(tagged(corners(), "png", orientation)).shape == (32, 48, 3)


@pytest.mark.parametrize("tags", [b"", b"MM", b"II*\0\xff\xff\xff\xff", bytes(40)])
def test_damaged_tags_turn_nothing(tags: bytes) -> None:
    for kind in LOSSLESS:
        assert pixels(saved(corners(), kind, exif=b"Exif\0\0" + tags)).shape == (32, 48, 3)


def test_the_pixels_of_a_jpeg_are_those_of_pillow() -> None:
    for mode in ("RGB", "L", "CMYK"):
        for options in ({}, {"progressive": True}, {"subsampling": 0}, {"quality": 30}):
            data = saved(SCENE.convert(mode), "jpeg", **options)
            file = Image.open(io.BytesIO(data))
            assert np.array_equal(pixels(data), np.asarray(file.convert("RGB")))


@pytest.mark.parametrize("kind", ["png", "webp"])
@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_transparency_shows_white(kind: str, mode: str) -> None:
    dark = Image.new("RGBA", (3, 1), (0, 0, 0, 0))
    dark.putpixel((1, 0), (0, 0, 0, 255))
    dark.putpixel((2, 0), (0, 0, 0, 51))
    options = {"lossless": True, "exact": True} if kind == "webp" else {}
    found = pixels(saved(dark.convert(mode), kind, **options))
    assert found[0].tolist() == [[255] * 3, [0] * 3, [204] * 3]


def test_transparency_of_a_palette_shows_white() -> None:
    image = corners().quantize(4)
    first = image.getpixel((0, 0))
    for transparency in (first, bytes(0 if n == first else 255 for n in range(4))):
        found = pixels(saved(image, "png", transparency=transparency))
        assert near(found[3, 3], (255, 255, 255))
        assert near(found[3, -3], GREEN)


@pytest.mark.parametrize(("depth", "row"), [(1, 0x40), (2, 0x30), (4, 0x0F), (8, 0x00FF)])
def test_the_transparent_grey_of_a_png_shows_white(depth: int, row: int) -> None:
    """Black, then the largest value, of which the PNG says that it is transparent."""
    rows = b"\0" + (bytes([row]) if depth < 8 else struct.pack(">H", row))
    largest = struct.pack(">H", (1 << depth) - 1)
    black = struct.pack(">H", 0)
    assert pixels(png(2, 1, depth, 0, rows, tRNS=largest))[0].tolist() == [[0] * 3, [255] * 3]
    assert pixels(png(2, 1, depth, 0, rows, tRNS=black))[0].tolist() == [[255] * 3] * 2


def test_16_bits_are_scaled_and_not_clipped() -> None:
    ramp = np.array([[0, 128, 257, 32768, 65406, 65535]], np.uint16)
    found = pixels(saved(Image.fromarray(ramp), "png"))[0, :, 0]
    assert found.tolist() == [0, 0, 1, 128, 254, 255]


def test_16_bits_with_a_transparent_value() -> None:
    grey = b"\0" + struct.pack(">3H", 0, 40000, 40001)
    found = pixels(png(3, 1, 16, 0, grey, tRNS=struct.pack(">H", 40000)))
    assert found[0, :, 0].tolist() == [0, 255, 156]
    colours = b"\0" + struct.pack(">6H", 65535, 0, 0, 0, 0, 65535)
    found = pixels(png(2, 1, 16, 2, colours, tRNS=struct.pack(">3H", 65535, 0, 0)))
    assert found[0].tolist() == [[255] * 3, [0, 0, 255]]


ENCODED = {
    "jpeg": saved(SCENE, "jpeg"),
    "jpeg with restarts": saved(SCENE, "jpeg", restart_marker_blocks=3),
    "progressive jpeg": saved(SCENE, "jpeg", progressive=True),
    "grey jpeg": saved(SCENE.convert("L"), "jpeg", progressive=True),
    "cmyk jpeg": saved(SCENE.convert("CMYK"), "jpeg"),
    "png": saved(SCENE, "png"),
    "16-bit png": saved(Image.fromarray(np.arange(6300, dtype=np.uint16).reshape(70, 90)), "png"),
    "webp": saved(SCENE, "webp"),
    "lossless webp": saved(SCENE, "webp", lossless=True),
}


@pytest.mark.parametrize("name", ENCODED)
def test_a_picture_cut_anywhere_is_refused_or_complete(name: str) -> None:
    data = ENCODED[name]
    whole = pixels(data)
    for cut in [*range(0, len(data), 37), *range(len(data) - 12, len(data))]:
        for end in (b"", b"\xff\xd9") if "jpeg" in name else (b"",):
            try:
                found = pixels(data[:cut] + end)
            except UnreadableSample as error:
                assert str(error).startswith("image")  # noqa: PT017
            else:
                assert np.array_equal(found, whole)
                assert cut > len(data) - 30


def test_scans_that_are_missing_as_a_whole_are_noticed() -> None:
    data = ENCODED["progressive jpeg"]
    for scan in range(2, 10):
        place = [n for n in range(len(data)) if data.startswith(b"\xff\xda", n)][scan]
        with pytest.raises(UnreadableSample, match="scans of the JPEG are missing|Corrupt|Prem"):
            pixels(data[:place] + b"\xff\xd9")


def test_what_lies_behind_a_complete_jpeg_does_not_matter() -> None:
    data = ENCODED["jpeg"]
    whole = pixels(data)
    assert np.array_equal(pixels(data + b"junk" * 9), whole)
    assert np.array_equal(pixels(data[:-2] + bytes(20) + data[-2:]), whole)  # some cameras pad
