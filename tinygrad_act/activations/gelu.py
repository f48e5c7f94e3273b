"""GELU, x times the normal distribution function, and what approximates it or is built on it.

Left of 0 Phi(x) = 0.5 erfc(-x / sqrt 2) is below the smallest number sooner than x Phi(x) is, so it is taken as
0.5 erfcx(|x| / sqrt 2) e^(-x^2 / 2), see `tails.py`. `x * erf(x / sqrt 2)`, which circulates as "GELU", is another function.
"""

from __future__ import annotations

from math import inf, pi, sqrt
from typing import Any

from .record import activation
from .tails import FAR, exponential, fold, gate, gate_second, gate_slope

PEAK = 1 / sqrt(2 * pi)                                # of the normal density
STEEP, CUBIC = 2 * sqrt(2 / pi), 2 * sqrt(2 / pi) * 0.044715     # 2u = STEEP x + CUBIC x^3 in gelu_tanh
END = 40.0                                             # both GELUs are 0 left of -END, in float64 too


def _pieces(F: Any, x: Any) -> tuple[Any, ...]:
    """(x < 0, a = |x|, m, e, f): what is left of the normal distribution beyond a is m e f, its density PEAK e f."""
    left, a = fold(F, x)
    a = F.minimum(a, END)
    return left, a, 0.5 * F.erfcx(sqrt(0.5) * a), *exponential(F, -0.5 * (a * a))


@activation(formula=r"x\,\Phi(x) = \tfrac{x}{2} \operatorname{erfc}\!\left(-\tfrac{x}{\sqrt2}\right)",
            derivative=r"\Phi(x) + x\,\varphi(x)", paper="arXiv:1606.08415", range=(-0.16997120747990366, inf),
            monotonic=False, smooth="analytic", zero_centred=True, saturates={"left": 0}, lipschitz=1.1289041451851548,
            module="GELU", torch="gelu")
def gelu(F: Any, x: Any) -> Any:
    """x times the chance that a normal number is below it (Hendrycks and Gimpel 2016). Any shape.

    >>> ta.activations.catalogue["gelu"](ta.tensor([-3.0, 0.0, 3.0]))
    tensor([-0.0040,  0.0000,  2.9960])
    """
    a = F.minimum(F.abs(x), END)
    e, f = exponential(F, -0.5 * (a * a))
    return F.maximum(x, 0) - 0.5 * a * F.erfcx(sqrt(0.5) * a) * e * f


@gelu.backward
def gelu_backward(F: Any, g: Any, x: Any) -> Any:
    left, a, m, e, f = _pieces(F, x)
    d = (m - PEAK * a) * e * f
    return F.where(left, g * d, g * (1 - d))


@gelu.second
def gelu_second(F: Any, g: Any, x: Any) -> Any:
    a = F.minimum(fold(F, x)[1], END)
    e, f = exponential(F, -0.5 * (a * a))
    return g * (PEAK * (2 - a * a) * e * f)


@activation(formula=r"\tfrac{x}{2}\,(1 + \tanh u) = x\,\sigma(2u),\quad u = \sqrt{2/\pi}\,(x + 0.044715\,x^3)",
            derivative=r"\sigma(2u) + x\,\sigma(2u)\,\sigma(-2u)\,2u',\quad u' = \sqrt{2/\pi}\,(1 + 0.134145\,x^2)",
            paper="arXiv:1606.08415", range=(-0.17004075057125405, inf), monotonic=False, smooth="analytic",
            zero_centred=True, saturates={"left": 0}, lipschitz=1.1289930686587718, module="GELUTanh",
            note="PyTorch: gelu(approximate='tanh').")
def gelu_tanh(F: Any, x: Any) -> Any:
    """GELU by a tanh, within 5e-4 of it (Hendrycks and Gimpel 2016); written with the logistic function. Any shape.

    >>> ta.activations.catalogue["gelu_tanh"](ta.tensor([-3.0, 0.0, 3.0]))
    tensor([-0.0036,  0.0000,  2.9964])
    """
    a = F.minimum(F.abs(x), END)
    return gate(F, x, a, a * (STEEP + CUBIC * (a * a)))


@gelu_tanh.backward
def gelu_tanh_backward(F: Any, g: Any, x: Any) -> Any:
    left, a = fold(F, x)
    a = F.minimum(a, END)
    q = a * a
    return gate_slope(F, g, left, a * (STEEP + CUBIC * q), a * (STEEP + 3 * CUBIC * q))


