"""The joined stream: tars beside their cached planes, every join proved, order fixed by the seed.

A source's order is a pure function of (seed, source, pass): tars in a permuted order, and the
samples of a tar in a permuted order. Pass p trains on view p mod K. A source that is shorter than
the others starts its next pass by itself.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pipeline.config import Params
from pipeline.prefetch import prefetched_map
from pipeline.samples import UnreadableSample, decode_member, decode_text
from pipeline.shards import ShardIndex, read_index, read_shard
from pipeline.store import Plane
from pipeline.views import ViewMaker, ViewRng, chain_for
from stage2_train.inputs import stacked, student_input
from stage2_train.targets import TeacherTargets, source_folder
from stage2_train.texts import TextTable


@dataclass(frozen=True)
class Cursor:
    """How far a source has been read."""

    passes: int = 0
    """Finished passes over the source."""
    position: int = 0
    """Samples taken of the present pass."""


@dataclass(frozen=True)
class JoinedSample:
    """A view beside the cached targets that were made from it."""

    inputs: tuple[Tensor, ...]
    text: int
    """Row of its label text in the TextTable."""
    targets: dict[str, Tensor]
    """Extraction name -> float32 [dim]; NaN where the teacher had failed."""
    cursor: Cursor
    """Where the source stands after this sample."""


@dataclass(frozen=True)
class MiniBatch:
    """One step's samples of one source."""

    source: str
    modality: str
    inputs: tuple[Tensor, ...]
    """What the modality's tokenizer takes, batch first."""
    text: Tensor
    """Int64 [B], rows of the TextTable."""
    targets: dict[str, Tensor]
    """Extraction name -> float32 [B, dim]; rows of NaN where the teacher had failed."""


@dataclass(frozen=True)
class _Task:
    """One sample before it is decoded."""

    key: str
    members: dict[str, bytes]
    row: int
    view: int
    planes: list[Plane]
    cursor: Cursor


class SourceStream:
    """Endless mini-batches of one source."""

    def __init__(
        self,
        params: Params,
        source: str,
        targets: list[TeacherTargets],
        texts: TextTable,
        threads: ThreadPoolExecutor,
    ) -> None:
        self.source, self.targets, self.texts = source, targets, texts
        self.modality = params.sources[source].modality
        self.cursor = Cursor()
        self._folder = source_folder(params, source)
        self._index: ShardIndex = read_index(self._folder)
        self._maker = ViewMaker(chain_for(self.modality, self.modality), params.seed, params.views)
        self._student, self._threads = params.student, threads
        self._seed = params.train.seed
        self._samples: Iterator[JoinedSample] | None = None

    def take(self, count: int) -> MiniBatch:
        """The next `count` samples; the cursor moves behind them."""
        if self._samples is None:
            self._samples = self._joined(ahead=2 * count)
        samples = list(islice(self._samples, count))
        self.cursor = samples[-1].cursor
        return MiniBatch(
            self.source,
            self.modality,
            stacked(sample.inputs for sample in samples),
            torch.tensor([sample.text for sample in samples]),
            {
                target.name: torch.stack([s.targets[target.name] for s in samples])
                for target in self.targets
            },
        )

    def _joined(self, ahead: int) -> Iterator[JoinedSample]:
        for sample in prefetched_map(self._threads, self._join, self._tasks(), ahead):
            if sample is not None:
                yield sample

    def _tasks(self) -> Iterator[_Task]:
        """Samples from the cursor on, pass after pass, each beside its tar's planes."""
        cursor = self.cursor
        while True:
            for shard in self._tar_order(cursor.passes):
                count = self._index.shards[shard].count
                if cursor.position >= count:  # taken before the resume
                    cursor = replace(cursor, position=cursor.position - count)
                    continue
                skip, before = cursor.position, self._count_before(cursor.passes, shard)
                for place, task in enumerate(self._tar_tasks(shard, cursor.passes)):
                    if place >= skip:
                        yield replace(task, cursor=Cursor(cursor.passes, before + place + 1))
                cursor = replace(cursor, position=0)
            cursor = Cursor(cursor.passes + 1, 0)

    def _tar_tasks(self, shard: int, passes: int) -> Iterator[_Task]:
        view = passes % self._maker.sizes.count
        planes = [target.store.read(shard, view) for target in self.targets]
        samples = list(read_shard(self._folder, self._index.shards[shard]))
        rng = ViewRng(self._seed, f"{self.source}/{shard}", passes, "order")
        for row in rng.permutation(len(samples)):
            key, members = samples[row]
            yield _Task(key, members, int(row), view, planes, self.cursor)

    def _tar_order(self, passes: int) -> list[int]:
        rng = ViewRng(self._seed, self.source, passes, "order")
        return [int(shard) for shard in rng.permutation(len(self._index.shards))]

    def _count_before(self, passes: int, shard: int) -> int:
        """Samples of a pass that come before a tar's."""
        order = self._tar_order(passes)
        return sum(self._index.shards[s].count for s in order[: order.index(shard)])

    def _join(self, task: _Task) -> JoinedSample | None:
        """Decode, make the view, prove every target's row; None for an unreadable sample."""
        try:
            decoded = decode_member(task.members, self._maker.chain.member)
            view = self._maker(decoded, task.key, task.view)
            text = decode_text(task.members)
        except UnreadableSample:
            return None
        for target, plane in zip(self.targets, task.planes):
            same = target.maker.chain == self._maker.chain and self._maker.sizes.check_content
            target.check(plane, task.row, task.key, task.view, view if same else None)
        rng = ViewRng(self._maker.seed, task.key, task.view, "text")
        return JoinedSample(
            inputs=student_input(self.modality, view.array, self._student),
            text=self.texts.draw(self.source, text, rng),
            targets={
                target.name: torch.from_numpy(plane.features[task.row].astype(np.float32))
                for target, plane in zip(self.targets, task.planes)
            },
            cursor=task.cursor,
        )


def mini_batch_sizes(weights: dict[str, float], total: int) -> dict[str, int]:
    """Split `total` by weight, exactly: floors first, then one each to the largest remainders."""
    whole = sum(weights.values())
    shares = {name: total * weight / whole for name, weight in weights.items()}
    sizes = {name: int(share) for name, share in shares.items()}
    by_remainder = sorted(shares, key=lambda name: (sizes[name] - shares[name], name))
    for name in by_remainder[: total - sum(sizes.values())]:
        sizes[name] += 1
    return sizes


def open_streams(
    params: Params, texts: TextTable, targets: dict[str, list[TeacherTargets]], threads: Any
) -> dict[str, SourceStream]:
    """A stream for every source of the mixture."""
    return {
        source: SourceStream(params, source, targets[source], texts, threads)
        for source in params.train.sources
    }
