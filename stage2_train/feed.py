"""What a training step takes: a mini-batch of every source, made ready while another trains."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import count

from pipeline.config import Params
from pipeline.prefetch import prefetched_map
from stage2_train.order import Cursor, Share
from stage2_train.ranks import Ranks
from stage2_train.stream import MiniBatch, SourceStream
from stage2_train.targets import TeacherTargets
from stage2_train.texts import TextTable

AHEAD = 2
"""Whole batches under way or ready beside the one that trains."""


@dataclass(frozen=True)
class Fed:
    """One mini-batch of every source."""

    batches: list[MiniBatch]
    cursors: dict[str, Cursor]
    """Where each source stands behind them."""


@contextmanager
def open_feed(
    params: Params,
    texts: TextTable,
    targets: Mapping[str, list[TeacherTargets]],
    shares: Mapping[str, Share],
    cursors: Mapping[str, Cursor],
    *,
    pinned: bool,
) -> Iterator[Iterator[Fed]]:
    """An endless iterator over this rank's parts, from the cursors on.

    `train.loader_threads` decode; one more reads tars, stacks batches and, with `pinned`, copies
    them to where a GPU can fetch them from, so that the training thread only ever waits for data.
    """
    rank = Ranks.current().rank
    with (
        ThreadPoolExecutor(1) as assembler,
        ThreadPoolExecutor(params.train.loader_threads) as threads,
    ):
        streams = [
            SourceStream(params, source, targets[source], texts, threads, share, rank)
            for source, share in shares.items()
        ]
        for stream in streams:
            stream.cursor = cursors.get(stream.source, Cursor())

        def take(_: int) -> Fed:
            batches = [stream.take() for stream in streams]
            batches = [_pinned(batch) for batch in batches] if pinned else batches
            return Fed(batches, {stream.source: stream.cursor for stream in streams})

        try:
            yield prefetched_map(assembler, take, count(), AHEAD)
        finally:
            threads.shutdown(wait=False, cancel_futures=True)
            assembler.shutdown(wait=False, cancel_futures=True)


def _pinned(batch: MiniBatch) -> MiniBatch:
    return replace(batch, inputs=tuple(part.pin_memory() for part in batch.inputs))
