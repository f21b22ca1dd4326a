"""The teachers in the workers of a dask cluster."""

import socket
import uuid
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from distributed import CancelledError, Client, Future, KilledWorker, wait

from pipeline.commands import params_file, use_params_file
from pipeline.config import Params
from pipeline.errors import UserError
from pipeline.store import Provenance
from stage1_extract.extractor import Extractor
from stage1_extract.shared_views import most_workers
from stage1_extract.tar_task import TarDone, TarTask

SHOWN = 5


@dataclass(frozen=True)
class Job:
    """A run as its workers know it. Equal to itself alone, so that no run meets old models."""

    run: str
    folder: str = field(compare=False)
    """Where the client runs: relative paths of the params start there."""
    params: Params = field(compare=False)
    params_file: str = field(compare=False, default_factory=params_file)
    """What messages recommend commands over."""


class Cluster:
    """Puts each tar to one worker; the tar of a worker that dies is taken by another."""

    def __init__(self, client: Client, params: Params) -> None:
        self._client = client
        self._job = Job(uuid.uuid4().hex, str(Path.cwd()), params)
        declared = [worker["resources"] for worker in self._workers()]
        self._resources = {"GPU": 1} if any("GPU" in each for each in declared) else {}

    def provenance(self, name: str) -> Provenance:
        """What determines the numbers of an extraction, as one of the workers finds it."""
        return self._answer(_provenance, name)

    def label_texts(self, name: str) -> np.ndarray:
        """Features float32 [classes, dim] of the source's label prompts."""
        return self._answer(_label_texts, name)

    def spot_check(self, name: str) -> None:
        """Let a worker compute a few rows of a finished store again."""
        self._answer(_spot_check, name)

    def tars(
        self, tasks: Sequence[TarTask], on_samples: Callable[[int], None]
    ) -> Generator[TarDone]:
        """Do tasks, as many at a time as there are workers.

        More would wait at a worker that is busy, and be blamed when it dies.

        Raises:
            UserError: a task's own, when those under way are done; or, when all others are
                done, the names of the tars that killed their workers.
        """
        waiting, running = deque(tasks), dict[Future, TarTask]()
        deadly, run = list[TarTask](), self._job.run
        wrong: list[UserError] = []
        while waiting or running:
            while waiting and len(running) < max(1, len(self._workers())):
                task = waiting.popleft()
                running[self._submit(_extract, task, f"{task.tar}-{task.block}-{run}")] = task
            for future in _finished(running):
                task = running.pop(future)
                try:
                    done = _result(future)
                except KilledWorker:
                    deadly.append(task)
                except UserError as error:
                    wrong.append(error)
                    waiting.clear()
                else:
                    on_samples(task.rows)
                    yield done
        if wrong or deadly:
            raise wrong[0] if wrong else _killed_by(deadly, len(tasks))

    def _workers(self) -> list[dict[str, Any]]:
        return list(self._client.scheduler_info()["workers"].values())

    def _submit(self, function: Callable[..., Any], argument: Any, key: str) -> Future:
        return self._client.submit(
            function, self._job, argument, key=key, resources=self._resources, pure=False
        )

    def _answer(self, question: Callable[[Job, str], Any], name: str) -> Any:
        """What a worker answers about an extraction."""
        future = self._submit(question, name, f"{question.__name__}-{name}-{self._job.run}")
        try:
            return _result(future)
        except KilledWorker as error:
            raise UserError(
                f"{name}: loading its teacher killed {error.allowed_failures + 1} workers; "
                "their logs, or the kernel's, say why"
            ) from None


def _finished(running: dict[Future, TarTask]) -> set[Future]:
    """Wait for the first that are done; all of them are, where the scheduler is gone."""
    try:
        return wait(list(running), return_when="FIRST_COMPLETED").done
    except CancelledError:
        return set(running)


def _result(future: Future) -> Any:
    """What a task returned or raised."""
    try:
        return future.result()
    except CancelledError:
        raise UserError("the dask scheduler is gone; run again: finished tars are kept") from None


def _killed_by(deadly: list[TarTask], of: int) -> UserError:
    named = ", ".join(task.tar for task in deadly[:SHOWN]) + (", ..." if deadly[SHOWN:] else "")
    return UserError(
        f"{len(deadly)} of {of} tars killed every worker that took them: {named}; the others are "
        "in the store. Look at the workers' and the kernel's logs (memory?), then run again"
    )


@lru_cache(maxsize=1)
def _extractor(job: Job) -> Extractor:
    """The models of the run that this worker is in; those of the run before are let go."""
    return Extractor(job.params, most_workers())


def _provenance(job: Job, name: str) -> Provenance:
    with _located(job):
        return _extractor(job).provenance(name)


def _label_texts(job: Job, name: str) -> np.ndarray:
    with _located(job):
        return _extractor(job).label_texts(name)


def _spot_check(job: Job, name: str) -> None:
    with _located(job):
        _extractor(job).spot_check(name)


def _extract(job: Job, task: TarTask) -> TarDone:
    with _located(job):
        (done,) = _extractor(job).tars([task], lambda count: None)
        return done


@contextmanager
def _located(job: Job) -> Iterator[None]:
    """An error of a worker in another folder says so: it may have found nothing for that reason."""
    use_params_file(job.params_file)
    try:
        yield
    except UserError as error:
        here = str(Path.cwd())
        if here == job.folder:
            raise
        where = f"worker on {socket.gethostname()} in {here}, the run is in {job.folder}"
        raise UserError(f"{where}: {error}") from None
