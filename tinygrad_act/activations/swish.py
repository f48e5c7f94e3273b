"""SiLU, Mish and their kin: x times something that rises from 0 to 1. Their rules are written with what `tails.py` has."""

from __future__ import annotations

from math import inf, pi, sqrt
from typing import Any

from .record import activation
from .tails import FAR, exponential, fold, gate, gate_second, gate_slope, logistic

BUMP = 2 / sqrt(pi)                                     # the slope of erf at 0
GATED: dict[str, Any] = {"monotonic": False, "zero_centred": True, "saturates": {"left": 0}}


@activation(formula=r"x\,\sigma(x)", derivative=r"\sigma(x)\,(1 + x\,\sigma(-x))", paper="arXiv:1702.03118",
            range=(-0.2784645427610738, inf), smooth="analytic", lipschitz=1.099839320128867, module="SiLU", torch="silu",
            **GATED)
def silu(F: Any, x: Any) -> Any:
    """The sigmoid-weighted linear unit, Swish with beta = 1 (Elfwing, Uchibe, Doya 2017). Any shape.

    >>> ta.activations.catalogue["silu"](ta.tensor([-3.0, 0.0, 3.0]))
    tensor([-0.1423,  0.0000,  2.8577])
    """
    a = F.minimum(F.abs(x), FAR)
    return gate(F, x, a, a)


@silu.backward
def silu_backward(F: Any, g: Any, x: Any) -> Any:
    left, a = fold(F, x)
    return gate_slope(F, g, left, a, a)


@silu.second
def silu_second(F: Any, g: Any, x: Any) -> Any:
    a = fold(F, x)[1]
    return gate_second(F, g, a, 2, a)


@activation(formula=r"x\,\sigma(\beta x)", derivative=r"\sigma(v)\,(1 + v\,\sigma(-v)),\quad v = \beta x",
            paper="arXiv:1710.05941", range=(-0.2784645427610738, inf), smooth="analytic", lipschitz=1.099839320128867,
            learnable={"beta": 1.0}, **GATED)
def swish(F: Any, x: Any, beta: Any) -> Any:
    """SiLU with a steepness, learned or given: beta is a number or a Tensor that broadcasts with x (Ramachandran et al. 2017).

    >>> ta.activations.catalogue["swish"](ta.tensor([-3.0, 0.0, 3.0]), 2.0)
    tensor([-0.0074,  0.0000,  2.9926])
    """
    v = beta * x
    left = v < 0
    e, f = exponential(F, -F.minimum(F.abs(v), FAR))
    far = F.where(left, F.minimum(F.maximum(x, -1e38), 1e38) * e * f, x)      # no infinity where f is 0
    return far / (1 + e)


@swish.backward
def swish_backward(F: Any, g: Any, x: Any, beta: Any) -> Any:
    left, a = fold(F, beta * x)
    return gate_slope(F, g, left, a, a)


@swish.backward("beta")
def swish_backward_beta(F: Any, g: Any, x: Any, beta: Any) -> Any:
    e, f, _, _ = logistic(F, beta * x)
    x = F.minimum(F.maximum(x, -1e18), 1e18)
    return g * (x * e / (1 + e) * (x / (1 + e)) * f)


@activation(formula=r"x \min(\max(x + 3, 0), 6) / 6", derivative=r"\tfrac{2x + 3}{6} \text{ for } -3 < x < 3,\ [x \ge 3] \text{ else}",
            paper="arXiv:1905.02244", kinks={-3: 0, 3: 1}, range=(-0.375, inf), smooth="C0", lipschitz=1.5,
            module="Hardswish", torch="hardswish", note="At 3 other frameworks take 1.5, the slope on the left.", **GATED)
def hard_swish(F: Any, x: Any) -> Any:
    """Swish with lines for its sigmoid (Howard et al. 2019, MobileNetV3). Any shape.

    >>> ta.activations.catalogue["hard_swish"](ta.tensor([-4.0, -1.0, 4.0]))
    tensor([-0.0000, -0.3333,  4.0000])
    """
    inner = F.maximum(x, -3)                             # infinity times 0 is not 0
    return F.where(x >= 3, x, inner * (inner + 3) / 6)


