"""Extraction in worker processes: the bytes of one process, whatever happens to the workers."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dask
import numpy as np
import pytest
from distributed import Client
from distributed.utils import get_mp_context

from pipeline.errors import exit_on_user_error
from pipeline.workers.connection import local_client
from stage1_extract import __main__ as module
from stage1_extract import cluster
from tests.conftest import extract
from tests.pipeline.made_store import tree
from tests.stage1_extract import fake_teachers
from tests.stage1_extract.changed_shards import rewrite, train_folder
from tests.stage1_extract.conftest import write_params
from tests.tiny_world import npy_bytes, tiny_params

START = "distributed.worker.multiprocessing-method"


@pytest.fixture(scope="module")
def workers() -> Iterator[Client]:
    """Two workers that come back quickly: forked from a process that has imported everything."""
    with dask.config.set({START: "forkserver"}):
        get_mp_context().set_forkserver_preload([fake_teachers.__name__, cluster.__name__])
        with local_client(2) as client:
            client.register_plugin(fake_teachers.Registered())
            yield client


@pytest.fixture(scope="module")
def one_process(prepared_world: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Every file of a cache that was filled without workers."""
    cache = tmp_path_factory.mktemp("one") / "cache"
    params = tiny_params(prepared_world, cache=str(cache))
    for name in params.extract:
        extract(params, name)
    return tree(cache)


def run(monkeypatch, root: Path, cache: str, *flags: str, weights: str | None = None) -> None:
    """The command; `weights` say how the fake teacher misbehaves."""
    params = tiny_params(root, cache=cache)
    fake = replace(params.teachers["fake"], weights=weights)
    params = replace(params, teachers={**params.teachers, "fake": fake})
    file = write_params(params, Path(cache).with_suffix(".yaml"))
    monkeypatch.setattr("sys.argv", ["stage1_extract", *flags, "--params", file])
    exit_on_user_error(module.main)


def at(client: Client) -> tuple[str, ...]:
    """The flags of a user who has a cluster."""
    return "--teacher", "clip", "fake", "--scheduler", client.scheduler.address


def markers(files: dict[str, bytes]) -> set[str]:
    return {name for name in files if "/markers/" in name}


def coloured(samples: list) -> list:
    """The same samples with clouds that kill the teacher `dies-of-colour`."""
    cloud = npy_bytes(np.random.default_rng(0).random((64, 6), dtype=np.float32))
    return [(key, {**members, "points.npy": cloud}) for key, members in samples]


def test_two_workers_write_the_bytes_of_one_process(
    prepared_world: Path, one_process: dict, cache: str, workers: Client, monkeypatch, capsys
) -> None:
    run(monkeypatch, prepared_world, cache, *at(workers))
    assert tree(Path(cache)) == one_process
    said = capsys.readouterr().out
    assert "clip-objects, clip-renders, fake-objects: 96 samples in 9/9 shards" in said


def test_one_worker_that_the_command_starts_writes_the_bytes_of_one_process(
    prepared_world: Path, one_process: dict, cache: str, monkeypatch
) -> None:
    with dask.config.set({START: "spawn"}):
        run(monkeypatch, prepared_world, cache, "--teacher", "clip", "--workers", "1")
    expected = {name: data for name, data in one_process.items() if name.startswith("clip/")}
    assert tree(Path(cache)) == expected


def test_the_tar_of_a_killed_worker_is_taken_by_another(
    prepared_world: Path, one_process: dict, cache: str, workers: Client, monkeypatch, tmp_path
) -> None:
    flag = tmp_path / "flag"
    before = set(workers.scheduler_info()["workers"])
    run(monkeypatch, prepared_world, cache, *at(workers), weights=f"dies-once:{flag}")
    assert flag.exists()
    assert before - set(workers.scheduler_info()["workers"])
    assert tree(Path(cache)) == one_process


def test_a_tar_that_kills_every_worker_is_named_and_the_others_are_done(
    own_world: Path, one_process: dict, cache: str, workers: Client, monkeypatch
) -> None:
    rewrite(own_world, 1, coloured)
    with pytest.raises(SystemExit) as exited:
        run(monkeypatch, own_world, cache, *at(workers), weights="dies-of-colour")
    assert "1 of 6 tars killed every worker that took them: " in exited.value.code
    assert str(train_folder(own_world) / "000001.tar") in exited.value.code
    missing = markers(one_process) - markers(tree(Path(cache)))
    assert missing == {
        f"{t}/objects-train.zarr/markers/000001.tar.0.json" for t in ("clip", "fake")
    }


def test_a_damaged_tar_is_one_line_and_exit_code_1(
    own_world: Path, cache: str, workers: Client, monkeypatch
) -> None:
    tar = train_folder(own_world) / "000001.tar"
    tar.write_bytes(tar.read_bytes()[:3000])
    with pytest.raises(SystemExit) as exited:
        run(monkeypatch, own_world, cache, *at(workers))
    assert exited.value.code.startswith(f"error: {tar}: expected ")
    assert "\n" not in exited.value.code
