"""The process that makes a rank's batches, so that decoding never holds up the training thread.

It works ahead by what it is asked for: one request, one batch. When the connection closes, because
the training ended or its process was killed, it ends too.
"""

import signal
import traceback
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

import torch
import torch.multiprocessing  # sends tensors through shared memory

from pipeline.blas import one_blas_thread
from pipeline.commands import params_file, use_params_file
from pipeline.config import Params
from stage2_train.allocator import keep_freed_memory
from stage2_train.order import Cursor, Share
from stage2_train.stream import MiniBatch, SourceStream
from stage2_train.targets import TeacherTargets
from stage2_train.texts import TextTable


@dataclass(frozen=True)
class Fed:
    """One mini-batch of every source."""

    batches: list[MiniBatch]
    cursors: dict[str, Cursor]
    """Where each source stands behind them."""


@dataclass(frozen=True)
class LoaderJob:
    """What the process is to read, and from where on."""

    params: Params
    texts: TextTable
    targets: Mapping[str, list[TeacherTargets]]
    shares: Mapping[str, Share]
    cursors: Mapping[str, Cursor]
    rank: int
    params_file: str = field(default_factory=params_file)
    """What messages recommend commands over."""


def load(job: LoaderJob, trainer: Connection) -> None:
    """The body of the process: a batch, or the error that ends them, for every request.

    A signal that reaches the whole group is the trainer's to heed, which still wants its batch.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    keep_freed_memory()
    one_blas_thread()
    torch.set_num_threads(1)
    use_params_file(job.params_file)
    with ThreadPoolExecutor(job.params.train.loader_threads) as threads:
        batches = batches_of(job, threads)
        try:
            while trainer.recv():
                trainer.send(next(batches))
        except (EOFError, BrokenPipeError, ConnectionResetError):
            pass
        except Exception as error:
            error.add_note(traceback.format_exc())
            trainer.send(error)
            _wait(trainer)
        threads.shutdown(wait=False, cancel_futures=True)


def _wait(trainer: Connection) -> None:
    """Until the trainer ends: tensors that it has not fetched yet would go with this process."""
    with suppress(EOFError, ConnectionError):
        while trainer.recv():
            pass


def batches_of(job: LoaderJob, threads: ThreadPoolExecutor) -> Iterator[Fed]:
    """Endlessly the rank's parts, from the cursors on; `train.loader_threads` decode."""
    streams = [
        SourceStream(job.params, source, job.targets[source], job.texts, threads, share, job.rank)
        for source, share in job.shares.items()
    ]
    for stream in streams:
        stream.cursor = job.cursors.get(stream.source, Cursor())
    while True:
        batches = [stream.take() for stream in streams]
        yield Fed(batches, {stream.source: stream.cursor for stream in streams})
