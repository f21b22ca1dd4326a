"""What a training step takes: a mini-batch of every source, made ready while another trains."""

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import count
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from pipeline.errors import UserError
from pipeline.interruption import deaf_children
from pipeline.prefetch import prefetched_map
from stage2_train.loader import Fed, LoaderJob, load
from stage2_train.stream import MiniBatch

AHEAD = 2
"""Batches that the loader is asked for beforehand."""
PATIENCE = 10
"""Seconds for the loader to end, and first to finish what it was asked for."""


@contextmanager
def open_feed(job: LoaderJob, *, pinned: bool) -> Iterator[Iterator[Fed]]:
    """An endless iterator over this rank's parts, from the job's cursors on.

    A process decodes; a thread fetches from it and, with `pinned`, copies to where a GPU can fetch
    from. Threads alone would do, but for Python's lock: they took a fifth of the training's speed.

    Raises:
        UserError: from the iterator: bad data, or the process was killed.
    """
    context = multiprocessing.get_context("forkserver")  # a fork of this process has its locks
    context.set_forkserver_preload([load.__module__])
    mine, theirs = context.Pipe()
    process = context.Process(target=load, args=(job, theirs), name="loader", daemon=True)
    with deaf_children():
        process.start()
    theirs.close()

    def take(_: int) -> Fed:
        fed = _received(mine, process)
        with suppress(BrokenPipeError):  # it died just now, as the next call finds
            mine.send(True)
        return replace(fed, batches=[_pinned(b) for b in fed.batches]) if pinned else fed

    with ThreadPoolExecutor(1) as receiver:
        try:
            for _ in range(AHEAD):
                mine.send(True)
            yield prefetched_map(receiver, take, count(), 1)
        finally:
            _end(mine, process)
            receiver.shutdown(wait=False, cancel_futures=True)
    mine.close()


def _received(loader: Connection, process: BaseProcess) -> Fed:
    try:
        fed = loader.recv()
    except (EOFError, OSError):  # also where a batch had come, but its tensors went
        process.join(PATIENCE)
        raise UserError(
            f"the process that loads data died (exit code {process.exitcode}); was memory or "
            "/dev/shm full? Lower train.batch_size, or run the same command to go on from the last "
            "checkpoint"
        ) from None
    if isinstance(fed, Exception):
        raise fed
    return fed


def _end(loader: Connection, process: BaseProcess) -> None:
    """Let it finish what it was asked for, or else kill it."""
    with suppress(OSError):
        loader.send(False)
    process.join(PATIENCE)
    if process.is_alive():
        process.kill()
        process.join()


def _pinned(batch: MiniBatch) -> MiniBatch:
    return replace(batch, inputs=tuple(part.pin_memory() for part in batch.inputs))
