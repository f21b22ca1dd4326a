"""configs/unialign.yaml as DVC takes it: with folders and weights in place, `dvc repro` is all."""

import shutil
from pathlib import Path

import pytest

from pipeline.config import load_params
from tests.official_downloads import PAPER, make_all
from tests.test_dag import checkout, ran, run
from tests.test_dvc_deps import stages


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with the paper's params, its raw folders and weights in miniature."""
    root = checkout(tmp_path_factory.mktemp("paper"))
    shutil.copy(PAPER, root / "params.yaml")
    make_all(root)
    return root


def test_the_dag_is_the_papers_experiment(project: Path) -> None:
    params = load_params(PAPER)
    made = [f"{params.shards}/{source}" for source in params.sources]
    made += [f"{params.cache}/{e.teacher}/{e.source}-train.zarr" for e in params.extract.values()]
    deps = {dep for stage in stages().values() for dep in stage["deps"]}
    made += [dep.replace("${train.out}", params.train.out) for dep in deps if "${train.out}" in dep]
    for path in (project / name for name in made):  # which a dry run does not
        (path.parent if path.suffix == ".json" else path).mkdir(parents=True, exist_ok=True)
        if path.suffix == ".json":
            path.touch()
    prepare = {f"prepare@{source}" for source in params.sources}
    extract = {f"extract@{name}" for name in params.extract}
    alone = stages().keys() - {"prepare", "extract"}
    assert ran(run(project, "dvc", "repro", "--dry")) == {*prepare, *extract, *alone}


def test_without_a_dataset_dvc_names_its_folder(project: Path) -> None:
    shutil.rmtree(project / "data" / "nyud")
    with pytest.raises(AssertionError, match="data/nyud"):
        run(project, "dvc", "repro", "--dry", "prepare@nyud")
