"""The training loop: streams -> step objective -> AdamW, with checkpoints that lose nothing."""

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from pipeline.config import Params
from pipeline.device import default_device
from pipeline.openclip import load_openclip
from pipeline.shards import read_index
from stage2_train.checkpoint import Checkpoints, TrainingState, restore
from stage2_train.logbook import Logbook
from stage2_train.projectors import FeatureProjectors
from stage2_train.schedule import learning_rate, make_optimizer
from stage2_train.step import StepLoss, StepObjective
from stage2_train.stream import MiniBatch, mini_batch_sizes, open_streams
from stage2_train.student import Student
from stage2_train.targets import TeacherTargets, open_targets, source_folder
from stage2_train.texts import build_text_table

STUDENT = "student"
"""Folder of the portable student in a run's folder."""


class Trainer:
    """Everything a run needs, opened and checked before its first step."""

    def __init__(self, params: Params) -> None:
        self.params, self.config = params, params.train
        self.out = Path(self.config.out)
        self.device = torch.device(default_device())
        self.indexes = {s: read_index(source_folder(params, s)) for s in self.config.sources}
        self.targets = self._open_targets()
        openclip = load_openclip(params.student.arch, params.student.weights, self.device)
        self.student = Student(openclip, params.student, seed=self.config.seed)
        self.objective = self._build_objective().to(self.device)
        self.parameters = {
            name: p for name, p in self.objective.named_parameters() if p.requires_grad
        }
        self.optimizer = make_optimizer(self.parameters, self.config)
        self.sizes = mini_batch_sizes(self.config.sources, self.config.batch_size)
        samples = sum(index.samples for index in self.indexes.values())
        self.total_steps = self.config.epochs * max(1, round(samples / self.config.batch_size))
        self.checkpoints = Checkpoints(self.out, self._recipe())
        self._stop = False

    def run(self) -> bool:
        """Train to the end, from the latest checkpoint on; False if a SIGTERM cut it short."""
        with ThreadPoolExecutor(self.config.loader_threads) as threads:
            self.streams = open_streams(self.params, self.texts, self.targets, threads)
            first = self._resume()
            previous = signal.signal(signal.SIGTERM, self._on_sigterm)
            try:
                finished = self._train(first)
            finally:
                signal.signal(signal.SIGTERM, previous)
                threads.shutdown(cancel_futures=True)
        if finished:
            self.student.save(self.out / STUDENT, self.objective.projectors)
            self.checkpoints.clear()
        return finished

    def _train(self, first: int) -> bool:
        with Logbook(self.out, first, self.total_steps) as log:
            for step in range(first, self.total_steps):
                waiting = time.monotonic()
                batches = [self._to_device(self.streams[s].take(n)) for s, n in self._shares()]
                waited = time.monotonic() - waiting
                rate = learning_rate(step, self.total_steps, self.config)
                loss = self._step(batches, rate)
                log.step(step + 1, _values(loss, rate), self.config.batch_size, waited)
                if self._stop or (step + 1) % self.config.checkpoint_every == 0:
                    self._save(step + 1)
                if self._stop:
                    return False
            log.write_curves()
        return True

    def _step(self, batches: list[MiniBatch], rate: float) -> StepLoss:
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.objective.train()
        on_gpu = self.device.type == "cuda"
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=on_gpu):
            loss = self.objective(batches)
        self.optimizer.zero_grad(set_to_none=True)
        loss.total.backward()
        self.optimizer.step()
        return loss

    def _shares(self) -> list[tuple[str, int]]:
        return [(source, size) for source, size in self.sizes.items() if size]

    def _to_device(self, batch: MiniBatch) -> MiniBatch:
        return MiniBatch(
            batch.source,
            batch.modality,
            tuple(part.to(self.device) for part in batch.inputs),
            batch.text.to(self.device),
            {name: target.to(self.device) for name, target in batch.targets.items()},
        )

    def _open_targets(self) -> dict[str, list[TeacherTargets]]:
        """The stores of each source, in the order of `train.teachers`."""
        targets: dict[str, list[TeacherTargets]] = {source: [] for source in self.config.sources}
        for name in self.config.teachers:
            source = self.params.extract[name].source
            if source in targets:
                targets[source].append(open_targets(self.params, name, self.indexes[source]))
        return targets

    def _build_objective(self) -> StepObjective:
        prompts = {source: self.params.sources[source].prompts for source in self.indexes}
        self.texts = build_text_table(self.student, self.indexes, prompts)
        stores = [target for targets in self.targets.values() for target in targets]
        heads = {
            target.teacher["name"]: target.store.dim
            for target in stores
            if target.teacher["name"] != self.config.anchor
        }
        projectors = FeatureProjectors(
            self.student.width, heads, self.params.student.projector, seed=self.config.seed
        )
        return StepObjective(
            self.student, projectors, self.texts, stores, self.config.anchor,
            self.config.objectives,
        )  # fmt: skip

    def _recipe(self) -> dict[str, Any]:
        """What determines the training: settings, data and targets."""
        stores = [target for targets in self.targets.values() for target in targets]
        return {
            "params": {
                "seed": self.params.seed,
                "views": asdict(self.params.views),
                "student": asdict(self.params.student),
                "train": asdict(self.config),
            },
            "tars": {s: [shard.xxh3 for shard in i.shards] for s, i in self.indexes.items()},
            "stores": {target.name: target.store.provenance.fingerprint for target in stores},
        }

    def _resume(self) -> int:
        """Take up the latest checkpoint of this very recipe, if there is one."""
        state = self.checkpoints.latest()
        if state is None:
            return 0
        restore(self.parameters, state)
        self.optimizer.load_state_dict(state.optimizer)
        for source, cursor in state.cursors.items():
            self.streams[source].cursor = cursor
        print(f"resumed from step {state.step}")
        return state.step

    def _save(self, step: int) -> None:
        self.checkpoints.save(
            TrainingState(
                step,
                {name: parameter.detach() for name, parameter in self.parameters.items()},
                self.optimizer.state_dict(),
                {source: stream.cursor for source, stream in self.streams.items()},
            )
        )

    def _on_sigterm(self, number: int, frame: FrameType | None) -> None:
        """Finish the step, save, and leave."""
        self._stop = True


def _values(loss: StepLoss, rate: float) -> dict[str, float]:
    """Scalars of a step for the log."""
    values = {"loss": loss.total.item(), "learning_rate": rate}
    values |= {name: part.item() for name, part in loss.parts.items()}
    for modality, use in loss.expert_use.items():
        values |= {f"expert_use/{modality}/{i}": share for i, share in enumerate(use.tolist())}
    return values
