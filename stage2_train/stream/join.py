"""The joined stream: samples beside their cached targets, every join proved, order fixed by seed.

A worker process reads the samples that it is asked for and no others. The place of an unreadable
sample is taken by the next readable one of its tar: the order stays a function of (seed, source,
pass) on which all ranks agree without asking each other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pipeline.commands import prepare_command
from pipeline.config import Params
from pipeline.errors import UserError
from pipeline.rows import read_rows
from pipeline.samples import UnreadableSample, decode_member, decode_text
from pipeline.shards import ShardIndex, read_index
from pipeline.store import PickedRows, Plane
from pipeline.views import View, ViewMaker, chain_for
from stage2_train.stream.order import Cursor, SourceOrder
from stage2_train.stream.targets import TeacherTargets, check_targets, source_folder
from stage2_train.stream.texts import TextTable
from stage2_train.student.inputs import loader_input, stacked

PLANES = 32
"""Of each teacher's store, kept in memory by a process: a few more than one task reads."""


class Made(NamedTuple):
    """A sample's view, before its targets are joined to it."""

    row: int
    """Its place in its tar."""
    key: str
    view: View
    inputs: tuple[Tensor, ...]
    text: int
    """Row of its label text in the TextTable."""
    replaced: bool
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
class Draw:
    """Some samples of one step's mini-batch of a source: what one worker makes at a time."""

    source: str
    cursor: Cursor
    """Where the mini-batch starts."""
    numbers: range
    """Which of its samples."""

    def __str__(self) -> str:
        at = f"pass {self.cursor.passes}, sample {self.cursor.position}"
        return f"source '{self.source}', {len(self.numbers)} samples from {at} on"


class SourceStream:
    """The samples of one source, in the order of its passes.

    Args:
        params: of the run.
        source: name under `sources`.
        targets: the source's opened stores.
        texts: where its labels stand.
        split: of its shards; stores are of `train` alone.
    """

    def __init__(
        self,
        params: Params,
        source: str,
        targets: list[TeacherTargets],
        texts: TextTable,
        split: str = "train",
    ) -> None:
        self.source, self.targets, self.texts = source, targets, texts
        self.modality = params.sources[source].modality
        self._folder = source_folder(params, source, split)
        self._index: ShardIndex = read_index(self._folder)
        counts = [shard.count for shard in self._index.shards]
        self.order = SourceOrder(params.train.seed, source, counts)
        self._maker = ViewMaker(chain_for(self.modality, self.modality), params.seed, params.views)
        self._student = params.student
        self._planes = lru_cache(maxsize=PLANES)(self._read_planes)

    def __call__(self, draw: Draw) -> MiniBatch:
        """These samples, decoded, augmented and joined.

        Raises:
            UserError: damaged data, a cached row that is not the sample's, or a tar without a
                readable sample.
        """
        slots = self.order.slots(draw.cursor, draw.numbers)
        by_tar = sorted(range(len(slots)), key=slots.__getitem__)
        tars = [
            self._read_tar(passes, shard, [slots[number].row for number in numbers])
            for (passes, shard), numbers in groupby(by_tar, lambda number: slots[number][:2])
        ]
        samples = [sample for made, _ in tars for sample in made]
        targets, back = self._joined(samples, tars), np.argsort(by_tar)
        return MiniBatch(
            self.source,
            self.modality,
            stacked(samples[number].inputs for number in back),
            torch.tensor([sample.text for sample in samples])[back],
            {name: torch.from_numpy(rows.targets()[back]) for name, rows in targets.items()},
            sum(sample.replaced for sample in samples),
        )

    def _read_tar(
        self, passes: int, shard: int, rows: Sequence[int]
    ) -> tuple[list[Made], list[Plane]]:
        """Some samples of a tar, and each store's plane of it."""
        number = passes % self._maker.sizes.count
        planes, found = self._planes(shard, number), self._read(shard, rows)
        samples = [self._readable(shard, number, row, *each) for row, each in zip(rows, found)]
        return samples, planes

    def _joined(
        self, samples: Sequence[Made], tars: Sequence[tuple[list[Made], list[Plane]]]
    ) -> dict[str, PickedRows]:
        """Each store's rows of the samples, proved to be theirs."""
        rows = [[sample.row for sample in made] for made, _ in tars]
        columns = zip(*(planes for _, planes in tars))
        cached = [PickedRows.of(list(zip(planes, rows))) for planes in columns]
        keys, views = [sample.key for sample in samples], [sample.view for sample in samples]
        check_targets(self.targets, cached, keys, views, self._maker)
        return {target.name: rows for target, rows in zip(self.targets, cached)}

    def _read(self, shard: int, rows: Sequence[int]) -> list[tuple[str, dict[str, bytes]]]:
        return read_rows(self._folder, self._index.shards[shard], rows)

    def _read_planes(self, shard: int, view: int) -> list[Plane]:
        return [target.store.read(shard, view) for target in self.targets]

    def _readable(
        self, shard: int, number: int, row: int, key: str, members: Mapping[str, bytes]
    ) -> Made:
        """A sample's view, or that of the next readable one of its tar."""
        try:
            return self._made(number, row, key, members)
        except UnreadableSample:
            info = self._index.shards[shard]
        for step in range(1, info.count):
            other = (row + step) % info.count
            [(key, members)] = self._read(shard, [other])
            try:
                return self._made(number, other, key, members)._replace(replaced=True)
            except UnreadableSample:
                continue
        raise UserError(
            f"{self._folder / info.name}: none of its {info.count} samples is readable; "
            f"run: {prepare_command(self.source)}"
        )

    def _made(self, number: int, row: int, key: str, members: Mapping[str, bytes]) -> Made:
        """Decode, and make view `number`; raises UnreadableSample."""
        view = self._maker(decode_member(members, self._maker.chain.member), key, number)
        return Made(
            row,
            key,
            view,
            loader_input(self.modality, view.array, self._student),
            self.texts.draw(self.source, decode_text(members), self._maker.seed, key, number),
            replaced=False,
        )


class Streams:
    """The streams of a training's sources; each process opens those that it is asked for.

    Args:
        params: of the run.
        targets: source -> its opened stores.
        texts: where the sources' labels stand.
        split: of all sources.
    """

    def __init__(
        self,
        params: Params,
        targets: Mapping[str, list[TeacherTargets]],
        texts: TextTable,
        split: str = "train",
    ) -> None:
        self._params, self._targets, self._texts, self._split = params, targets, texts, split
        self._opened: dict[str, SourceStream] = {}

    def __call__(self, draw: Draw) -> MiniBatch:
        """What the `SourceStream` of its source makes of a draw."""
        source = draw.source
        if source not in self._opened:
            self._opened[source] = SourceStream(
                self._params, source, self._targets[source], self._texts, self._split
            )
        return self._opened[source](draw)
