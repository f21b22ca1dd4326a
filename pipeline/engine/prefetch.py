"""A map over an executor that works ahead by a bounded number of items and keeps their order."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Lost(Exception):
    """The executor broke before this item, whose text this is, was done."""


class Overdue(Exception):
    """An item that was waited for too long; the text is the item's."""


def prefetched_map(
    executor: Executor,
    function: Callable[[Item], Result],
    items: Iterable[Item],
    ahead: int,
    patience: float | None = None,
    left: Callable[[Future[Result]], object] | None = None,
) -> Generator[Result]:
    """Yield `function(item)` in order while at most `ahead` items (at least 1) are under way.

    An exception, of the function or of `items`, surfaces at its item's turn. What is under way when
    this is closed stays so: a pool whose process dies cannot bear that its tasks were cancelled.
    `left` is told of each such future once it is done, in any thread.

    Raises:
        Overdue: an item was waited for longer than `patience` seconds.
        Lost: a process of the executor died; those of the items before are done.
    """
    submitted = _submitted(executor, function, items)
    pending = deque(islice(submitted, max(1, ahead)))
    try:
        while pending:
            item, future = pending.popleft()
            result = _in_time(item, future, patience)
            pending.extend(islice(submitted, 1))
            yield result
    finally:
        if left is not None:
            for _, future in pending:
                future.add_done_callback(left)


def _in_time(item: Item | None, future: Future[Result], patience: float | None) -> Result:
    try:
        return future.result(patience)
    except BrokenExecutor:
        raise Lost(str(item)) from None
    except TimeoutError:
        if future.done():
            raise
        raise Overdue(str(item)) from None


def _submitted(
    executor: Executor, function: Callable[[Item], Result], items: Iterable[Item]
) -> Iterator[tuple[Item | None, Future[Result]]]:
    """A future for every item; where `items` itself fails, a last one that holds the error."""
    try:
        for item in items:
            yield item, executor.submit(function, item)
    except Exception as error:
        failed: Future[Result] = Future()
        failed.set_exception(error)
        yield None, failed
