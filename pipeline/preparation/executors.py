"""Where a split's tars are made: one after the other in this process, or in dask workers."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pipeline.blas import one_blas_thread
from pipeline.errors import UserError
from pipeline.locations import is_remote, path_or_url
from pipeline.preparation.listing import read_raw
from pipeline.preparation.records import Records
from pipeline.preparation.shard_task import (
    ListedSplit,
    ShardDone,
    ShardTask,
    convert_shard,
    listed_split,
)

if TYPE_CHECKING:
    from pipeline.workers.job import Job
    from pipeline.workers.pool import WorkerPool


@dataclass(frozen=True)
class SplitConversion:
    """What every process that takes part in one knows of it."""

    source: str
    """Name under `sources`."""
    split: str
    raw: str
    """Folder of the raw data."""
    folder: str
    """Folder or URL of the tars until all of them are there."""
    identity: str
    """Digest of what determines the tars."""


class Executor(Protocol):
    """Converts the samples of a split to its tars."""

    def __call__(
        self,
        conversion: SplitConversion,
        split: ListedSplit,
        tasks: Sequence[ShardTask],
        on_samples: Callable[[int], None],
    ) -> Generator[tuple[ShardTask, ShardDone]]:
        """Do tasks, in any order; `on_samples` is told of samples as they are dealt with."""


def in_this_process(
    conversion: SplitConversion,
    split: ListedSplit,
    tasks: Sequence[ShardTask],
    on_samples: Callable[[int], None],
) -> Generator[tuple[ShardTask, ShardDone]]:
    """One after the other."""
    for task in tasks:
        yield task, _made(conversion, split, task, lambda: on_samples(1))


def in_workers(
    pool: "WorkerPool",
    conversion: SplitConversion,
    split: ListedSplit,
    tasks: Sequence[ShardTask],
    on_samples: Callable[[int], None],
) -> Generator[tuple[ShardTask, ShardDone]]:
    """As many at a time as a cluster has workers; each of them lists the raw data itself.

    Raises:
        UserError: see `WorkerPool.each`; or a worker does not see the same folders.
    """
    for task, done in pool.each(partial(_worker_made, conversion), tasks):
        on_samples(0 if done.resumed else done.candidates)
        yield task, done


def _made(
    conversion: SplitConversion, split: ListedSplit, task: ShardTask, on_sample: Callable[[], None]
) -> ShardDone:
    """A tar, unless an earlier run has made it."""
    one_blas_thread()  # a sound resampled by several takes three times as long
    folder = path_or_url(conversion.folder)
    records = Records(folder, conversion.identity)
    done = records.read(task)
    if done is None:
        done = convert_shard(split, folder, task, on_sample)
        records.write(task, done)
    return done


def _worker_made(conversion: SplitConversion, job: "Job", task: ShardTask) -> ShardDone:
    from pipeline.workers.job import located  # who makes them in one process imports no dask

    with located(job):
        split = _listed(job, conversion)
        lacking = next((key for key in task.keys if key not in split.items), None)
        if lacking is not None:
            raise UserError(f"{conversion.raw}: sample '{lacking}' is listed by the run, not here")
        if not is_remote(folder := path_or_url(conversion.folder)) and not folder.is_dir():
            raise UserError(f"{folder}: not there; workers need the file system of the run")
        return _made(conversion, split, task, lambda: None)


@lru_cache(maxsize=1)
def _listed(job: "Job", conversion: SplitConversion) -> ListedSplit:
    """The listing of the split that this worker is in; that of the one before is let go."""
    source = job.params.sources[conversion.source]
    return listed_split(source, read_raw(source, Path(conversion.raw), conversion.split))
