"""Samples of a held-out split under their evaluation views, as worker processes make them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from pipeline.errors import UnreadableSample
from pipeline.rows import read_rows
from pipeline.samples import SampleText, decode_member, decode_text
from pipeline.shards import ShardIndex
from pipeline.views import EVALUATION, ViewMaker
from pipeline.views.audio import evaluation_windows
from stage1_extract.shared_views import TarRows

MOST_SAMPLES = 16
"""Of a worker's task: enough that its way between processes costs little, beside decoding."""


@dataclass(frozen=True)
class HeldOutSample:
    """What is known of a sample, and what each model takes of it."""

    key: str
    text: SampleText
    fold: int | None
    """Of a benchmark that has folds."""
    views: list[list[Any]]
    """For each model what it takes of each window; there are several of long sounds only."""


@dataclass(frozen=True)
class Unreadable:
    """A sample that cannot be scored."""

    key: str
    why: str


@dataclass(frozen=True)
class HeldOutSamples:
    """Makes the samples of a task; goes to worker processes, and holds no weights."""

    maker: ViewMaker
    windows: int
    """Evenly spaced in a long sound; 1 is the evaluation view."""
    by: str | None
    """What samples are scored by, `labels` or `captions`: those without are left out."""
    handed_on: tuple[Callable[[Any], Any], ...]
    """For each model what makes of a canonical view what it takes."""

    def __call__(self, task: TarRows) -> list[HeldOutSample | Unreadable]:
        """Those of a task, in order.

        Raises:
            UserError: the tar is missing or damaged.
        """
        samples = read_rows(task.folder, task.shard, task.rows)
        made = (self._sample(key, members) for key, members in samples)
        return [sample for sample in made if sample is not None]

    def _sample(self, key: str, members: Mapping[str, bytes]) -> HeldOutSample | Unreadable | None:
        try:
            text = decode_text(members)
            if self.by and not getattr(text, self.by):
                return None
            views = self._views(key, members)
        except UnreadableSample as error:
            return Unreadable(key, str(error))
        taken = [[take(view) for view in views] for take in self.handed_on]
        return HeldOutSample(key, text, _fold(members), taken)

    def _views(self, key: str, members: Mapping[str, bytes]) -> list[Any]:
        decoded = decode_member(members, self.maker.chain.member)
        if self.windows == 1:
            return [self.maker(decoded, key, EVALUATION).array]
        return evaluation_windows(decoded, self.windows, self.maker.sizes)


def tasks(folder: Path, index: ShardIndex) -> list[TarRows]:
    """All samples of a split, some at a time."""
    return [
        TarRows(folder, shard, range(start, min(start + MOST_SAMPLES, shard.count)))
        for shard in index.shards
        for start in range(0, shard.count, MOST_SAMPLES)
    ]


class _Meta(msgspec.Struct):
    fold: Any = None


def _fold(members: Mapping[str, bytes]) -> int | None:
    fold = msgspec.json.decode(members.get("meta.json", b"{}"), type=_Meta).fold
    return fold if isinstance(fold, int) else None
