"""gradient_depth: how the gradient's norm goes with depth, for each activation and initialisation, beside mean-field theory."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ... import _functions as ops
from ... import dtypes, nn
from ...errors import ArgumentError
from ...grad_mode import no_grad
from ...graph import grad
from ...nn import init
from ...tensor import Tensor
from ..figures import look
from .activation import numbers, unit
from .registry import Progress, experiment
from .result import Column, Columns, Result, factor, power
from .theory import Unit, fixed_point, moments, path

Fill = Callable[[Tensor, Tensor], object]


class Scheme(NamedTuple):
    """An initialisation: fills (weight, bias); n times the weights' variance and the biases' variance by theory; does it take the gain?"""

    fill: Fill
    weight: float
    bias: Callable[[int], float]
    gain: bool = False


def _default(weight: Tensor, bias: Tensor) -> None:
    layer = nn.Linear(weight.shape[1], weight.shape[0], dtype=weight.dtype)
    weight.copy_(layer.weight)
    bias.copy_(layer.bias)


SCHEMES: dict[str, Scheme] = {
    "xavier": Scheme(lambda w, b: (init.xavier_uniform_(w), b.zero_()), 1.0, lambda n: 0.0),
    "lecun": Scheme(lambda w, b: (init.normal_(w, std=1 / math.sqrt(w.shape[1])), b.zero_()), 1.0, lambda n: 0.0),
    "orthogonal": Scheme(lambda w, b: (init.orthogonal_(w), b.zero_()), 1.0, lambda n: 0.0),
    "kaiming": Scheme(lambda w, b: (init.kaiming_normal_(w, nonlinearity="linear"), b.zero_()), 1.0, lambda n: 0.0, gain=True),
    "default": Scheme(_default, 1 / 3, lambda n: 1 / (3 * n)),
}
TITLES = {"xavier": "Xavier, uniform: n·Var(w) = 1", "lecun": "LeCun, normal: n·Var(w) = 1", "orthogonal": "orthogonal: n·Var(w) = 1",
          "kaiming": "Kaiming, normal: n·Var(w) = gain² = 1/E[f(z)²]", "default": "PyTorch's default: n·Var(w) = 1/3, biases of variance 1/(3n)"}
TINY = 1e-300                             # a mean square that no gain makes 1
DRAWN = ("sigmoid", "tanh", "relu", "gelu")


def gain_of(each: Unit) -> float:
    """1/√E[f(z)²], which keeps the mean square of signals; NaN for an activation that is 0 nearly everywhere."""
    square = moments(each, 1.0)[0]
    return 1 / math.sqrt(square) if square > TINY else math.nan


@experiment("Gradients vanish with depth under sigmoid, and keep their size under ReLU with Kaiming's weights.",
            "The norm of the gradient of a layer's preactivations is multiplied by about the same factor at each layer on its way back. Measured: the "
            "geometric mean of that factor over the layers and nets. Theory: √χ, χ = n·Var(w)·E[f'(z)²], of infinitely wide nets.")
def gradient_depth(progress: Progress, activations: Sequence[str] = (), initialisations: Sequence[str] | tuple[str, ...] = tuple(SCHEMES), depth: int = 20,
                   width: int = 128, batch: int = 8, nets: int = 3, seed: int = 0) -> Result:
    """The factor per layer of the gradient's norm, for activations × initialisations.

    Args:
        activations: as for `compare`, of one number; by default all of the catalogue that are.
        initialisations: of "xavier" (uniform), "lecun" (normal, variance 1/n), "orthogonal", "kaiming" (normal, with the gain
            1/√E[f²] of the activation), "default" (nn.Linear's own, as PyTorch's). The first three have the same variance and so
            the same theory where layers are square, as here.
        depth, width: layers, and units in each. `batch` inputs are standard normal; a random gradient is sent back from the top.
        nets: how many are drawn; the figure after ± is over these.

    Computed in float64, so that nothing underflows. Source: B. Poole et al., arXiv:1606.05340; S. Schoenholz et al., arXiv:1611.01232.

    >>> result = ta.study.lab.gradient_depth(["sigmoid", "relu"], ["kaiming"], depth=6, width=64, nets=1)
    >>> [(row["activation"], round(row["theory"], 2)) for row in result.rows]
    [('sigmoid', 0.37), ('relu', 1.0)]
    """
    names = [unit(name) for name in ([activations] if isinstance(activations, str) or callable(activations) else activations or numbers())]
    for scheme in initialisations:
        if scheme not in SCHEMES:
            raise ArgumentError("lab.gradient_depth", f"the initialisation {scheme!r}", "there is none of that name", f"choose from {', '.join(SCHEMES)}")
    drawn = {name: [draw_net(SCHEMES[name], depth, width) for _ in range(nets)] for name in initialisations}
    x = ops.randn(batch, width, dtype=dtypes.float64)
    up = ops.randn(batch, width, dtype=dtypes.float64)
    rows, curves = list[dict[str, Any]](), dict[str, Any]()
    for each in progress.over(names, lambda u: u.name):
        for name in initialisations:
            row, curve = measured(each, name, drawn[name], x, up)
            rows.append(row)
            curves[f"{each.name}/{name}"] = curve
    return Result("gradient_depth", gradient_depth.claim, gradient_depth.measures, {}, rows, _tables(initialisations), _draw, _notes(rows, depth), curves,
                  size=(10.0, 4.4))


@no_grad()
def draw_net(scheme: Scheme, depth: int, width: int) -> list[tuple[Tensor, Tensor]]:
    """Weights and biases of all layers, before the gain."""
    layers = [(ops.empty(width, width, dtype=dtypes.float64), ops.empty(width, dtype=dtypes.float64)) for _ in range(depth)]
    for weight, bias in layers:
        scheme.fill(weight, bias)
    return layers


def measured(each: Unit, name: str, nets: list[list[tuple[Tensor, Tensor]]], x: Tensor, up: Tensor) -> tuple[dict[str, Any], dict[str, Any]]:
    """A row of figures, and the norms at each layer."""
    scheme, width = SCHEMES[name], x.shape[1]
    gain = gain_of(each) if scheme.gain else 1.0
    weight, bias = scheme.weight * gain * gain, scheme.bias(width)
    found_in = [norms_of(each, net, gain, x, up) for net in nets]
    norms, last = [n for n, _ in found_in], [v for _, v in found_in]
    depth = len(nets[0])
    logs = [math.log(n[0] / n[-1]) / (depth - 1) if n[0] > 0 and math.isfinite(n[0]) and n[-1] else math.nan for n in norms]
    mean = math.fsum(logs) / len(logs)
    deviation = math.sqrt(math.fsum((v - mean) ** 2 for v in logs) / max(len(logs) - 1, 1))
    start = float((x * x).mean().item())
    there = path(each, weight, bias, depth, start) if math.isfinite(gain) else None
    q, chi = fixed_point(each, weight, bias, start) if there else (math.nan, math.nan)
    found = math.exp(mean) if math.isfinite(mean) else 0.0 if all(n[0] == 0 for n in norms) else math.nan
    row = {"activation": each.name, "initialisation": name, "gain": gain, "factor": found, "deviation": found * deviation,
           "theory": there.factor() if there else math.nan, "through": found ** (depth - 1),
           "variance": math.fsum(last) / len(last), "variance_theory": there.variances[-1] if there else math.nan, "fixed_point": q, "chi": chi}
    theory = _predicted(there.chis, norms) if there else []
    return row, {"norms": [math.exp(sum(map(_log, at)) / len(norms)) for at in zip(*norms, strict=True)], "theory": theory}


def _log(x: float) -> float:
    return math.log(x) if x > 0 else -800.0


def _predicted(chis: Sequence[float], norms: Sequence[Sequence[float]]) -> list[float]:
    """The norm at each layer by theory, from that at the last."""
    found = [math.exp(sum(_log(n[-1]) for n in norms) / len(norms))]
    for chi in reversed(chis[:-1]):
        found.append(found[-1] * math.sqrt(chi) if chi >= 0 else math.nan)
    return found[::-1]


def norms_of(each: Unit, net: Sequence[tuple[Tensor, Tensor]], gain: float, x: Tensor, up: Tensor) -> tuple[list[float], float]:
    """The norm (root mean square) of the gradient of each layer's preactivations, the first layer first; the last ones' mean square."""
    zs, a = list[Tensor](), x
    for weight, bias in net:
        z = a @ (weight * gain).T + bias
        zs.append(z if z.requires_grad else z.requires_grad_())
        a = each.function(z)
    found = grad(zs[-1], zs[:-1], up)
    last = float((zs[-1].detach() ** 2).mean().item())
    return [float(((g * g).mean().sqrt()).item()) if g is not None else 0.0 for g in (*found, up)], last


# ---------------------------------------------------------------------------------------------------------- shown
def _tables(schemes: Sequence[str]) -> list[Columns]:
    return [Columns((Column("activation"), Column("factor", "", factor), Column("theory", "", factor),
                     Column("through", "through", power), Column("variance", "variance", power), Column("variance_theory", "theory", power),
                     Column("fixed_point", "q*", power)), TITLES[name], rows=_of(name)) for name in schemes]


def _of(scheme: str) -> Callable[[Mapping[str, Any]], bool]:
    return lambda row: row["initialisation"] == scheme


def _notes(rows: list[dict[str, Any]], depth: int) -> list[str]:
    known = [r for r in rows if r["theory"] > 0 and r["factor"] > 0 and math.isfinite(r["theory"]) and math.isfinite(r["factor"])]
    apart = sorted(abs(r["factor"] / r["theory"] - 1) for r in known)
    notes = [f"Factor: a layer's. Through: what is left of the gradient after {depth - 1} layers. Variance: of the last layer's preactivations; q* is what the layers tend "
             "to (0: the signal dies, inf: it explodes)."]
    if apart:
        notes.append(f"Measured and theory differ by {apart[len(apart) // 2]:.1%} (median of {len(apart)}; at most {apart[-1]:.1%}): theory is of infinite width. "
                     "A variance is a product of random factors over all layers, so that of a single net may be off by half.")
    return notes


def _draw(figure: Any, result: Result) -> None:
    """On the left the norms against the layer, of a few; on the right measured against theory, of all."""
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    names = list(dict.fromkeys(r["activation"] for r in result.rows))
    schemes = list(dict.fromkeys(r["initialisation"] for r in result.rows))
    scheme = "kaiming" if "kaiming" in schemes else schemes[0]
    shown = [n for n in DRAWN if n in names] or names[:6]
    for i, name in enumerate(shown):
        for other in dict.fromkeys((scheme, "default" if "default" in schemes else schemes[-1])):
            curve = result.curves[f"{name}/{other}"]
            at = range(1, len(curve["norms"]) + 1)
            style = {"color": look(i)["color"]}
            left.plot(at, curve["norms"], "o" if other == scheme else "s", ms=3, fillstyle="full" if other == scheme else "none",
                      label=f"{name}, {other}", **style)
            left.plot(at, curve["theory"], "-" if other == scheme else "--", lw=1, **style)
    left.set(yscale="log", xlabel="layer (the gradient comes from the right)", ylabel="gradient norm", title="lines: theory, marks: measured")
    left.xaxis.get_major_locator().set_params(integer=True)
    left.legend(fontsize=7, ncol=2)
    left.grid(alpha=0.3)
    for i, other in enumerate(schemes):
        points = [(r["theory"], r["factor"]) for r in result.rows if r["initialisation"] == other and r["factor"] > 0 and r["theory"] > 0]
        if points:
            right.plot(*zip(*points, strict=True), "osv^D"[i % 5], ms=4, label=other, alpha=0.8, color=look(i)["color"], fillstyle="none")
    right.axline((1, 1), slope=1, color="#999999", lw=0.8)
    right.set(xscale="log", yscale="log", xlabel="factor a layer by theory", ylabel="measured", title=f"{len(names)} activations")
    right.legend(fontsize=7)
    right.grid(alpha=0.3)
