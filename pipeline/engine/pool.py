"""A map over worker processes."""

import os
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import closing
from functools import partial
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerContext, ForkServerProcess
from typing import Any, Generic, TypeVar

from pipeline.commands import params_file
from pipeline.engine import worker
from pipeline.engine.blocks import Blocks
from pipeline.engine.packed import Packed, unpacked
from pipeline.engine.prefetch import Lost, Overdue, prefetched_map
from pipeline.errors import UserError
from pipeline.interruption import deaf_children

Task = TypeVar("Task")
Result = TypeVar("Result")
PATIENCE = 1800.0
"""Seconds that a task which reads and decodes may take."""


class Workers(Generic[Task, Result]):
    """Processes that map one function over tasks; they import what they need from now on.

    Args:
        function: of a task; it goes to each process once. Tasks and results are plain data,
            dataclasses, numpy arrays and CPU tensors. What a task's `str` is names it in an error.
        count: processes; 0 calls the function in the thread that takes the results.
        mend: what an error about a process tells the person to do.
        patience: seconds that one task may take.
    """

    def __init__(
        self,
        function: Callable[[Task], Result],
        count: int,
        mend: str,
        patience: float = PATIENCE,
    ) -> None:
        self._function, self._count, self._mend = function, count, mend
        self._patience = patience
        self._context = _Context()
        self._running: tuple[ProcessPoolExecutor, Blocks] | None = None
        if count:
            self._started()

    def map(self, tasks: Iterable[Task], ahead: int) -> Generator[Result]:
        """The function's results in the order of the tasks, of which `ahead` are under way, and
        two for each process at least.

        Raises:
            UserError: a process died, or a task takes too long.
            Exception: the function's own, at its task's turn.
        """
        if not self._count:
            yield from map(self._function, tasks)
            return
        ahead = max(ahead, 2 * self._count)
        pool, blocks = self._started()
        left = partial(_give_back, blocks)
        results = prefetched_map(pool, worker.call, tasks, ahead, self._patience, left)
        try:
            with closing(results):
                for result in results:
                    yield unpacked(result, blocks)
        except Lost as error:
            raise UserError(
                f"a worker process died (exit code {self._buried()}) at {error} or a task behind "
                f"it; was memory full? {self._mend}"
            ) from None
        except Overdue as error:
            raise UserError(
                f"{error}: a worker process hangs on it for over {self._patience:g} s; does a "
                f"file system or network stall? {self._mend}"
            ) from None

    def close(self) -> None:
        """End the processes at once: they only read."""
        for process in self._context.started:
            if process.pid:  # one that could not be started has none
                process.kill()
        running, self._running = self._running, None
        if running is not None:
            running[0].shutdown(wait=True, cancel_futures=True)
        self._context.started.clear()

    def __enter__(self) -> "Workers[Task, Result]":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _started(self) -> tuple[ProcessPoolExecutor, Blocks]:
        if self._running is None:
            self._context.set_forkserver_preload([worker.__name__, self._function.__module__])
            blocks = Blocks()
            arguments = self._function, blocks, params_file()
            pool = ProcessPoolExecutor(self._count, self._context, worker.start, arguments)
            self._running = pool, blocks
            with deaf_children():  # the server that all processes are forked from starts here
                pool.submit(os.getpid)
        return self._running

    def _buried(self) -> int | None:
        """The exit code of the process that broke the pool, which leaves the others waiting."""
        processes = list(self._context.started)
        found = wait([process.sentinel for process in processes], timeout=10)
        dead = [process for process in processes if process.sentinel in found]
        self.close()  # only one thread may ask how a process ended, and the pool's does
        return dead[0].exitcode if dead else None


def _give_back(blocks: Blocks, future: Future[Packed]) -> None:
    """The block of a result that nobody will take."""
    if not future.cancelled() and future.exception() is None:
        block = future.result().block
        if block is not None:
            blocks.give_back(block)


class _Context(ForkServerContext):
    """Forks of a server, for a fork of this process would have its locks; remembers them."""

    def __init__(self) -> None:
        super().__init__()
        self.started: list[ForkServerProcess] = []

    def Process(self, *arguments: Any, **named: Any) -> ForkServerProcess:  # type: ignore[override]  # noqa: N802
        """A process of the executor's."""
        process = ForkServerProcess(*arguments, **named)
        self.started.append(process)
        return process
