"""The process that loads data: what it sends, and how it and its trainer end without each other."""

import multiprocessing
import os
import pickle
import re
import signal
import time
from itertools import islice
from pathlib import Path

import psutil
import pytest
import torch

from pipeline.errors import UserError
from pipeline.store.layout import shard_file
from pipeline.views.chains import chain_for
from stage2_train.stream.loader import LoadedBatches
from stage2_train.training.checkpoint import Progress
from stage2_train.training.trainer import Trainer
from tests.stage2_train.training.rank_processes import on_ranks
from tests.stage2_train.training.trainings import params_of

START = Progress(step=0, cursors={})


def loaders() -> list[psutil.Process]:
    return [psutil.Process(child.pid) for child in multiprocessing.active_children()]


def ignores(process: psutil.Process, number: int) -> bool:
    [line] = re.findall(r"SigIgn:\s*(\w+)", Path(f"/proc/{process.pid}/status").read_text())
    return bool(int(line, 16) >> (number - 1) & 1)


def first_batches(world: Path, workers: int) -> list[LoadedBatches]:
    with Trainer(params_of(world, loader_workers=workers)).feed(START) as feed:
        return list(islice(feed, 4))


def test_batches_are_the_same_however_many_processes_decode(cached_world: Path) -> None:
    for one, other in zip(first_batches(cached_world, 0), first_batches(cached_world, 3)):
        assert one.cursors == other.cursors
        for mine, theirs in zip(one.batches, other.batches):
            assert all(map(torch.equal, mine.inputs, theirs.inputs))
            assert mine.targets.keys() == theirs.targets.keys()
            assert all(torch.equal(t, theirs.targets[n]) for n, t in mine.targets.items())


def test_nothing_is_left_of_it_behind_the_training(cached_world: Path) -> None:
    with Trainer(params_of(cached_world)).feed(START) as feed:
        next(feed)
        workers = loaders()
        assert workers
    assert not any(worker.is_running() for worker in workers)


@pytest.mark.parametrize("shard", [0, 1, 2])
def test_bad_data_is_told_by_the_trainer_behind_the_batches_before_it(
    world: Path, shard: int
) -> None:
    trainer = Trainer(params_of(world))
    file = shard_file(world / "cache" / "fake" / "objects-train.zarr", "digests", shard)
    file.write_bytes(bytes(file.stat().st_size))
    with trainer.feed(START) as feed:
        time.sleep(1)  # the loader has failed, or made all that it was asked for
        with pytest.raises(UserError, match="does not fit its checksum; run: python -m stage1"):
            list(islice(feed, 4))


def test_its_death_stops_the_training_with_one_line(cached_world: Path) -> None:
    with Trainer(params_of(cached_world)).feed(START) as feed:
        next(feed)
        loader, *_ = loaders()
        loader.kill()
        with pytest.raises(UserError, match=r"died \(exit code -9\).*from the last checkpoint"):
            list(islice(feed, 9))


def test_it_does_not_heed_signals_that_reach_the_whole_group(cached_world: Path) -> None:
    with Trainer(params_of(cached_world)).feed(START) as feed:
        next(feed)
        for loader in loaders():
            while not ignores(loader, signal.SIGTERM):  # it starts yet
                time.sleep(0.05)
            loader.send_signal(signal.SIGTERM)
            loader.send_signal(signal.SIGINT)
        assert len(list(islice(feed, 4))) == 4


def killed_amid(world: Path, told: Path) -> None:
    with Trainer(params_of(world)).feed(START) as feed:
        next(feed)
        loader, *_ = loaders()
        told.write_text(str(loader.pid))
        os.kill(os.getpid(), signal.SIGKILL)


def test_it_ends_when_its_trainer_is_killed(cached_world: Path, tmp_path: Path) -> None:
    assert on_ranks(1, killed_amid, cached_world, tmp_path / "pid") == [-signal.SIGKILL]
    pid, ends = int((tmp_path / "pid").read_text()), time.monotonic() + 120
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < ends
        time.sleep(0.05)


@pytest.mark.parametrize("pair", [("points", "points"), ("audio", "image"), ("video", "image")])
def test_a_chain_is_the_same_one_in_another_process(pair: tuple[str, str]) -> None:
    assert pickle.loads(pickle.dumps(chain_for(*pair))) is chain_for(*pair)
