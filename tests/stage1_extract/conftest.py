"""Fixtures of the extraction's tests."""

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def cache(tmp_path: Path) -> str:
    return str(tmp_path / "cache")


@pytest.fixture
def own_world(prepared_world: Path, tmp_path: Path) -> Path:
    """A copy whose shards may be changed, without stores."""
    shutil.copytree(prepared_world, tmp_path / "world")
    return tmp_path / "world"
