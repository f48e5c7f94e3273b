"""learned_slopes: what activations with parameters make of them."""

from __future__ import annotations

from typing import Any

from ...errors import ArgumentError
from ...ops.random import manual_seed
from ..figures import look
from .activation import choices
from .registry import Progress, experiment
from .result import Column, Columns, Result, mean_std, percent
from .training import data_of, network, train


@experiment("An activation that may learn its slope learns another one in each layer.",
            "The parameters of the activations of each hidden layer before and after training (means, where there are several).")
def learned_slopes(progress: Progress, activations: Any = ("prelu", "swish"), data: Any = "digits", layers: int = 4, width: int = 64, steps: int = 300, every: int = 10,
                   batch: int = 64, lr: float = 0.005, seed: int = 0) -> Result:
    """Train activations with parameters, and watch these.

    Args:
        activations: such as have parameters (`learnable` in their record). The rest is as for `compare`.

    >>> result = ta.study.lab.learned_slopes(["prelu"], data="two_moons", layers=2, width=8, steps=3)
    >>> [(row["parameter"], row["start"]) for row in result.rows]
    [('weight', 0.25), ('weight', 0.25)]
    """
    points = data_of(data)
    rows, curves = list[dict[str, Any]](), dict[str, Any]()
    for each in progress.over(choices(activations), lambda c: c.name):
        manual_seed(seed)
        net = network(each, points, layers, width)
        found = {(i, name): p for i, m in enumerate((m for k, m in enumerate(net) if k % 2 and k < 2 * layers), 1) for name, p in m.named_parameters()}
        if not found:
            raise ArgumentError("lab.learned_slopes", f"the activation {each.name!r}", "it has no parameters", 'choose "prelu", "swish" or another that learns')
        seen: dict[tuple[int, str], list[float]] = {key: [] for key in found}

        def note(step: int, found: Any = found, seen: Any = seen) -> None:
            if step % every == 0:
                for key, p in found.items():
                    seen[key].append(float(p.detach().mean().item()))

        run = train(net, points, steps, lr, batch=batch, before_step=note)
        note(0)
        for (layer, name), values in seen.items():
            rows.append({"activation": each.name, "parameter": name, "layer": layer, "start": values[0], "end": values[-1],
                         "accuracy": run.accuracy if layer == 1 else None})
            curves[f"{each.name}/{name}/{layer}"] = values
    columns = (Column("activation"), Column("parameter"), Column("layer"), Column("start", "at first", _number), Column("end", "at the end", _number),
               Column("accuracy", "test accuracy", percent))
    ends = mean_std([abs(r["end"] - r["start"]) for r in rows])
    return Result("learned_slopes", learned_slopes.claim, learned_slopes.measures, {}, rows, [Columns(columns, left=2)], _draw,
                  [f"They moved by {ends[0]:.3f} on average."], curves, size=(9.0, 3.8))


def _number(x: float) -> str:
    return f"{x:.3f}"


def _draw(figure: Any, result: Result) -> None:
    """A panel for each parameter, a line for each layer."""
    panels = list(dict.fromkeys((r["activation"], r["parameter"]) for r in result.rows))
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for ax, (name, parameter) in zip(axes, panels, strict=True):
        for i, row in enumerate(r for r in result.rows if (r["activation"], r["parameter"]) == (name, parameter)):
            values = result.curves[f"{name}/{parameter}/{row['layer']}"]
            ax.plot([k * result.settings["every"] for k in range(len(values))], values, label=f"layer {row['layer']}", **look(i))
        ax.set(title=f"{name}: {parameter}", xlabel="step")
        ax.grid(alpha=0.3)
        ax.legend(fontsize=7)
