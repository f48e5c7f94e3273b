"""gelu_forms: GELU, what approximates it, and what is mistaken for it."""

from __future__ import annotations

import math
from typing import Any

from ... import _functions as ops
from ... import dtypes
from ...graph import grad
from ...tensor import Tensor
from ..figures import look
from .activation import Choice, choice
from .registry import Progress, experiment
from .result import Column, Columns, Result, factor, mean_std, percent_spread, power, spread
from .theory import Unit, moments
from .training import data_of, network, over_seeds

FAR = 6.0                                 # errors are looked for in [-FAR, FAR]


def mistaken(x: Tensor) -> Tensor:
    """x·erf(x/√2), which circulates as GELU: the 1 + and the half of x·(1 + erf(x/√2))/2 were lost on the way. It is even: f(-x) = f(x).

    >>> mistaken(ta.tensor([-3.0, 3.0]))
    tensor([2.9919, 2.9919])
    """
    return x * ops.erf(x / math.sqrt(2))


def forms() -> list[Choice]:
    """All of them, the exact one first."""
    return [*(choice(name) for name in ("gelu", "gelu_tanh", "quick_gelu")), choice(mistaken, "x·erf(x/√2)")]


@experiment("GELU by tanh is as good as the exact one; x·erf(x/√2), found in published snippets, is another function.",
            f"The largest distance from the exact x·Φ(x) on [-{FAR:g}, {FAR:g}], and where it is; values at -3 and 0's slope; the gradient's factor E[f'(z)²]·2 in a layer "
            "of Kaiming's weights for ReLU; and a network trained with each.")
def gelu_forms(progress: Progress, data: Any = "digits", layers: int = 3, width: int = 64, epochs: int = 6, batch: int = 64, lr: float = 0.002,
               seeds: int = 3, seed: int = 0) -> Result:
    """Errors of GELU's forms, and what they do to training.

    Args:
        data, layers, width, epochs, batch, lr, seeds: as for `compare`; with epochs=0 nothing is trained.

    >>> result = ta.study.lab.gelu_forms(epochs=0)
    >>> [round(row["error"], 4) for row in result.rows]
    [0.0, 0.0005, 0.0203, 6.0]
    """
    x = ops.linspace(-FAR, FAR, 12001, dtype=dtypes.float64)
    exact = choice("gelu").make()(x)
    rows, curves = list[dict[str, Any]](), {"x": x[::100].tolist()}
    for each in forms():
        function = each.make()
        y = function(x)
        off = (y - exact).abs()
        at = int(off.argmax().item())
        zero = ops.zeros((), dtype=dtypes.float64).requires_grad_()
        (slope,) = grad(function(zero), zero)
        assert slope is not None
        rows.append({"form": each.name, "error": float(off[at].item()), "where": float(x[at].item()) if off[at].item() else None,
                     "at_minus_3": float(function(ops.tensor(-3.0, dtype=dtypes.float64)).item()), "slope_at_0": float(slope.item()),
                     "chi": 2 * moments(Unit(each.name, function), 1.0)[1]})
        curves[each.name] = y[::100].tolist()
    if epochs:
        points = data_of(data)
        runs = over_seeds(progress, forms(), points, lambda each: network(each, points, layers, width), epochs=epochs, batch=batch, lr=lr, seeds=seeds, seed=seed)
        for row in rows:
            row |= {"loss": mean_std([t.loss for t in runs[row["form"]]]), "accuracy": mean_std([t.accuracy for t in runs[row["form"]]])}
    functions = (Column("form"), Column("error", "largest error", power), Column("where", "at x", factor), Column("at_minus_3", "f(-3)", factor),
                 Column("slope_at_0", "f'(0)", factor), Column("chi", "2 E[f'²]", factor))
    training = (Column("form"), Column("loss", "", spread), Column("accuracy", "test accuracy", percent_spread))
    notes = ["The mistake's error grows as |x| on the left: it turns large negative numbers into large positive ones, where GELU makes them 0, and its slope at 0 is 0."]
    return Result("gelu_forms", gelu_forms.claim, gelu_forms.measures, {}, rows, [Columns(functions), *([Columns(training)] if epochs else [])], _draw, notes, curves,
                  size=(10.0, 3.8))


def _draw(figure: Any, result: Result) -> None:
    """The functions, and their errors."""
    left, right = figure.subplots(1, 2)
    x, exact = result.curves["x"], result.curves["gelu"]
    for i, row in enumerate(result.rows):
        y = result.curves[row["form"]]
        left.plot(x, y, label=row["form"], lw=3 if i == 0 else 1.3, alpha=0.5 if i == 0 else 1, **look(i, dashed=True))
        if i:
            right.plot(x, [max(abs(a - b), 1e-12) for a, b in zip(y, exact, strict=True)], label=row["form"], **look(i, dashed=True))
    left.set(xlabel="x", ylabel="f(x)", xlim=(-4, 4), ylim=(-0.5, 4))
    right.set(xlabel="x", ylabel="distance from x·Φ(x)", yscale="log", ylim=(1e-9, 10))
    for ax in (left, right):
        ax.grid(alpha=0.3)
        ax.legend(fontsize=8)
