"""Trigonometric and hyperbolic functions, and their inverses."""

from __future__ import annotations

import math
from typing import Any

from .registry import alias, elementwise

sin = elementwise("sin", lambda F, x: F.sin(x), lambda F, g, x: g * F.cos(x), result="float", doc="The sine.")
cos = elementwise("cos", lambda F, x: F.cos(x), lambda F, g, x: -g * F.sin(x), result="float", doc="The cosine.")
tan = elementwise("tan", lambda F, x: F.tan(x), lambda F, g, y: g * (1 + y * y), result="float", doc="The tangent.")
sinh = elementwise("sinh", lambda F, x: F.sinh(x), lambda F, g, x: g * F.cosh(x), result="float", doc="The hyperbolic sine.")
cosh = elementwise("cosh", lambda F, x: F.cosh(x), lambda F, g, x: g * F.sinh(x), result="float", doc="The hyperbolic cosine.")


def _circle(x: Any) -> Any:
    """1 - x*x, without the cancellation near 1."""
    return (1 - x) * (1 + x)


def _hyperbola(x: Any) -> Any:
    """x*x - 1, likewise; 0.0 + makes the -0.0 of x = -1 a 0.0."""
    return 0.0 + (x - 1) * (x + 1)


# The second derivatives are written out: composed, they are inf * 0 at the ends.
asin = elementwise("asin", lambda F, x: F.asin(x), lambda F, g, x: g / F.sqrt(_circle(x)),
                   second=lambda F, g, x: g * (x / (_circle(x) * F.sqrt(_circle(x)))), result="float",
                   doc="The angle from -pi/2 to pi/2 with this sine; NaN outside -1 .. 1.")
acos = elementwise("acos", lambda F, x: F.acos(x), lambda F, g, x: -g / F.sqrt(_circle(x)),
                   second=lambda F, g, x: -g * (x / (_circle(x) * F.sqrt(_circle(x)))), result="float",
                   doc="The angle from 0 to pi with this cosine; NaN outside -1 .. 1.")
atan = elementwise("atan", lambda F, x: F.atan(x), lambda F, g, x: g / (1 + x * x), result="float",
                   doc="The angle from -pi/2 to pi/2 with this tangent.")
asinh = elementwise("asinh", lambda F, x: F.asinh(x), lambda F, g, x: g / F.hypot(x, 1), result="float",
                    doc="The inverse of sinh.")
acosh = elementwise("acosh", lambda F, x: F.acosh(x), lambda F, g, x: g / F.sqrt(_hyperbola(x)),
                    second=lambda F, g, x: -g * (x / (_hyperbola(x) * F.sqrt(_hyperbola(x)))), result="float",
                    doc="The inverse of cosh; NaN below 1.")
atanh = elementwise("atanh", lambda F, x: F.atanh(x), lambda F, g, x: g / _circle(x),
                    second=lambda F, g, x: g * (2 * x / (_circle(x) * _circle(x))), result="float",
                    doc="The inverse of tanh; NaN outside -1 .. 1.")


# ----------------------------------------------------------------------------------------------------- atan2, hypot
def _turn(F: Any, g: Any, towards: Any, a: Any, b: Any) -> Any:
    """g * towards / (a*a + b*b), and 0 at the origin, by a radius that neither overflows nor underflows."""
    origin = F.logical_and(a == 0, b == 0)
    r = F.hypot(a, F.where(origin, 1, b))
    return F.where(origin, 0, g * (towards / r / r))


atan2 = elementwise("atan2", lambda F, a, b: F.atan2(a, b),
                    lambda F, g, a, b: _turn(F, g, b, a, b), lambda F, g, a, b: _turn(F, -g, a, a, b), result="float",
                    doc="The angle, from -pi to pi, of the point with ordinate a and abscissa b; its gradient at (0, 0) is 0.")
hypot = elementwise("hypot", lambda F, a, b: F.hypot(a, b),
                    lambda F, g, a, y: g * (a / y), lambda F, g, b, y: g * (b / y), result="float",
                    doc="sqrt(a*a + b*b) without overflow; as PyTorch's, it has no gradient (NaN) at (0, 0).")


# ------------------------------------------------------------------------------------------------------------- sinc
# (u cos u - sin u) / u**2 = sum of (-1)**k 2k u**(2k-1) / (2k+1)!, to double precision for |u| <= 1
SINC = [(-1) ** k * 2 * k / math.factorial(2 * k + 1) for k in range(9, 0, -1)]


def _sinc(F: Any, x: Any) -> Any:
    u = math.pi * F.where(x == 0, 1, x)
    return F.where(x == 0, 1, F.sin(u) / u)


def _sinc_backward(F: Any, g: Any, x: Any) -> Any:
    u = math.pi * x
    near = F.abs(u) < 1
    v = F.where(near, u, 0)
    series = SINC[0]
    for c in SINC[1:]:
        series = series * (v * v) + c
    w = F.where(near, 1, u)
    return g * (math.pi * F.where(near, series * v, (F.cos(w) - F.sin(w) / w) / w))


sinc = elementwise("sinc", _sinc, _sinc_backward, result="float", doc="sin(pi x) / (pi x), and 1 at 0.")

alias(arcsin="asin", arccos="acos", arctan="atan", arcsinh="asinh", arccosh="acosh", arctanh="atanh", arctan2="atan2")
