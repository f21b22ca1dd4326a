"""Fixtures of the student's tests: the tiny CLIP, and a student on it."""

import pytest

from pipeline.config.data import ViewsConfig
from pipeline.config.student import AudioConfig, PointsConfig, StudentConfig, VideoConfig
from pipeline.openclip import OpenClip, load_openclip
from stage2_train.student import Student
from tests.tiny_world import make_clip

POINTS = PointsConfig(groups=8, group_size=4, widths=(8, 16, 16))
CONFIG = StudentConfig(modalities=("image", "points"), weights=None, points=POINTS)
EVERY_MODALITY = StudentConfig(
    modalities=("image", "video", "points", "depth", "audio"),
    weights=None,
    points=POINTS,
    video=VideoConfig(frames=6),
    audio=AudioConfig(seconds=0.5),
)
VIEWS = ViewsConfig(image_size=32, video_frames=6, points=64, audio_seconds=0.5)


@pytest.fixture(scope="session")
def openclip(tmp_path_factory: pytest.TempPathFactory) -> OpenClip:
    """Frozen; no test may change it."""
    return load_openclip(f"local-dir:{make_clip(tmp_path_factory.mktemp('clip') / 'tiny')}")


@pytest.fixture
def student(openclip: OpenClip) -> Student:
    return Student(openclip, CONFIG)


@pytest.fixture
def five(openclip: OpenClip) -> Student:
    """A student of every modality: 2 x 2 patches, three two-frame clips, 11 audio tokens."""
    return Student(openclip, EVERY_MODALITY, views=VIEWS)
