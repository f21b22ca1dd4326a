"""The stage 2 part of `benchmarks.gpu`."""

import itertools
import time
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.gpu_parts import Table, wait_for_device
from pipeline.config import Params
from pipeline.device import default_device
from stage2_train.stream.loader import LoadedBatches
from stage2_train.training.assembly import compile_blocks
from stage2_train.training.checkpoint import Progress
from stage2_train.training.trainer import Trainer

RESIDENT = 3
"""Steps whose batches are held in memory."""
FEED_SECONDS, ALONE_SECONDS, LOOP_SECONDS = 15.0, 8.0, 20.0
MOST_STEPS = 30
PARTS = 8
RATE = 1e-9
"""Learning rate, too small to matter."""


def measure(table: Table, params: Params, product: float) -> None:
    """The loader, the student alone in four ways, and the full loop."""
    on_gpu = default_device() == "cuda"
    trainers: list[Trainer] = []
    table.part("student", 40 if on_gpu else 10, lambda: trainers.append(opened(table, params)))
    if not trainers:
        return
    trainer, resident = trainers[0], []
    with feed_of(trainer) as feed:
        table.part(
            "feed", 30 if on_gpu else 5, lambda: resident.extend(feed_rate(table, trainer, feed))
        )
        if not resident:
            return
        student = Alone(table, trainer, resident, product)
        table.part("operations", 15, student.count_operations)
        table.part("host waits", 10, student.count_waits)
        table.part("alone", 15, lambda: student.measure("student alone", recompute=False))
        table.part("alone, checkpointed", 15, lambda: student.measure("  checkpointing", True))
        trainer.student.recompute = not student.fits
        table.part("loop", 30 if on_gpu else 10, lambda: full_loop(table, trainer, feed))
        if not on_gpu:
            return
        # Behind all else: compiling takes a minute or two.
        compile_blocks(trainer.student, len(params.train.sources))
        table.part("compiled", 90, lambda: student.measure("student compiled", not student.fits))
        table.part("loop, compiled", 30, lambda: full_loop(table, trainer, feed))
        table.part("both", 40, lambda: student.measure("  checkpointing", student.fits))


def opened(table: Table, params: Params) -> Trainer:
    """A training over the extractions that are there."""
    started = time.monotonic()
    trainer = Trainer(replace(params, train=replace(params.train, epochs=1)))
    table.line("training opened in", time.monotonic() - started, "s")
    return trainer


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


class Alone:
    """The student's updates over batches in memory."""

    def __init__(
        self, table: Table, trainer: Trainer, resident: list[LoadedBatches], product: float
    ) -> None:
        self._table, self._trainer, self._product = table, trainer, product
        self._feed = itertools.cycle(resident)
        self._operations = 0
        self.fits = False
        """Whether a step was had without checkpointing."""

    def count_operations(self) -> None:
        """Of a step's products and attentions, forward and backward, without checkpointing.

        Of an eighth of a step, times eight: a whole one may not fit.
        """
        self._trainer.student.recompute = False
        part = itertools.cycle([_first_rows(next(self._feed))])
        with FlopCounterMode(display=False) as counter:
            self._trainer.update(part, RATE, lambda: False)
        self._operations = PARTS * counter.get_total_flops()
        batch = self._trainer.config.batch_size
        self._table.line(f"step of {batch} samples", self._operations / 1e12, "TFLOP")

    def count_waits(self) -> None:
        """How often the host waits for a GPU in one step: once, when it reads the losses."""
        if default_device() != "cuda":
            return
        torch.cuda.set_sync_debug_mode("warn")
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            self._step()
        torch.cuda.set_sync_debug_mode("default")
        waits = [
            str(w.filename)[-40:] + f":{w.lineno}" for w in found if "synchron" in str(w.message)
        ]
        self._table.line(
            "host waits in a step", f"{len(waits)}", ", ".join(sorted(set(waits)))[:200]
        )

    def measure(self, what: str, recompute: bool) -> None:
        """Samples a second, peak memory, and the share of the product's speed."""
        self._trainer.student.recompute = recompute
        started = time.monotonic()
        for _ in range(2):
            self._step()
        wait_for_device()
        self.fits |= not recompute
        warm = time.monotonic() - started
        if default_device() == "cuda":
            torch.cuda.reset_peak_memory_stats()
        started, steps = time.monotonic(), 0
        while steps < MOST_STEPS and time.monotonic() - started < ALONE_SECONDS:
            self._step()
            steps += 1
        wait_for_device()
        seconds = (time.monotonic() - started) / steps
        self._report(what, seconds, warm)

    def _report(self, what: str, seconds: float, warm: float) -> None:
        self._table.line(what, self._trainer.config.batch_size / seconds, "samples/s")
        if default_device() == "cuda":
            peak = torch.cuda.max_memory_allocated() / 2**30
            self._table.line("    peak memory", peak, "GiB")
        speed = self._operations / seconds
        self._table.line("    products", speed / 1e12, "TFLOP/s")
        if self._product:
            self._table.line("    of the bf16 product's speed", 100 * speed / self._product, "%")
        self._table.line("    first two steps took", warm, "s")

    def _step(self) -> None:
        self._trainer.update(self._feed, RATE, lambda: False)


def _first_rows(loaded: LoadedBatches) -> LoadedBatches:
    """The first rows of every mini-batch."""

    def first(x: Tensor) -> Tensor:
        return x[: max(1, len(x) // PARTS)]

    batches = [
        replace(
            batch,
            inputs=tuple(map(first, batch.inputs)),
            text=first(batch.text),
            targets={name: first(target) for name, target in batch.targets.items()},
        )
        for batch in loaded.batches
    ]
    return replace(loaded, batches=batches)


def full_loop(table: Table, trainer: Trainer, feed: Iterator[LoadedBatches]) -> None:
    """Updates on fresh data: samples a second, and the share of time that they waited for it."""
    for _ in range(2):
        trainer.update(feed, RATE, lambda: False)
    started, steps, waited = time.monotonic(), 0, 0.0
    while steps < MOST_STEPS and time.monotonic() - started < LOOP_SECONDS:
        waited += trainer.update(feed, RATE, lambda: False).waited
        steps += 1
    seconds = time.monotonic() - started
    table.line("full loop", steps * trainer.config.batch_size / seconds, "samples/s")
    table.line("  waiting for data", 100 * waited / seconds, "%")
