"""Activations that go up and down: snake, sinc, and the Gaussian bell."""

from __future__ import annotations

from math import exp, factorial, inf, pi
from typing import Any

from .record import activation
from .tails import exponential, fold

BEYOND = 1e18        # the phase of a sine is lost long before; infinity has none
NEAR = 2.0           # |pi x| up to which sinc's derivatives come from series: there cos and sin / x cancel
VALUE = [(-1) ** k / factorial(2 * k + 1) for k in range(13, -1, -1)]         # of sin u / u, in powers of u u
SLOPE = [(-1) ** k * 2 * k / factorial(2 * k + 1) for k in range(13, 0, -1)]  # of its derivative by u, divided by u


@activation(formula=r"x + \tfrac1\alpha \sin^2(\alpha x)", derivative=r"1 + \sin(2 \alpha x) = (\sin \alpha x + \cos \alpha x)^2",
            paper="arXiv:2006.08195", range=(-inf, inf), monotonic=True, smooth="analytic", zero_centred=True, lipschitz=2,
            learnable={"alpha": 1.0}, note="alpha = 0 gives its limit, x.")
def snake(F: Any, x: Any, alpha: Any) -> Any:
    """A line with a wave on it, for what is periodic (Ziyin, Hartwig, Ueda 2020). alpha, the frequency, is a number or a
    Tensor that broadcasts with x.

    >>> ta.activations.catalogue["snake"](ta.tensor([-1.0, 0.0, 1.0]), 1.0)
    tensor([-0.2919,  0.0000,  1.7081])
    """
    u = alpha * F.minimum(F.maximum(x, -BEYOND), BEYOND)
    s = F.sin(u)
    return x + F.where(u == 0, 0, s * (s / alpha))


@snake.backward
def snake_backward(F: Any, g: Any, x: Any, alpha: Any) -> Any:
    u = alpha * x
    wave = F.sin(u) + F.cos(u)           # squared, it does not cancel where 1 + sin(2u) touches 0
    return g * (wave * wave)


@snake.backward("alpha")
def snake_backward_alpha(F: Any, g: Any, x: Any, alpha: Any) -> Any:
    u = alpha * x
    s = F.sin(u)
    return g * F.where(u == 0, x * x, (s / alpha) * ((2 * u * F.cos(u) - s) / alpha))


def _phase(F: Any, x: Any) -> tuple[Any, Any, Any]:
    """(pi x, and of it the sine and the cosine): of what x has beyond a whole number, which is exact."""
    x = F.minimum(F.maximum(x, -BEYOND), BEYOND)
    n = F.round(x)
    sign = 1 - 2 * (n - 2 * F.floor(0.5 * n))
    r = pi * (x - n)
    return pi * x, sign * F.sin(r), sign * F.cos(r)


def _sinc_pieces(F: Any, x: Any) -> tuple[Any, Any, Any]:
    """(u = pi x, sin(u) / u, its derivative by u divided by u)."""
    u, sine, cosine = _phase(F, x)
    near = F.abs(u) < NEAR
    z = F.where(near, u * u, 0)
    safe = F.where(near, 1, u)
    y = sine / safe
    return u, F.where(near, _polynomial(VALUE, z), y), F.where(near, _polynomial(SLOPE, z), (cosine - y) / safe / safe)


def _polynomial(coefficients: list[float], z: Any) -> Any:
    y = coefficients[0]
    for c in coefficients[1:]:
        y = c + z * y
    return y


@activation(formula=r"\frac{\sin \pi x}{\pi x},\ 1 \text{ at } 0", derivative=r"\frac{\cos \pi x - \operatorname{sinc} x}{x},\ 0 \text{ at } 0",
            paper="doi:10.1098/rspa.1915.0012", range=(-0.21723362821122166, 1), monotonic=False, smooth="analytic",
            zero_centred=False, saturates={"left": 0, "right": 0}, lipschitz=1.3703055927694596,
            note="With pi, as torch.sinc; some lists of activations mean sin(x) / x.")
def sinc(F: Any, x: Any) -> Any:
    """The cardinal sine (Whittaker 1915). Any shape.

    >>> ta.activations.catalogue["sinc"](ta.tensor([0.0, 0.5, 1.5]))
    tensor([ 1.0000,  0.6366, -0.2122])
    """
    u, sine, _ = _phase(F, x)
    return F.where(u == 0, 1, sine / F.where(u == 0, 1, u))


@sinc.backward
def sinc_backward(F: Any, g: Any, x: Any) -> Any:
    u, _, slope = _sinc_pieces(F, x)
    return g * (pi * (u * slope))


@sinc.second
def sinc_second(F: Any, g: Any, x: Any) -> Any:
    _, y, slope = _sinc_pieces(F, x)
    return g * (-pi * pi * (y + 2 * slope))


@activation(formula=r"e^{-x^2}", derivative=r"-2 x\,e^{-x^2}", paper="doi:10.1162/neco.1989.1.2.281", range=(0, 1),
            monotonic=False, smooth="analytic", zero_centred=False, saturates={"left": 0, "right": 0}, lipschitz=(2 / exp(1)) ** 0.5)
def gaussian(F: Any, x: Any) -> Any:
    """The bell of a radial basis function (Moody and Darken 1989). Any shape.

    >>> ta.activations.catalogue["gaussian"](ta.tensor([-1.0, 0.0, 2.0]))
    tensor([0.3679, 1.0000, 0.0183])
    """
    return F.exp(-x * x)


@gaussian.backward
def gaussian_backward(F: Any, g: Any, x: Any) -> Any:
    left, a = fold(F, x)
    e, f = exponential(F, -a * a)
    slope = 2 * a * e * f
    return F.where(left, g * slope, -g * slope)


@gaussian.second
def gaussian_second(F: Any, g: Any, x: Any) -> Any:
    a = fold(F, x)[1]
    e, f = exponential(F, -a * a)
    return g * ((4 * a * a - 2) * e * f)
