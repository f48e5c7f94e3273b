"""dead_units: how many units a learning rate or a bias kills."""

from __future__ import annotations

import math
from typing import Any

from ...grad_mode import no_grad
from ...ops.random import manual_seed
from .activation import choices
from .registry import Progress, experiment
from .result import Column, Columns, Result, percent, power
from .training import data_of, dead_share, kaiming, linears, network, train


@experiment("A high learning rate or a low bias kills ReLU's units; only a slope all the way to the left, as leaky ReLU's, rules that out.",
            "A unit is dead where its slope is 0 on every training example, so that no gradient reaches its weights. Measured: the share of hidden units that are "
            "dead before and after training by SGD, and the share of test data that is right.")
def dead_units(progress: Progress, activations: Any = ("relu", "leaky_relu", "elu", "gelu"), rates: tuple[float, ...] = (0.1, 0.5, 2.0),
               biases: tuple[float, ...] = (0.0, -1.0, -2.0), data: Any = "digits", layers: int = 2, width: int = 64, steps: int = 100,
               batch: int = 64, seed: int = 0) -> Result:
    """Dead units for activations × learning rates × initial biases of the hidden layers.

    Args:
        rates: of plain SGD. `biases`: what all hidden biases begin with; weights are Kaiming's, with the activation's gain.
        data: as for `compare`; `steps` batches are trained on, all training data decide who is dead.

    >>> result = ta.study.lab.dead_units(["relu", "leaky_relu"], rates=[0.1], biases=[-9.0], data="two_moons", steps=2)
    >>> [(row["activation"], row["dead_before"]) for row in result.rows]
    [('relu', 1.0), ('leaky_relu', 0.0)]
    """
    points = data_of(data)
    rows = []
    cases = [(a, rate, bias) for a in choices(activations) for bias in biases for rate in rates]
    for each, rate, bias in progress.over(cases, lambda case: f"{case[0].name}, rate {case[1]:g}, bias {case[2]:g}"):
        manual_seed(seed)
        net = network(each, points, layers, width)
        kaiming(net, each)
        with no_grad():
            for layer in linears(net)[:-1]:
                layer.bias.fill_(bias)
        before = dead_share(net, points.x)
        run = train(net, points, steps, rate, batch=batch, adam=False)
        diverged = run.loss != run.loss or len(run.losses) < steps
        rows.append({"activation": each.name, "rate": rate, "bias": bias, "dead_before": before,
                     "dead_after": math.nan if diverged else dead_share(net, points.x), "loss": run.loss, "accuracy": run.accuracy, "diverged": diverged})
    columns = (Column("activation"), Column("bias", "first bias", power), Column("rate", "learning rate", power), Column("dead_before", "dead before", percent),
               Column("dead_after", "dead after", percent), Column("accuracy", "test accuracy", percent))
    return Result("dead_units", dead_units.claim, dead_units.measures, {}, rows, [Columns(columns)], _draw, _notes(rows), size=(10.0, 3.4))


def _notes(rows: list[dict[str, Any]]) -> list[str]:
    ended = [r for r in rows if not r["diverged"]]
    worst = max(ended, key=lambda r: r["dead_after"], default=None)
    notes = [f"Most die under {worst['activation']} at rate {worst['rate']:g} with biases of {worst['bias']:g}: {worst['dead_after']:.0%}."] if worst else []
    lost = [f"{r['activation']} at rate {r['rate']:g} with biases of {r['bias']:g}" for r in rows if r["diverged"]]
    return notes + ([f"Diverged, so that slopes are no numbers any more: {', '.join(lost)}."] if lost else [])


def _draw(figure: Any, result: Result) -> None:
    """A map for each activation: rates across, biases down, the share that is dead in each field."""
    names = list(dict.fromkeys(r["activation"] for r in result.rows))
    rates, biases = (list(dict.fromkeys(r[k] for r in result.rows)) for k in ("rate", "bias"))
    axes = figure.subplots(1, len(names), squeeze=False, sharey=True)[0]
    for ax, name in zip(axes, names, strict=True):
        found = {(r["bias"], r["rate"]): r["dead_after"] for r in result.rows if r["activation"] == name}
        image = ax.imshow([[100 * found[b, r] for r in rates] for b in biases], cmap="Oranges", vmin=0, vmax=100, aspect="auto")
        for i, b in enumerate(biases):
            for j, r in enumerate(rates):
                ax.text(j, i, "–" if math.isnan(found[b, r]) else f"{found[b, r]:.0%}", ha="center", va="center", color="white" if found[b, r] > 0.6 else "black", fontsize=9)
        ax.set_xticks(range(len(rates)), [f"{r:g}" for r in rates])
        ax.set_yticks(range(len(biases)), [f"{b:g}" for b in biases])
        ax.set(title=name, xlabel="learning rate")
    axes[0].set_ylabel("first bias")
    figure.colorbar(image, ax=axes, label="dead after training, %")
