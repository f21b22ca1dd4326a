"""The workers of a dask cluster, each with one task at a time."""

from collections import deque
from collections.abc import Callable, Generator, Sequence
from typing import Any, Protocol, TypeVar

from distributed import CancelledError, Client, Future, KilledWorker, wait

from pipeline.errors import UserError
from pipeline.workers.job import Job

SHOWN = 5


class TarTask(Protocol):
    """A task over one tar."""

    @property
    def tar(self) -> str:
        """Path or name of the tar, for messages."""


Task = TypeVar("Task", bound=TarTask)
Done = TypeVar("Done")


class WorkerPool:
    """Puts each task to one worker; the task of a worker that dies is taken by another."""

    def __init__(self, client: Client, job: Job, resource: str | None = None) -> None:
        """Workers with a resource are asked for one of it where any of them declares it."""
        self._client, self._job = client, job
        declared = [worker["resources"] for worker in self._workers()]
        self._resources = {resource: 1} if any(resource in each for each in declared) else {}

    def answer(self, question: Callable[[Job, str], Any], name: str) -> Any:
        """What a worker answers about something of this name.

        Raises:
            UserError: the worker's own, or the question killed every worker that was asked.
        """
        future = self._submit(question, name, f"{question.__name__}-{name}")
        try:
            return _result(future)
        except KilledWorker as error:
            raise UserError(
                f"{name}: loading its teacher killed {error.allowed_failures + 1} workers; "
                "their logs, or the kernel's, say why"
            ) from None

    def each(
        self, function: Callable[[Job, Task], Done], tasks: Sequence[Task]
    ) -> Generator[tuple[Task, Done]]:
        """Do tasks, as many at a time as there are workers; yield them as they are done.

        More would wait at a worker that is busy, and be blamed when it dies.

        Raises:
            UserError: a task's own, when those under way are done; or, when all others are
                done, the names of the tars that killed their workers.
        """
        waiting, running = deque(enumerate(tasks)), dict[Future, Task]()
        deadly, wrong = list[Task](), list[UserError]()
        while waiting or running:
            while waiting and len(running) < max(1, len(self._workers())):
                number, task = waiting.popleft()
                running[self._submit(function, task, f"{task.tar}-{number}")] = task
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
                    yield task, done
        if wrong or deadly:
            raise wrong[0] if wrong else _killed_by(deadly, len(tasks))

    def _workers(self) -> list[dict[str, Any]]:
        return list(self._client.scheduler_info()["workers"].values())

    def _submit(self, function: Callable[..., Any], argument: Any, key: str) -> Future:
        return self._client.submit(
            function, self._job, argument,
            key=f"{key}-{self._job.run}", resources=self._resources, pure=False,
        )  # fmt: skip


def _finished(running: dict[Future, Task]) -> set[Future]:
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


def _killed_by(deadly: Sequence[TarTask], of: int) -> UserError:
    named = ", ".join(task.tar for task in deadly[:SHOWN]) + (", ..." if deadly[SHOWN:] else "")
    return UserError(
        f"{len(deadly)} of {of} tars killed every worker that took them: {named}; the others are "
        "kept. Look at the workers' and the kernel's logs (memory?), then run again"
    )
