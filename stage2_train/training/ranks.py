"""The processes of a training: who am I, how many are we, and what one asks of all the others.

Started by torchrun, each rank has one device: gloo on CPU, NCCL on GPU. Without torchrun there is
one rank, and everything here is the identity.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor

from pipeline.errors import UserError


@dataclass(frozen=True)
class Ranks:
    """This process among all of them."""

    rank: int = 0
    count: int = 1

    @staticmethod
    def current() -> "Ranks":
        """Of the process group, where there is one."""
        grouped = dist.is_available() and dist.is_initialized()
        return Ranks(dist.get_rank(), dist.get_world_size()) if grouped else Ranks()

    @property
    def first(self) -> bool:
        """Whether this is the rank that logs and writes."""
        return self.rank == 0

    def summed(self, values: Tensor) -> Tensor:
        """The sum over all ranks of a tensor, without a gradient."""
        if self.count > 1:
            values = values.detach().clone()
            dist.all_reduce(values)
        return values

    def from_first(self, value: Any) -> Any:
        """What the first rank passed; the others' value is ignored."""
        box = [value]
        if self.count > 1:
            dist.broadcast_object_list(box)
        return box[0]

    def wait(self) -> None:
        """Until all ranks have come here."""
        if self.count > 1:
            dist.barrier()

    def gathered(
        self, groups: Sequence[Tensor], by_rank: Sequence[Sequence[int]]
    ) -> Sequence[Tensor]:
        """The rows of all ranks, group by group, in the order of the ranks; one collective.

        The gradient of what any rank computes from a row flows back to the rank that gave it.

        Args:
            groups: this rank's, each [rows, columns] of one dtype.
            by_rank: of each group, the rows that every rank gives; they may differ.
        """
        if self.count == 1 or not groups:
            return groups
        totals = [sum(rows) for rows in zip(*by_rank)]
        own = torch.cat(tuple(groups))
        padded = F.pad(own, (0, 0, 0, max(totals) - len(own)))
        blocks = _AllGather.apply(padded, self)
        parts = [
            block[:total].split([rows[rank] for rows in by_rank])
            for rank, (block, total) in enumerate(zip(blocks, totals))
        ]
        return [torch.cat(group) for group in zip(*parts)]


class _AllGather(torch.autograd.Function):
    """[rows, columns] of each rank -> [ranks, rows, columns] on every rank."""

    @staticmethod
    def forward(ctx: Any, own: Tensor, ranks: Ranks) -> Tensor:
        ctx.rank = ranks.rank
        blocks = [torch.empty_like(own) for _ in range(ranks.count)]
        dist.all_gather(blocks, own.contiguous())
        return torch.stack(blocks)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        # A reduce-scatter would move half as much, of a few MB; gloo has none.
        gradient = gradients[0].contiguous()
        dist.all_reduce(gradient)
        return gradient[ctx.rank], None


@contextmanager
def process_group(timeout: float) -> Iterator[Ranks]:
    """Join torchrun's other ranks, if it started this process; leave them when all is well.

    Args:
        timeout: seconds after which a collective that some rank does not join fails.
    """
    if "RANK" not in os.environ:
        yield Ranks()
        return
    cuda = torch.cuda.is_available()
    if cuda:
        _take_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if cuda else "gloo", timeout=timedelta(seconds=timeout))
    yield Ranks.current()
    dist.destroy_process_group()


def _take_device(local_rank: int) -> None:
    gpus = torch.cuda.device_count()
    if local_rank >= gpus:
        raise UserError(
            f"rank {os.environ['RANK']} would be number {local_rank} on this machine, which has "
            f"{gpus} GPUs; start torchrun with --nproc-per-node {gpus}"
        )
    torch.cuda.set_device(local_rank)


def is_lost_peer(error: BaseException) -> bool:
    """Whether a collective failed because another rank died or did not come in time."""
    return isinstance(error, dist.DistError) or (
        isinstance(error, RuntimeError) and "gloo" in str(error)
    )
