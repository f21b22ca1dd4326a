"""The stage 2 part of `benchmarks.gpu`."""

import gc
import os
import time
import warnings
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import cycle

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.gpu_feed import MOST_STEPS, every_core_rate, feed_of, feed_rate, one_core_rate
from benchmarks.gpu_parts import Table, wait_for_device
from pipeline.config import Params
from pipeline.device import default_device
from stage2_train.stream.loader import LoadedBatches
from stage2_train.training.assembly import compile_blocks
from stage2_train.training.cores import spare_cores
from stage2_train.training.recorded_pass import WARM_UP
from stage2_train.training.trainer import Trainer
from stage2_train.training.update import Update

ALONE_SECONDS, LOOP_SECONDS = 6.0, 10.0
PARTS = 8
RATE = 1e-9
"""Learning rate, too small to matter."""


def measure(table: Table, params: Params, product: float) -> None:
    """The loader, the student alone in four ways, and the full loop."""
    on_gpu, cores = default_device() == "cuda", len(os.sched_getaffinity(0))
    spare_cores(params.train.loader_workers)
    trainers: list[Trainer] = []
    table.part("student", 20 if on_gpu else 10, lambda: trainers.append(opened(table, params)))
    if not trainers:
        return
    trainer, resident, core = trainers[0], list[LoadedBatches](), list[float]()
    table.part("one core", 10, lambda: core.append(one_core_rate(table, trainer)))
    table.part("all cores", 15, lambda: every_core_rate(table, trainer, core[0], cores))
    with feed_of(trainer) as feed:
        table.part(
            "feed", 20 if on_gpu else 5, lambda: resident.extend(feed_rate(table, trainer, feed))
        )
        if not resident or not core:
            return
        student = Alone(table, trainer, resident, product)
        limit = core[0] * cores
        table.part("operations", 15, student.count_operations)
        table.part("host waits", 10, student.count_waits)
        table.part("recording", 15 if on_gpu else 5, student.compare_recorded)
        table.part("alone", 15, lambda: student.measure("student alone", recompute=False))
        table.part("checkpointed", 15, lambda: student.measure("  checkpointing", recompute=True))
        loop = partial(full_loop, table, student, feed, limit)
        table.part("full loop", 20 if on_gpu else 10, lambda: loop("full loop"))
        if not on_gpu:
            return
        # Behind all else: compiling takes a minute or two.
        compile_blocks(trainer.student, len(params.train.sources))
        student.rates.clear()
        table.part("compiled", 65, lambda: student.measure("student compiled", False))
        if student.rates:
            table.part("full loop, compiled", 20, lambda: loop("full loop, compiled"))
            table.part("both", 20, lambda: student.measure("  checkpointing", recompute=True))


def opened(table: Table, params: Params) -> Trainer:
    """A training over the extractions that are there."""
    started = time.monotonic()
    trainer = Trainer(replace(params, train=replace(params.train, epochs=1)))
    table.line("training opened in", time.monotonic() - started, "s")
    return trainer


