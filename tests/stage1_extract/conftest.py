"""Fixtures of the extraction's tests."""

import shutil
from pathlib import Path

import msgspec
import pytest
from ruamel.yaml import YAML

from pipeline.config import Params
from stage1_extract.teachers import REGISTRY
from tests.stage1_extract import fake_teachers


@pytest.fixture
def cache(tmp_path: Path) -> str:
    return str(tmp_path / "cache")


@pytest.fixture
def own_world(prepared_world: Path, tmp_path: Path) -> Path:
    """A copy whose shards may be changed, without stores."""
    shutil.copytree(prepared_world, tmp_path / "world")
    return tmp_path / "world"


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list:
    """The registry knows the fakes; those that were loaded in this process."""
    for name in ("fake", "twin"):
        monkeypatch.setitem(REGISTRY, name, fake_teachers.__name__)
    fake_teachers.LOADED.clear()
    return fake_teachers.LOADED


def write_params(params: Params, path: Path) -> str:
    """A params file; its path as an argument."""
    YAML(typ="safe", pure=True).dump(msgspec.to_builtins(params), path)
    return str(path)
