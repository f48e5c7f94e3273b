"""History: the figures of each epoch, to be read, printed and plotted."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..errors import ArgumentError
from ..files import write_aside
from ..nn.summarise import columns
from ..study.figures import figure_class, save_figure


class History(list[dict[str, Any]]):
    """One dict an epoch: epoch, step, seconds, lr, loss, the metrics, and val_ before those of the validation data.

    `steps` has one dict for each step that `fit(log_every=...)` logged: epoch, step, lr, loss.

    >>> history = ta.train.History([{"epoch": 1, "loss": 2.0}, {"epoch": 2, "loss": 1.0}])
    >>> history["loss"], history[-1]["loss"]
    ([2.0, 1.0], 1.0)
    """

    def __init__(self, rows: Iterable[dict[str, Any]] = (), steps: Iterable[dict[str, Any]] = ()) -> None:
        super().__init__(rows)
        self.steps = list(steps)

    def __getitem__(self, key: Any) -> Any:
        """An epoch by its place, or a figure of all epochs by its name."""
        if not isinstance(key, str):
            return super().__getitem__(key)
        if key not in self.names():
            raise ArgumentError("History", repr(key), f"the figures are {self.names()}")
        return [row.get(key) for row in self]

    def names(self) -> list[str]:
        """The figures, in the order in which they came up."""
        return list(dict.fromkeys(name for row in self for name in row))

    def __str__(self) -> str:
        names = self.names()
        lines = [names, *([_text(row.get(n)) for n in names] for row in self)]
        return "\n".join(columns(lines, left=0))

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the rows as JSON."""
        return write_aside(path, json.dumps(list(self), indent=1).encode())

    def plot(self, path: str | os.PathLike[str] | None = None, *, title: str = "") -> Any:
        """Draw loss and metrics against the epoch, training beside validation; with `path`, into a file of its kind.

        Returns: the matplotlib figure. Raises: MissingPackageError without matplotlib.
        """
        Figure = figure_class("History.plot")
        shown = [n.removeprefix("val_") for n in self.names() if n not in ("epoch", "step", "seconds", "lr")]
        panels = list(dict.fromkeys(shown))
        figure = Figure(figsize=(4.4 * max(len(panels), 1), 3.4), layout="constrained")
        axes = figure.subplots(1, max(len(panels), 1), squeeze=False)[0]
        for ax, name in zip(axes, panels, strict=False):
            for key, label, style in ((name, "training", "-"), (f"val_{name}", "validation", "--")):
                points = [(row["epoch"], row[key]) for row in self if key in row]
                if points:
                    ax.plot(*zip(*points, strict=True), style, marker=".", label=label,
                            color="#4269d0" if style == "-" else "#c1602c")
            ax.set(title=name, xlabel="epoch")
            ax.xaxis.get_major_locator().set_params(integer=True)
            ax.grid(alpha=0.3)
            ax.legend()
        if title:
            figure.suptitle(title)
        if path is not None:
            save_figure(figure, path)
        return figure


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else "" if value is None else str(value)
