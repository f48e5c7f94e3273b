"""Logs: figures written down while a run goes on, as CSV, JSON lines, TensorBoard events, Weights & Biases runs.

A resumed run goes on in the same file; what was written after the checkpoint it goes on from is cut off first.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ArgumentError, FileError, MissingPackageError
from .callback import Callback

if TYPE_CHECKING:
    from .loop import Run


class FileLog(Callback):
    """What the two kinds of text file share: a file that only grows, and a place to go back to."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.fresh = True

    def on_start(self, run: Run) -> None:
        """Make the folder."""
        self.path.parent.mkdir(parents=True, exist_ok=True)

    def write(self, text: str) -> None:
        """Add to the file; the first time in a run that was not resumed, begin it anew."""
        with self.path.open("w" if self.fresh else "a", encoding="utf-8", newline="") as file:
            file.write(text)
        self.fresh = False

    def state_dict(self) -> dict[str, Any]:
        """How long the file is."""
        return {"bytes": 0 if self.fresh else self.path.stat().st_size}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Cut off what was written since."""
        self.fresh = state["bytes"] == 0
        if not self.fresh:
            if not self.path.exists() or self.path.stat().st_size < state["bytes"]:
                raise FileError(type(self).__name__, str(self.path), "the log that the checkpoint goes on from is missing or shorter",
                                "put it back, or start in another folder")
            with self.path.open("r+b") as file:
                file.truncate(state["bytes"])


class JSONLog(FileLog):
    """A JSON object a line: {"kind": "epoch", "epoch": 1, "loss": ...}; NaN and infinities are null."""

    def on_log(self, run: Run, kind: str, row: Mapping[str, Any]) -> None:
        """Write a line."""
        clean = {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()}
        self.write(json.dumps({"kind": kind, **clean}) + "\n")


class CSVLog(FileLog):
    """A table with a line for each epoch (`kind="step"`: for each step that fit's log_every names)."""

    def __init__(self, path: str | os.PathLike[str], kind: str = "epoch") -> None:
        super().__init__(path)
        self.kind = kind
        self.columns: list[str] = []

    def on_log(self, run: Run, kind: str, row: Mapping[str, Any]) -> None:
        """Write a line, below the heading."""
        if kind != self.kind:
            return
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        if self.fresh:
            self.columns = list(row)
            writer.writerow(self.columns)
        if list(row) != self.columns:
            raise ArgumentError("CSVLog", f"a row of {list(row)}", f"the file's columns are {self.columns}", "use JSONLog for rows that differ")
        writer.writerow(row.values())
        self.write(text.getvalue())

    def state_dict(self) -> dict[str, Any]:
        """How long the file is, and its columns."""
        return {**super().state_dict(), "columns": self.columns}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go back there."""
        super().load_state_dict(state)
        self.columns = list(state["columns"])


class TensorBoard(Callback):
    """Event files for TensorBoard, written by the package tensorboardX; `histograms`: of each parameter, each epoch.

    Raises: MissingPackageError without it.
    """

    def __init__(self, folder: str | os.PathLike[str], *, histograms: bool = False) -> None:
        self.folder, self.histograms = Path(folder), histograms
        self.writer: Any = None
        try:
            import tensorboardX
        except ImportError:
            raise MissingPackageError("TensorBoard", "", "event files are written by the package tensorboardX, which is not "
                                      "installed", "pip install 'tinygrad-act[tensorboard]'") from None
        self._library = tensorboardX

    def _open(self, run: Run) -> Any:
        if self.writer is None:                   # a resumed run's events after its checkpoint are hidden by purge_step
            self.writer = self._library.SummaryWriter(str(self.folder), purge_step=run.step if run.step else None)
        return self.writer

    def on_resume(self, run: Run) -> None:
        """Hide what was written after the checkpoint."""
        self._open(run)

    def on_log(self, run: Run, kind: str, row: Mapping[str, Any]) -> None:
        """A scalar for each figure."""
        writer = self._open(run)
        for name, value in row.items():
            if isinstance(value, (int, float)) and name not in ("epoch", "step"):
                writer.add_scalar(f"{kind}/{name}", value, run.step)
            elif kind == "histograms" and isinstance(value, Mapping) and sum(value["counts"]):
                _add_histogram(writer, name, value, run.step)
        if kind == "epoch" and self.histograms:
            for name, p in run.model.named_parameters():
                writer.add_histogram(name, p.detach().cpu().numpy(), run.step)
        writer.flush()

    def on_end(self, run: Run) -> None:
        """Close the files."""
        if self.writer is not None:
            self.writer.close()
            self.writer = None


def _add_histogram(writer: Any, name: str, found: Mapping[str, Any], step: int) -> None:
    """One that was counted already, by `train.Statistics(histograms=True)`; gradients by the logarithm of their size."""
    edges, counts = found["edges"], found["counts"]
    middles = [(a + b) / 2 for a, b in itertools.pairwise(edges)]
    total, squares = (sum(n * m ** k for n, m in zip(counts, middles, strict=True)) for k in (1, 2))
    writer.add_histogram_raw(name + " (log10)" * found["logarithmic"], min=edges[0], max=edges[-1], num=sum(counts), sum=total,
                             sum_squares=squares, bucket_limits=edges[1:], bucket_counts=counts, global_step=step)


class WandB(Callback):
    """A run of Weights & Biases, by the package wandb; mode="offline" keeps it in `folder` until `wandb sync`.

    Raises: MissingPackageError without it.
    """

    def __init__(self, project: str, folder: str | os.PathLike[str] = ".", *, mode: Any = "offline", **settings: Any) -> None:
        try:
            import wandb
        except ImportError:
            raise MissingPackageError("WandB", "", "runs are written by the package wandb, which is not installed",
                                      "pip install 'tinygrad-act[wandb]'") from None
        self.project, self.folder, self.mode, self.settings = project, Path(folder), mode, settings
        self._library = wandb
        self.run: Any = None
        self.id: str | None = None

    def _open(self) -> Any:
        if self.run is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.run = self._library.init(project=self.project, dir=str(self.folder), mode=self.mode, id=self.id,
                                          resume=None if self.id is None else "allow", **self.settings)
            self.id = self.run.id
        return self.run

    def on_log(self, run: Run, kind: str, row: Mapping[str, Any]) -> None:
        """The figures, at the run's step."""
        self._open().log({f"{kind}/{name}": value for name, value in row.items() if name != "step"}, step=run.step)

    def on_end(self, run: Run) -> None:
        """End the run."""
        if self.run is not None:
            self.run.finish()
            self.run = None

    def state_dict(self) -> dict[str, Any]:
        """The run's id, under which a resumed one goes on."""
        return {"id": self.id}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take it back."""
        self.id = state["id"]
