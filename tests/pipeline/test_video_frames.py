"""Parts of a clip's frames: the pixels that the whole frames have there."""

import numpy as np
import pytest

from pipeline.decoding.video import decode_video
from pipeline.decoding.video_frames import UnconvertedFrame
from tests.made_media import clip
from tests.made_members import video_bytes

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("size", [(96, 64), (50, 70)])
def test_a_part_has_the_pixels_of_the_whole(size: tuple[int, int]) -> None:
    video = decode_video(video_bytes(4, size, noise=True))
    whole, parts = video.decode(range(4)), video.pictures(range(4))
    for number in [*range(4)] * 8:
        assert isinstance(parts[number], UnconvertedFrame)
        rows, columns = (
            slice(start := int(RNG.integers(side)), start + 1 + int(RNG.integers(side - start)))
            for side in parts[number].shape[:2]
        )
        assert np.array_equal(parts[number][rows, columns], whole[number][rows, columns])
        assert np.array_equal(parts[number][:, :], whole[number])


@pytest.mark.parametrize("rotation", [(-90, False), (180, True)])
def test_a_turned_frame_is_converted_whole(rotation: tuple[int, bool]) -> None:
    video = decode_video(clip(4, rotation=rotation))
    assert np.array_equal(video.pictures([0])[0], video.decode([0])[0])
