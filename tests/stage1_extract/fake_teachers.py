"""The fake teacher as the registry finds it; its `weights` say how it misbehaves."""

import os
import signal
from pathlib import Path

import numpy as np
import torch
from distributed import Worker, WorkerPlugin

from stage1_extract.teachers import REGISTRY, Card
from tests.tiny_world import FakeTeacher

LOADED: list[FakeTeacher] = []
"""Those of this process, in the order of their loading."""
CARDS = tuple(
    Card(
        name=name, arch=name, modality="points", dim=6, text_space="hashes", weights="none",
        licence="made", source="tests", preprocessing="none",
    )
    for name in ("fake", "twin")
)  # fmt: skip


class Registered(WorkerPlugin):
    """Registers the fakes in the workers of a cluster, those that are started later too."""

    def setup(self, worker: Worker) -> None:
        REGISTRY.update(dict.fromkeys(("fake", "twin"), __name__))


class DiesOnce(FakeTeacher):
    """The first process that gets to a second batch dies, and leaves a flag."""

    def __init__(self, flag: str) -> None:
        super().__init__()
        self.flag = Path(flag)

    def encode(self, batch: torch.Tensor) -> torch.Tensor:
        if self.batches == 1 and not self.flag.exists():
            self.flag.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().encode(batch)


class DiesOfColour(FakeTeacher):
    """Every process that sees a coloured cloud dies."""

    def preprocess(self, view: np.ndarray) -> torch.Tensor:
        if view.shape[1] == 6:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().preprocess(view)


def load(arch: str, weights: str | None, device: str) -> FakeTeacher:
    kind, _, argument = (weights or "").partition(":")
    made = {"dies-once": DiesOnce, "dies-of-colour": lambda _: DiesOfColour()}
    teacher = made[kind](argument) if kind else FakeTeacher()
    teacher.name = arch
    LOADED.append(teacher)
    return teacher
