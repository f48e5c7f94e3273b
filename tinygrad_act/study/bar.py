"""How far something is that takes seconds: a bar by rich on a terminal, nothing into a pipe or without rich."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Step = Callable[[str, int, int], object]         # the name of what comes next, how many are done, how many there are


@contextmanager
def bar(what: str, wanted: bool | None = None) -> Iterator[Step]:
    """A function to call before each part; `wanted` shows or hides the bar, whatever standard error is."""
    try:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
    except ImportError:
        yield _silent
        return
    console = Console(stderr=True)
    if not (console.is_terminal if wanted is None else wanted):
        yield _silent
        return
    with Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.fields[name]}"),
                  console=console, transient=True) as progress:
        task = progress.add_task(what, total=None, name="")

        def step(name: str, done: int, count: int) -> None:
            progress.update(task, completed=done, total=count, name=name)
        yield step


def _silent(name: str, done: int, count: int) -> None:
    """No bar."""
