"""EarlyStopping: an end when nothing gets better."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..errors import ArgumentError
from .callback import Best, Callback

if TYPE_CHECKING:
    from .loop import Run


class EarlyStopping(Callback):
    """Stop after `patience` epochs in a row without a figure better by more than `min_delta`.

    Args:
        monitor: the figure; by default "val_loss", or "loss" without validation data.
        mode: "min", "max", or "auto", which knows that losses and errors are to be small.
        restore_best: put the weights of the best epoch back at the end of training.
    """

    def __init__(self, monitor: str | None = None, *, patience: int = 3, min_delta: float = 0.0, mode: str = "auto",
                 restore_best: bool = False) -> None:
        if patience < 1:
            raise ArgumentError("EarlyStopping", f"patience={patience}", "it is a number of epochs, from 1 up")
        self.best, self.patience, self.restore_best = Best(monitor, mode, min_delta), patience, restore_best
        self.waited = 0
        self.weights: dict[str, Any] | None = None

    def on_resume(self, run: Run) -> None:
        """Stop a run again that had been stopped."""
        self._stop(run)

    def on_epoch(self, run: Run) -> None:
        """Compare; stop if it has been long enough."""
        if self.best.improved(run.history[-1]):
            self.waited = 0
            if self.restore_best:
                self.weights = {name: t.clone() for name, t in run.model.state_dict().items()}
            return
        self.waited += 1
        self._stop(run)

    def _stop(self, run: Run) -> None:
        if self.waited >= self.patience:
            run.stop(f"no better {self.best.monitor or 'loss'} than {self.best.value} for {self.waited} epochs")

    def on_end(self, run: Run) -> None:
        """Put the best weights back, if that was asked for."""
        if self.weights is not None:
            run.model.load_state_dict(self.weights)

    def state_dict(self) -> dict[str, Any]:
        """The best figure, how long ago it was, and the weights of then."""
        return {"best": self.best.value, "waited": self.waited, "weights": self.weights}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take them back."""
        self.best.value, self.waited, self.weights = state["best"], state["waited"], state["weights"]
