"""Fixtures of the student's tests: the tiny CLIP, and a student on it."""

import pytest

from pipeline.config.student import PointsConfig, StudentConfig
from pipeline.openclip import OpenClip, load_openclip
from stage2_train.student import Student
from tests.tiny_world import make_clip

POINTS = PointsConfig(groups=8, group_size=4, widths=(8, 16, 16))
CONFIG = StudentConfig(modalities=("image", "points"), weights=None, points=POINTS)


@pytest.fixture(scope="session")
def openclip(tmp_path_factory: pytest.TempPathFactory) -> OpenClip:
    """Frozen; no test may change it."""
    return load_openclip(f"local-dir:{make_clip(tmp_path_factory.mktemp('clip') / 'tiny')}")


@pytest.fixture
def student(openclip: OpenClip) -> Student:
    return Student(openclip, CONFIG)