class Alone:
    """The student's updates over batches in memory."""

    def __init__(
        self, table: Table, trainer: Trainer, resident: list[LoadedBatches], product: float
    ) -> None:
        self._table, self.trainer, self._product = table, trainer, product
        self._feed = cycle(resident)
        self._operations = 0
        self.rates: dict[bool, float] = {}
        """With checkpointing or without -> samples a second, as measured last."""

    def count_operations(self) -> None:
        """Of a step's products and attentions, forward and backward, without checkpointing.

        Of an eighth of a step, times eight: a whole one may not fit.
        """
        self.trainer.student.recompute = False
        part = cycle([_first_rows(next(self._feed))])
        with FlopCounterMode(display=False) as counter:
            self.trainer.update(part, RATE, lambda: False)
        self._operations = PARTS * counter.get_total_flops()
        batch = self.trainer.config.batch_size
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

    def compare_recorded(self) -> None:
        """How far the gradients of a recorded step are from those of the same step as it was, and
        how far those of two such steps are; and how fast such a step is."""
        trainer, same = self.trainer, cycle([next(self._feed)])
        trainer.update = Update(trainer.objective, trainer.optimizer, trainer.config.accumulate)
        found, seconds = [], []
        for _ in range(WARM_UP + 1):
            started = time.monotonic()
            trainer.update(same, RATE, lambda: False)
            seconds.append(time.monotonic() - started)
            gradients = [p.grad for p in trainer.objective.parameters() if p.grad is not None]
            found.append(torch.cat([gradient.flatten() for gradient in gradients]))
        *_, before, last, recorded = found
        for what, other in (("gradients of a step done twice, apart", before),
                            ("  done and recorded, apart", recorded)):  # fmt: skip
            self._table.line(what, float((other - last).norm() / last.norm()))
        rate = trainer.config.batch_size / seconds[WARM_UP - 1]
        self._table.line("student, launched kernel by kernel", rate, "samples/s")

    def measure(self, what: str, recompute: bool) -> None:
        """Samples a second, peak memory, and the share of the product's speed."""
        started = time.monotonic()
        self.restart(self._feed, recompute)
        warm = time.monotonic() - started
        started, steps = time.monotonic(), 0
        while steps < MOST_STEPS and time.monotonic() - started < ALONE_SECONDS:
            self._step()
            steps += 1
        wait_for_device()
        seconds = (time.monotonic() - started) / steps
        self.rates[recompute] = self.trainer.config.batch_size / seconds
        self._table.line(what, self.rates[recompute], "samples/s")
        self._report(seconds, warm)

    def restart(self, feed: Iterator[LoadedBatches], recompute: bool) -> None:
        """Record the step anew, with or without checkpointing."""
        trainer = self.trainer
        trainer.student.recompute = recompute
        trainer.update = Update(trainer.objective, trainer.optimizer, trainer.config.accumulate)
        gc.collect()  # what was recorded before
        if default_device() == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        for _ in range(WARM_UP + 2):
            trainer.update(feed, RATE, lambda: False)
        wait_for_device()

    def _report(self, seconds: float, warm: float) -> None:
        if default_device() == "cuda":
            peak = torch.cuda.max_memory_allocated() / 2**30
            self._table.line("    peak memory", peak, "GiB")
        speed = self._operations / seconds
        self._table.line("    products", speed / 1e12, "TFLOP/s")
        if self._product:
            self._table.line("    of the bf16 product's speed", 100 * speed / self._product, "%")
        self._table.line(f"    first {WARM_UP + 2} steps took", warm, "s")

    def _step(self) -> None:
        self.trainer.update(self._feed, RATE, lambda: False)


def _first_rows(loaded: LoadedBatches) -> LoadedBatches:
    """The first rows of every mini-batch."""

    def first(x: Tensor) -> Tensor:
        return x[: max(1, len(x) // PARTS)]

    return replace(loaded, batches=[batch.mapped(first) for batch in loaded.batches])


def full_loop(
    table: Table, student: Alone, feed: Iterator[LoadedBatches], limit: float, what: str
) -> None:
    """Updates on fresh data: samples a second, beside the student's alone and `limit`, and the
    share of time that they waited for it."""
    trainer, recompute = student.trainer, False not in student.rates
    student.restart(feed, recompute)
    started, steps, waited = time.monotonic(), 0, 0.0
    while steps < MOST_STEPS and time.monotonic() - started < LOOP_SECONDS:
        waited += trainer.update(feed, RATE, lambda: False).waited
        steps += 1
    seconds = time.monotonic() - started
    rate = steps * trainer.config.batch_size / seconds
    table.line(what, rate, "samples/s")
    table.line(
        "  over min(student alone, cores x one core)", rate / min(student.rates[recompute], limit)
    )
    table.line("  waiting for data", 100 * waited / seconds, "%")
