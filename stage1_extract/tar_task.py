"""The unit of work: one tar under one block of views, for every teacher whose store lacks it."""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from itertools import islice, pairwise

import torch

from pipeline.device import default_device
from stage1_extract.forward_pass import ForwardPass
from stage1_extract.shared_views import TarRows, ViewsTask, ViewWorkers, wanted
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
) -> Generator[list[TarEncoder]]:
    """Yield tar by tar what every pass makes of it; workers make views while the teachers encode.

    A GPU may still be at work on what is yielded, and has the next tar's batches before it as soon
    as that is asked for.

    Args:
        workers: of the run.
        passes: the teachers; those with the same views share them.
        tars: the samples to be encoded of each tar.
        on_samples: told how many rows have been dealt with since it was last called.
    """
    views = list(map(wanted, passes))
    once = tuple(dict.fromkeys(views))
    places = [once.index(each) for each in views]
    tasks = (ViewsTask(part, once) for tar in tars for part in parts_of(tar))
    ahead = BATCHES_AHEAD * max(each.rows_per_batch for each in passes) // MOST_SAMPLES
    with closing(workers.map(tasks, ahead)) as made, _one_thread_beside_gpu():
        for tar in tars:
            encoders = [TarEncoder(each) for each in passes]
            for samples in islice(made, _part_count(tar)):
                for sample in samples:
                    for encoder, place in zip(encoders, places):
                        encoder.add(sample.key, sample.views[place])
                on_samples(len(samples) * len(passes))
            for encoder in encoders:
                encoder.flush()
            yield encoders


@contextmanager
def _one_thread_beside_gpu() -> Iterator[None]:
    """Where a GPU computes, what torch does on the CPU is small: shared among threads on the cores
    that views are made on, it takes many times as long."""
    threads = torch.get_num_threads()
    if default_device() == "cuda":
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def parts_of(tar: TarRows) -> Iterator[TarRows]:
    """A tar in parts of equal size, but for one sample, so that no worker is left a small rest."""
    parts = _part_count(tar)
    bounds = [len(tar.rows) * part // parts for part in range(parts + 1)]
    return (replace(tar, rows=tar.rows[start:stop]) for start, stop in pairwise(bounds))


def _part_count(tar: TarRows) -> int:
    return -(-len(tar.rows) // MOST_SAMPLES)
