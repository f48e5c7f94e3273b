"""Signals and gradients in a network of infinite width with random weights (Poole et al. 2016, Schoenholz et al. 2017).

Weights of variance w/n and biases of variance b make every preactivation normal with variance q, which goes from layer to layer as

    q' = w E[f(√q z)²] + b,

and the mean square of the gradient of the preactivations, on its way back, is multiplied at each layer by

    χ = w E[f'(√q z)²].

The expectations over standard normal z are computed by Gauss and Legendre's rule in panels that end at the kinks of f and are fine
where f, stretched by √q, is; the factor a layer for the gradient's norm is √χ.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ... import _functions as ops
from ... import dtypes
from ...graph import grad
from ...nn.gain import EDGE, legendre
from ...tensor import Tensor

PANEL, ORDER = 0.5, 12
FINE = tuple(s * 2.0 ** k for s in (-1, 1) for k in range(-3, 6))        # in f's own units: where an activation bends
HUGE = 1e200                                                              # a variance past which nothing is computed any more


@dataclass(frozen=True)
class Unit:
    """An activation of one number: the function, and where it has kinks."""

    name: str
    function: Callable[[Tensor], Tensor]
    kinks: tuple[float, ...] = ()


def normal_rule(ends: Iterable[float]) -> tuple[Tensor, Tensor]:
    """Points and weights for the mean over the normal distribution, in panels that also end at `ends`."""
    regular = (-EDGE + PANEL * i for i in range(int(2 * EDGE / PANEL) + 1))
    border = ops.tensor(sorted({*regular, *(e for e in ends if -EDGE < e < EDGE)}), dtype=dtypes.float64, device="cpu")
    low, high = border[:-1].reshape(-1, 1), border[1:].reshape(-1, 1)
    places, shares = (ops.tensor(column, dtype=dtypes.float64, device="cpu") for column in zip(*legendre(ORDER), strict=True))
    points = (low + high) / 2 + (high - low) / 2 * places
    weights = (high - low) / 2 * shares * (-points * points / 2).exp() / math.sqrt(2 * math.pi)
    return points.reshape(-1), weights.reshape(-1)


@functools.lru_cache(4096)
def moments(unit: Unit, q: float) -> tuple[float, float]:
    """(E[f(√q z)²], E[f'(√q z)²]).

    >>> relu = Unit("relu", ta.relu, (0.0,))
    >>> [round(m, 12) for m in moments(relu, 3.0)]
    [1.5, 0.5]
    """
    scale = math.sqrt(q)
    points, weights = normal_rule([0.0, *(k / scale for k in (*unit.kinks, *FINE))] if scale else [0.0])
    x = (points * scale).reshape(-1, 1).requires_grad_()
    y = unit.function(x)
    (slope,) = grad(y.sum(), x)
    assert slope is not None
    return tuple(float(((v.detach().reshape(-1) ** 2) * weights).sum().item()) for v in (y, slope))  # type: ignore[return-value]


@dataclass(frozen=True)
class Path:
    """The variance q of the preactivations at each layer, and χ of the activation behind each."""

    variances: tuple[float, ...]
    chis: tuple[float, ...]

    def factor(self) -> float:
        """The geometric mean over the layers of what the gradient's norm is multiplied by: of √χ, but the last one's."""
        chis = self.chis[:-1]
        if not all(math.isfinite(c) and c > 0 for c in chis):
            return 0.0 if all(math.isfinite(c) for c in chis) else math.nan
        return math.exp(sum(map(math.log, chis)) / (2 * len(chis)))


def path(unit: Unit, weight: float, bias: float, depth: int, start: float = 1.0) -> Path:
    """Of `depth` layers, the first of which has inputs of mean square `start`.

    >>> [round(chi, 9) for chi in path(Unit("relu", ta.relu, (0.0,)), 2.0, 0.0, 4).chis]
    [1.0, 1.0, 1.0, 1.0]
    """
    q, variances, chis = weight * start + bias, list[float](), list[float]()
    for _ in range(depth):
        if not q < HUGE:
            square, slope = math.inf, math.nan
        elif variances and q and abs(q - variances[-1]) < 1e-13 * q:
            square, slope = (variances[-1] - bias) / weight, chis[-1] / weight
        else:
            square, slope = moments(unit, q)
        variances.append(q)
        chis.append(weight * slope)
        q = weight * square + bias
    return Path(tuple(variances), tuple(chis))


@functools.lru_cache(4096)
def fixed_point(unit: Unit, weight: float, bias: float, start: float = 1.0) -> tuple[float, float]:
    """(q*, χ*): the nearest variance that a layer leaves as it is, on the side to which the first layer moves it.

    (0, χ at almost 0) where there is none down to 1e-12, so the signal dies; (inf, NaN) where there is none up to 1e12: it explodes.

    >>> q, chi = fixed_point(Unit("tanh", ta.tanh), 1.5**2, 0.05)
    >>> round(q, 4), round(chi, 4)
    (0.8894, 1.0923)
    """
    def change(q: float) -> float:
        return weight * moments(unit, q)[0] + bias - q

    q = weight * start + bias
    first = change(q)
    if abs(first) < 1e-12 * q:
        return q, weight * moments(unit, q)[1]
    step, near = (4.0 if first > 0 else 0.25), q
    while 1e-12 < q < 1e12:
        near, q = q, q * step
        if change(q) * first <= 0:
            break
    else:
        return (math.inf, math.nan) if first > 0 else (0.0, weight * moments(unit, q)[1])
    for _ in range(50):
        middle = math.sqrt(near * q)
        if change(middle) * first > 0:
            near = middle
        else:
            q = middle
        if abs(q - near) < 1e-12 * q:
            break
    return q, weight * moments(unit, q)[1]
