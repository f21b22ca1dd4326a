"""One optimizer step: forward passes over all sources, gradients of all ranks, one verdict."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from stage2_train.loader import Fed
from stage2_train.order import Cursor
from stage2_train.ranks import Ranks
from stage2_train.step import StepLoss, StepObjective
from stage2_train.stream import MiniBatch


@dataclass(frozen=True)
class StepReport:
    """A finished step, the same on every rank but for `waited`."""

    values: dict[str, float]
    """Loss, its parts, norm of the gradient, use of the experts; of the whole batch."""
    cursors: dict[str, Cursor]
    """Where each source stands behind it."""
    waited: float
    """Seconds this rank waited for data."""
    finite: bool
    """Whether the weights were updated: loss and gradient were finite."""
    stop: bool
    """Whether any rank was asked to stop."""


class Update:
    """The step, as a function of the data and the learning rate.

    A step is `accumulate` forward passes, each over its own mini-batch of every source: the
    contrastive terms compare samples within a pass. Gradients are exchanged once, in the last.

    Args:
        objective: on its device.
        optimizer: of its trainable parameters.
        accumulate: forward passes.
    """

    def __init__(
        self, objective: StepObjective, optimizer: torch.optim.Optimizer, accumulate: int
    ) -> None:
        self._optimizer, self._accumulate = optimizer, accumulate
        self._objective, self._ranks = objective, Ranks.current()
        self._device = objective.texts.device
        self._module: nn.Module = objective
        if self._ranks.count > 1:
            self._module = DistributedDataParallel(
                objective, broadcast_buffers=False, gradient_as_bucket_view=True
            )

    def __call__(self, feed: Iterator[Fed], rate: float, stop: Callable[[], bool]) -> StepReport:
        """Take a step's data from the feed and update the weights.

        `stop` tells at the end of the step whether this rank was asked to stop.
        """
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._objective.train()
        self._optimizer.zero_grad(set_to_none=True)
        passes, waited = [], 0.0
        for number in range(self._accumulate):
            started = time.monotonic()
            fed = next(feed)
            waited += time.monotonic() - started
            passes.append(self._backward(fed, last=number == self._accumulate - 1))
        values, stopped = self._verdict(passes, fed, stop())
        finite = all(math.isfinite(values[name]) for name in ("loss", "gradient_norm"))
        if finite:
            self._optimizer.step()
        return StepReport(values, fed.cursors, waited, finite, stopped)

    def _backward(self, fed: Fed, last: bool) -> StepLoss:
        on_gpu = self._device.type == "cuda"
        batches = [_moved(batch, self._device) for batch in fed.batches]
        with self._exchanging(last):
            with torch.autocast(self._device.type, dtype=torch.bfloat16, enabled=on_gpu):
                loss = self._module(batches)
            # DistributedDataParallel takes the mean over the ranks of what is to be summed.
            (loss.total * (self._ranks.count / self._accumulate)).backward()
        return loss

    def _exchanging(self, last: bool) -> AbstractContextManager:
        if isinstance(self._module, DistributedDataParallel) and not last:
            return self._module.no_sync()
        return nullcontext()

    def _verdict(
        self, passes: list[StepLoss], fed: Fed, stop: bool
    ) -> tuple[dict[str, float], bool]:
        """Means of all ranks and passes, in one exchange and one wait for the device."""
        names = list(passes[0].parts)
        rows = [[p.total.detach(), *p.parts.values()] for p in passes]
        losses = torch.stack([torch.stack(row) for row in rows]).mean(0)
        replaced = sum(batch.replaced for batch in fed.batches)
        counts = torch.tensor([float(replaced), float(stop)]).to(losses)
        summed = self._ranks.summed(torch.cat((losses, counts)))
        gradients = [p.grad for p in self._objective.parameters() if p.grad is not None]
        norm = nn.utils.get_total_norm(gradients)
        use = {
            f"expert_use/{source}/{expert}": share
            for source, shares in passes[-1].expert_use.items()
            for expert, share in enumerate(shares.unbind())
        }
        keys = ["loss", *names, "replaced_samples", "stop", "gradient_norm", *use]
        numbers = torch.cat((summed, norm[None], torch.stack(list(use.values())))).tolist()
        values = dict(zip(keys, numbers))
        return values, values.pop("stop") > 0


def _moved(batch: MiniBatch, device: torch.device) -> MiniBatch:
    def to(part: Tensor) -> Tensor:
        return part.to(device, non_blocking=True)

    targets: Mapping[str, Tensor] = {name: to(target) for name, target in batch.targets.items()}
    return replace(
        batch, inputs=tuple(map(to, batch.inputs)), text=to(batch.text), targets=dict(targets)
    )
