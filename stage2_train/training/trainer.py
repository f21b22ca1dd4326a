"""The training loop: feed -> update -> log, with checkpoints that lose nothing."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import NoReturn

import torch

from pipeline.commands import same_command
from pipeline.config import Params
from pipeline.device import default_device
from pipeline.errors import UserError
from stage2_train.stream.feed import open_feed
from stage2_train.stream.join import Streams
from stage2_train.stream.loader import LoadedBatches, RankLoader
from stage2_train.training.assembly import Assembly, assemble, recipe
from stage2_train.training.best import BestStudent
from stage2_train.training.checkpoint import Checkpoints, Progress, training_tensors
from stage2_train.training.logbook import Logbook
from stage2_train.training.probe import Probe
from stage2_train.training.ranks import Ranks, is_lost_peer
from stage2_train.training.schedule import learning_rate, make_optimizer
from stage2_train.training.stopping import StopRequest
from stage2_train.training.update import StepReport, Update
from stage2_train.training.watchdog import Watchdog

STUDENT = "student"
"""Folder of the portable student in a run's folder."""
MAX_SKIPPED = 10
"""Steps in a row without a finite loss, after which there is nothing to hope for."""
_LOST = (
    "lost another rank, which died or hangs; its own line says why; run the same command to go on "
    "from the last checkpoint"
)


