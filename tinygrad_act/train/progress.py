"""Progress: a bar with the time left while an epoch runs, and a line for each that is done."""

from __future__ import annotations

import importlib.util
import time
from typing import TYPE_CHECKING, Any

from ..errors import MissingPackageError
from .callback import Callback

if TYPE_CHECKING:
    from .loop import Run

REFRESH = 0.2                     # seconds between readings of the loss, which on a GPU waits for the steps before it


def progress_callbacks(wanted: bool | None) -> list[Callback]:
    """A Progress if it is wanted, or if nobody said and the package rich is there."""
    if wanted is None:
        wanted = importlib.util.find_spec("rich") is not None
    return [Progress()] if wanted else []


class Progress(Callback):
    """Shown by the package rich: on a terminal a bar over all steps with the time left; everywhere a line an epoch.

    Raises: MissingPackageError without rich.
    """

    def __init__(self) -> None:
        if importlib.util.find_spec("rich") is None:
            raise MissingPackageError("Progress", "", "progress is shown by the package rich, which is not installed",
                                      "pip install 'tinygrad-act[progress]', or pass progress=False")
        self.bar: Any = None
        self.shown = 0.0

    def on_start(self, run: Run) -> None:
        """Put up the bar."""
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        self.bar = Bar(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
                       TimeRemainingColumn(), TextColumn("{task.fields[figures]}"), transient=True)
        self.task = self.bar.add_task("training", total=self._total(run), figures="")
        self.bar.start()

    def _total(self, run: Run) -> int | None:
        try:
            return -(-len(run.data) // run.accumulate) * run.epochs  # type: ignore[arg-type]
        except TypeError:                                             # of unknown length
            return None

    def on_resume(self, run: Run) -> None:
        """Say from where."""
        self.bar.update(self.task, completed=run.step)
        self.bar.console.print(f"going on from epoch {run.epoch + 1}, step {run.step}", highlight=False, soft_wrap=True)

    def on_step(self, run: Run) -> None:
        """Move on; read the loss a few times a second."""
        now = time.monotonic()
        if now - self.shown >= REFRESH:
            self.shown = now
            figures = "  ".join(f"{k} {v:.4g}" for k, v in run.averages.means().items())
            self.bar.update(self.task, completed=run.step, description=f"epoch {run.epoch + 1}/{run.epochs}", figures=figures)

    def on_epoch(self, run: Run) -> None:
        """The epoch's line."""
        row = run.history[-1]
        figures = "  ".join(f"{k} {v:.4g}" for k, v in row.items() if k not in ("epoch", "step", "seconds"))
        self.bar.update(self.task, completed=run.step)
        self.bar.console.print(f"epoch {row['epoch']:>{len(str(run.epochs))}}/{run.epochs}  {row['seconds']:.1f} s  {figures}",
                               highlight=False, soft_wrap=True)

    def on_end(self, run: Run) -> None:
        """Take the bar down."""
        if self.bar is not None:
            self.bar.stop()
            if run.stopped:
                self.bar.console.print(f"stopped: {run.stopped}", highlight=False, soft_wrap=True)
