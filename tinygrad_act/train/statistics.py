"""Statistics: the spread of activations, gradients and weights of each layer, every so many steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import ArgumentError
from ..study.statistics import watch
from .callback import Callback

if TYPE_CHECKING:
    from .loop import Run


class Statistics(Callback):
    """Watch every leaf module for one step in `every`; log a row "layers" and a row "parameters", and keep them in `rows`.

    Layers: mean and standard deviation of the output, rms of its gradient, saturated share and dead units where the
    catalogue knows the activation. Parameters: norm of the weights and of the gradient, and the gradient's share of it.
    """

    def __init__(self, every: int = 100) -> None:
        if every < 1:
            raise ArgumentError("Statistics", f"every={every}", "it is a number of steps, from 1 up")
        self.every = every
        self.rows: list[dict[str, Any]] = []
        self._watch: watch | None = None
        self._layers: Any = None

    def on_step_start(self, run: Run) -> None:
        """Begin to watch, if it is time."""
        if run.step % self.every == 0:
            self._watch = watch(run.model)
            self._layers = self._watch.__enter__()

    def on_step(self, run: Run) -> None:
        """Note what was seen."""
        if self._watch is None:
            return
        self._stop()
        layers: dict[str, Any] = {}
        for layer in self._layers:
            seen = {"mean": layer.mean, "std": layer.std, "gradient_rms": layer.gradient_rms,
                    "saturated": layer.saturated, "dead": layer.dead}
            layers |= {f"{layer.name or layer.kind}/{k}": v for k, v in seen.items() if v is not None}
        parameters: dict[str, Any] = {}
        for name, p in run.model.named_parameters():
            if p.grad is not None:
                weight, gradient = (float(t.detach().double().norm().item()) for t in (p, p.grad))
                parameters |= {f"{name}/norm": weight, f"{name}/gradient": gradient,
                               f"{name}/share": gradient / weight if weight else 0.0}
        for kind, row in (("layers", layers), ("parameters", parameters)):
            self.rows.append({"kind": kind, "step": run.step, **row})
            run.log(kind, {"step": run.step, **row})

    def on_end(self, run: Run) -> None:
        """Stop watching, also after an error."""
        self._stop()

    def _stop(self) -> None:
        if self._watch is not None:
            self._watch.__exit__()
            self._watch = None
