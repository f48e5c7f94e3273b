"""underflow: gradients too small for float16, and what loss scaling does about it."""

from __future__ import annotations

import math
from typing import Any

from ... import _functions as ops
from ... import dtypes, nn
from ...ops.random import manual_seed
from ...tensor import Tensor
from ..figures import look
from .activation import Choice, choice
from .registry import Progress, experiment
from .result import Column, Columns, Result, percent

NORMAL, SMALLEST = 2.0 ** -14, 2.0 ** -24          # float16's smallest normal number, and its smallest


@experiment("In float16 small gradients become 0; multiplying the loss by a constant, and dividing the gradients by it, saves them.",
            "The weights' gradients of a network in float16 beside those of the same network in float64. Lost: 0 in float16 and not in float64. Subnormal: below "
            "2⁻¹⁴, where digits are missing. Overflow: infinite or NaN. Shares of all the weights that have a gradient in float64.")
def underflow(progress: Progress, depths: tuple[int, ...] = (8, 16, 24, 32), scales: tuple[float, ...] = (1.0, 1024.0, 65536.0, 2.0 ** 20), activation: Any = "tanh",
              width: int = 64, batch: int = 128, seed: int = 0) -> Result:
    """Shares of float16 gradients that are lost, for depths × scales of the loss.

    Args:
        depths: numbers of layers, with PyTorch's initial weights. `scales`: what the loss is multiplied by before backward.
        width, batch: of layers and inputs; the loss is a mean over the batch, so each example's part is small.

    Source: P. Micikevicius et al., Mixed precision training, arXiv:1710.03740.

    >>> result = ta.study.lab.underflow(depths=[6], scales=[1.0, 1024.0], width=16, batch=64)
    >>> result.rows[0]["subnormal"] > result.rows[1]["subnormal"]
    True
    """
    each, rows, curves = choice(activation), list[dict[str, Any]](), dict[str, Any]()
    for depth in progress.over(depths, lambda depth: f"depth {depth}"):
        exact = gradients(each, depth, width, batch, 1.0, seed, "float64")
        nonzero = exact != 0
        total = max(int(nonzero.sum().item()), 1)
        curves[str(depth)] = sorted(float(v) for v in exact[nonzero].abs().log10()[::max(1, total // 400)].tolist())
        for scale in scales:
            g = gradients(each, depth, width, batch, scale, seed, "float16")[nonzero]
            bad = ~ops.isfinite(g)
            lost, small = g == 0, ops.logical_and(g != 0, g.abs() < NORMAL)
            rows.append({"depth": depth, "scale": scale, **{name: int(where.sum().item()) / total for name, where in
                                                            (("lost", lost), ("subnormal", small), ("overflow", bad))}})
    columns = (Column("depth"), Column("scale", "loss scale", lambda v: f"{v:g}" if v < 1e4 else f"2^{math.log2(v):g}"), Column("lost", "lost (0)", percent), Column("subnormal", "", percent),
               Column("overflow", "", percent))
    notes = [f"float16's smallest normal number is 2⁻¹⁴ = {NORMAL:.1e}, its smallest 2⁻²⁴ = {SMALLEST:.1e}, its largest 65,504."]
    return Result("underflow", underflow.claim, underflow.measures, {}, rows, [Columns(columns)], _draw, notes, curves, size=(10.0, 4.0))


def gradients(each: Choice, depth: int, width: int, batch: int, scale: float, seed: int, dtype: str) -> Tensor:
    """All weights' gradients of the scaled loss in one vector, in float64. The weights and inputs are the same in each dtype."""
    manual_seed(seed)
    parts = [m for _ in range(depth) for m in (nn.Linear(width, width), each.make())]
    net = nn.Sequential(*parts, nn.Linear(width, 10)).to("float16").to(dtype)
    x, y = ops.randn(batch, width).half().to(dtype), ops.randint(0, 10, (batch,))
    out = net(x)
    loss = nn.functional.cross_entropy(out.float() if dtype == "float16" else out, y)          # the loss is computed in float32, as is usual
    (loss * scale).backward()
    weights = [m.weight for m in net if isinstance(m, nn.Linear)]
    return ops.cat([w.grad.to(dtypes.float64).reshape(-1) for w in weights])  # type: ignore[union-attr]


def _draw(figure: Any, result: Result) -> None:
    """How large the gradients are, against float16's bounds; what is lost at each scale."""
    left, right = figure.subplots(1, 2)
    for i, (depth, logs) in enumerate(result.curves.items()):
        left.plot(logs, [(k + 1) / len(logs) for k in range(len(logs))], label=f"{depth} layers", **look(i))
    left.axvspan(math.log10(SMALLEST), math.log10(NORMAL), color="#e69f00", alpha=0.2, label="subnormal in float16")
    left.axvline(math.log10(SMALLEST / 2), color="#444444", lw=1, ls="--", label="0 in float16 to the left")
    left.set(xlabel="log10 of the size of a weight's gradient (float64)", ylabel="share that is smaller", ylim=(0, 1))
    scales = list(dict.fromkeys(r["scale"] for r in result.rows))
    for i, depth in enumerate(dict.fromkeys(r["depth"] for r in result.rows)):
        found = [r for r in result.rows if r["depth"] == depth]
        right.plot(scales, [100 * r["lost"] for r in found], marker="o", label=f"{depth} layers", **look(i))
    right.set(xscale="log", xlabel="loss scale", ylabel="lost gradients, %", ylim=(-3, 103))
    for ax in (left, right):
        ax.grid(alpha=0.3)
        ax.legend(fontsize=7)
