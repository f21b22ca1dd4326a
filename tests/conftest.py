"""Fixtures shared by the tests: the tiny world, prepared once and copied where it is changed."""

import multiprocessing
import shutil
import signal
import sys
from collections.abc import Iterator
from multiprocessing import forkserver
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from pipeline import commands
from pipeline.config import Params
from pipeline.preparation import prepare
from stage1_extract.extraction import Extraction
from stage1_extract.progress import ExtractionProgress
from stage1_extract.teachers import load_teacher
from tests.tiny_world import FakeTeacher, make_clip, make_pack, tiny_params

# How long an example takes says how busy the machine is
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")

TRAININGS = "tests.stage2_train.training.trainings"
FORKED = [TRAININGS, "stage1_extract.cluster", "tests.stage1_extract.fake_teachers"]
"""What the processes that tests fork import between them, which takes seconds."""


def pytest_collection_finish() -> None:
    """Start the server of all forks with these, whichever test would have started it."""
    if TRAININGS in sys.modules:
        multiprocessing.get_context("forkserver").set_forkserver_preload(FORKED)
        forkserver.ensure_running()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest file first, or one of two workers would be waited for at the end."""
    items.sort(key=lambda item: item.path.name != "test_dag.py")


@pytest.fixture(autouse=True)
def _own_ctrl_c() -> Iterator[None]:
    """Python's, also in a shell's background and behind a command that ran in this process."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _default_params_file() -> None:
    """What messages recommend depends on no test before."""
    commands.use_params_file(commands.DEFAULT)


@pytest.fixture(scope="session")
def prepared_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pack, CLIP and shards; read only."""
    root = tmp_path_factory.mktemp("world")
    make_pack(root / "pack")
    make_clip(root / "clip")
    params = tiny_params(root)
    for source, config in params.sources.items():
        for split in config.splits:
            prepare(params, source, split, Path(config.raw))
    return root


@pytest.fixture(scope="session")
def cached_world(prepared_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The prepared world with its feature stores; read only."""
    root = tmp_path_factory.mktemp("cached") / "world"
    shutil.copytree(prepared_world, root)
    params = tiny_params(root)
    for name in params.extract:
        extract(params, name)
    return root


@pytest.fixture
def world(cached_world: Path, tmp_path: Path) -> Path:
    """A copy of the cached world that a test may damage."""
    shutil.copytree(cached_world, tmp_path / "world")
    return tmp_path / "world"


def extract(params: Params, name: str, teacher: FakeTeacher | None = None) -> Extraction:
    """Run one extraction in this process."""
    config = params.teachers[params.extract[name].teacher]
    if params.extract[name].teacher == "fake":
        loaded = teacher or FakeTeacher()
    else:
        loaded = load_teacher("clip", arch=config.arch)
    extraction = Extraction(params, name, loaded)
    with ExtractionProgress(name) as progress:
        extraction.run(progress)
    return extraction