@gelu_tanh.second
def gelu_tanh_second(F: Any, g: Any, x: Any) -> Any:
    a = F.minimum(fold(F, x)[1], END)
    q = a * a
    slope = STEEP + 3 * CUBIC * q
    return gate_second(F, g, a * (STEEP + CUBIC * q), 2 * (STEEP + 6 * CUBIC * q), a * slope * slope)


@activation(formula=r"x\,\sigma(1.702\,x)", derivative=r"\sigma(v)\,(1 + v\,\sigma(-v)),\quad v = 1.702\,x",
            paper="arXiv:1606.08415", range=(-0.16361018963635358, inf), monotonic=False, smooth="analytic",
            zero_centred=True, saturates={"left": 0}, lipschitz=1.099839320128867, module="QuickGELU")
def quick_gelu(F: Any, x: Any) -> Any:
    """GELU by a logistic function, within 0.021 of it (Hendrycks and Gimpel 2016). Any shape.

    >>> ta.activations.catalogue["quick_gelu"](ta.tensor([-3.0, 0.0, 3.0]))
    tensor([-0.0181,  0.0000,  2.9819])
    """
    a = F.minimum(F.abs(x), FAR)
    return gate(F, x, a, 1.702 * a)


@quick_gelu.backward
def quick_gelu_backward(F: Any, g: Any, x: Any) -> Any:
    left, a = fold(F, x)
    return gate_slope(F, g, left, 1.702 * a, 1.702 * a)


@quick_gelu.second
def quick_gelu_second(F: Any, g: Any, x: Any) -> Any:
    w = 1.702 * fold(F, x)[1]
    return 1.702 * gate_second(F, g, w, 2, w)


@activation(formula=r"x \tanh(\operatorname{GELU}(x))",
            derivative=r"\tanh G + x\,\operatorname{sech}^2(G)\,G',\quad G = x\,\Phi(x)",
            paper="doi:10.36227/techrxiv.17283824", range=(0, inf), monotonic=False, smooth="analytic", zero_centred=False,
            saturates={"left": 0}, lipschitz=1.2983066733058115)
def phish(F: Any, x: Any) -> Any:
    """x tanh(GELU(x)) (Naveen 2022). Any shape.

    >>> ta.activations.catalogue["phish"](ta.tensor([-3.0, 0.0, 3.0]))
    tensor([0.0121, 0.0000, 2.9850])
    """
    a = F.minimum(F.abs(x), END)
    e, f = exponential(F, -0.5 * (a * a))
    t = 0.5 * a * F.erfcx(sqrt(0.5) * a) * e
    return F.where(x < -10, a * t * f, x * F.tanh(F.maximum(x, 0) - t * f))         # tanh is its argument there


def _phish_pieces(F: Any, x: Any) -> tuple[Any, ...]:
    """(x < 0, x within what matters, d, e, f, tanh(G), m, n): G' is d e f, or 1 less that; sech^2(G) = m n."""
    left, a, m, e, f = _pieces(F, x)
    t = a * m * e * f
    x = F.where(left, -a, F.minimum(x, FAR))
    gelu_of_x = F.where(left, -t, x - t)
    t = F.tanh(gelu_of_x)
    q, tail = exponential(F, -2 * gelu_of_x)
    root = 2 / (1 + q)
    return left, x, m - PEAK * a, e, f, t, F.where(left, 1 - t * t, root * root * q), F.where(left, 1, tail)


@phish.backward
def phish_backward(F: Any, g: Any, x: Any) -> Any:
    left, x, d, e, f, t, m, n = _phish_pieces(F, x)
    return g * (t + F.where(left, x * d * e * f, x * (1 - d * e * f)) * m * n)


@phish.second
def phish_second(F: Any, g: Any, x: Any) -> Any:
    left, x, d, e, f, t, m, n = _phish_pieces(F, x)
    bend = PEAK * (2 - F.minimum(x * x, END * END))
    on_left = (2 * d + x * (bend - 2 * t * d * d * e)) * e * f
    slope = 1 - d * e * f
    on_right = 2 * slope + x * (bend * e * f - 2 * t * slope * slope)
    return g * (F.where(left, on_left, on_right) * m * n)
