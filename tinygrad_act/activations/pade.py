"""Padé activation units: a learned quotient of polynomials.

With |x| > 1 the powers would overflow long before their quotient does. So the polynomials are evaluated at u = x / m and
w = 1 / m with m = max(|x|, 1): P(x) = m^5 p, with p = Σ a_j u^j w^(5-j), likewise Q(x) = m^4 q, and y = m p / q.
"""

from __future__ import annotations

import functools
from math import inf
from typing import Any

from .. import dtypes
from ..ops.reduce import wide
from .record import activation

# name: (numerator a0 .. a5, denominator b1 .. b4), made by `python -m tests.activations.fit_pade`. None of these
# denominators changes its sign, so the unit starts out smooth.
STARTS: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "leaky_relu": ((0.03753662109375, 0.5050048828125, 1.51129150390625, 1.7177581787109375, 0.7579803466796875,
                    0.1194915771484375), (0.0, 3.4015045166015625, 0.0, 0.2366180419921875)),
    "relu": ((0.0379180908203125, 0.5, 1.5265655517578125, 1.70074462890625, 0.7656402587890625, 0.118316650390625),
             (0.0, 3.4015045166015625, 0.0, 0.2366180419921875)),
    "gelu": ((-0.0035400390625, 0.5, 0.419647216796875, 0.1255035400390625, 0.0157470703125, 0.000701904296875),
             (0.0, 0.251007080078125, 0.0, 0.0013885498046875)),
    "tanh": ((0.0, 1.0, 0.0, 0.1077117919921875, 0.0, 0.0008697509765625),
             (0.0, 0.441009521484375, 0.0, 0.0145721435546875)),
}


def wide_joint(rule: Any) -> Any:
    """A joint rule that reads all inputs, with halves computed in float32; each gradient has its input's dtype."""
    @functools.wraps(rule)
    def run(F: Any, g: Any, *inputs: Any, **settings: Any) -> Any:
        if not any(dtypes.is_half(v.dtype) for v in inputs):
            return rule(F, g, *inputs, **settings)
        wider = [F.cast(v, dtypes.float32) if dtypes.is_half(v.dtype) else v for v in (g, *inputs)]
        return [F.cast(d, v.dtype) for d, v in zip(rule(F, *wider, **settings), inputs, strict=True)]
    return run


class Parts:
    """What value and derivatives are made of, at u and w."""

    def __init__(self, F: Any, x: Any, numerator: Any, denominator: Any) -> None:
        far = F.abs(x) > 1
        self.m = F.where(far, F.abs(x), 1.0)
        self.u, self.w = F.where(far, F.sign(x), x), 1 / self.m
        self.a, self.b = _rows(F, numerator, x), _rows(F, denominator, x)
        self.p = self._sum(self.a)
        self.s = self._sum(self.b) * self.u                   # b starts with the power 1
        self.sign = F.where(self.s >= 0, F.ones_like(self.s), -1.0)
        self.q = self.w * self.w * self.w * self.w + self.sign * self.s

    def _sum(self, coefficients: list[Any]) -> Any:
        """Σ c_j u^j w^(n-j), by Horner's rule."""
        total, w = coefficients[-1], 1.0
        for c in coefficients[-2::-1]:
            w = w * self.w
            total = total * self.u + c * w
        return total

    def slope(self) -> Any:
        """dy/dx = (P' Q - P Q') / Q^2, where m cancels. The products are summed by their power first: there terms of
        the same power cancel by their whole numbers j - k, not by rounding.
        """
        cross: list[Any] = [0.0] * (len(self.a) + len(self.b))
        for j, a in enumerate(self.a):
            for k, b in enumerate(self.b, 1):
                if j != k:
                    cross[j + k - 1] = cross[j + k - 1] + (j - k) * (a * b)
        alone = self._sum([j * a for j, a in enumerate(self.a) if j])
        w4 = self.w * self.w * self.w * self.w
        return (alone * w4 + self.sign * self._sum(cross[:-1])) / (self.q * self.q)


def _rows(F: Any, parameter: Any, x: Any) -> list[Any]:
    """The coefficients one by one; further axes of the parameter are the last ones of x."""
    if parameter.ndim == 1:
        return [F.getitem(parameter, i) for i in range(parameter.shape[0])]
    rest = parameter.shape[1:]
    shape = (1,) * (x.ndim - len(rest)) + tuple(rest)
    return [F.reshape(F.getitem(parameter, i), shape) for i in range(parameter.shape[0])]


@activation(formula=r"\frac{\sum_{j=0}^5 a_j x^j}{1 + |\sum_{k=1}^4 b_k x^k|}",
            derivative=r"\frac{P' - y\,\mathrm{sign}(s)\,s'}{Q},\ Q = 1 + |s|,\ s = \sum_k b_k x^k",
            paper="arXiv:1907.06732", range=(-inf, inf), monotonic=False, smooth="analytic", zero_centred=False, lipschitz=1.0643226804805233,
            module="PAU", learnable=dict(zip(("numerator", "denominator"), STARTS["leaky_relu"], strict=True)), elementwise=False,
            note="Where training lets s change its sign, y has a kink; its derivative there is the one from s > 0.")
@wide
def pau(F: Any, x: Any, numerator: Any, denominator: Any) -> Any:
    """Padé activation unit, the safe form of orders 5 and 4: no denominator below 1 (Molina, Schramowski, Kersting
    2020). It starts as a leaky ReLU; `nn.PAU(init="gelu")` and others start elsewhere.

    `numerator` is (6,), `denominator` (4,), or both have further axes that broadcast with x, as (6, C, 1, 1).
    """
    parts = Parts(F, x, numerator, denominator)
    return parts.m * (parts.p / parts.q)


@pau.joint
@wide_joint
def pau_backward(F: Any, g: Any, x: Any, numerator: Any, denominator: Any) -> Any:
    parts = Parts(F, x, numerator, denominator)
    share = g / parts.q
    bend = share * (parts.p / parts.q) * -parts.sign
    powers = [parts.w * parts.w * parts.w * parts.w]              # u^j w^(4-j), for j = 0 .. 5
    for j in range(1, 6):
        w = 1.0
        for _ in range(abs(4 - j)):
            w = w * (parts.w if j < 4 else parts.m)
        powers.append(_power(parts.u, j) * w)
    to_a = [share * powers[j] for j in range(6)]
    to_b = [bend * (powers[k] * parts.m) for k in range(1, 5)]
    return [g * parts.slope(), _stacked(F, to_a, parts.a, numerator), _stacked(F, to_b, parts.b, denominator)]


def _power(u: Any, n: int) -> Any:
    y = u
    for _ in range(n - 1):
        y = y * u
    return y


def _stacked(F: Any, grads: list[Any], rows: list[Any], parameter: Any) -> Any:
    """The gradients of the coefficients as one of the parameter's shape."""
    each = [F.reshape(F.sum_to(d, row.shape), (1, *parameter.shape[1:])) for d, row in zip(grads, rows, strict=True)]
    return F.cat(each, 0)
