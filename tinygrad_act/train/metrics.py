"""Figures of merit, and their running means over the samples of an epoch."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .. import _functions as ops
from ..errors import ArgumentError, ShapeError
from ..grad_mode import no_grad
from ..nn.functional import cross_entropy
from ..tensor import Tensor, wrap


@dataclass(frozen=True)
class Metric:
    """A figure of merit: `function(output, target)` is its mean over a batch; `finish` is applied to the mean over all.

    >>> ta.train.rmse.finish(4.0)
    2.0
    """

    name: str
    function: Callable[[Any, Any], Any]
    finish: Callable[[float], float] = float

    def __call__(self, output: Any, target: Any) -> Any:
        """The figure of one batch, before `finish`."""
        return self.function(output, target)


def _accuracy(output: Tensor, target: Tensor) -> Tensor:
    if output.ndim == target.ndim + 1:
        right = output.argmax(1) == target
    elif output.shape == target.shape:
        right = (output > 0) == (target > 0.5)
    else:
        raise ShapeError("accuracy", f"outputs of shape {output.shape} and targets of shape {target.shape}",
                         "outputs are (N, C, ...) beside class numbers (N, ...), or logits of the targets' shape")
    return right.float().mean()


def top_k(k: int) -> Metric:
    """The share of samples whose class is among the k with the largest outputs.

    >>> ta.train.top_k(2)(ta.tensor([[3.0, 2.0, 1.0]]), ta.tensor([1])).item()
    1.0
    """
    def share(output: Tensor, target: Tensor) -> Tensor:
        return (output.topk(k, dim=1).indices == target.unsqueeze(1)).any(1).float().mean()

    return Metric(f"top_{k}", share)


accuracy = Metric("accuracy", _accuracy)
rmse = Metric("rmse", lambda output, target: ((output - target) * (output - target)).mean(), math.sqrt)
mae = Metric("mae", lambda output, target: (output - target).abs().mean())
perplexity = Metric("perplexity", cross_entropy, lambda mean: math.exp(min(mean, 700.0)))
METRICS = {m.name: m for m in (accuracy, rmse, mae, perplexity)}


def metrics_of(given: Any) -> list[Metric]:
    """The metrics of what `fit` takes: a dict of names, or a list of Metrics, names of ours, or functions."""
    if isinstance(given, Mapping):
        return [Metric(name, m.function if isinstance(m, Metric) else m, m.finish if isinstance(m, Metric) else float)
                for name, m in given.items()]
    found = []
    for m in [given] if isinstance(given, (str, Metric)) or callable(given) else given:
        if isinstance(m, str) and m not in METRICS:
            raise ArgumentError("metrics", repr(m), f"the ones with a name are {sorted(METRICS)}", "or pass a function of (output, target)")
        found.append(METRICS[m] if isinstance(m, str) else m if isinstance(m, Metric) else Metric(m.__name__, m))
    return found


class Averages:
    """The mean loss and metrics over the samples seen so far.

    The sums stay on their device in float64, so that a step waits for nothing; `means` reads them.
    """

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self.metrics = metrics
        self.samples = 0
        self.sums: dict[str, Tensor] = {}

    def add(self, loss: Tensor | None, output: Any, target: Any) -> None:
        """Count one batch in."""
        n = _samples(target, output)
        with no_grad():
            values = {} if loss is None else {"loss": loss}
            values |= {m.name: m(output, target) for m in self.metrics}
            for name, value in values.items():
                value = value.detach().double() * n if isinstance(value, Tensor) else ops.tensor(float(value) * n, dtype="float64")
                self.sums[name] = self.sums[name] + value if name in self.sums else value
        self.samples += n

    def means(self) -> dict[str, float]:
        """{name: mean}, finished; empty before the first batch."""
        finish = {m.name: m.finish for m in self.metrics}
        return {name: finish.get(name, float)(total.item() / self.samples) for name, total in self.sums.items()}

    def state_dict(self) -> dict[str, Any]:
        """The sums."""
        return {"samples": self.samples, "sums": dict(self.sums)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from sums."""
        self.samples, self.sums = state["samples"], {name: wrap(t.array) for name, t in state["sums"].items()}


def _samples(*values: Any) -> int:
    for value in values:
        if isinstance(value, Tensor):
            return value.shape[0] if value.ndim else 1
    return 1
