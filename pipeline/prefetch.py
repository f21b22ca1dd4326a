"""A map over threads that works ahead by a bounded number of items and keeps their order."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def prefetched_map(
    threads: ThreadPoolExecutor,
    function: Callable[[Item], Result],
    items: Iterable[Item],
    ahead: int,
) -> Generator[Result]:
    """Yield `function(item)` in order while at most `ahead` items (at least 1) are under way.

    An exception, of the function or of `items`, surfaces at its item's turn; what is under way
    then is cancelled.
    """
    submitted = _submitted(threads, function, items)
    pending = deque(islice(submitted, max(1, ahead)))
    try:
        while pending:
            result = pending.popleft().result()
            pending.extend(islice(submitted, 1))
            yield result
    finally:
        for future in pending:
            future.cancel()


def _submitted(
    threads: ThreadPoolExecutor, function: Callable[[Item], Result], items: Iterable[Item]
) -> Iterator[Future[Result]]:
    """A future for every item; where `items` itself fails, a last one that holds the error."""
    try:
        for item in items:
            yield threads.submit(function, item)
    except Exception as error:
        failed: Future[Result] = Future()
        failed.set_exception(error)
        yield failed
