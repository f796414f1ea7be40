"""Work in threads whose results are wanted in order, a bounded number of them in flight.

The native calls release the interpreter lock, so threads spread over the cores and share the
columns they read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from itertools import chain, islice
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(
    function: Callable[[Item], Result], items: Iterable[Item], jobs: int
) -> Generator[Result, None, None]:
    """Yield ``function(item)`` for each item in turn, computed by ``jobs`` threads.

    At most ``jobs + 1`` results exist at a time. What ``items`` raises is raised behind the results
    of the items before. An item alone needs no thread of its own.
    """
    iterator = iter(items)
    begun = list(islice(iterator, 1))
    try:
        begun += islice(iterator, 1)
    except Exception:
        yield from map(function, begun)
        raise
    if len(begun) < 2:
        yield from map(function, begun)
        return
    from concurrent.futures import ThreadPoolExecutor  # one item waits for none of it

    with ThreadPoolExecutor(max_workers=jobs) as threads:
        waiting: deque[Future[Result]] = deque()
        iterator = chain(begun, iterator)
        begun = []
        # Of the errors only a fault is kept: a kept StopIteration would hold this frame, and so
        # the columns that the function reads, until the next collection of cycles.
        fault: Exception | None = None
        going_on = True
        try:
            while going_on:
                try:
                    waiting.append(threads.submit(function, next(iterator)))
                except StopIteration:
                    going_on = False
                except Exception as error:
                    going_on, fault = False, error
                else:
                    if len(waiting) > jobs:
                        yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
        if fault is not None:
            raise fault
