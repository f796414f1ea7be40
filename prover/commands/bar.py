"""Progress on a terminal: one line for each stage, with its rate and the time that it will take."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich import progress
from rich.console import Console
from rich.text import Text


class _Rate(progress.ProgressColumn):
    """Units of work a second."""

    def render(self, task: progress.Task) -> Text:
        return Text(f"{task.speed:,.0f}/s" if task.speed else "")


class Bar:
    """`prover.progress.Progress`, shown."""

    def __init__(self, bar: progress.Progress) -> None:
        self._bar = bar
        self._task: progress.TaskID | None = None

    def stage(self, name: str, total: int | None) -> None:
        """Begin a line."""
        self._task = self._bar.add_task(name, total=total)

    def advance(self, done: int) -> None:
        """Move the line on."""
        if self._task is not None:
            self._bar.advance(self._task, done)

    def reach(self, done: int) -> None:
        """Move the line on to a number."""
        if self._task is not None:
            self._bar.update(self._task, completed=done)


@contextmanager
def show() -> Iterator[Bar]:
    """Give a bar that stays on standard error."""
    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        _Rate(),
        progress.TimeRemainingColumn(),
    )
    # Where results go to a file, what is printed meanwhile is one, too.
    is_terminal = sys.stdout.isatty()
    with progress.Progress(
        *columns, console=Console(stderr=True), redirect_stdout=is_terminal
    ) as bar:
        yield Bar(bar)