@hard_swish.backward
def hard_swish_backward(F: Any, g: Any, x: Any) -> Any:
    return F.where(x >= 3, g, F.where(x <= -3, 0, g * ((2 * x + 3) / 6)))


@activation(formula=r"x \tanh(\ln(1 + e^x))", derivative=r"T + x\,(1 - T^2)\,\sigma(x),\quad T = \tanh(\ln(1 + e^x))",
            paper="arXiv:1908.08681", range=(-0.30884341301725043, inf), smooth="analytic", lipschitz=1.0884981612517279,
            torch="mish", **GATED)
def mish(F: Any, x: Any) -> Any:
    """x tanh(softplus(x)) (Misra 2019). With e = exp(-|x|) the tanh is a ratio of polynomials in e. Any shape.

    >>> ta.activations.catalogue["mish"](ta.tensor([-3.0, 0.0, 3.0]))
    tensor([-0.1456,  0.0000,  2.9865])
    """
    a = F.minimum(F.abs(x), FAR)
    e, f = exponential(F, -a)
    left = x < 0
    off = F.where(left, e + 2, 2 * e) * a / F.where(left, e * (e + 2) + 2, 1 + 2 * e * (1 + e))
    return F.maximum(x, 0) - off * e * f


@mish.backward
def mish_backward(F: Any, g: Any, x: Any) -> Any:
    left, a = fold(F, x)
    e, f = exponential(F, -a)
    d = F.where(left, e * (e + 2) + 2, 1 + 2 * e * (1 + e))
    on_left = (4 * (1 - a) + e * (6 - 4 * a + e * (4 + e))) * e * f
    on_right = 1 + e * (4 + e * (4 * a + 6 + 4 * (a + 1) * e))
    return g * (F.where(left, on_left, on_right) / (d * d))


@mish.second
def mish_second(F: Any, g: Any, x: Any) -> Any:
    left, a = fold(F, x)
    e, _ = exponential(F, -a)
    d = F.where(left, e * (e + 2) + 2, 1 + 2 * e * (1 + e))
    on_left = (4 - 2 * a) + e * ((8 - 2 * a) + e * ((6 + 3 * a) + e * (2 + 2 * a)))
    on_right = 2 * (1 - a) + e * ((6 - 3 * a) + e * ((8 + 2 * a) + e * (4 + 2 * a)))
    m, n = exponential(F, F.where(left, -a, -2 * a))
    return g * (4 * F.where(left, on_left, on_right) / (d * d * d) * m * n)


@activation(formula=r"\tfrac{x}{2} \min(\max(x + 2, 0), 2)", derivative=r"x + 1 \text{ for } -2 \le x < 0,\ [x \ge 0] \text{ else}",
            paper="https://github.com/digantamisra98/H-Mish", kinks={-2: -1, 0: 1}, range=(-0.5, inf), smooth="C0", lipschitz=1,
            note="At -2 the slope on the right is taken, as composing PyTorch's ops does.", **GATED)
def hard_mish(F: Any, x: Any) -> Any:
    """Mish with a line for its tanh (Misra 2020). Any shape.

    >>> ta.activations.catalogue["hard_mish"](ta.tensor([-3.0, -1.0, 3.0]))
    tensor([-0.0000, -0.5000,  3.0000])
    """
    inner = F.maximum(x, -2)
    return F.where(x >= 0, x, 0.5 * inner * (inner + 2))


@hard_mish.backward
def hard_mish_backward(F: Any, g: Any, x: Any) -> Any:
    return F.where(x >= 0, g, F.where(x < -2, 0, g * (x + 1)))


