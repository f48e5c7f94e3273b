"""Callback: what is told of each step and epoch of a training run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..errors import ArgumentError

if TYPE_CHECKING:
    from .loop import Run


class Callback:
    """The base of them all: a subclass overrides what it wants to hear of. `run` is the training run (`train.Run`).

    What a callback must remember when a run is resumed, it says in `state_dict` and takes back in `load_state_dict`.
    They are called in the order in which `fit` was given them, those that are `last` after the others.

    >>> class StopAtTen(ta.train.Callback):
    ...     def on_step(self, run):
    ...         if run.step == 10:
    ...             run.stop("ten steps are enough")
    """

    last = False                          # True for what reads the others' state

    def on_start(self, run: Run) -> None:
        """Before anything else, also before a resumed run's state is loaded."""

    def on_resume(self, run: Run) -> None:
        """After a resumed run's state was loaded."""

    def on_step_start(self, run: Run) -> None:
        """Before a step's forward pass."""

    def on_step(self, run: Run) -> None:
        """After a step of the optimizer; the gradients are still there."""

    def on_epoch(self, run: Run) -> None:
        """After an epoch and its validation; `run.history[-1]` has the figures."""

    def on_log(self, run: Run, kind: str, row: Mapping[str, Any]) -> None:
        """Figures to be written down: kind is "step", "epoch", or what another callback calls its own."""

    def on_end(self, run: Run) -> None:
        """At the end, also when an error or Ctrl-C ended it."""

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run must know: numbers, texts, tensors, and dicts and lists of them."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take back what `state_dict` said."""


class Best:
    """The best value of one figure so far.

    >>> best = ta.train.Best("val_loss")
    >>> best.improved({"val_loss": 0.5}), best.improved({"val_loss": 0.7}), best.value
    (True, False, 0.5)
    """

    def __init__(self, monitor: str | None = None, mode: str = "auto", min_delta: float = 0.0) -> None:
        if mode not in ("auto", "min", "max"):
            raise ArgumentError("Best", f"mode={mode!r}", 'it is "min", "max" or "auto"')
        self.monitor, self.mode, self.min_delta = monitor, mode, abs(min_delta)
        self.value: float | None = None

    def improved(self, row: Mapping[str, Any]) -> bool:
        """Whether this row's figure is better than all before, which it then replaces."""
        name = self.monitor or ("val_loss" if "val_loss" in row else "loss")
        if name not in row:
            raise ArgumentError("monitor", repr(name), f"an epoch has the figures {sorted(row)}", "name one of them")
        value = float(row[name])
        up = self.mode == "max" or (self.mode == "auto" and not name.removeprefix("val_").startswith(LOWER))
        if value != value or (self.value is not None and not (
                value > self.value + self.min_delta if up else value < self.value - self.min_delta)):
            return False
        self.value = value
        return True


LOWER = ("loss", "rmse", "mse", "mae", "error", "perplexity")       # of these, less is better
