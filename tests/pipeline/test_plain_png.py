"""Depth maps as preparations store them: read at once, and left to Pillow where in doubt."""

import numpy as np
import pytest

from pipeline.decoding.depth import decode_depth
from pipeline.decoding.plain_png import decode_plain, encode_plain
from pipeline.errors import UnreadableSample
from tests.made_members import SENSOR, depth_png, waves

PLAIN = encode_plain(waves())


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (9, 1), (30, 41)])
def test_integers_come_back(shape: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(1, 65536, shape, np.uint16)
    found = decode_plain(encode_plain(pixels))
    assert found.dtype == np.uint16
    assert np.array_equal(found, pixels)


def test_other_pngs_are_left_to_pillow() -> None:
    for data in (depth_png(waves()), depth_png(waves().astype(np.uint8)), b"", PLAIN + b"\0"):
        assert decode_plain(data) is None


@pytest.mark.parametrize("kept", [0, 8, 40, 41, 60, len(PLAIN) // 2])
def test_what_is_cut_short_is_refused(kept: int) -> None:
    assert decode_plain(PLAIN[:kept]) is None
    with pytest.raises(UnreadableSample, match="depth.png"):
        decode_depth(PLAIN[:kept], SENSOR)


def test_a_changed_byte_is_never_read_here() -> None:
    for place in [*range(60), *range(60, len(PLAIN), 97), *range(len(PLAIN) - 20, len(PLAIN))]:
        data = bytearray(PLAIN)
        data[place] ^= 1
        assert decode_plain(bytes(data)) is None, place


@pytest.mark.parametrize("height", [49, 51])
def test_one_that_unpacks_to_another_size_is_left_to_pillow(height: int) -> None:
    """33 bytes are the signature and the header."""
    fifty, other = (encode_plain(np.ones((lines, 40), np.uint16)) for lines in (50, height))
    assert decode_plain(fifty) is not None
    assert decode_plain(other[:33] + fifty[33:]) is None
