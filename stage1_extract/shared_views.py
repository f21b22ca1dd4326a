"""Samples decoded and augmented once for all the teachers that see the same views of them."""

import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from msgspec.structs import replace

from pipeline.config import Params
from pipeline.engine import Workers
from pipeline.locations import path_or_url
from pipeline.rows import read_rows
from pipeline.samples import UnreadableSample, decode_member
from pipeline.shards import ShardInfo, read_index
from pipeline.views import View, ViewMaker
from stage1_extract.forward_pass import ForwardPass

MOST_WORKERS = 16
FEW_VIEWS = 1024
"""Fewer one process has made before others have started, which takes them seconds."""


@dataclass(frozen=True)
class Wanted:
    """Views that are to be made of each sample."""

    maker: ViewMaker
    numbers: range
    """Of the views."""
    handed_on: Callable[[Any], Any]
    """Makes of a canonical view what leaves the worker."""


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
    """As they were wanted; None where the sample cannot be used."""


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
    """As many as a run of some extractions is to have: none of `FEW_VIEWS`."""
    sources = {params.extract[name].source for name in names}
    folders = [path_or_url(params.shards) / source / "train" for source in sources]
    samples = sum(read_index(folder).samples for folder in folders)
    return most_workers() if samples * params.views.count >= FEW_VIEWS else 0


def wanted(forward: ForwardPass) -> Wanted:
    """The views of a pass; equal for teachers that can share them."""
    return Wanted(forward.maker, forward.views, forward.handed_on)


def seen_samples(task: ViewsTask) -> list[SeenSample]:
    """Every sample of a task, in order.

    Raises:
        UserError: the tar is missing or damaged.
    """
    samples = read_rows(task.samples.folder, task.samples.shard, task.samples.rows)
    return [
        SeenSample(key, [_views(each, key, members) for each in task.wanted])
        for key, members in samples
    ]


def _views(wanted: Wanted, key: str, members: Mapping[str, bytes]) -> list[View] | None:
    """The views that are wanted, or None where the sample cannot be used."""
    try:
        decoded = decode_member(members, wanted.maker.chain.member)
        views = wanted.maker.views(decoded, key, wanted.numbers)
    except UnreadableSample:
        return None
    return [replace(view, array=wanted.handed_on(view.array)) for view in views]
