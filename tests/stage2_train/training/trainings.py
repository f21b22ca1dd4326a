"""Trainings in the tiny world, whole or with an accident at some step; run on one rank or more."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from pipeline.config import Params
from stage2_train.stream.loader import LoadedBatches
from stage2_train.training.checkpoint import Progress
from stage2_train.training.trainer import Trainer
from stage2_train.training.update import StepReport, Update
from tests.tiny_world import tiny_params

SETTINGS = {
    "teachers": ["clip-objects", "clip-renders", "fake-objects"],
    "sources": {"objects": 1, "renders": 1}, "epochs": 1, "batch_size": 13,
    "warmup_steps": 2, "checkpoint_every": 3,
}  # fmt: skip


def params_of(root: Path, out: str = "runs", **train: object) -> Params:
    """By default 6 steps: 7 of 16 objects and 6 of 64 renders each, which no rank count divides."""
    return tiny_params(root, train=SETTINGS | {"out": str(root / out)} | train)


def logged(params: Params) -> list[dict[str, float]]:
    """The steps in a run's log."""
    lines = Path(params.train.out, "log.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


class Accident(Update):
    """The update, with something in one step and the targets of each step kept."""

    def __init__(self, trainer: Trainer, step: int, happens: Callable[[Trainer], None]) -> None:
        self._inner, self._trainer = trainer.update, trainer
        self._step, self._happens, self._count = step, happens, 0
        self.seen: list[torch.Tensor] = []

    def __call__(
        self, feed: Iterator[LoadedBatches], rate: float, stop: Callable[[], bool]
    ) -> StepReport:
        self._count += 1
        return self._inner(self._record(feed), rate, stop)

    def _record(self, feed: Iterator[LoadedBatches]) -> Iterator[LoadedBatches]:
        for loaded in feed:
            if self._count == self._step:
                self._happens(self._trainer)
            self.seen.append(loaded.batches[0].targets["fake-objects"])
            yield loaded


def nothing(trainer: Trainer) -> None:
    """Happens to no training."""


def terminated(trainer: Trainer) -> None:
    """The last rank gets a SIGTERM."""
    if trainer.ranks.rank == trainer.ranks.count - 1:
        os.kill(os.getpid(), signal.SIGTERM)


def killed(trainer: Trainer) -> None:
    """The last rank dies at once."""
    if trainer.ranks.rank == trainer.ranks.count - 1:
        os.kill(os.getpid(), signal.SIGKILL)


def asleep(trainer: Trainer) -> None:
    """The last rank does not come back."""
    if trainer.ranks.rank == trainer.ranks.count - 1:
        time.sleep(600)


def poisoned(trainer: Trainer) -> None:
    """The last rank's next loss is NaN."""
    if trainer.ranks.rank == trainer.ranks.count - 1:
        poison_once(trainer)


def poison_once(trainer: Trainer) -> None:
    encode = trainer.objective.encode

    def spoiled(modality: str, x: Any) -> Any:
        trainer.objective.encode = encode
        output = encode(modality, x)
        return output._replace(hidden=output.hidden * float("nan"))

    trainer.objective.encode = spoiled


def run(
    params: Params, step: int = 0, happens: Callable[[Trainer], None] = nothing
) -> tuple[bool, list[torch.Tensor]]:
    """Train; whether it finished, and the cached targets of each step on this rank."""
    trainer = Trainer(params)
    trainer.update = accident = Accident(trainer, step, happens)
    return trainer.run(), accident.seen


def gradients(params: Params) -> dict[str, torch.Tensor]:
    """Of the first step, as the optimizer would get them."""
    trainer = Trainer(params)
    with trainer.feed(Progress(step=0, cursors={})) as feed:
        trainer.update(feed, 0.0, lambda: False)
    named = trainer.objective.named_parameters()
    return {name: p.grad.clone() for name, p in named if p.grad is not None}
