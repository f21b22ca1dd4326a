"""The unit of work: one tar under one block of views, for every teacher whose store lacks it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import chain, islice, pairwise

from pipeline.store import ShardFeatures
from stage1_extract.forward_pass import ForwardPass
from stage1_extract.shared_views import TarRows, ViewsTask, ViewWorkers, teacher_inputs, wanted
from stage1_extract.tar_encoder import TarEncoder

BATCHES_AHEAD = 2
"""Batches of samples whose views are made while the teachers are busy with one."""
MOST_SAMPLES = 16
"""Of a worker's task: enough that its way between processes costs little, beside decoding."""


@dataclass(frozen=True)
class TarTask:
    """One tar under one block of views, and the extractions that lack it."""

    names: tuple[str, ...]
    """Names under `extract`, all over one source."""
    shard: int
    """Number of the tar in its index."""
    tar: str
    """Path of the tar, for messages."""
    samples: int
    """Samples in it."""
    views: range
    """Numbers of the block's views."""

    @property
    def block(self) -> int:
        """Number of the block."""
        return self.views.start // len(self.views)

    @property
    def rows(self) -> int:
        """Rows to be written: a sample counts once for each teacher."""
        return self.samples * len(self.names)


@dataclass(frozen=True)
class TarDone:
    """What became of a task."""

    task: TarTask
    failed: dict[str, list[str]]
    """Extraction -> keys of the samples that could not be used."""
    bytes: int
    """Bytes on disk of what was written."""


def tar_features(
    workers: ViewWorkers,
    passes: Sequence[ForwardPass],
    tars: Sequence[TarRows],
    on_samples: Callable[[int], None],
) -> Iterator[list[ShardFeatures]]:
    """Yield tar by tar the features of every pass; workers make views while the teachers encode.

    Args:
        workers: of the run.
        passes: the teachers; those with the same views share them.
        tars: the samples to be encoded of each tar.
        on_samples: told how many rows have been dealt with since it was last called.
    """
    views = wanted(passes)
    tasks = (ViewsTask(part, views) for tar in tars for part in _parts(tar))
    ahead = BATCHES_AHEAD * max(each.rows_per_batch for each in passes) // MOST_SAMPLES
    with closing(workers.map(tasks, ahead)) as made:
        samples = chain.from_iterable(made)
        for tar in tars:
            encoders = [TarEncoder(each) for each in passes]
            for sample in islice(samples, len(tar.rows)):
                for encoder, mine in zip(encoders, teacher_inputs(passes, sample)):
                    encoder.add(mine)
                on_samples(len(passes))
            yield [encoder.finish() for encoder in encoders]


def _parts(tar: TarRows) -> Iterator[TarRows]:
    """A tar in parts of equal size, but for one sample, so that no worker is left a small rest."""
    parts = -(-len(tar.rows) // MOST_SAMPLES)
    bounds = [len(tar.rows) * part // parts for part in range(parts + 1)]
    return (replace(tar, rows=tar.rows[start:stop]) for start, stop in pairwise(bounds))
