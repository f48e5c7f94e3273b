"""What commands write on: tables that fit the terminal, also without rich and into a pipe; a bar on the way."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

Step = Callable[[str, int, int], object]


def package() -> Any:
    """This package as a whole, which is imported by now."""
    return sys.modules[__name__.partition(".")[0]]


def say(text: str = "") -> None:
    """A line on the standard output."""
    sys.stdout.write(text + "\n")


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]], title: str = "", right: Sequence[int] = ()) -> None:
    """A table as wide as the terminal, or 80 columns."""
    from ..study.present import Page, Table

    text = Page("", [Table(columns, rows, right=right)]).text()
    say((f"{title}\n" if title else "") + text.strip("\n"))


@contextmanager
def bar(what: str) -> Iterator[Step]:
    """A function to call with the name of the next thing, how many are done and how many there are: shown by rich on a terminal."""
    try:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
    except ImportError:
        yield _silent
        return
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _silent
        return
    with Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.fields[name]}"),
                  console=console, transient=True) as progress:
        task = progress.add_task(what, total=None, name="")

        def step(name: str, done: int, count: int) -> None:
            progress.update(task, completed=done, total=count, name=name)
        yield step


def _silent(name: str, done: int, count: int) -> None:
    """Nothing, into a pipe."""
