"""What a rank takes of each step: drawn in parts that worker processes make, and put together."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import torch
from torch import Tensor

from stage2_train.stream.join import Draw, MiniBatch
from stage2_train.stream.order import BatchSplit, Cursor, SourceOrder

MOST_SAMPLES = 8
"""Of a draw: enough that its way between processes costs little, beside decoding, and so few that
many processes share a step's clips, which take most of the time."""


@dataclass(frozen=True)
class LoadedBatches:
    """One mini-batch of every source."""

    batches: list[MiniBatch]
    cursors: dict[str, Cursor]
    """Where each source stands behind them."""


@dataclass(frozen=True)
class RankLoader:
    """What a rank reads of every step, and from where on."""

    orders: Mapping[str, SourceOrder]
    splits: Mapping[str, BatchSplit]
    """Of the same sources, in the order of a step's mini-batches."""
    cursors: Mapping[str, Cursor]
    """Of sources that are not at their start."""
    rank: int

    @property
    def draws_a_step(self) -> int:
        """Of all sources together."""
        return sum(self._parts(source) for source in self.splits)

    def draws(self) -> Iterator[Draw]:
        """Endlessly, step by step and source by source.

        A draw takes every n-th of the rank's samples, which come from every n-th run: few tars.
        """
        for cursors in self._starts():
            for source, split in self.splits.items():
                numbers, parts = split.numbers(self.rank), self._parts(source)
                for part in range(parts):
                    yield Draw(source, cursors[source], numbers[part::parts])

    def joined(self, made: Iterator[MiniBatch], *, pinned: bool) -> Iterator[LoadedBatches]:
        """The steps that the results of `draws` make up; ends where they end.

        Args:
            made: the results, in their order.
            pinned: put inputs to where a GPU can fetch them from.
        """
        starts = self._starts()
        next(starts)
        for behind in starts:
            batches = []
            for source in self.splits:
                parts = list(islice(made, self._parts(source)))
                if not parts:
                    return
                batches.append(_joined(parts, pinned))
            yield LoadedBatches(batches, behind)

    def _starts(self) -> Iterator[dict[str, Cursor]]:
        """Where each source stands before every step."""
        cursors = {source: self.cursors.get(source, Cursor()) for source in self.splits}
        while True:
            yield cursors
            cursors = {
                source: self.orders[source].after(cursors[source], split.size)
                for source, split in self.splits.items()
            }

    def _parts(self, source: str) -> int:
        return -(-self.splits[source].by_rank[self.rank] // MOST_SAMPLES)


def _joined(parts: Sequence[MiniBatch], pinned: bool) -> MiniBatch:
    """One mini-batch of parts, of which the n-th holds every n-th sample."""
    columns = zip(*(part.inputs for part in parts))
    return replace(
        parts[0],
        inputs=tuple(_interleaved(column, pinned) for column in columns),
        text=_interleaved([part.text for part in parts], pinned),
        targets={
            name: _interleaved([part.targets[name] for part in parts], pinned)
            for name in parts[0].targets
        },
        replaced=sum(part.replaced for part in parts),
    )


def _interleaved(parts: Sequence[Tensor], pinned: bool) -> Tensor:
    rows = sum(map(len, parts))
    whole = torch.empty((rows, *parts[0].shape[1:]), dtype=parts[0].dtype, pin_memory=pinned)
    # By numpy: torch would have several threads copy, on the cores that samples are decoded on
    for number, part in enumerate(parts):
        whole.numpy()[number :: len(parts)] = part.numpy()
    return whole
