"""batch_norm: deep networks with it and without."""

from __future__ import annotations

import math
from typing import Any

from ...ops.random import manual_seed
from ..figures import COLOURS, look
from .activation import choices
from .registry import Progress, experiment
from .result import Column, Columns, Result, factor, percent, power
from .training import data_of, linears, network, smooth, train


@experiment("Batch normalisation lets deep sigmoid and tanh networks train, for it keeps their gradients from vanishing.",
            "The same deep network with BatchNorm1d before each activation and without. Measured: the norm of the weights' gradients in each hidden layer at the first "
            "step, and from it the factor a layer (geometric mean, on the way back); then the loss and the share of test data that is right.")
def batch_norm(progress: Progress, activations: Any = ("sigmoid", "tanh", "relu"), data: Any = "digits", layers: int = 10, width: int = 64,
               steps: int = 100, batch: int = 64, lr: float = 0.002, seed: int = 0) -> Result:
    """Train with and without batch normalisation.

    Args:
        data: as for `compare`; `steps` of Adam at rate `lr`. Weights begin as PyTorch's do.

    >>> result = ta.study.lab.batch_norm(["tanh"], data="two_moons", layers=3, width=8, steps=2)
    >>> [row["batch_norm"] for row in result.rows]
    [False, True]
    """
    points = data_of(data)
    rows, curves = list[dict[str, Any]](), dict[str, Any]()
    for each, on in progress.over([(a, on) for a in choices(activations) for on in (False, True)], lambda case: f"{case[0].name}, {'on' if case[1] else 'off'}"):
        manual_seed(seed)
        net = network(each, points, layers, width, batch_norm=on)
        norms: list[float] = []

        def note(step: int, net: Any = net, norms: list[float] = norms) -> None:
            if step == 0:
                norms += [float(layer.weight.grad.norm().item()) for layer in linears(net)[:-1]]

        run = train(net, points, steps, lr, batch=batch, after_backward=note)
        later = norms[1:]                                       # the very first layer has inputs of another size
        rows.append({"activation": each.name, "batch_norm": on, "factor": (later[0] / later[-1]) ** (1 / (len(later) - 1)) if len(later) > 1 and later[-1] else math.nan,
                     "first_gradient": norms[0], "loss": run.loss, "accuracy": run.accuracy})
        curves[f"{each.name}/{'on' if on else 'off'}"] = {"loss": smooth(run.losses), "gradients": norms}
    columns = (Column("activation"), Column("batch_norm", "batch norm", lambda v: "on" if v else "off"), Column("first_gradient", "gradient, layer 1", power),
               Column("factor", "factor a layer", factor), Column("loss", "loss at the end", factor), Column("accuracy", "test accuracy", percent))
    return Result("batch_norm", batch_norm.claim, batch_norm.measures, {}, rows, [Columns(columns, left=2)], _draw, curves=curves, size=(10.0, 4.2))


def _draw(figure: Any, result: Result) -> None:
    """Gradient norms by layer at the first step, and loss curves: with it full lines, without it dashed."""
    left, right = figure.subplots(1, 2)
    names = list(dict.fromkeys(r["activation"] for r in result.rows))
    for i, name in enumerate(names):
        for on, style in (("off", "--"), ("on", "-")):
            curve, colour = result.curves[f"{name}/{on}"], look(i)["color"] if i < len(COLOURS) else None
            left.plot(range(1, len(curve["gradients"]) + 1), curve["gradients"], style, marker="o", ms=3, color=colour, label=f"{name}, {on}")
            right.plot(curve["loss"], style, color=colour, label=f"{name}, {on}")
    left.set(yscale="log", xlabel="layer", ylabel="norm of the weights' gradient", title="first step")
    right.set(yscale="log", xlabel="step", ylabel="training loss (mean of 10 steps)", title="training")
    for ax in (left, right):
        ax.grid(alpha=0.3)
    left.legend(fontsize=7, title="batch norm", title_fontsize=7)
