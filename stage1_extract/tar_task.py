"""The unit of work: one tar under one block of views, for every teacher whose store lacks it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import islice

import torch

from pipeline.prefetch import prefetched_map
from pipeline.store import ShardFeatures
from stage1_extract.forward_pass import ForwardPass
from stage1_extract.shared_views import Sample, teacher_inputs
from stage1_extract.tar_encoder import TarEncoder

BATCHES_AHEAD = 2
"""Batches of samples that are decoded while the teachers are busy with one."""
LEAST_THREADS, MOST_THREADS = 2, 16
"""Threads that decode: as many as torch uses, within these bounds. Much holds the GIL."""


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
    passes: Sequence[ForwardPass],
    counts: Iterable[int],
    samples: Iterable[Sample],
    on_samples: Callable[[int], None],
) -> Iterator[list[ShardFeatures]]:
    """Yield tar by tar the features of every pass; threads decode while the teachers encode.

    Args:
        passes: the teachers; those with the same views share them.
        counts: samples of each tar.
        samples: the samples of all these tars, one tar after the other.
        on_samples: told how many rows have been dealt with since it was last called.
    """
    decoders = min(max(torch.get_num_threads(), LEAST_THREADS), MOST_THREADS)
    ahead = max(BATCHES_AHEAD * max(each.rows_per_batch for each in passes), 2 * decoders)
    decode = partial(teacher_inputs, passes)
    with (
        ThreadPoolExecutor(decoders) as threads,
        closing(prefetched_map(threads, decode, samples, ahead)) as seen,
    ):
        for count in counts:
            encoders = [TarEncoder(each) for each in passes]
            for inputs in islice(seen, count):
                for encoder, mine in zip(encoders, inputs):
                    encoder.add(mine)
                on_samples(len(passes))
            yield [encoder.finish() for encoder in encoders]
