"""Samples decoded and augmented once for all the teachers that see the same views of them."""

import multiprocessing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from pipeline.config import Params
from pipeline.engine import Workers
from pipeline.locations import path_or_url
from pipeline.rows import read_rows
from pipeline.samples import UnreadableSample, decode_member
from pipeline.shards import ShardInfo, read_index
from pipeline.views import View, ViewMaker
from pipeline.views.digest import params_digest
from stage1_extract.forward_pass import ForwardPass

MOST_WORKERS = 16
FEW_VIEWS = 1024
Wanted = tuple[ViewMaker, range]
"""A chain, and the numbers of the views that are to be made by it."""


@dataclass(frozen=True)
class TarRows:
    """Some samples of a tar."""

    folder: Path
    shard: ShardInfo
    rows: range

    def __str__(self) -> str:
        return f"{self.folder / self.shard.name}, samples {self.rows.start}..{self.rows.stop - 1}"


@dataclass(frozen=True)
class ViewsTask:
    """What one worker makes at a time."""

    samples: TarRows
    wanted: tuple[Wanted, ...]

    def __str__(self) -> str:
        return str(self.samples)


@dataclass(frozen=True)
class SeenSample:
    """A sample's views."""

    key: str
    views: list[list[View] | None]
    """Of each chain that was wanted; None where the sample cannot be used."""


@dataclass(frozen=True)
class TeacherInputs:
    """Some views of one sample, preprocessed for one teacher."""

    key: str
    inputs: Tensor | None
    """[views, ...]; None if the sample could not be used."""
    params_digest: list[int]
    view_digest: list[int]


ViewWorkers = Workers[ViewsTask, list[SeenSample]]


def view_workers(count: int) -> ViewWorkers:
    """Processes that make views; they start when they are first asked. None with 0."""
    return Workers(seen_samples, count, "Run again: finished tars are kept")


def most_workers() -> int:
    """As many as torch may use threads; a process that dask guards may have none."""
    if multiprocessing.current_process().daemon:
        return 0
    return min(torch.get_num_threads(), MOST_WORKERS)


def workers_for(params: Params, names: Sequence[str]) -> int:
    """As many as a run of some extractions is to have: none where one process has made all views
    before others have started, which takes them seconds."""
    sources = {params.extract[name].source for name in names}
    folders = [path_or_url(params.shards) / source / "train" for source in sources]
    samples = sum(read_index(folder).samples for folder in folders)
    return most_workers() if samples * params.views.count >= FEW_VIEWS else 0


def wanted(passes: Sequence[ForwardPass]) -> tuple[Wanted, ...]:
    """Each chain with its views once, however many teachers see them."""
    return tuple(dict.fromkeys((each.maker, each.views) for each in passes))


def seen_samples(task: ViewsTask) -> list[SeenSample]:
    """Every sample of a task, in order.

    Raises:
        UserError: the tar is missing or damaged.
    """
    samples = read_rows(task.samples.folder, task.samples.shard, task.samples.rows)
    return [
        SeenSample(key, [_views(maker, numbers, key, members) for maker, numbers in task.wanted])
        for key, members in samples
    ]


def teacher_inputs(passes: Sequence[ForwardPass], sample: SeenSample) -> list[TeacherInputs]:
    """What every teacher takes of a sample, in the order of `passes`."""
    views = dict(zip(wanted(passes), sample.views))
    return [_preprocessed(each, sample.key, views[each.maker, each.views]) for each in passes]


def _views(
    maker: ViewMaker, numbers: range, key: str, members: Mapping[str, bytes]
) -> list[View] | None:
    """The views of these numbers, or None where the sample cannot be used."""
    try:
        decoded = decode_member(members, maker.chain.member)
        return maker.views(decoded, key, numbers)
    except UnreadableSample:
        return None


def _preprocessed(forward: ForwardPass, key: str, views: list[View] | None) -> TeacherInputs:
    if views is None:
        drawn = [(view, forward.maker.params(key, view)) for view in forward.views]
        digests = [params_digest(key, view, params) for view, params in drawn]
        return TeacherInputs(key, None, digests, [0] * len(digests))
    return TeacherInputs(
        key,
        torch.stack([forward.input(view.array) for view in views]),
        [view.params_digest for view in views],
        [view.content_digest for view in views],
    )