@activation(formula=r"x \tanh(e^x)", derivative=r"\tanh(e^x) + x\,e^x \operatorname{sech}^2(e^x)", paper="arXiv:2412.20269",
            range=(-0.3532857778482113, inf), smooth="analytic", lipschitz=1.061975308717916, module="TeLU", **GATED)
def telu(F: Any, x: Any) -> Any:
    """x tanh(exp(x)): almost linear to the right (Fernandez and Mali 2024). Any shape.

    >>> ta.activations.catalogue["telu"](ta.tensor([-3.0, 0.0, 3.0]))
    tensor([-0.1492,  0.0000,  3.0000])
    """
    near = F.minimum(F.maximum(x, -FAR), 6)
    e, f = exponential(F, near)
    return F.where(x < -20, near * e * f, x * F.tanh(e))         # tanh is its argument there


def _telu_pieces(F: Any, x: Any) -> tuple[Any, ...]:
    """(x within what matters, tanh(w), w = e^x = e f, m, n): w sech^2(w) = m n."""
    x = F.minimum(F.maximum(x, -FAR), 6)                 # sech(e^6) is 0
    e, f = exponential(F, x)
    t = F.tanh(e * f)
    q, tail = exponential(F, -2 * e)
    d = 1 + q
    left = x < 0
    return x, t, e * f, F.where(left, 1 - t * t, 4 * q / (d * d)) * e, F.where(left, f, tail)


@telu.backward
def telu_backward(F: Any, g: Any, x: Any) -> Any:
    x, t, _, m, n = _telu_pieces(F, x)
    return g * (t + x * m * n)


@telu.second
def telu_second(F: Any, g: Any, x: Any) -> Any:
    x, t, w, m, n = _telu_pieces(F, x)
    return g * ((2 + x * (1 - 2 * w * t)) * m * n)


@activation(formula=r"x \ln(1 + \sigma(x))", derivative=r"\ln(1 + s) + \frac{x\,s\,(1 - s)}{1 + s},\quad s = \sigma(x)",
            paper="doi:10.1016/j.neucom.2021.06.067", range=(-0.25276881678944035, inf), smooth="analytic",
            lipschitz=0.7463111804126397, **GATED)
def logish(F: Any, x: Any) -> Any:
    """x times the logarithm of 1 + sigmoid(x); x ln 2 far to the right (Zhu et al. 2021). Any shape.

    >>> ta.activations.catalogue["logish"](ta.tensor([-3.0, 0.0, 3.0]))
    tensor([-0.1390,  0.0000,  2.0074])
    """
    e, f, s, _ = logistic(F, x)
    return F.where(x < -40, F.maximum(x, -FAR) * e * f, x * F.log1p(s))


@logish.backward
def logish_backward(F: Any, g: Any, x: Any) -> Any:
    left, a = fold(F, x)
    e, f = exponential(F, -a)
    log = F.log1p(F.where(left, e * f, 1) / (1 + e))
    step = a * e / F.where(left, 1 + e * (3 + 2 * e), 2 + e * (3 + e)) * f
    return g * F.where(left, log - step, log + step)


@logish.second
def logish_second(F: Any, g: Any, x: Any) -> Any:
    left, a = fold(F, x)
    e, f = exponential(F, -a)
    d = F.where(left, 1 + e * (3 + 2 * e), 2 + e * (3 + e))
    bend = F.where(left, 1 - 2 * e * e, 2 - e * e)
    return g * ((2 - a * (bend / d)) * e / d * f)


@activation(formula=r"x \tanh(\ln(1 + \sigma(x)))",
            derivative=r"T + \frac{4 x\,s\,(1 - s)(1 + s)}{((1 + s)^2 + 1)^2},\quad s = \sigma(x),\ T = \frac{(1 + s)^2 - 1}{(1 + s)^2 + 1}",
            paper="doi:10.3390/electronics11040540", range=(-0.2499936636601295, inf), smooth="analytic",
            lipschitz=0.6368842228812263, **GATED)
