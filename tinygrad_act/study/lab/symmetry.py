"""symmetry: units that begin alike stay alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ... import _functions as ops
from ...grad_mode import no_grad
from ...ops.random import manual_seed
from ...tensor import Tensor
from ..figures import look
from .activation import choice
from .registry import Progress, experiment
from .result import Column, Columns, Result, factor, percent
from .training import data_of, linears, network, smooth, train

ALIKE = 1e-3                              # of the weights' size: two units that differ by less count as one
STARTS: dict[str, Callable[[Any], object]] = {
    "zeros": lambda w: w.zero_(), "constant": lambda w: w.fill_(1 / w.shape[1] ** 0.5),
    "constant + noise": lambda w: w.fill_(1 / w.shape[1] ** 0.5).add_(1e-2 / w.shape[1] ** 0.5 * ops.randn(*w.shape)), "random": lambda w: w,
}


@experiment("Units that begin with the same weights get the same gradients and never differ: weights must be drawn at random.",
            "Hidden weights that begin as zeros, as one constant, as a constant with 1 % of noise, and at random. Measured: how many different units the first hidden "
            "layer has after training (rows of weights that differ by more than a thousandth), the loss and the test accuracy.")
def symmetry(progress: Progress, activation: Any = "tanh", data: Any = "digits", layers: int = 2, width: int = 32, steps: int = 200, batch: int = 64,
             lr: float = 0.005, seed: int = 0) -> Result:
    """Train from hidden weights that are alike, and from such that are not.

    Args:
        activation, data, layers, width, steps, batch, lr: as for `compare`. Biases begin with 0; the last layer's weights begin likewise.

    >>> result = ta.study.lab.symmetry(data="two_moons", width=8, steps=3)
    >>> [row["units"] for row in result.rows]
    [1, 1, 8, 8]
    """
    points, each = data_of(data), choice(activation)
    rows, curves = list[dict[str, Any]](), dict[str, Any]()
    for start, fill in progress.over(STARTS.items(), lambda item: item[0]):
        manual_seed(seed)
        net = network(each, points, layers, width)
        with no_grad():
            for layer in linears(net):
                fill(layer.weight)
                layer.bias.zero_()
        run = train(net, points, steps, lr, batch=batch)
        rows.append({"start": start, "units": different(linears(net)[0].weight), "of": width, "loss": run.loss, "accuracy": run.accuracy})
        curves[start] = smooth(run.losses)
    columns = (Column("start", "weights begin as"), Column("units", "different units"), Column("of", "of"), Column("loss", "", factor),
               Column("accuracy", "test accuracy", percent))
    return Result("symmetry", symmetry.claim, symmetry.measures, {}, rows, [Columns(columns)], _draw, curves=curves, size=(6.0, 3.8))


@no_grad()
def different(weight: Tensor) -> int:
    """How many rows differ, each from all before it."""
    size = float(weight.abs().max().item()) or 1.0
    rows: list[Tensor] = []
    for row in weight.detach():
        if all(float((row - other).abs().max().item()) > ALIKE * size for other in rows):
            rows.append(row)
    return len(rows)


def _draw(figure: Any, result: Result) -> None:
    """Loss curves."""
    ax = figure.subplots()
    for i, row in enumerate(result.rows):
        ax.plot(result.curves[row["start"]], label=f"{row['start']}: {row['units']} of {row['of']} units", **look(i, dashed=True))
    ax.set(xlabel="step", ylabel="training loss (mean of 10 steps)", yscale="log")
    ax.grid(alpha=0.3)
    ax.legend(fontsize=8)
