"""Statistics: the spread of activations, gradients and weights of each layer, every so many steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..errors import ArgumentError
from ..study.watching.statistics import watch
from .callback import Callback

if TYPE_CHECKING:
    from .loop import Run


class Statistics(Callback):
    """Watch the layers (`study.watch`) for one step in `every`; log a row "layers" and a row "parameters", and keep them in `rows`.

    Layers: mean and standard deviation of the output, rms of its gradient, saturated share, dead units and how many units there
    are where the catalogue knows the activation. Parameters: norm of the weights and of the gradient, and the gradient's share of it.
    `histograms`: also a row "histograms", of each layer's values and gradients, which TensorBoard shows and JSONLog writes out.
    """

    def __init__(self, every: int = 100, *, histograms: bool = False) -> None:
        if every < 1:
            raise ArgumentError("Statistics", f"every={every}", "it is a number of steps, from 1 up")
        self.every, self.histograms = every, histograms
        self.rows: list[dict[str, Any]] = []
        self._watch: watch | None = None
        self._layers: Any = None

    def on_step_start(self, run: Run) -> None:
        """Begin to watch, if it is time."""
        if run.step % self.every == 0:
            self._watch = watch(run.model, histograms=self.histograms)
            self._layers = self._watch.__enter__()

    def on_step(self, run: Run) -> None:
        """Note what was seen."""
        if self._watch is None:
            return
        self._stop()
        layers: dict[str, Any] = {}
        for layer in self._layers:
            layers |= {f"{layer.name or layer.kind}/{k}": v for k, v in layer.figures().items()}
        parameters: dict[str, Any] = {}
        for name, p in run.model.named_parameters():
            if p.grad is not None:
                weight, gradient = (float(t.detach().double().norm().item()) for t in (p, p.grad))
                parameters |= {f"{name}/norm": weight, f"{name}/gradient": gradient,
                               f"{name}/share": gradient / weight if weight else 0.0}
        rows = {"layers": layers, "parameters": parameters}
        if self.histograms:
            rows["histograms"] = {f"{layer.name or layer.kind}/{of}": found.state() for layer in self._layers
                                  for of in ("values", "gradients") if (found := getattr(layer, of)) is not None}
        for kind, row in rows.items():
            self.rows.append({"kind": kind, "step": run.step, **row})
            run.log(kind, {"step": run.step, **row})

    def on_end(self, run: Run) -> None:
        """Stop watching, also after an error."""
        self._stop()

    def state_dict(self) -> dict[str, Any]:
        """The rows so far."""
        return {"rows": [dict(row) for row in self.rows]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on after them."""
        self.rows = [dict(row) for row in state["rows"]]

    def _stop(self) -> None:
        if self._watch is not None:
            self._watch.__exit__()
            self._watch = None
