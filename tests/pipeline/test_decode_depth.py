"""Depth maps: integers and sensor to disparity, and what is refused with which reason."""

import numpy as np
import pytest
from PIL import Image

from pipeline.decoding.depth import decode_depth
from pipeline.errors import UnreadableSample
from tests.made_media import tagged
from tests.made_members import SENSOR, depth_png, jpeg_bytes, png_header, waves

RAW = waves()
DEEP: list = []
for _ in range(900):
    DEEP = [DEEP]


def test_the_stored_integers_are_kept() -> None:
    depth = decode_depth(depth_png(RAW), SENSOR)
    assert depth.raw.dtype == np.uint16
    assert np.array_equal(depth.raw, RAW)


@pytest.mark.parametrize(
    ("raw", "disparity"),
    [
        (2000, 0.075 * 520 / 2),
        (8190, 0.075 * 520 / 8.19),
        (65535, 0.075 * 520 / 50),  # farther than 50 m is 50 m
        (300, 75.0),  # nearer than 0.52 m saturates
        (0, 75.0),  # a hole is the nearest there is, as in ViT-Lens
    ],
)
def test_disparity_is_baseline_times_fx_over_metres(raw: int, disparity: float) -> None:
    depth = decode_depth(depth_png(RAW), SENSOR)
    found = depth.disparity(np.array([[raw]], np.uint16))
    assert found.dtype == np.float32
    assert found.item() == pytest.approx(disparity, rel=1e-6)


def test_sunrgbd_is_read_as_vitlens_reads_it() -> None:
    rotated = np.array([[(2000 << 3) & 0xFFFF | 2000 >> 13]], np.uint16)
    depth = decode_depth(depth_png(RAW), {**SENSOR, "encoding": "sunrgbd-raw"})
    assert depth.disparity(rotated).item() == pytest.approx(0.075 * 520 / 16, rel=1e-6)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (depth_png(np.zeros((4, 5), np.uint16)), "every value is 0"),
        (depth_png(RAW.astype(np.uint8)), "expected 16-bit grey, found mode L"),
        (depth_png(np.zeros((4, 5, 3), np.uint8)), "expected 16-bit grey, found mode RGB"),
        (jpeg_bytes(np.zeros((8, 8, 3), np.uint8)), "not a PNG"),
        (b"", "not a PNG"),
        (depth_png(RAW)[:200], "truncated"),
        (png_header(50_000, 50_000), "depth.png: .*50000 x 50000|exceeds limit"),
        (png_header(9000, 9000), "9000 x 9000 pixels; the limit is 64000000"),
        (png_header(1, 1_000_000), "one side is over 100 times the other"),
    ],
    ids=[
        "zero",
        "8-bit",
        "rgb",
        "jpeg",
        "empty",
        "cut",
        "50,000 x 50,000",
        "81 megapixels",
        "1 x 1,000,000",
    ],
)
def test_what_is_no_depth_map_is_unreadable(data: bytes, reason: str) -> None:
    with pytest.raises(UnreadableSample, match=reason):
        decode_depth(data, SENSOR)


def test_a_turned_map_is_turned_back() -> None:
    turned = tagged(Image.fromarray(RAW).transpose(Image.Transpose.ROTATE_90), "png", 6)
    assert np.array_equal(decode_depth(turned, SENSOR).raw, RAW)


@pytest.mark.parametrize(
    ("sensor", "reason"),
    [
        (None, "expected `depth` with encoding, baseline and fx"),
        ({**SENSOR, "encoding": "feet"}, "encoding is 'feet', expected one of millimetres, sun"),
        ({**SENSOR, "encoding": ["feet"]}, "encoding is"),
        ({**SENSOR, "baseline": -1}, "baseline is -1, expected a number > 0"),
        ({**SENSOR, "fx": True}, "fx is True"),
        ({**SENSOR, "fx": 10**400}, "fx is 1000.*0000, expected"),
        ({**SENSOR, "encoding": DEEP}, r"encoding is \[\[\["),
        ({**SENSOR, "baseline": DEEP}, r"baseline is \[\[\["),
        ({**SENSOR, "fx": float("nan")}, "fx is nan"),
        ({"encoding": "millimetres", "fx": 520}, "baseline is None"),
    ],
)
def test_a_sensor_that_cannot_be_is_unreadable(sensor: object, reason: str) -> None:
    with pytest.raises(UnreadableSample, match=f"meta.json: .*{reason}"):
        decode_depth(depth_png(RAW), sensor)
