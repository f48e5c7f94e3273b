"""Smooth functions that are no gate: softplus and its kin, Laplace's distribution of Mega, the exponential, the line."""

from __future__ import annotations

import functools
from math import exp, inf, pi, sqrt
from typing import Any

from ..errors import ArgumentError
from .record import activation
from .tails import FAR, fold
from .tails import exponential as split

PYTORCH = 20.0       # its threshold, from where on it takes x; softplus(20) - 20 is 2e-9, which float64 can tell


def _softplus_kinks(beta: float, threshold: float) -> dict[float, float]:
    return {threshold / beta: 1 / (1 + exp(-threshold))} if threshold < PYTORCH else {}


def _softplus_pieces(F: Any, x: Any, beta: float) -> tuple[Any, Any]:
    if not beta:
        raise ArgumentError("softplus", f"beta={beta}", "beta divides the result", "pass another number than 0")
    left, a = fold(F, beta * x)
    return left, F.exp(-a)


@activation(formula=r"\tfrac1\beta \ln(1 + e^{\beta x})", derivative=r"\sigma(\beta x)",
            paper="https://papers.nips.cc/paper/1920-incorporating-second-order-functional-knowledge-for-better-option-pricing",
            kinks=_softplus_kinks, range=(0, inf), monotonic=True, smooth="analytic", zero_centred=False,
            saturates={"left": 0}, lipschitz=1, torch="softplus",
            note="PyTorch takes x where beta x > threshold. So does this, if you lower the threshold; at 20 and above, where "
                 "PyTorch means it as a shortcut, it is not taken, for in float64 it is seen.")
def softplus(F: Any, x: Any, *, beta: float = 1.0, threshold: float = PYTORCH) -> Any:
    """A smooth max(x, 0), exact in both tails (Dugas et al. 2001). Any shape.

    >>> ta.activations.catalogue["softplus"](ta.tensor([-3.0, 0.0, 3.0]))
    tensor([0.0486, 0.6931, 3.0486])
    """
    left, e = _softplus_pieces(F, x, beta)
    y = F.where(left, 0, beta * x) + F.log1p(e)
    y = y if beta == 1 else y / beta
    return y if threshold >= PYTORCH else F.where(beta * x > threshold, x, y)


@softplus.backward
def softplus_backward(F: Any, g: Any, x: Any, *, beta: float, threshold: float) -> Any:
    left, e = _softplus_pieces(F, x, beta)
    slope = g * (F.where(left, e, 1) / (1 + e))
    return slope if threshold >= PYTORCH else F.where(beta * x > threshold, g, slope)


@softplus.second
def softplus_second(F: Any, g: Any, x: Any, *, beta: float, threshold: float) -> Any:
    _, e = _softplus_pieces(F, x, beta)
    d = 1 + e
    bend = g * (beta * e / (d * d))
    return bend if threshold >= PYTORCH else F.where(beta * x > threshold, 0, bend)


@activation(formula=r"\tfrac12 \left(x + \sqrt{x^2 + b}\right)", derivative=r"\tfrac12 \left(1 + \frac{x}{\sqrt{x^2 + b}}\right)",
            paper="arXiv:2112.11687", range=(0, inf), monotonic=True, smooth="analytic", zero_centred=False,
            saturates={"left": 0}, lipschitz=1)
def squareplus(F: Any, x: Any, *, b: float = 4.0) -> Any:
    """A smooth max(x, 0) of algebra alone (Barron 2021). b >= 0 is how wide the bend is. Any shape.

    >>> ta.activations.catalogue["squareplus"](ta.tensor([-3.0, 0.0, 3.0]))
    tensor([0.3028, 1.0000, 3.3028])
    """
    _not_negative(b)
    whole = F.abs(x) + F.hypot(x, sqrt(b))               # left of 0 x and the root cancel: b over their sum is the same
    return F.where(x < 0, 0.5 * b / whole, 0.5 * whole)


@squareplus.backward
def squareplus_backward(F: Any, g: Any, x: Any, *, b: float) -> Any:
    left = x < 0
    a = F.where(left, -x, x)
    r = F.hypot(x, sqrt(b))
    less = 0.5 * b / (a + r) / r
    return F.where(left, g * less, g * (1 - less))


@squareplus.second
def squareplus_second(F: Any, g: Any, x: Any, *, b: float) -> Any:
    r = F.hypot(x, sqrt(b))
    return g * (0.5 * b / r / r / r)


def _not_negative(b: float) -> None:
    if b < 0:
        raise ArgumentError("squareplus", f"b={b}", "the root of x * x + b must be real", "pass b >= 0")


@activation(formula=r"0 \text{ for } x \le -1,\ \tfrac14 (x + 1)^2 \text{ for } -1 < x < 1,\ x \text{ else}",
            derivative=r"\min(\max(\tfrac{x + 1}{2}, 0), 1)", paper="https://keras.io/api/layers/activations/#sparseplus-function",
            kinks={-1: 0, 1: 1}, range=(0, inf), monotonic=True, smooth="C1", zero_centred=False, saturates={"left": 0},
            lipschitz=1)
