"""What a training step takes: a mini-batch of every source, made ready while another trains."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import repeat

from pipeline.engine import Workers, prefetched_map
from stage2_train.stream.join import Streams
from stage2_train.stream.loader import LoadedBatches, RankLoader

AHEAD = 2
"""Steps that the workers are ahead."""
_MEND = (
    "Lower train.batch_size or train.loader_workers, or run the same command to go on from the "
    "last checkpoint"
)


@contextmanager
def open_feed(
    streams: Streams, loader: RankLoader, *, workers: int, pinned: bool
) -> Iterator[Iterator[LoadedBatches]]:
    """An endless iterator over a rank's parts of the steps.

    Processes decode; a thread puts together what they made and, with `pinned`, puts it to where a
    GPU can fetch it from. Without processes that thread decodes too.

    Raises:
        UserError: from the iterator: bad data, or a process was killed.
    """
    with Workers(streams, workers, _MEND) as pool, ThreadPoolExecutor(1) as receiver:
        made = pool.map(loader.draws(), AHEAD * loader.draws_a_step)
        steps = loader.joined(made, pinned=pinned)
        try:
            yield prefetched_map(receiver, next, repeat(steps), 1)
        finally:
            receiver.shutdown(wait=False, cancel_futures=True)
            pool.close()
