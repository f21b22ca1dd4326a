"""The steps of a training: the same samples for any number of ranks, processes and restarts."""

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
import torch

from pipeline import rows as rows_module
from pipeline.engine import Workers
from pipeline.rows import read_rows
from pipeline.shards import ShardInfo, write_shard
from stage2_train.stream import loader
from stage2_train.stream.join import MiniBatch, Streams
from stage2_train.stream.loader import RankLoader
from stage2_train.stream.order import Cursor, SourceOrder, mini_batch_sizes, split_over_ranks
from stage2_train.training.trainer import Trainer
from tests.stage2_train.training.trainings import params_of

STEPS = 3
Global = dict[str, torch.Tensor]
"""Name of a part -> its rows in the order of the mini-batch."""


@pytest.fixture(scope="module")
def trainer(cached_world: Path) -> Trainer:
    return Trainer(params_of(cached_world))


def make_workers(trainer: Trainer, count: int) -> Workers:
    parts = trainer.assembly
    return Workers(Streams(trainer.params, parts.targets, parts.texts), count, "")


def steps(
    trainer: Trainer, workers: Workers, ranks: int, cursors: dict[str, Cursor]
) -> Iterator[tuple[dict[str, Global], dict[str, Cursor]]]:
    """Of all ranks together, from some cursors on, and where they stand behind each."""
    splits = split_over_ranks(mini_batch_sizes({"objects": 1, "renders": 1}, 13), ranks)
    orders = trainer.assembly.orders(trainer.config.seed)
    by_rank = []
    for rank in range(ranks):
        loader = RankLoader(orders, splits, cursors, rank)
        made = workers.map(loader.draws(), 2)
        by_rank.append(list(islice(loader.joined(made, pinned=False), STEPS)))
        made.close()
    for ranks_batches in zip(*by_rank):
        whole = {}
        for number, (source, split) in enumerate(splits.items()):
            numbers = [n for rank in range(ranks) for n in split.numbers(rank)]
            whole[source] = _whole([loaded.batches[number] for loaded in ranks_batches], numbers)
        yield whole, ranks_batches[0].cursors


def _whole(parts: list[MiniBatch], numbers: list[int]) -> Global:
    order = torch.tensor(numbers).argsort()
    named = [{"text": p.text, "inputs": p.inputs[0], **p.targets} for p in parts]
    return {name: torch.cat([part[name] for part in named])[order] for name in named[0]}


def assert_same(found: dict[str, Global], expected: dict[str, Global]) -> None:
    for source, parts in expected.items():
        for name, rows in parts.items():
            assert torch.equal(found[source][name].nan_to_num(), rows.nan_to_num()), name


@pytest.mark.parametrize("processes", [0, 1, 2, 3])
def test_batches_are_equal_for_any_number_of_ranks_and_processes(
    trainer: Trainer, processes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with make_workers(trainer, 0) as one, make_workers(trainer, processes) as several:
        expected = list(steps(trainer, one, 1, {}))
        for ranks, most in ((1, 32), (2, 3), (3, 1), (4, 2)):
            monkeypatch.setattr(loader, "MOST_SAMPLES", most)
            found = list(steps(trainer, several, ranks, {}))
            for (mine, at), (theirs, also_at) in zip(found, expected, strict=True):
                assert at == also_at
                assert_same(mine, theirs)


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_a_training_goes_on_anywhere_at_another_shape(trainer: Trainer, ranks: int) -> None:
    with make_workers(trainer, 0) as workers:
        whole = list(steps(trainer, workers, 3, {}))
        resumed = list(steps(trainer, workers, ranks, whole[0][1]))
    for (mine, at), (theirs, also_at) in zip(resumed, whole[1:]):
        assert at == also_at
        assert_same(mine, theirs)


def test_64_ranks_together_read_what_the_split_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every byte that is asked of the file system, the tables of the tars included."""
    samples, total, read = 64, 0, Counter[str]()
    shards: list[ShardInfo] = []
    for number in range(24):
        rows = [(f"{number}-{n}", {"image.jpg": bytes(8000)}) for n in range(samples)]
        shards.append(write_shard(tmp_path / f"{number:06d}.tar", rows))
        total += shards[-1].bytes
    pread, small = rows_module.os.pread, rows_module.read_small
    monkeypatch.setattr(rows_module.os, "pread", lambda *a: _counted(read, "rows", pread(*a)))
    monkeypatch.setattr(rows_module, "read_small", lambda *a: _counted(read, "table", small(*a)))
    order, split = SourceOrder(0, "a", [samples] * 24), split_over_ranks({"a": 512}, 64)["a"]
    for rank in range(64):
        rows_module._opened.cache_clear()  # each rank is a process of its own
        for step in range(24 * samples // 512):
            cursor = order.after(Cursor(), 512 * step)
            for slot in order.slots(cursor, split.numbers(rank)):
                read_rows(tmp_path, shards[slot.shard], [slot.row])
    assert 0.9 * total < read.total() <= 1.1 * total


def _counted(read: Counter[str], kind: str, data: bytes) -> bytes:
    read[kind] += len(data)
    return data
