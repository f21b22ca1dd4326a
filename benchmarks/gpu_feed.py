"""What feeds stage 2's student, for `benchmarks.gpu`: one core, all cores, and the loader."""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from itertools import islice

from benchmarks.gpu_cores import Counted, all_cores_rate
from benchmarks.gpu_parts import Table
from stage2_train.stream.join import Draw
from stage2_train.stream.loader import LoadedBatches
from stage2_train.training.checkpoint import Progress
from stage2_train.training.trainer import Trainer

CORES_SECONDS, FEED_SECONDS = 3.0, 8.0
MOST_STEPS = 30
RESIDENT = 3
"""Steps whose batches are held in memory."""


def one_core_rate(table: Table, trainer: Trainer) -> float:
    """Samples a second of the mixture that one thread decodes, augments and joins."""
    streams, loader = trainer.streams(), trainer.loader(Progress(step=0, cursors={}))
    draws = {draw.source: draw for draw in islice(loader.draws(), loader.draws_a_step)}
    seconds = 0.0
    for source, draw in draws.items():
        streams(draw)  # opens what it needs
        started = time.perf_counter()
        streams(draw)
        taken = time.perf_counter() - started
        seconds += taken * loader.splits[source].size / len(draw.numbers)
    rate = trainer.config.batch_size / seconds
    table.line("mixture made by one core", rate, "samples/s")
    return rate


def every_core_rate(table: Table, trainer: Trainer, core: float, cores: int) -> None:
    """Samples a second of the mixture that all cores make at once."""
    loader = trainer.loader(Progress(step=0, cursors={}))
    draws = list(islice(loader.draws(), 2 * loader.draws_a_step))
    work = Counted(trainer.streams(), _samples_of)
    rate = all_cores_rate(work, draws, cores, CORES_SECONDS * cores * core)
    table.line("mixture made by all cores at once", rate, "samples/s")


def _samples_of(draw: Draw) -> int:
    return len(draw.numbers)


def feed_of(trainer: Trainer) -> AbstractContextManager[Iterator[LoadedBatches]]:
    """The training's own feed, from its first step on."""
    return trainer.feed(Progress(step=0, cursors={}))


def feed_rate(table: Table, trainer: Trainer, feed: Iterator[LoadedBatches]) -> list[LoadedBatches]:
    """Measure the loader alone; its first batches."""
    config, started = trainer.config, time.monotonic()
    resident = [next(feed)]
    table.line(f"feed, {config.loader_workers} loaders: first batch after",
               time.monotonic() - started, "s")  # fmt: skip
    started, count = time.monotonic(), 0
    while count < RESIDENT or (time.monotonic() - started < FEED_SECONDS and count < MOST_STEPS):
        batch = next(feed)
        count += 1
        if len(resident) < RESIDENT:
            resident.append(batch)
    rate = count * config.batch_size / (time.monotonic() - started)
    table.line("  from then on", rate, "samples/s")
    return resident
