"""A map over threads that works ahead by a bounded number of items and keeps their order."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
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
) -> Iterator[Result]:
    """Yield `function(item)` in order while at most `ahead` further items are under way.

    An exception surfaces at its item's turn; what is under way then is cancelled.
    """
    source = iter(items)
    pending: deque[Future[Result]] = deque(
        threads.submit(function, item) for item in islice(source, ahead)
    )
    try:
        while pending:
            result = pending.popleft().result()
            pending.extend(threads.submit(function, item) for item in islice(source, 1))
            yield result
    finally:
        for future in pending:
            future.cancel()
