"""Results come in order, a bounded number ahead, and nothing is at work that nobody waits for."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from verifier.ordered import Threads, in_order, take_in_order


@pytest.fixture
def threads():
    with closing(Threads(3)) as engine:
        yield engine


class Item:
    """Something that shows when nobody holds it."""


def slow_first(number: int) -> int:
    time.sleep(0.05 if number % 4 == 0 else 0)
    return number * number


def test_results_come_in_order(threads):
    assert list(threads.run("squares", slow_first, range(20))) == [n * n for n in range(20)]
    assert list(in_order(slow_first, range(20), 3)) == [n * n for n in range(20)]


def test_nothing_comes_of_nothing(threads):
    assert list(threads.run("none", slow_first, [])) == []
    assert list(in_order(slow_first, [], 3)) == []


def test_an_item_alone_needs_no_thread():
    names = in_order(lambda _: threading.current_thread(), [0], 3)
    assert list(names) == [threading.current_thread()]


def test_an_engine_keeps_its_threads(threads):
    seen = {
        thread
        for _ in range(4)
        for thread in threads.run("name", lambda _: threading.get_ident(), range(9))
    }
    assert 1 <= len(seen) <= threads.jobs == 3
    assert threads.is_local


def test_at_most_so_many_are_ahead(threads):
    begun: list[int] = []
    results = threads.run("note", begun.append, range(100))
    next(results)
    time.sleep(0.05)
    assert len(begun) <= threads.jobs + 1
    results.close()


@pytest.mark.parametrize("at", [0, 1, 7])
def test_a_fault_comes_behind_the_results_before_it(threads, at):
    def fail(number: int) -> int:
        if number == at:
            raise KeyError(number)
        time.sleep(0.01 if number < at else 0)
        return number

    for results in (threads.run("fail", fail, range(9)), in_order(fail, range(9), 3)):
        assert [next(results) for _ in range(at)] == list(range(at))
        with pytest.raises(KeyError, match=str(at)):
            next(results)


@pytest.mark.parametrize("at", [0, 1, 2, 7])
def test_what_the_items_raise_comes_behind_the_results_before_it(threads, at):
    def items() -> Iterator[Any]:
        yield from range(at)
        raise KeyError("items")

    for results in (threads.run("x", slow_first, items()), in_order(slow_first, items(), 3)):
        assert [next(results) for _ in range(at)] == [n * n for n in range(at)]
        with pytest.raises(KeyError, match="items"):
            next(results)


def test_closing_waits_for_what_began_and_cancels_the_rest(threads):
    begun: list[int] = []
    ended: list[int] = []

    def work(number: int) -> None:
        begun.append(number)
        time.sleep(0.05)
        ended.append(number)

    results = threads.run("work", work, range(100))
    next(results)
    results.close()
    assert sorted(begun) == sorted(ended)
    assert len(begun) <= threads.jobs + 2
    count = len(begun)
    time.sleep(0.1)
    assert len(begun) == count


def test_several_callers_share_an_engine(threads):
    found: dict[int, list[int]] = {}

    def call(base: int) -> None:
        found[base] = list(threads.run("add", lambda n: slow_first(n) + base, range(20)))

    callers = [threading.Thread(target=call, args=(base,)) for base in (0, 1000, 2000)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert found == {base: [n * n + base for n in range(20)] for base in (0, 1000, 2000)}


def test_no_item_is_held():
    seen: list[weakref.ref[Item]] = []

    def items() -> Iterator[Any]:
        for _ in range(8):
            item = Item()
            seen.append(weakref.ref(item))
            yield item
            del item

    gc.disable()  # what only a collection of cycles would free counts as held
    try:
        results = in_order(id, items(), 2)
        for _ in range(6):
            next(results)
        time.sleep(0.05)
        assert sum(reference() is not None for reference in seen) <= 3
        list(results)
        assert not any(reference() is not None for reference in seen)
    finally:
        gc.enable()


def test_what_is_not_asked_for_is_given_to_its_end():
    class Known:
        def __init__(self, number: int) -> None:
            self.number = number

        def result(self) -> int:
            return self.number

    left: list[Known] = []
    results = take_in_order(Known, range(10), 4, left.extend)
    assert [next(results), next(results)] == [0, 1]
    results.close()
    assert [known.number for known in left] == [2, 3, 4]
