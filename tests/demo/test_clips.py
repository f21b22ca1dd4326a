"""The pack's turntable clips keep their promises: a whole turn, decodable, small."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from demo.cameras import CAMERAS, turntable
from pipeline.config.data import ViewsConfig
from pipeline.decoding.video import decode_video
from pipeline.views import EVALUATION, ViewMaker, chain_for
from pipeline.views.video import clip_numbers

PACK = Path(__file__).parents[2] / "demo" / "pack"


@pytest.fixture(scope="module")
def clips() -> dict[str, bytes]:
    with zipfile.ZipFile(PACK / "clips.zip") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_every_object_with_a_class_has_a_clip_and_no_other(clips):
    objects = [json.loads(line) for line in (PACK / "objects.jsonl").read_text().splitlines()]
    assert list(clips) == sorted(f"{line['id']}.mp4" for line in objects if line["class"])


def test_clips_have_64_frames_and_decode_to_the_end(clips):
    for content in clips.values():
        video = decode_video(content)
        assert video.frames == 64
        codec = video.stream.codec_context
        assert (codec.name, codec.width, codec.height) == ("h264", 96, 96)
    for content in list(clips.values())[::12]:
        decode_video(content).check()


def test_the_model_turns_once_around_before_the_background(clips):
    step, quarter, back, corners = [], [], [], []
    for content in list(clips.values())[::12]:
        first, *others = video_frames(content, (0, 1, 16, 63))
        for found, frame in zip((step, quarter, back), others):
            found.append(np.abs(frame - first).mean())
        corners.append(first[:4, :4].mean())
    assert np.median(quarter) > 2 * np.median(step)
    # the last frame is one step off the first again
    assert np.median(back) == pytest.approx(np.median(step), rel=0.3)
    assert np.median(corners) == pytest.approx(237, abs=2)


def test_a_view_takes_eight_frames_at_stride_eight(clips):
    assert clip_numbers(64, 0.5, 8, 8) == list(range(4, 64, 8))
    maker = ViewMaker(chain_for("video", "video"), 0, ViewsConfig(count=1, image_size=64))
    video = decode_video(clips["blendswap-cc-0-antiquechair.mp4"])
    view = maker(video, "antiquechair", EVALUATION).array
    assert view.shape == (8, 3, 64, 64)
    assert all(np.any(view[n] != view[n + 1]) for n in range(7))


def test_the_clips_are_small():
    assert (PACK / "clips.zip").stat().st_size <= 3.5e6


def test_a_turn_begins_at_the_front_camera_and_has_equal_steps():
    turn = turntable(64)
    assert (turn[0].azimuth, turn[0].elevation) == (CAMERAS[0].azimuth, CAMERAS[0].elevation)
    steps = np.diff([camera.azimuth for camera in turn])
    assert steps == pytest.approx(360 / 64)
    assert len({camera.elevation for camera in turn}) == 1


def video_frames(content: bytes, numbers: tuple[int, ...]) -> list[np.ndarray]:
    """Frames by number, int [96,96,3]."""
    frames = decode_video(content).decode(numbers)
    return [frames[number].astype(int) for number in numbers]