def smish(F: Any, x: Any) -> Any:
    """x tanh(ln(1 + sigmoid(x))); 0.6 x far to the right (Wang, Ren, Wang 2022). Any shape.

    >>> ta.activations.catalogue["smish"](ta.tensor([-3.0, 0.0, 3.0]))
    tensor([-0.1389,  0.0000,  1.7533])
    """
    e, f, s, _ = logistic(F, x)
    n = s * (s + 2)
    return F.where(x < -40, F.maximum(x, -FAR) * e * f, x * (n / (n + 2)))


def _smish_pieces(F: Any, x: Any) -> tuple[Any, ...]:
    """(x < 0, a = |x|, e, f, d): with e f = e^-a, tanh(ln(1 + sigma)) is e f (2 + 3e) / d on the left, (3 + 2e) / d else."""
    left, a = fold(F, x)
    e, f = exponential(F, -a)
    return left, a, e, f, F.where(left, 2 + e * (6 + 5 * e), 5 + e * (6 + 2 * e))


@smish.backward
def smish_backward(F: Any, g: Any, x: Any) -> Any:
    left, a, e, f, d = _smish_pieces(F, x)
    on_left = (4 * (1 - a) + e * (18 - 12 * a + e * (28 - 8 * a + 15 * e))) * e
    on_right = (3 + 2 * e) * d + 4 * a * e * f * ((1 + e) * (2 + e))
    return g * (F.where(left, on_left, on_right) / (d * d) * F.where(left, f, 1))


@smish.second
def smish_second(F: Any, g: Any, x: Any) -> Any:
    left, a, e, f, d = _smish_pieces(F, x)
    on_left = (4 - 2 * a) + e * ((24 - 6 * a) + e * ((54 + 3 * a) + e * ((54 + 18 * a) + e * (20 + 10 * a))))
    on_right = (20 - 10 * a) + e * ((54 - 18 * a) + e * ((54 - 3 * a) + e * ((24 + 6 * a) + e * (4 + 2 * a))))
    return g * (4 * F.where(left, on_left, on_right) * e / (d * d * d) * f)


@activation(formula=r"x \operatorname{erf}(\ln(1 + e^x))",
            derivative=r"\operatorname{erf} p + \tfrac{2}{\sqrt\pi}\,x\,e^{-p^2}\,\sigma(x),\quad p = \ln(1 + e^x)",
            paper="arXiv:2108.09598", range=(-0.3484374587596064, inf), smooth="analytic", lipschitz=1.0861254441509972, **GATED)
def serf(F: Any, x: Any) -> Any:
    """x erf(softplus(x)) (Nag and Bhattacharyya 2021). Any shape.

    >>> ta.activations.catalogue["serf"](ta.tensor([-3.0, 0.0, 3.0]))
    tensor([-0.1643,  0.0000,  3.0000])
    """
    a = F.minimum(F.abs(x), FAR)
    e, f = exponential(F, -a)
    return F.where(x < -40, -BUMP * a * e * f, x * F.erf(F.maximum(x, 0) + F.log1p(e * f)))


def _serf_pieces(F: Any, x: Any) -> tuple[Any, ...]:
    """(x within what matters, p = softplus(x), bend, m, n): e^(-p p) sigma(x) = m n."""
    left, a = fold(F, x)
    e, f, s, r = logistic(F, x)
    p = F.where(left, 0, a) + F.log1p(e * f)
    of_square = exponential(F, -p * p)
    m = F.where(left, e + e * F.expm1(-p * p), of_square[0]) / (1 + e)
    return F.where(left, -a, a), p, r - 2 * p * s, m, F.where(left, f, of_square[1])


@serf.backward
def serf_backward(F: Any, g: Any, x: Any) -> Any:
    x, p, _, m, n = _serf_pieces(F, x)
    return g * (BUMP * (F.erf(p) / BUMP + x * m * n))


@serf.second
def serf_second(F: Any, g: Any, x: Any) -> Any:
    x, _, bend, m, n = _serf_pieces(F, x)
    return g * (BUMP * (2 + x * bend) * m * n)