def sparse_plus(F: Any, x: Any) -> Any:
    """The integral of the sparse sigmoid: a softplus that is exactly 0 and x outside [-1, 1] (Keras). Any shape.

    >>> ta.activations.catalogue["sparse_plus"](ta.tensor([-3.0, 0.0, 3.0]))
    tensor([0.0000, 0.2500, 3.0000])
    """
    above = F.maximum(x + 1, 0)
    return F.where(x >= 1, x, 0.25 * (above * above))


@sparse_plus.backward
def sparse_plus_backward(F: Any, g: Any, x: Any) -> Any:
    return F.where(x >= 1, g, F.where(x <= -1, 0, g * (0.5 * (x + 1))))


@activation(formula=r"\tfrac12 \left(1 + \operatorname{erf} z\right),\quad z = \frac{x - \mu}{\sigma \sqrt2}",
            derivative=r"\frac{e^{-z^2}}{\sigma \sqrt{2\pi}}", paper="arXiv:2209.10655", range=(0, 1), monotonic=True,
            smooth="analytic", zero_centred=False, saturates={"left": 0, "right": 1}, lipschitz=sqrt(2),
            note="The paper rounds mu = sqrt(1/2) and sigma = sqrt(1/(4 pi)) to 0.7071 and 0.2821; these are exact.")
def laplace(F: Any, x: Any, *, mu: float = sqrt(0.5), sigma: float = sqrt(0.25 / pi)) -> Any:
    """The normal distribution function with the mean and deviation that fit a squared ReLU (Ma et al. 2022, Mega). Any shape.

    >>> ta.activations.catalogue["laplace"](ta.tensor([0.0, 0.7071, 1.0]))
    tensor([0.0061, 0.5000, 0.8504])
    """
    z, e, f = _laplace_pieces(F, x, mu, sigma)
    return F.where(z < 0, 0.5 * F.erfcx(F.maximum(-z, 0)) * e * f, 0.5 * F.erfc(-z))


def _laplace_pieces(F: Any, x: Any, mu: float, sigma: float) -> tuple[Any, Any, Any]:
    """(z, e, f) with e f = e^(-z z). Around 0, where z is far more than x and its rounding with it, the square is expanded."""
    k = sqrt(0.5) / sigma
    z = F.minimum(F.maximum((x - mu) * k, -FAR), FAR)
    constant = _at_0(float(mu), float(sigma))
    near = F.abs(x + 0.25 * mu) < (0.75 * abs(mu) if constant > 1e-35 else 0)
    e, f = split(F, F.where(near, x * (mu - 0.5 * x) / (sigma * sigma), -z * z))
    return z, F.where(near, constant * e, e), f


@functools.cache
def _at_0(mu: float, sigma: float) -> float:
    """e^(-z z) at x = 0 to the last place: in floats the square would round."""
    from fractions import Fraction  # with decimal behind it: too dear for every import

    square = Fraction(mu) ** 2 / (2 * Fraction(sigma) ** 2)
    near = float(square)
    return exp(-near) * (1 - float(square - Fraction(near)))


@laplace.backward
def laplace_backward(F: Any, g: Any, x: Any, *, mu: float, sigma: float) -> Any:
    _, e, f = _laplace_pieces(F, x, mu, sigma)
    return g * (1 / (sigma * sqrt(2 * pi)) * e * f)


@laplace.second
def laplace_second(F: Any, g: Any, x: Any, *, mu: float, sigma: float) -> Any:
    z, e, f = _laplace_pieces(F, x, mu, sigma)
    return g * (-1 / (sigma * sigma * sqrt(pi)) * z * e * f)


@activation(formula=r"e^x", derivative=r"e^x", paper="https://keras.io/api/layers/activations/#exponential-function",
            range=(0, inf), monotonic=True, smooth="analytic", zero_centred=False, saturates={"left": 0}, lipschitz=inf)
def exponential(F: Any, x: Any) -> Any:
    """e^x, its own derivative (Keras). Any shape.

    >>> ta.activations.catalogue["exponential"](ta.tensor([-1.0, 0.0, 1.0]))
    tensor([0.3679, 1.0000, 2.7183])
    """
    return F.exp(x)


@exponential.backward
def exponential_backward(F: Any, g: Any, y: Any) -> Any:
    return g * y


@activation(formula=r"x", derivative=r"1", paper="https://keras.io/api/layers/activations/#linear-function", range=(-inf, inf),
            monotonic=True, smooth="analytic", zero_centred=True, lipschitz=1, module="Identity", result="same",
            note="As a module it is nn.Identity; nn.Linear and nn.functional.linear are the layer.")
def linear(F: Any, x: Any) -> Any:
    """x itself, a copy: the activation of a layer that has none. Any shape and dtype.

    >>> ta.activations.catalogue["linear"](ta.tensor([-1.0, 2.0]))
    tensor([-1.,  2.])
    """
    return x * 1


@linear.backward
def linear_backward(F: Any, g: Any) -> Any:
    return g
