"""A run over the tiny world, and its page."""

from pathlib import Path

import pytest

from eval.report.contents import Contents, contents_of
from eval.report.page import rendered
from tests.eval.report.made_run import make_run, run_params


@pytest.fixture(scope="session")
def finished_run(cached_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The student's folder; read only."""
    return make_run(cached_world, tmp_path_factory.mktemp("report") / "run")


@pytest.fixture(scope="session")
def contents(cached_world: Path, finished_run: Path) -> Contents:
    """What the page over it shows."""
    return contents_of(run_params(cached_world), finished_run)


@pytest.fixture(scope="session")
def page(contents: Contents) -> str:
    """Its HTML."""
    return rendered(contents)
