"""One optimizer step: forward passes over all sources, gradients of all ranks, one verdict."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from stage2_train.stream.device_batches import DeviceBatches
from stage2_train.stream.join import MiniBatch
from stage2_train.stream.loader import LoadedBatches
from stage2_train.stream.order import Cursor
from stage2_train.training.ranks import Ranks
from stage2_train.training.recorded_pass import RecordedPass
from stage2_train.training.step import Objective, StepLoss


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
        self, objective: Objective, optimizer: torch.optim.Optimizer, accumulate: int
    ) -> None:
        self._optimizer, self._accumulate = optimizer, accumulate
        self._objective, self._ranks = objective, Ranks.current()
        self._device = objective.texts.device
        self._batches = DeviceBatches(self._device)
        self._module: nn.Module = objective
        self._recorded: RecordedPass | None = None
        alone = self._ranks.count == 1 and accumulate == 1
        if alone and objective.recordable and self._device.type == "cuda":
            trained = [p for p in objective.parameters() if p.requires_grad]
            self._recorded = RecordedPass(partial(self._backward, last=True), trained)
        if self._ranks.count > 1:
            self._module = DistributedDataParallel(
                objective, broadcast_buffers=False, gradient_as_bucket_view=True
            )

    def __call__(
        self, feed: Iterator[LoadedBatches], rate: float, stop: Callable[[], bool]
    ) -> StepReport:
        """Take a step's data from the feed and update the weights.

        `stop` tells at the end of the step whether this rank was asked to stop. On a GPU the host
        reads the verdict when all of the step, and the copy of the next batch, is under way.
        """
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        if not self._objective.student.training:  # a walk over all modules
            self._objective.train()
        waited = self._batches.waited
        passes, replaced, cursors = self._passes(feed)
        verdict = self._verdict(passes, replaced, stop())
        finite = self._step(verdict)
        self._batches.fetch_ahead(feed)
        found = torch.stack([finite, *verdict.values()])
        self._wait()
        updated, *read = found.tolist()
        values, waited = dict(zip(verdict, read)), self._batches.waited - waited
        stopped = values.pop("stop") > 0
        return StepReport(values, cursors, waited, updated > 0, stopped)

    def _passes(
        self, feed: Iterator[LoadedBatches]
    ) -> tuple[list[StepLoss], int, dict[str, Cursor]]:
        """All forward and backward passes of the step, how many of their samples stand in for
        others, and where the sources stand behind them."""
        if self._recorded is not None:
            loaded = self._batches.take(feed)
            return [self._recorded(loaded.batches)], _replaced(loaded), loaded.cursors
        self._optimizer.zero_grad(set_to_none=True)
        passes, replaced = [], 0
        for number in range(self._accumulate):
            loaded = self._batches.take(feed)
            passes.append(self._backward(loaded.batches, last=number == self._accumulate - 1))
            replaced += _replaced(loaded)
        return passes, replaced, loaded.cursors

    def _step(self, verdict: Mapping[str, Tensor]) -> Tensor:
        """Update the weights if loss and gradient are finite, and say so: bool, on the device."""
        finite = verdict["loss"].isfinite() & verdict["gradient_norm"].isfinite()
        if self._optimizer.defaults["fused"]:
            self._optimizer.found_inf = 1.0 - finite.float()  # type: ignore[attr-defined]
            self._optimizer.step()
        elif finite:
            self._optimizer.step()
        return finite

    def _wait(self) -> None:
        """For the GPU, and leave the core to others meanwhile; reading from it keeps it busy."""
        if self._device.type == "cuda":
            done = torch.cuda.Event(blocking=True)
            done.record()
            done.synchronize()

    def _backward(self, batches: list[MiniBatch], last: bool) -> StepLoss:
        on_gpu = self._device.type == "cuda"
        with self._exchanging(last):
            with torch.autocast(self._device.type, dtype=torch.bfloat16, enabled=on_gpu):
                loss = self._module(batches)
            # DistributedDataParallel takes the mean over the ranks of what is to be summed.
            (loss.total * (self._ranks.count / self._accumulate)).backward()
        return replace(loss, total=loss.total.detach())

    def _exchanging(self, last: bool) -> AbstractContextManager:
        if isinstance(self._module, DistributedDataParallel) and not last:
            return self._module.no_sync()
        return nullcontext()

    def _verdict(self, passes: list[StepLoss], replaced: int, stop: bool) -> dict[str, Tensor]:
        """Means of all ranks and passes, in one exchange; scalars on the device."""
        names = ["loss", *passes[0].parts, "replaced_samples", "stop"]
        rows = [torch.stack([p.total, *p.parts.values()]) for p in passes]
        counts = [float(replaced), float(stop)]
        # Filled there: a copy of so little from here would wait for the device.
        own = [torch.full((1,), count, device=self._device) for count in counts]
        summed = self._ranks.summed(torch.cat((_mean(rows), *own)))
        gradients = [p.grad for p in self._objective.parameters() if p.grad is not None]
        use = {
            f"expert_use/{source}/{expert}": share
            for source in passes[0].expert_use
            for expert, share in enumerate(_mean([p.expert_use[source] for p in passes]).unbind())
        }
        norm = nn.utils.get_total_norm(gradients)
        return dict(zip(names, summed.unbind())) | {"gradient_norm": norm} | use


def _mean(passes: list[Tensor]) -> Tensor:
    return torch.stack(passes).mean(0)


def _replaced(loaded: LoadedBatches) -> int:
    return sum(batch.replaced for batch in loaded.batches)
