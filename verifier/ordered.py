"""Work whose results are wanted in order, a bounded number of them in flight.

An `Engine` is where tasks run: in the threads of one process, or on several machines. The native
calls release the interpreter lock, so threads spread over the cores and share the columns they
read.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future
    from pathlib import Path

Item = TypeVar("Item")
Result = TypeVar("Result")
ResultOf = TypeVar("ResultOf", covariant=True)


class Pending(Protocol[ResultOf]):
    """Work that was handed over."""

    def result(self) -> ResultOf:
        """Wait for its result, or raise what it raised."""


class Engine(Protocol):
    """Where tasks run.

    A task is a function of a number. It may run anywhere, twice, at two places at once or again
    after a crash, and comes to the same; so what it reads and writes is files, and what it returns
    is small. Where an engine is of other machines a task is pickled, its schedulers and workers
    show and log it, and all of it is to be public: a path or URL, and numbers.
    """

    @property
    def jobs(self) -> int:
        """How many tasks run at once."""

    @property
    def is_local(self) -> bool:
        """Whether tasks run in this process, where a result may be large."""

    def check_folder(self, folder: Path) -> None:
        """Check that tasks read and write a folder of this machine, wherever they run."""

    def run(
        self, stage: str, task: Callable[[int], Result], numbers: Iterable[int]
    ) -> Generator[Result, None, None]:
        """Yield what a task returns for each number in turn, or raise what it raises.

        ``stage`` is what the tasks are called. Other machines tell the project's own errors as they
        are, and try again where the system failed. Several callers may share an engine; no task may
        wait for another. Once the generator is closed no task of this process is at work for it.
        """


class Threads:
    """An `Engine`: so many threads of this process, the same ones to the end."""

    is_local = True

    def __init__(self, jobs: int) -> None:
        from concurrent.futures import ThreadPoolExecutor  # an item alone waits for none of it

        self.jobs = jobs
        self._pool = ThreadPoolExecutor(jobs)

    def run(
        self, stage: str, task: Callable[[int], Result], numbers: Iterable[int]
    ) -> Generator[Result, None, None]:
        """See `Engine`."""
        del stage
        return take_in_order(
            lambda number: self._pool.submit(task, number), numbers, self.jobs + 1, _end
        )

    def check_folder(self, folder: Path) -> None:
        """See `Engine`: they are of this process."""

    def close(self) -> None:
        """Let the threads go."""
        self._pool.shutdown(cancel_futures=True)


@contextmanager
def engine_of(engine: Engine | None, jobs: int) -> Iterator[Engine]:
    """Give an engine, or else so many threads, which end in the end."""
    if engine is not None:
        yield engine
        return
    threads = Threads(jobs)
    try:
        yield threads
    finally:
        threads.close()


class Alone:
    """An `Engine`: the caller's own thread."""

    jobs = 1
    is_local = True

    def check_folder(self, folder: Path) -> None:
        """See `Engine`: it is this process."""

    def run(
        self, stage: str, task: Callable[[int], Result], numbers: Iterable[int]
    ) -> Generator[Result, None, None]:
        """See `Engine`."""
        del stage
        yield from map(task, numbers)


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
    from concurrent.futures import ThreadPoolExecutor  # an item alone waits for none of it

    items = chain(begun, iterator)
    del begun, iterator  # or they would hold the first items to the end
    with ThreadPoolExecutor(max_workers=jobs) as threads:
        yield from take_in_order(lambda item: threads.submit(function, item), items, jobs + 1, _end)


def take_in_order(
    submit: Callable[[Item], Pending[Result]],
    items: Iterable[Item],
    ahead: int,
    end: Callable[[Collection[Any]], None],
) -> Generator[Result, None, None]:
    """Hand items over, at most ``ahead`` at a time, and yield the results in turn.

    ``end`` is given what was handed over and nobody will ask for any more.
    """
    waiting: deque[Pending[Result]] = deque()
    iterator = iter(items)
    # Of the errors only a fault is kept: a kept StopIteration would hold this frame, and so the
    # columns that the function reads, until the next collection of cycles.
    fault: Exception | None = None
    going_on = True
    try:
        while going_on:
            try:
                waiting.append(submit(next(iterator)))
            except StopIteration:
                going_on = False
            except Exception as error:
                going_on, fault = False, error
            else:
                if len(waiting) >= ahead:
                    yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        end(waiting)
    if fault is not None:
        raise fault


def _end(waiting: Collection[Future[Any]]) -> None:
    """Wait for what has begun: it reads what the caller lets go of, or writes files."""
    from concurrent.futures import wait

    for future in waiting:
        future.cancel()
    wait(waiting)
