"""Where workers run: a device each, by their number; threads that share the cores."""

import pytest
import torch
from distributed import LocalCluster

from pipeline.workers import connection


@pytest.mark.parametrize(
    ("visible", "expected"), [(None, ["0", "1", "0"]), ("3,GPU-5", ["3", "GPU-5", "3"])]
)
def test_every_worker_has_one_gpu(monkeypatch, visible: str | None, expected: list[str]) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    workers = [connection._worker(number) for number in range(3)]
    assert [worker["env"]["CUDA_VISIBLE_DEVICES"] for worker in workers] == expected
    assert all(worker["resources"] == {"GPU": 1} for worker in workers)


def test_without_gpus_a_worker_claims_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert {"resources", "env"}.isdisjoint(connection._worker(0))


@pytest.mark.parametrize(("workers", "threads"), [(1, "8"), (3, "2"), (16, "1")])
def test_workers_share_the_cores(monkeypatch, workers: int, threads: str) -> None:
    monkeypatch.setattr(connection, "CPU_COUNT", 8)
    prefix = "distributed.nanny.pre-spawn-environ."
    assert connection._environment(workers)[f"{prefix}OMP_NUM_THREADS"] == threads


def test_without_a_worker_it_says_that_it_waits(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(connection.Client, "wait_for_workers", lambda *_: None)
    with LocalCluster(n_workers=0, processes=False, dashboard_address=None) as cluster:
        address = cluster.scheduler_address
        with connection.connected_client(address):
            pass
    assert f"--scheduler {address}: no worker yet, waits for the first" in capsys.readouterr().err
