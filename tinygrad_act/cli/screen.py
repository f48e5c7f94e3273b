"""What commands write on: lines, and tables that fit the terminal, also without rich and into a pipe."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any


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
