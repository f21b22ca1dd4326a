"""The epochs of a nano teacher's training: batches in a seeded order, AdamW, warm-up and cosine."""

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Generator, Tensor, nn

from demo.contrastive import build_optimiser, warmup_cosine


@dataclass(frozen=True)
class Schedule:
    """How long and how fast is learnt."""

    epochs: int
    batch: int
    peak_lr: float
    most_norm: float = math.inf
    """Length of all gradients together; longer ones are shortened to it."""


def train_epochs(
    parameters: Iterable[nn.Parameter],
    samples: int,
    schedule: Schedule,
    generator: Generator,
    loss_of: Callable[[Tensor, int], Tensor],
    log: Path,
    what: str = "epoch",
) -> None:
    """Lower `loss_of`, a function of the samples' numbers [B] and the epoch's.

    The last batch of an epoch, which may be short, is left out; `log` gets a line an epoch.
    """
    trained = list(parameters)
    optimiser = build_optimiser(trained, schedule.peak_lr)
    rates = warmup_cosine(optimiser, schedule.epochs * (samples // schedule.batch))
    started = time.monotonic()
    for epoch in range(schedule.epochs):
        losses = []
        parts = torch.randperm(samples, generator=generator).split(schedule.batch)
        for rows in parts[:-1] or parts:
            loss = loss_of(rows, epoch)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(trained, schedule.most_norm)
            optimiser.step()
            rates.step()
            losses.append(loss.item())
        _write_line(log, f"{what} {epoch + 1}", sum(losses) / len(losses), started)


def _write_line(log: Path, what: str, loss: float, started: float) -> None:
    line = f"{what} loss {loss:.4f} seconds {time.monotonic() - started:.0f}\n"
    with log.open("a") as file:
        file.write(line)
    print(line, end="", flush=True)
