"""calculate_gain: what to multiply the deviation of weights by, so that an activation keeps the scale of signals.

Two readings stand side by side. PyTorch's is a table. The other is computed, for every activation of the catalogue: with
z from the standard normal distribution the gain is 1 / √E[f(z)²]: gain · f(z) then has the second moment 1, and so have the sums
that a layer of weights of deviation gain / √fan_in makes of f(z), which are the next layer's z. PyTorch's entries for relu (√2) and leaky_relu are that formula; those for tanh (5/3, where
the formula says 1.5925), sigmoid (1; 1.8463) and selu (3/4; 1) are not.

The conventions where f is no function of one number: of an activation that works across an axis (softmax, maxout) the axis
has two elements, and the moment is the mean over the result's; of a gated one (glu) the two halves are independent; what is
learned has its initial value, rrelu its mean slope, gumbel_softmax no noise, and Meta-ACON a network of zeros, which makes beta 1/2.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from typing import Any

from .. import _functions as ops
from .. import dtypes
from ..activations import catalogue, gated
from ..activations.names import named
from ..activations.record import Activation
from ..errors import ArgumentError
from ..grad_mode import no_grad
from ..tensor import Tensor

TABLE = {"linear": 1, "identity": 1, "sigmoid": 1, "tanh": 5 / 3, "relu": math.sqrt(2), "selu": 3 / 4,
         **{f"conv{kind}{n}d": 1 for kind in ("", "_transpose") for n in (1, 2, 3)}}
EDGE = 14.0                               # beyond, what is left of the normal distribution is below 1e-43
PANEL, ORDER = 0.5, 12                    # Gauss and Legendre's rule on each panel: f may have kinks between panels only


def calculate_gain(nonlinearity: str, param: float | None = None, *, computed: bool = False) -> float:
    """What to multiply the deviation 1/√fan_in of weights by, so that this nonlinearity keeps the scale of signals.

    For the names that PyTorch has ("linear", "conv2d", "sigmoid", "tanh", "relu", "leaky_relu", "selu") it is PyTorch's number,
    unless `computed`. For all else in `ta.activations.catalogue` (by its name there, PyTorch's, or its class's) it is
    1 / √E[f(z)²] for standard normal z, which keeps the second moment of signals at 1 from layer to layer. Of an activation
    across an axis, that axis has two elements; learned parameters have their initial values; see the module's documentation.
    Computed to 1e-9, once.

    Args:
        param: leaky_relu's slope (default 0.01), or the first setting or parameter of another activation, if it has one.
        computed: the formula's number also where PyTorch has another (tanh, sigmoid, selu).

    Raises: ArgumentError for a name or a param that is none, or an activation that is 0 nearly everywhere.

    >>> calculate_gain("tanh"), round(calculate_gain("tanh", computed=True), 6)
    (1.6666666666666667, 1.592537)
    >>> round(calculate_gain("gelu"), 6), round(calculate_gain("elu", 0.5), 6)
    (1.53353, 1.365595)
    """
    if not isinstance(nonlinearity, str):
        raise ArgumentError("calculate_gain", repr(nonlinearity), "it is a name", 'write "relu"')
    if param is not None and (isinstance(param, bool) or not isinstance(param, (int, float))):
        raise ArgumentError("calculate_gain", f"param={param!r}", "it is a number")
    if nonlinearity == "leaky_relu":
        return math.sqrt(2 / (1 + (0.01 if param is None else param) ** 2))
    if nonlinearity in TABLE and not computed:
        return TABLE[nonlinearity]
    if nonlinearity == "identity" or (nonlinearity.startswith("conv") and nonlinearity in TABLE):
        return 1.0
    return _computed(named(nonlinearity, "calculate_gain").name, param)


@functools.cache
def _computed(name: str, param: float | None) -> float:
    moment = _moment(catalogue[name], param)
    if not (math.isfinite(moment) and moment > 1e-300):
        raise ArgumentError("calculate_gain", f"{name!r} with param={param}", f"the mean of its square is {moment}: no gain keeps the scale",
                            "choose another param")
    return 1 / math.sqrt(moment)


@no_grad()
def _moment(record: Activation, param: float | None) -> float:
    """E[f(z)²], the mean over the elements of the result."""
    inputs, settings, kinks = _settings(record, param)
    if record.forward.__module__ == gated.__name__:              # linear in a, whose square is 1 in the mean
        points, weights = _rule(EDGE, (-1.0, 0.0, 1.0))
        z = ops.stack((ops.ones_like(points), points), -1)
    elif record.axis and record.name not in ("crelu", "meta_acon"):
        z, weights = _pairs()
    else:
        points, weights = _rule(EDGE, kinks)
        z = points if record.op.elementwise else points.reshape(-1, 1)
    y = record.op(z, *inputs, **settings)
    squares = (y * y).reshape(weights.shape[0], -1).mean(1)
    return float((squares * weights).sum().item())


def _settings(record: Activation, param: float | None) -> tuple[list[Tensor], dict[str, Any], Sequence[float]]:
    """The inputs after the first, the settings, and the kinks; `param` is the first of the settings, or else of the inputs."""
    initial = dict(record.initial)
    if record.name == "meta_acon":
        initial |= {"w1": ((0.0,),), "b1": (0.0,), "w2": ((0.0,),), "b2": (0.0,)}
    settings: dict[str, Any] = {k: v for k, v in record.settings.items() if k != "dim"}
    if param is not None:
        first = next((k for k, v in (*settings.items(), *initial.items()) if isinstance(v, (int, float)) and not isinstance(v, bool)), None)
        if first is None or record.axis:
            raise ArgumentError("calculate_gain", f"param={param} for {record.name!r}", "it has no setting to take it", "leave it out")
        (settings if first in settings else initial)[first] = float(param)
    kinks = [k for k in record.kinks(**{**settings, **initial}) if -EDGE < k < EDGE]
    return [_tensor(v) for v in initial.values()], settings, kinks


def _tensor(values: Any) -> Tensor:
    return ops.tensor(values, dtype=dtypes.float64, device="cpu")


# ------------------------------------------------------------------------------------------------------ quadrature
@functools.cache
def legendre(n: int) -> list[tuple[float, float]]:
    """(point, weight) of Gauss and Legendre's rule on [-1, 1]: the roots of P_n by Newton's method."""
    rule = []
    for i in range(n):
        x = math.cos(math.pi * (i + 0.75) / (n + 0.5))
        for _ in range(8):
            before, p = 1.0, x
            for k in range(2, n + 1):
                before, p = p, ((2 * k - 1) * x * p - (k - 1) * before) / k
            slope = n * (x * p - before) / (x * x - 1)
            x -= p / slope
        rule.append((x, 2 / ((1 - x * x) * slope * slope)))
    return rule


def _normal_rule(edge: float, kinks: Sequence[float]) -> list[tuple[float, float]]:
    """Points in [-edge, edge] and what they weigh under the normal distribution, in panels that end at the kinks."""
    panels = int(2 * edge / PANEL)
    ends = sorted({-edge + PANEL * i for i in range(panels + 1)} | set(kinks))
    points = []
    for low, high in itertools.pairwise(ends):
        half, middle = (high - low) / 2, (high + low) / 2
        for x, w in legendre(ORDER):
            z = middle + half * x
            points.append((z, half * w * math.exp(-z * z / 2) / math.sqrt(2 * math.pi)))
    return points


def _rule(edge: float, kinks: Sequence[float]) -> tuple[Tensor, Tensor]:
    points, weights = zip(*_normal_rule(edge, kinks), strict=True)
    return _tensor(points), _tensor(weights)


@functools.cache
def _pairs() -> tuple[Tensor, Tensor]:
    """Pairs of independent numbers: in the directions of their difference, with the kinks of sparsemax and entmax15, and sum."""
    u, wu = _rule(9.0, (0.0, *(s * d / math.sqrt(2) for d in (1, 2) for s in (-1, 1))))
    v, wv = _rule(9.0, ())
    u, v = u.reshape(-1, 1), v.reshape(1, -1)
    z = ops.stack(((v + u) / math.sqrt(2), (v - u) / math.sqrt(2)), -1).reshape(-1, 2)
    return z, (wu.reshape(-1, 1) * wv.reshape(1, -1)).reshape(-1)