class Trainer:
    """A training on this rank, opened and checked before its first step.

    Args:
        params: of the run.
        assembler: of what is trained, for a device and a number of ranks; default: the student, as
            stage 2 does.
    """

    def __init__(
        self,
        params: Params,
        assembler: Callable[[Params, torch.device, int], Assembly] = assemble,
    ) -> None:
        self.params = params
        self.ranks = Ranks.current()
        self.device = torch.device(default_device())
        self.assembly = assembler(params, self.device, self.ranks.count)
        self.config = self.assembly.config
        self.out = Path(self.config.out)
        self.student, self.objective = self.assembly.student, self.assembly.objective
        parameters = {n: p for n, p in self.objective.named_parameters() if p.requires_grad}
        self.optimizer = make_optimizer(parameters, self.config)
        self.tensors = training_tensors(parameters, self.optimizer)
        self.update = Update(self.objective, self.optimizer, self.config.accumulate)
        batches = max(1, round(self.assembly.samples / self.config.batch_size))
        self.total_steps = self.config.epochs * batches
        recipe_ = recipe(params, self.assembly)
        self.checkpoints = Checkpoints(self.out, recipe_, self.config.keep_every)
        self.stop, self._skipped_in_a_row = StopRequest(), 0

    def run(self) -> bool:
        """Train to the end, from the latest checkpoint on; False if a signal cut it short.

        Raises:
            UserError: bad data, a loss that is not finite step after step, a lost rank, or a
                student that cannot be written.
        """
        with self.stop, Watchdog(self.config.step_timeout) as watchdog:
            try:
                return self._run(watchdog)
            except RuntimeError as error:
                if is_lost_peer(error):
                    raise UserError(f"{watchdog.place}: {_LOST}") from error
                raise

    def _run(self, watchdog: Watchdog) -> bool:
        progress = self._resumed()
        with self._logbook(progress) as log:
            progress = self._train(progress, log, watchdog)
            finished = progress.step == self.total_steps
            if finished:
                watchdog.at(progress.step, "saving the student")
                self._finish(progress, log)
        return finished

    def _resumed(self) -> Progress:
        """Where the latest checkpoint of this recipe stands."""
        progress = self.checkpoints.resume(self.tensors)
        if progress is None:
            return Progress(step=0, cursors={})
        if progress.cursors.keys() != self.config.sources.keys():
            self._agreed_stop(
                f"{self.checkpoints.folder_of(progress.step)}: expected how far each of "
                f"{', '.join(self.config.sources)} was read, found "
                f"{', '.join(progress.cursors) or 'none'}; delete that folder to go on from the "
                "checkpoint before it"
            )
        return progress

    def _logbook(self, progress: Progress) -> AbstractContextManager[Logbook | None]:
        """The first rank's, which says where this training starts and what else lies there."""
        if not self.ranks.first:
            return nullcontext()
        recipe_ = self.checkpoints.folder.name
        log = Logbook(self.out, recipe_, progress.step, self.total_steps)
        if progress.step:
            print(f"resumed from step {progress.step}")
        kept = [f"log {path}" for path in [log.set_aside] if path]
        kept += [f"unfinished checkpoints in {path}" for path in self.checkpoints.others()]
        if kept:
            print(
                f"{self.out}: kept of another recipe: {', '.join(kept)}; this one starts at step "
                f"{progress.step}"
            )
        return log

    def _train(self, progress: Progress, log: Logbook | None, watchdog: Watchdog) -> Progress:
        """To the last step, or to the one at which it was asked to stop."""
        parts = self.assembly
        probe = Probe(self.params, parts.indexes, parts.texts, parts.split) if log else None
        best = self._best(progress) if log else None
        with self.feed(progress) as feed:
            while progress.step < self.total_steps:
                step = progress.step + 1
                rate = learning_rate(progress.step, self.total_steps, self.config)
                report = self.update(_watched(feed, watchdog, step), rate, lambda: bool(self.stop))
                progress = self._after(report, progress)
                values = {**report.values, "learning_rate": rate}
                if best and best.due(step):
                    watchdog.at(step, "scoring held-out samples")
                    values |= best.scores(step)
                if report.stop or step % self.config.checkpoint_every == 0:
                    watchdog.at(step, "saving a checkpoint")
                    recalls = probe.recalls(self.student) if probe else {}
                    progress = self._save(progress, recalls)
                    values |= {f"probe_recall/{source}": r for source, r in recalls.items()}
                if log:
                    values["skipped_steps"] = progress.skipped
                    log.step(step, values, self.config.batch_size, report.waited)
                if report.stop:
                    break
        return progress

    def _best(self, progress: Progress) -> BestStudent | None:
        if self.config.score_every is None:
            return None
        recipe_ = self.checkpoints.folder.name
        return BestStudent(self.params, self.assembly, recipe_, progress.step, self.total_steps)

    def _finish(self, progress: Progress, log: Logbook | None) -> None:
        """Save the student; what stands in its way costs no step that is done."""
        error = None
        if log:
            try:
                self.objective.save(self.out / STUDENT)
                log.write_curves()
            except OSError as why:
                error = f"{why.filename or self.out}: {why.strerror or why}"
        error = self.ranks.from_first(error)
        if error:
            saved = self.checkpoints.folder_of(progress.step).exists()
            if not self.ranks.from_first(saved):
                self.checkpoints.save(self.tensors, progress)
            self._agreed_stop(
                f"{error}; the finished training is kept as a checkpoint: mend that, and run: "
                f"{same_command()}"
            )
        self.checkpoints.clear()

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

    def _agreed_stop(self, why: str) -> NoReturn:
        """Stop on all ranks, with one line from the first."""
        if self.ranks.first:
            raise UserError(why)
        sys.exit(1)

    def _save(self, progress: Progress, recalls: dict[str, float]) -> Progress:
        if recalls:
            progress = replace(progress, score=sum(recalls.values()) / len(recalls))
        self.checkpoints.save(self.tensors, progress)
        return progress

    def feed(self, progress: Progress) -> AbstractContextManager[Iterator[LoadedBatches]]:
        """This rank's data from where a training stands, made ready by processes of its own."""
        pinned, workers = self.device.type == "cuda", self.config.loader_workers
        return open_feed(self.streams(), self.loader(progress), workers=workers, pinned=pinned)

    def streams(self) -> Streams:
        """What makes the samples of a draw, in whichever process."""
        parts = self.assembly
        texts = replace(parts.texts, features=torch.empty(0))  # the student's business alone
        return Streams(self.params, parts.targets, texts, parts.split)

    def loader(self, progress: Progress) -> RankLoader:
        """What this rank draws from where a training stands."""
        parts = self.assembly
        orders = parts.orders(self.config.seed)
        return RankLoader(orders, parts.batch_splits, progress.cursors, self.ranks.rank)


def _watched(
    feed: Iterator[LoadedBatches], watchdog: Watchdog, step: int
) -> Iterator[LoadedBatches]:
    while True:
        watchdog.at(step, "waiting for data")
        loaded = next(feed)
        watchdog.at(step, "training, or waiting for another rank")
        yield loaded
