"""Media of the page: what a browser shows, small whatever the item is made of."""

import io
import json
from base64 import b64decode

import numpy as np
import pytest
import soundfile
from PIL import Image

from eval.report.held_out import MOST
from eval.report.media import FRAMES, POINTS, SECONDS, SIDE, medium
from pipeline.decoding.audio import decode_audio
from pipeline.decoding.depth import Depth
from pipeline.decoding.video import decode_video
from tests.made_members import audio_bytes, hum, video_bytes

RNG = np.random.default_rng(1)
PAGE = 15_000_000
"""Characters that the page may have."""


def picture(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(b64decode(uri.partition("base64,")[2])))


def test_a_picture_is_reduced_and_keeps_its_form() -> None:
    shown = medium("image", RNG.integers(0, 256, (300, 600, 3)).astype(np.uint8))
    assert picture(shown["src"]).size == (SIDE, SIDE // 2)


def test_depth_is_coloured_and_near_is_bright() -> None:
    raw = np.full((8, 16), 4000, np.uint16)
    raw[:, :8] = 1000
    shown = picture(medium("depth", Depth(raw, "millimetres", 0.1, 500.0))["src"]).convert("L")
    assert shown.getpixel((2, 4)) > shown.getpixel((13, 4)) + 50


@pytest.mark.parametrize("seconds", [0.03, 9])
def test_a_sound_plays_its_first_seconds(seconds: float) -> None:
    shown = medium("audio", decode_audio(audio_bytes(hum(seconds))))
    assert shown["src"].startswith("data:audio/mpeg;base64,")
    played, rate = soundfile.read(io.BytesIO(b64decode(shown["src"].partition("base64,")[2])))
    assert len(played) / rate == pytest.approx(min(seconds, SECONDS), abs=0.15)
    assert picture(shown["picture"]).height <= SIDE


@pytest.mark.parametrize("points", [1, 40, 5000])
def test_a_cloud_fills_its_cube_and_keeps_its_form(points: int) -> None:
    cloud = RNG.normal(size=(points, 6)).astype(np.float32) * (1, 3, 0.1, 1, 1, 1) + 100
    shown = np.frombuffer(b64decode(medium("points", cloud)["xyz"]), np.uint8).reshape(-1, 3)
    assert len(shown) == min(points, POINTS)
    if points > 1:
        assert np.ptp(shown[:, 1]) == pytest.approx(254, abs=1)
        assert np.ptp(shown[:, 2]) < 40


def test_a_clip_is_its_frames_in_a_row() -> None:
    shown = medium("video", decode_video(video_bytes(size=(96, 48))))
    strip = picture(shown["src"]).convert("L")
    assert strip.size == (FRAMES * shown["width"], shown["height"])
    middles = [strip.getpixel((int((n + 0.5) * shown["width"]), 30)) for n in range(FRAMES)]
    assert middles == sorted(set(middles))


def test_a_page_of_nothing_but_noise_is_within_its_size() -> None:
    noise = RNG.integers(0, 256, (256, 256, 3)).astype(np.uint8)
    depth = Depth(RNG.integers(500, 9000, (256, 256)).astype(np.uint16), "millimetres", 0.1, 500.0)
    clip = decode_video(video_bytes(20, (256, 256), options={"crf": "1"}, noise=True))
    decoded = {
        "image": noise, "depth": depth, "video": clip, "audio": decode_audio(audio_bytes(hum(6))),
        "points": RNG.normal(size=(4000, 3)),
    }  # fmt: skip
    sizes = {name: len(json.dumps(medium(name, each))) for name, each in decoded.items()}
    assert MOST * sum(sizes.values()) < PAGE
