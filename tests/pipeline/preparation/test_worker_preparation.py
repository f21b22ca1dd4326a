"""Conversion in dask workers: the bytes of one process, and one line where a worker cannot."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import dask
import pytest
from distributed import Client
from distributed.utils import get_mp_context

from pipeline.errors import UserError, exit_on_user_error
from pipeline.preparation import executors
from pipeline.preparation.executors import Executor, in_workers
from pipeline.preparation.shard_task import ShardTask, listed_split
from pipeline.prepare import main
from pipeline.workers.connection import local_client
from pipeline.workers.job import Job
from pipeline.workers.pool import WorkerPool
from tests.pipeline.made_store import tree
from tests.pipeline.preparation.made_raw import copy_of, params_of, prepared, spoil
from tests.stage1_extract.conftest import write_params
from tests.tiny_world import make_pack


@pytest.fixture(scope="module")
def workers() -> Iterator[Client]:
    """Two workers, forked from a process that has imported everything."""
    with dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"}):
        get_mp_context().set_forkserver_preload([executors.__name__, "pipeline.workers.pool"])
        with local_client(2) as client:
            yield client


@pytest.fixture
def root(tmp_path: Path) -> Path:
    make_pack(tmp_path / "pack")
    return tmp_path


def at(client: Client, root: Path, **changes: object) -> Executor:
    return partial(in_workers, WorkerPool(client, Job(params_of(root, **changes))))


def test_two_workers_write_the_bytes_of_one_process(
    root: Path, tmp_path: Path, workers: Client
) -> None:
    spoil(root, "thing-03", "thing-10", "thing-16")
    once = copy_of(root, tmp_path / "once")
    prepared(once)
    prepared(root, at(workers, root))
    assert tree(root / "shards") == tree(once / "shards")


def test_the_command_asks_a_scheduler(root: Path, workers: Client, monkeypatch, capsys) -> None:
    file = write_params(params_of(root), root / "params.yaml")
    scheduler = ["--scheduler", workers.scheduler.address]
    monkeypatch.setattr(
        "sys.argv", ["prepare", "--source", "objects", "--params", file, *scheduler]
    )
    exit_on_user_error(main)
    assert "train: 16 samples in 6 shards, 0 rejected" in capsys.readouterr().out


def test_too_many_rejected_in_workers_is_the_same_refusal(root: Path, workers: Client) -> None:
    spoil(root, "thing-03")
    with pytest.raises(UserError, match=r"1 of 16 .*max_rejected is 0.0; first: thing-03: "):
        prepared(root, at(workers, root, max_rejected=0.0), max_rejected=0.0)


@pytest.mark.parametrize(
    ("key", "folder", "why"),
    [
        ("nothing", "", "pack: sample 'nothing' is listed by the run, not here$"),
        ("thing-03", "nowhere", "nowhere: not there; workers need the file system of the run$"),
    ],
)
def test_a_worker_that_sees_other_folders_says_so(
    root: Path, workers: Client, key: str, folder: str, why: str
) -> None:
    made = executors.SplitConversion(
        "objects", "train", str(root / "pack"), str(root / folder), "made"
    )
    split = listed_split(params_of(root).sources["objects"], executors.read_raw(
        params_of(root).sources["objects"], root / "pack", "train"
    ))  # fmt: skip
    with pytest.raises(UserError, match=why):
        list(at(workers, root)(made, split, [ShardTask("000000.tar", (key,))], lambda _: None))


def test_two_places_to_work_are_one_too_many(monkeypatch, capsys) -> None:
    flags = ["--workers", "2", "--scheduler", "tcp://127.0.0.1:9"]
    monkeypatch.setattr("sys.argv", ["prepare", "--source", "objects", *flags])
    with pytest.raises(SystemExit):
        main()
    assert "not allowed with argument" in capsys.readouterr().err
