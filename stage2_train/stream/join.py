"""The joined stream: samples beside their cached targets, every join proved, order fixed by seed.

A worker process reads the samples that it is asked for and no others. The place of an unreadable
sample is taken by the next readable one of its tar: the order stays a function of (seed, source,
pass) on which all ranks agree without asking each other.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import msgspec
import numpy as np
import torch
from torch import Tensor

from pipeline.commands import prepare_command
from pipeline.config import Params
from pipeline.errors import UserError
from pipeline.rows import Sample, read_places
from pipeline.samples import UnreadableSample, decode_member, decode_text
from pipeline.shards import INDEX, ShardIndex, read_index
from pipeline.store import PickedRows, Plane
from pipeline.views import ViewMaker, chain_for
from stage2_train.stream.input_rows import InputRows, Inputs
from stage2_train.stream.order import MOST_RUNS, Cursor, Slot, SourceOrder
from stage2_train.stream.targets import TeacherTargets, check_targets, source_folder
from stage2_train.stream.texts import TextTable
from stage2_train.student.inputs import loader_input

PLANES = MOST_RUNS * 3 // 2
"""Of each teacher's store, kept in memory by a process: those of all runs, which take turns, and
some that a run has left. With fewer than the runs each would be read anew for every row."""
PLANE_BYTES = 1 << 29
"""Of a source's planes; fewer are kept where they take more."""
DRAW_PLANES = 32
"""Kept in any case: a few more than one draw reads."""


class Made(msgspec.Struct, frozen=True):
    """What is known of a sample whose view has been made, to join its targets to it."""

    planes: list[Plane]
    """Of each store, of the sample's tar."""
    row: int
    """Its place in its tar."""
    key: str
    digests: tuple[int, int]
    """Of what was drawn for its view, and of that view."""
    text: int
    """Row of its label text in the TextTable."""
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

    @property
    def tensors(self) -> list[Tensor]:
        """All of them."""
        return [*self.inputs, self.text, *self.targets.values()]

    def mapped(self, function: Callable[[Tensor], Tensor]) -> "MiniBatch":
        """The mini-batch with what `function` makes of each tensor."""
        return replace(
            self,
            inputs=tuple(map(function, self.inputs)),
            text=function(self.text),
            targets={name: function(target) for name, target in self.targets.items()},
        )


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
        index = read_index(self._folder)
        if any(target.store.index != index for target in targets):
            raise UserError(
                f"{self._folder / INDEX}: prepared anew while it was being opened; run again"
            )
        # A million captions are kept once
        self._index: ShardIndex = targets[0].store.index if targets else index
        counts = [shard.count for shard in self._index.shards]
        self.order = SourceOrder(params.train.seed, source, counts)
        self._maker = ViewMaker(chain_for(self.modality, self.modality), params.seed, params.views)
        self._student = params.student
        self._planes = lru_cache(maxsize=_planes_kept(targets))(self._read_planes)

    def __call__(self, draw: Draw) -> MiniBatch:
        """These samples, decoded, augmented and joined.

        Raises:
            UserError: damaged data, a cached row that is not the sample's, or a tar without a
                readable sample.
        """
        inputs = InputRows(len(draw.numbers))
        samples = self._samples(self.order.slots(draw.cursor, draw.numbers), inputs)
        cached = [
            PickedRows.of([(made.planes[store], made.row) for made in samples])
            for store in range(len(self.targets))
        ]
        seen = np.array([made.digests for made in samples], np.uint64)
        check_targets(self.targets, cached, [made.key for made in samples], seen, self._maker)
        return MiniBatch(
            self.source,
            self.modality,
            inputs.tensors(),
            torch.from_numpy(np.array([made.text for made in samples])),
            {
                target.name: torch.from_numpy(rows.features)
                for target, rows in zip(self.targets, cached)
            },
            sum(made.replaced for made in samples),
        )

    def _samples(self, slots: Sequence[Slot], inputs: InputRows) -> list[Made]:
        """Those at some slots, read tar by tar; what the student takes of them goes to `inputs`."""
        made: dict[int, Made] = {}
        by_tar = sorted(range(len(slots)), key=slots.__getitem__)
        for place, sample in zip(by_tar, self._read([slots[place] for place in by_tar])):
            made[place], taken = self._readable(slots[place], *sample)
            inputs.put(place, taken, made[place].key)
        return [made[place] for place in range(len(slots))]

    def _read(self, slots: Iterable[Slot]) -> Iterator[Sample]:
        shards = self._index.shards
        return read_places(self._folder, [(shards[slot.shard], slot.row) for slot in slots])

    def _read_planes(self, shard: int, view: int) -> list[Plane]:
        return [target.store.read(shard, view) for target in self.targets]

    def _readable(self, slot: Slot, key: str, members: Mapping[str, bytes]) -> tuple[Made, Inputs]:
        """What is made of a sample, or of the next readable one of its tar."""
        try:
            return self._made(slot, key, members)
        except UnreadableSample:
            info = self._index.shards[slot.shard]
        for step in range(1, info.count):
            other = slot._replace(row=(slot.row + step) % info.count)
            [(key, members)] = self._read([other])
            try:
                made, taken = self._made(other, key, members)
                return msgspec.structs.replace(made, replaced=True), taken
            except UnreadableSample:
                continue
        raise UserError(
            f"{self._folder / info.name}: none of its {info.count} samples is readable; "
            f"run: {prepare_command(self.source)}"
        )

    def _made(self, slot: Slot, key: str, members: Mapping[str, bytes]) -> tuple[Made, Inputs]:
        """Decode, and make the view of the slot's pass; raises UnreadableSample."""
        number = slot.passes % self._maker.sizes.count
        planes = self._planes(slot.shard, number)
        view = self._maker(decode_member(members, self._maker.chain.member), key, number)
        text = self.texts.draw(self.source, decode_text(members), self._maker.seed, key, number)
        digests = view.params_digest, view.content_digest
        taken = loader_input(self.modality, view.array, self._student)
        return Made(planes, slot.row, key, digests, text), taken


def _planes_kept(targets: Sequence[TeacherTargets]) -> int:
    """Tars of which a process keeps one view's planes of all these stores."""
    size = sum(target.store.layout.plane_bytes for target in targets)
    return max(DRAW_PLANES, min(PLANES, PLANE_BYTES // max(1, size)))


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
