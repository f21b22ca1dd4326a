"""The joined stream: tars beside their cached planes, every join proved, order fixed by the seed.

A rank reads only the tars that hold rows of its part, keeps only those rows in memory, and decodes
only them. The place of an unreadable sample is taken by the next readable one of its tar: the order
stays a function of (seed, source, pass) on which all ranks agree without asking each other.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import groupby, islice

import torch
from torch import Tensor

from pipeline.commands import prepare_command
from pipeline.config import Params
from pipeline.errors import UserError
from pipeline.prefetch import prefetched_map
from pipeline.samples import UnreadableSample, decode_member, decode_text
from pipeline.shards import ShardIndex, read_index, read_shard
from pipeline.store import Plane
from pipeline.views import ViewMaker, ViewRng, chain_for
from stage2_train.inputs import loader_input, stacked
from stage2_train.order import Cursor, Share, Slot, SourceOrder
from stage2_train.targets import TeacherTargets, source_folder
from stage2_train.texts import TextTable


@dataclass(frozen=True)
class JoinedSample:
    """A view beside the cached targets that were made from it."""

    inputs: tuple[Tensor, ...]
    text: int
    """Row of its label text in the TextTable."""
    targets: dict[str, Tensor]
    """Extraction name -> float32 [dim]; NaN where the teacher had failed."""
    replaced: bool = False
    """Whether it stands in for an unreadable sample."""


@dataclass(frozen=True)
class MiniBatch:
    """One rank's part of one step's samples of one source."""

    source: str
    modality: str
    inputs: tuple[Tensor, ...]
    """What the modality's tokenizer takes, batch first."""
    text: Tensor
    """Int64 [B], rows of the TextTable."""
    targets: dict[str, Tensor]
    """Extraction name -> float32 [B, dim]; rows of NaN where the teacher had failed."""
    replaced: int = 0
    """Samples that stand in for unreadable ones."""


@dataclass(frozen=True)
class _Task:
    """One sample before it is decoded."""

    key: str
    members: dict[str, bytes]
    slot: Slot
    planes: list[Plane]


class SourceStream:
    """Endless mini-batches of one source, or of a rank's share of it.

    Args:
        params: of the run.
        source: name under `sources`.
        targets: the source's opened stores.
        texts: where its labels stand.
        threads: decode, augment and join, two mini-batches ahead.
        share: sizes of the mini-batches.
        rank: whose part of them this is.
    """

    def __init__(
        self,
        params: Params,
        source: str,
        targets: list[TeacherTargets],
        texts: TextTable,
        threads: ThreadPoolExecutor,
        share: Share,
        rank: int = 0,
    ) -> None:
        self.source, self.targets, self.texts = source, targets, texts
        self.modality = params.sources[source].modality
        self.cursor = Cursor()
        self._share, self._rank = share, rank
        self._folder = source_folder(params, source)
        self._index: ShardIndex = read_index(self._folder)
        counts = [shard.count for shard in self._index.shards]
        self._order = SourceOrder(params.train.seed, source, counts)
        self._maker = ViewMaker(chain_for(self.modality, self.modality), params.seed, params.views)
        self._student, self._threads = params.student, threads
        self._samples: Iterator[JoinedSample] | None = None

    def take(self) -> MiniBatch:
        """The next mini-batch; the cursor moves behind it, other ranks' parts included."""
        count = self._share.by_rank[self._rank]
        if self._samples is None:
            self._samples = prefetched_map(self._threads, self._join, self._tasks(), 2 * count)
        samples = list(islice(self._samples, count))
        self.cursor = self._order.after(self.cursor, self._share.size)
        return MiniBatch(
            self.source,
            self.modality,
            stacked(sample.inputs for sample in samples),
            torch.tensor([sample.text for sample in samples]),
            {
                target.name: torch.stack([s.targets[target.name] for s in samples])
                for target in self.targets
            },
            sum(sample.replaced for sample in samples),
        )

    def _tasks(self) -> Iterator[_Task]:
        """This rank's samples from the cursor on, each beside its tar's planes."""
        start, stop = self._share.bounds(self._rank)
        slots = self._order.part(self.cursor, start, stop, self._share.size)
        for (passes, shard), wanted in groupby(slots, key=lambda slot: slot[:2]):
            view = passes % self._maker.sizes.count
            planes = [target.store.read(shard, view) for target in self.targets]
            rows = [slot.row for slot in wanted]
            there = self._read_rows(shard, set(rows))
            for row in rows:
                yield _Task(*there.pop(row), Slot(passes, shard, row), planes)

    def _read_rows(self, shard: int, rows: set[int]) -> dict[int, tuple[str, dict[str, bytes]]]:
        samples = enumerate(read_shard(self._folder, self._index.shards[shard]))
        return {row: sample for row, sample in samples if row in rows}

    def _join(self, task: _Task) -> JoinedSample:
        """A sample's view and targets, or those of the next readable sample of its tar."""
        try:
            return self._joined(task)
        except UnreadableSample:
            info = self._index.shards[task.slot.shard]
        tar = self._read_rows(task.slot.shard, set(range(info.count)))
        for step in range(1, info.count):
            slot = task.slot._replace(row=(task.slot.row + step) % info.count)
            try:
                return replace(
                    self._joined(_Task(*tar[slot.row], slot, task.planes)), replaced=True
                )
            except UnreadableSample:
                continue
        raise UserError(
            f"{self._folder / info.name}: none of its {info.count} samples is readable; "
            f"run: {prepare_command(self.source)}"
        )

    def _joined(self, task: _Task) -> JoinedSample:
        """Decode, make the view, prove every target's row; raises UnreadableSample."""
        view_number = task.slot.passes % self._maker.sizes.count
        decoded = decode_member(task.members, self._maker.chain.member)
        view = self._maker(decoded, task.key, view_number)
        text = decode_text(task.members)
        for target, plane in zip(self.targets, task.planes):
            same = target.maker.chain == self._maker.chain and self._maker.sizes.check_content
            target.check(plane, task.slot.row, task.key, view if same else None)
        rng = ViewRng(self._maker.seed, task.key, view_number, "text")
        return JoinedSample(
            inputs=loader_input(self.modality, view.array, self._student),
            text=self.texts.draw(self.source, text, rng),
            targets={
                target.name: torch.from_numpy(plane.target(task.slot.row))
                for target, plane in zip(self.targets, task.planes)
            },
        )
