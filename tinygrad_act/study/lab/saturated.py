"""saturation: how much of each layer lies where its activation is flat, while it trains."""

from __future__ import annotations

from typing import Any

from ...grad_mode import no_grad
from ...nn import init
from ...ops.random import manual_seed
from ..watching.statistics import watch
from .activation import choices
from .registry import Progress, experiment
from .result import Column, Columns, Result, percent
from .training import data_of, linears, network, train


@experiment("Weights that begin too large saturate sigmoid and tanh, and training does not undo it.",
            "Saturated: the share of (example, unit) pairs of a layer where |f'| is below 1 % of the activation's largest slope. Measured in the batches of training, "
            "for weights of Xavier's scale and multiples of it.")
def saturation(progress: Progress, activations: Any = ("sigmoid", "tanh"), scales: tuple[float, ...] = (1.0, 4.0, 16.0), data: Any = "digits",
               layers: int = 4, width: int = 64, steps: int = 200, every: int = 10, batch: int = 64, lr: float = 0.002, seed: int = 0) -> Result:
    """Saturation of each layer for activations × scales of the first weights.

    Args:
        scales: what Xavier's weights (gain 1) are multiplied by.
        data: as for `compare`; `steps` of Adam, of which one in `every` is watched.

    >>> result = ta.study.lab.saturation(["tanh"], scales=[1.0], data="two_moons", layers=2, steps=3, every=1)
    >>> [row["layer"] for row in result.rows]
    [1, 2]
    """
    points = data_of(data)
    rows, curves = list[dict[str, Any]](), dict[str, Any]()
    for each, scale in progress.over([(a, s) for a in choices(activations) for s in scales], lambda case: f"{case[0].name}, {case[1]:g}×"):
        manual_seed(seed)
        net = network(each, points, layers, width)
        with no_grad():
            for layer in linears(net)[:-1]:
                init.xavier_normal_(layer.weight, gain=scale)
                layer.bias.zero_()
        with watch(net, every=every, histograms=False) as seen:
            run = train(net, points, steps, lr, batch=batch)
        flat = [layer for layer in seen if layer.saturated is not None]
        for i, layer in enumerate(flat, 1):
            at = [s.saturated for s in layer.steps]
            rows.append({"activation": each.name, "scale": scale, "layer": i, "start": at[0], "end": at[-1], "accuracy": run.accuracy if i == 1 else None})
            curves[f"{each.name}/{scale:g}/{i}"] = {"steps": [s.step for s in layer.steps], "saturated": at}
    columns = (Column("activation"), Column("scale", "× Xavier", lambda v: f"{v:g}"), Column("layer"), Column("start", "saturated at first", percent),
               Column("end", "at the end", percent), Column("accuracy", "test accuracy", percent))
    return Result("saturation", saturation.claim, saturation.measures, {}, rows, [Columns(columns)], _draw, curves=curves, size=(10.0, 4.8))


def _draw(figure: Any, result: Result) -> None:
    """A map for each activation and scale: steps across, layers down."""
    names, scales, layers = (list(dict.fromkeys(r[k] for r in result.rows)) for k in ("activation", "scale", "layer"))
    axes = figure.subplots(len(names), len(scales), squeeze=False, sharex=True, sharey=True)
    for row, name in zip(axes, names, strict=True):
        for ax, scale in zip(row, scales, strict=True):
            found = [result.curves[f"{name}/{scale:g}/{i}"] for i in layers if f"{name}/{scale:g}/{i}" in result.curves]
            at = found[0]["steps"]
            width = at[1] - at[0] if len(at) > 1 else 1
            image = ax.imshow([[100 * v for v in f["saturated"]] for f in found], cmap="Oranges", vmin=0, vmax=100, aspect="auto",
                              extent=(at[0] - width / 2, at[-1] + width / 2, len(found) + 0.5, 0.5), interpolation="nearest")
            ax.set_title(f"{name}, {scale:g} × Xavier", fontsize=9)
            ax.set_yticks(range(1, len(found) + 1))
        row[0].set_ylabel("layer")
    for ax in axes[-1]:
        ax.set_xlabel("step")
    figure.colorbar(image, ax=axes, label="saturated, %")
