"""The joined stream: samples beside their cached targets, every join proved, order fixed by seed.

A worker process reads the samples that it is asked for and no others. The place of an unreadable
sample is taken by the next readable one of its tar: the order stays a function of (seed, source,
pass) on which all ranks agree without asking each other.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import groupby
from operator import attrgetter

import torch
from torch import Tensor

from pipeline.commands import prepare_command
from pipeline.config import Params
from pipeline.errors import UserError
from pipeline.rows import read_rows
from pipeline.samples import UnreadableSample, decode_member, decode_text
from pipeline.shards import ShardIndex, read_index
from pipeline.store import Plane
from pipeline.views import ViewMaker, chain_for
from stage2_train.stream.order import Cursor, Slot, SourceOrder
from stage2_train.stream.targets import TeacherTargets, check_targets, source_folder
from stage2_train.stream.texts import TextTable
from stage2_train.student.inputs import loader_input, stacked

PLANES = 32
"""Of each teacher's store, kept in memory by a process: a few more than one task reads."""


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


@dataclass(frozen=True)
class _Task:
    """One sample before it is decoded."""

    key: str
    members: dict[str, bytes]
    slot: Slot
    planes: Sequence[Plane]


class SourceStream:
    """The samples of one source, in the order of its passes.

    Args:
        params: of the run.
        source: name under `sources`.
        targets: the source's opened stores.
        texts: where its labels stand.
    """

    def __init__(
        self, params: Params, source: str, targets: list[TeacherTargets], texts: TextTable
    ) -> None:
        self.source, self.targets, self.texts = source, targets, texts
        self.modality = params.sources[source].modality
        self._folder = source_folder(params, source)
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
        tasks = {task.slot: task for task in self._tasks(slots)}
        samples = [self._join(tasks[slot]) for slot in slots]
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

    def _tasks(self, slots: Iterable[Slot]) -> Iterable[_Task]:
        """Tar by tar, each opened once."""
        for (passes, shard), group in groupby(sorted(slots), key=attrgetter("passes", "shard")):
            mine = list(group)
            planes = self._planes(shard, passes % self._maker.sizes.count)
            found = self._read(shard, [slot.row for slot in mine])
            yield from (_Task(*sample, slot, planes) for sample, slot in zip(found, mine))

    def _read(self, shard: int, rows: Sequence[int]) -> list[tuple[str, dict[str, bytes]]]:
        return read_rows(self._folder, self._index.shards[shard], rows)

    def _read_planes(self, shard: int, view: int) -> list[Plane]:
        return [target.store.read(shard, view) for target in self.targets]

    def _join(self, task: _Task) -> JoinedSample:
        """A sample's view and targets, or those of the next readable sample of its tar."""
        try:
            return self._joined(task)
        except UnreadableSample:
            info = self._index.shards[task.slot.shard]
        for step in range(1, info.count):
            slot = task.slot._replace(row=(task.slot.row + step) % info.count)
            [sample] = self._read(slot.shard, [slot.row])
            try:
                return replace(self._joined(_Task(*sample, slot, task.planes)), replaced=True)
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
        check_targets(self.targets, task.planes, task.slot.row, task.key, view, self._maker)
        return JoinedSample(
            inputs=loader_input(self.modality, view.array, self._student),
            text=self.texts.draw(self.source, text, self._maker.seed, task.key, view_number),
            targets={
                target.name: torch.from_numpy(plane.target(task.slot.row))
                for target, plane in zip(self.targets, task.planes)
            },
        )


class Streams:
    """The streams of a training's sources; each process opens those that it is asked for.

    Args:
        params: of the run.
        targets: source -> its opened stores.
        texts: where the sources' labels stand.
    """

    def __init__(
        self, params: Params, targets: Mapping[str, list[TeacherTargets]], texts: TextTable
    ) -> None:
        self._params, self._targets, self._texts = params, targets, texts
        self._opened: dict[str, SourceStream] = {}

    def __call__(self, draw: Draw) -> MiniBatch:
        """What the `SourceStream` of its source makes of a draw."""
        source = draw.source
        if source not in self._opened:
            self._opened[source] = SourceStream(
                self._params, source, self._targets[source], self._texts
            )
        return self._opened[source](draw)
