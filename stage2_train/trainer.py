"""The training loop: feed -> update -> log, with checkpoints that lose nothing."""

import signal
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from math import isfinite
from pathlib import Path
from types import FrameType

import torch

from pipeline.config import Params
from pipeline.device import default_device
from pipeline.errors import UserError
from stage2_train.assembly import assemble, recipe
from stage2_train.checkpoint import Checkpoints, Progress, training_tensors
from stage2_train.feed import open_feed
from stage2_train.loader import Fed, LoaderJob
from stage2_train.logbook import Logbook
from stage2_train.probe import Probe
from stage2_train.ranks import Ranks, is_lost_peer
from stage2_train.schedule import learning_rate, make_optimizer
from stage2_train.update import StepReport, Update
from stage2_train.watchdog import Watchdog

STUDENT = "student"
"""Folder of the portable student in a run's folder."""
MAX_SKIPPED = 10
"""Steps in a row without a finite loss, after which there is nothing to hope for."""
_LOST = (
    "lost another rank, which died or hangs; its own line says why; run the same command to go on "
    "from the last checkpoint"
)


class Trainer:
    """A training on this rank, opened and checked before its first step."""

    def __init__(self, params: Params) -> None:
        self.params, self.config = params, params.train
        self.out = Path(self.config.out)
        self.ranks = Ranks.current()
        self.device = torch.device(default_device())
        self.assembly = assemble(params, self.device, self.ranks.count)
        self.student, self.objective = self.assembly.student, self.assembly.objective
        parameters = {n: p for n, p in self.objective.named_parameters() if p.requires_grad}
        optimizer = make_optimizer(parameters, self.config)
        self.tensors = training_tensors(parameters, optimizer)
        self.update = Update(self.objective, optimizer, self.config.accumulate)
        batches = max(1, round(self.assembly.samples / self.config.batch_size))
        self.total_steps = self.config.epochs * batches
        recipe_ = recipe(params, self.assembly)
        self.checkpoints = Checkpoints(self.out, recipe_, self.config.keep_every)
        self._stop, self._skipped_in_a_row = False, 0

    def run(self) -> bool:
        """Train to the end, from the latest checkpoint on; False if a SIGTERM cut it short.

        Raises:
            UserError: bad data, a loss that is not finite step after step, or a lost rank.
        """
        with self._heeding_sigterm(), Watchdog(self.config.step_timeout) as watchdog:
            try:
                return self._run(watchdog)
            except RuntimeError as error:
                if is_lost_peer(error):
                    raise UserError(f"{watchdog.place}: {_LOST}") from error
                raise

    def _run(self, watchdog: Watchdog) -> bool:
        progress = self.checkpoints.resume(self.tensors) or Progress(step=0, cursors={})
        if progress.step and self.ranks.first:
            print(f"resumed from step {progress.step}")
        finished = self._train(progress, watchdog)
        if finished:
            if self.ranks.first:
                self.student.save(self.out / STUDENT, self.objective.projectors)
            self.checkpoints.clear()
        return finished

    def _train(self, progress: Progress, watchdog: Watchdog) -> bool:
        with ExitStack() as stack:
            feed = stack.enter_context(self.feed(progress))
            log = probe = None
            if self.ranks.first:
                log = stack.enter_context(Logbook(self.out, progress.step, self.total_steps))
                probe = Probe(self.params, self.assembly.indexes, self.assembly.texts)
            while progress.step < self.total_steps:
                step = progress.step + 1
                rate = learning_rate(progress.step, self.total_steps, self.config)
                report = self.update(_watched(feed, watchdog, step), rate, lambda: self._stop)
                progress = self._after(report, progress)
                values = {**report.values, "learning_rate": rate}
                if report.stop or step % self.config.checkpoint_every == 0:
                    watchdog.at(step, "saving a checkpoint")
                    recalls = probe.recalls(self.student) if probe else {}
                    progress = self._save(progress, recalls)
                    values |= {f"probe_recall/{source}": r for source, r in recalls.items()}
                if log:
                    values["skipped_steps"] = progress.skipped
                    log.step(step, values, self.config.batch_size, report.waited)
                if report.stop:
                    return False
            if log:
                log.write_curves()
        return True

    def _after(self, report: StepReport, progress: Progress) -> Progress:
        """Count a finished step, with or without an update."""
        step = progress.step + 1
        self._skipped_in_a_row = 0 if report.finite else self._skipped_in_a_row + 1
        if self._skipped_in_a_row > MAX_SKIPPED:
            bad = [name for name, value in report.values.items() if not isfinite(value)]
            self._agreed_stop(
                f"step {step}: not finite in {self._skipped_in_a_row} steps in a row: "
                f"{', '.join(bad)}; lower train.peak_lr, or look for bad targets with "
                "python -m stage1_extract.verify"
            )
        skipped = progress.skipped + (not report.finite)
        return replace(progress, step=step, cursors=report.cursors, skipped=skipped)

    def _agreed_stop(self, why: str) -> None:
        """Stop on all ranks, with one line from the first."""
        if self.ranks.first:
            raise UserError(why)
        sys.exit(1)

    def _save(self, progress: Progress, recalls: dict[str, float]) -> Progress:
        if recalls:
            progress = replace(progress, score=sum(recalls.values()) / len(recalls))
        self.checkpoints.save(self.tensors, progress)
        return progress

    def feed(self, progress: Progress) -> AbstractContextManager[Iterator[Fed]]:
        """This rank's data from where a training stands, made ready by a process of its own."""
        parts, rank = self.assembly, self.ranks.rank
        texts = replace(parts.texts, features=parts.texts.features.cpu())
        job = LoaderJob(self.params, texts, parts.targets, parts.shares, progress.cursors, rank)
        return open_feed(job, pinned=self.device.type == "cuda")

    @contextmanager
    def _heeding_sigterm(self) -> Iterator[None]:
        """Finish the step, save, and leave: all ranks at the same step."""

        def remember(number: int, frame: FrameType | None) -> None:
            self._stop = True

        previous = signal.signal(signal.SIGTERM, remember)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, previous)


def _watched(feed: Iterator[Fed], watchdog: Watchdog, step: int) -> Iterator[Fed]:
    while True:
        watchdog.at(step, "waiting for data")
        fed = next(feed)
        watchdog.at(step, "training, or waiting for another rank")
        yield fed
