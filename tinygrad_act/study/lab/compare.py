"""compare: the same network trained with each activation."""

from __future__ import annotations

from typing import Any

from ...errors import ArgumentError
from ..figures import look
from .activation import Choice, choice, choices
from .registry import Progress, experiment
from .result import Column, Columns, Result, mean_std, percent_spread, spread
from .training import data_of, kaiming, network, over_seeds, smooth, step_seconds


@experiment("Which activation a small network has makes less difference than texts make of it; sigmoid is the one that learns slowly.",
            "The same network, data, order of batches and settings for each activation: the loss on the training data, the share of test data that is right, both "
            "mean ± standard deviation over seeds, and the time of a step relative to ReLU's.")
def compare(progress: Progress, activations: Any = ("relu", "leaky_relu", "elu", "gelu", "silu", "tanh", "sigmoid"), data: Any = "digits", layers: int = 3,
            width: int = 64, epochs: int = 8, batch: int = 64, lr: float = 0.002, seeds: int = 3, initialisation: str = "default", seed: int = 0) -> Result:
    """Train the same network with each activation.

    Args:
        activations: names of the catalogue, functions of a tensor, modules or their classes, or {name: any of them}.
        data: "digits", "two_moons", "spirals", or (inputs, classes), of which every fifth is tested on.
        layers, width: of hidden layers. `epochs` of Adam at rate `lr`, in batches of `batch`.
        seeds: how many trainings of each; weights and batches of a seed are the same for all activations.
        initialisation: "default", or "kaiming" for weights with the activation's gain.

    >>> result = ta.study.lab.compare(["relu", ta.sin], data="two_moons", epochs=1, seeds=1, width=8)
    >>> [row["activation"] for row in result.rows]
    ['relu', 'sin']
    """
    if initialisation not in ("default", "kaiming"):
        raise ArgumentError("lab.compare", f"initialisation={initialisation!r}", "it is default or kaiming")
    given = choices(activations)
    reference = choice("relu")
    timed = given if any(c.record is reference.record for c in given) else [*given, reference]
    points = data_of(data)

    def made(each: Choice) -> Any:
        net = network(each, points, layers, width)
        if initialisation == "kaiming":
            kaiming(net, each)
        return net

    runs = over_seeds(progress, given, points, made, epochs=epochs, batch=batch, lr=lr, seeds=seeds, seed=seed)
    seconds = step_seconds([network(c, points, layers, width) for c in timed], points, batch)
    base = min(s for c, s in zip(timed, seconds, strict=True) if c.record is reference.record)
    rows: list[dict[str, Any]] = [
        {"activation": c.name, "loss": mean_std([t.loss for t in runs[c.name]]), "accuracy": mean_std([t.accuracy for t in runs[c.name]]), "time": s / base}
        for c, s in zip(given, seconds, strict=False)]
    curves = {c.name: [smooth(t.losses) for t in runs[c.name]] for c in given}
    columns = (Column("activation"), Column("loss", "", spread), Column("accuracy", "", percent_spread), Column("time", "time / ReLU", lambda v: f"{v:.2f}"))
    best = max(rows, key=lambda r: r["accuracy"][0])
    level = [r["activation"] for r in rows if r is not best and r["accuracy"][0] + r["accuracy"][1] >= best["accuracy"][0] - best["accuracy"][1]]
    notes = [f"Best: {best['activation']}. Its mean ± standard deviation overlaps with that of {', '.join(level) or 'no other'}." if seeds > 1 else "One seed says little: seeds=3 shows the spread."]
    return Result("compare", compare.claim, compare.measures, {}, rows, [Columns(columns)], _draw, notes, curves, size=(10.0, 4.2))


def _draw(figure: Any, result: Result) -> None:
    """Loss curves with their range over the seeds; accuracy with its deviation."""
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    for i, row in enumerate(result.rows):
        runs = result.curves[row["activation"]]
        length = min(map(len, runs))
        mean = [sum(r[k] for r in runs) / len(runs) for k in range(length)]
        left.plot(mean, label=row["activation"], lw=1.5, **look(i))
        left.fill_between(range(length), [min(r[k] for r in runs) for k in range(length)], [max(r[k] for r in runs) for k in range(length)],
                          color=look(i)["color"], alpha=0.12, lw=0)
        right.errorbar(100 * row["accuracy"][0], i, xerr=100 * row["accuracy"][1], fmt="o", capsize=3, color=look(i)["color"])
    left.set(yscale="log", xlabel="step", ylabel="training loss (mean of 10 steps)")
    left.grid(alpha=0.3)
    left.legend(fontsize=7)
    right.set_yticks(range(len(result.rows)), [r["activation"] for r in result.rows], fontsize=8)
    right.invert_yaxis()
    right.set(xlabel="test accuracy in %, mean ± standard deviation")
    right.grid(alpha=0.3)
