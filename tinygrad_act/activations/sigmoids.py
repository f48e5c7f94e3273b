"""Sigmoids: what levels off on both sides, and the logarithm of one.

Their derivatives are written in exponentials of the input, which keep the tail: sigma(x) * (1 - sigma(x)) is 0 in
float32 from x = 17 or so on, where the true value is 4e-8. The cheap rule that reads the output is there as `using("output")`.
"""

from __future__ import annotations

from math import inf, pi, sqrt
from typing import Any

from .record import activation, flat
from .rectifiers import LARGE

ENOUGH = 1e30        # e / (1 + e) is 1 from here on, in float32 and float64, where e itself would go on to infinity


@activation(formula=r"\sigma(x) = \frac{1}{1 + e^{-x}}", derivative=r"\sigma(x)\,\sigma(-x)", paper="doi:10.1038/323533a0",
            range=(0, 1), monotonic=True, smooth="analytic", zero_centred=False, saturates={"left": 0, "right": 1},
            lipschitz=0.25, torch="sigmoid")
def sigmoid(F: Any, x: Any) -> Any:
    """The logistic function (Rumelhart, Hinton, Williams 1986). At 17 or so (float32) it is rounded to 1, and its slope is not
    rounded to 0: log(1 - sigmoid(x) + 1e-12) then has gradients in the thousands. log_sigmoid(-x) is exact.
    """
    e = F.minimum(F.exp(x), ENOUGH)
    return e / (1 + e)


@sigmoid.backward
def sigmoid_backward(F: Any, g: Any, x: Any) -> Any:
    z = F.exp(-F.abs(x))
    d = 1 + z
    return g * (z / (d * d))


@sigmoid.second
def sigmoid_second(F: Any, g: Any, x: Any) -> Any:
    return sigmoid_backward(F, g, x) * -F.tanh(0.5 * x)


@sigmoid.alternative("output")
def sigmoid_backward_output(F: Any, g: Any, y: Any) -> Any:
    return g * (y * (1 - y))


@sigmoid.stand_in("missing_factor")
def sigmoid_missing_factor(F: Any, g: Any, y: Any) -> Any:
    """A mistake often made: 1 - y is forgotten."""
    return g * y


@activation(formula=r"\ln \sigma(x) = -\ln(1 + e^{-x})", derivative=r"\sigma(-x)", paper="arXiv:1310.4546",
            range=(-inf, 0), monotonic=True, smooth="analytic", zero_centred=False, saturates={"right": 0}, lipschitz=1,
            module="LogSigmoid", torch="logsigmoid")
def log_sigmoid(F: Any, x: Any) -> Any:
    """The logarithm of the logistic function, as losses use it (Mikolov et al. 2013)."""
    return F.minimum(x, 0) - F.log1p(F.exp(-F.abs(x)))


@log_sigmoid.backward
def log_sigmoid_backward(F: Any, g: Any, x: Any) -> Any:
    e = F.minimum(F.exp(-x), ENOUGH)
    return g * (e / (1 + e))


@log_sigmoid.second
def log_sigmoid_second(F: Any, g: Any, x: Any) -> Any:
    return -sigmoid_backward(F, g, x)


@activation(formula=r"\operatorname{relu6}(x + 3) / 6", derivative=r"\tfrac16\,[-3 < x < 3]", paper="arXiv:1905.02244",
            kinks={-3: 0, 3: 0}, range=(0, 1), monotonic=True, smooth="C0", zero_centred=False,
            saturates={"left": 0, "right": 1}, lipschitz=1 / 6, module="Hardsigmoid", torch="hardsigmoid")
def hard_sigmoid(F: Any, x: Any) -> Any:
    """A line instead of the logistic function (Howard et al. 2019, MobileNetV3)."""
    return F.minimum(F.maximum(x + 3, 0), 6) / 6


@hard_sigmoid.backward
def hard_sigmoid_backward(F: Any, g: Any, x: Any) -> Any:
    return F.where(F.abs(x) < 3, g / 6, 0)


hard_sigmoid.second(flat)


def _onnx_span(alpha: float, beta: float) -> tuple[float, float]:
    """Where alpha x + beta lies between 0 and 1."""
    low, high = sorted((-beta / alpha, (1 - beta) / alpha)) if alpha else (0.0, 0.0)
    return low, high


@activation(formula=r"\min(\max(\alpha x + \beta, 0), 1)", derivative=r"\alpha\,[0 < \alpha x + \beta < 1]",
            paper="https://onnx.ai/onnx/operators/onnx__HardSigmoid.html",
            kinks=lambda alpha, beta: dict.fromkeys(_onnx_span(alpha, beta), 0), range=(0, 1), monotonic=True,
            smooth="C0", zero_centred=False, saturates={"left": 0, "right": 1}, lipschitz=0.2,
            module="HardSigmoidONNX")
def hard_sigmoid_onnx(F: Any, x: Any, *, alpha: float = 0.2, beta: float = 0.5) -> Any:
    """The hard sigmoid of ONNX and of Keras before version 3, with its own slope."""
    return F.minimum(F.maximum(alpha * x + beta, 0), 1)


@hard_sigmoid_onnx.backward
def hard_sigmoid_onnx_backward(F: Any, g: Any, x: Any, *, alpha: float, beta: float) -> Any:
    low, high = _onnx_span(alpha, beta)              # x itself is compared: alpha x + beta rounds to 1 too early
    return F.where(F.logical_or(x <= low, x >= high), 0, alpha * g)


hard_sigmoid_onnx.second(flat)


@activation(formula=r"\min(\max(\tfrac{x + 1}{2}, 0), 1)", derivative=r"\tfrac12\,[-1 < x < 1]", paper="arXiv:1901.02324",
            kinks={-1: 0, 1: 0}, range=(0, 1), monotonic=True, smooth="C0", zero_centred=False,
            saturates={"left": 0, "right": 1}, lipschitz=0.5)
def sparse_sigmoid(F: Any, x: Any) -> Any:
    """The sparsemax of x and 0: exactly 0 and 1 outside [-1, 1] (Blondel, Martins, Niculae 2019)."""
    return F.minimum(F.maximum(0.5 * (x + 1), 0), 1)


@sparse_sigmoid.backward
def sparse_sigmoid_backward(F: Any, g: Any, x: Any) -> Any:
    return F.where(F.abs(x) < 1, 0.5 * g, 0)


sparse_sigmoid.second(flat)


@activation(formula=r"\tanh x", derivative=r"1 - \tanh^2 x = \frac{4}{(e^x + e^{-x})^2}",
            paper="doi:10.1007/3-540-49430-8_2", range=(-1, 1), monotonic=True, smooth="analytic", zero_centred=True,
            saturates={"left": -1, "right": 1}, lipschitz=1, torch="tanh")
def tanh(F: Any, x: Any) -> Any:
    """The hyperbolic tangent (LeCun et al. 1998, Efficient BackProp)."""
    return F.tanh(x)


@tanh.backward
def tanh_backward(F: Any, g: Any, x: Any) -> Any:
    e = F.exp(x)
    d = e + F.reciprocal(e)              # 2 cosh x; divided by twice, as its square would overflow
    return g * (4 / d / d)


@tanh.second
def tanh_second(F: Any, g: Any, x: Any) -> Any:
    return tanh_backward(F, g, x) * (-2 * F.tanh(x))


@tanh.alternative("output")
def tanh_backward_output(F: Any, g: Any, y: Any) -> Any:
    return g * (1 - y * y)


@tanh.stand_in("missing_factor")
def tanh_missing_factor(F: Any, g: Any, y: Any) -> Any:
    """A mistake often made: y is not squared."""
    return g * (1 - y)


@activation(formula=r"\min(\max(x, a), b)", derivative=r"[a < x < b]",
            paper="Collobert, Large Scale Machine Learning, thesis, Paris 6, 2004",
            kinks=lambda min_val, max_val: {min_val: 0, max_val: 0}, range=(-1, 1), monotonic=True, smooth="C0",
            zero_centred=True, saturates={"left": -1, "right": 1}, lipschitz=1, module="Hardtanh", torch="hardtanh",
            result="same", kinds="if")
def hard_tanh(F: Any, x: Any, *, min_val: float = -1.0, max_val: float = 1.0) -> Any:
    """A line that stops at both ends (Collobert 2004)."""
    return F.minimum(F.maximum(x, min_val), max_val)


@hard_tanh.backward
def hard_tanh_backward(F: Any, g: Any, x: Any, *, min_val: float, max_val: float) -> Any:
    return F.where(F.logical_or(x <= min_val, x >= max_val), 0, g)


hard_tanh.second(flat)


@hard_tanh.stand_in("straight_through", "surrogate")
def hard_tanh_straight_through(F: Any, g: Any) -> Any:
    """The gradient as it came, also where the unit is saturated."""
    return g


@activation(formula=r"\frac{x}{1 + |x|}", derivative=r"\frac{1}{(1 + |x|)^2}",
            paper="https://proceedings.mlr.press/v9/glorot10a.html", kinks={0: 1}, range=(-1, 1), monotonic=True,
            smooth="C1", zero_centred=True, saturates={"left": -1, "right": 1}, lipschitz=1, torch="softsign")
def softsign(F: Any, x: Any) -> Any:
    """A sigmoid whose tails fall as 1/x (Bergstra et al. 2009; Glorot and Bengio 2010)."""
    x = F.minimum(F.maximum(x, -LARGE), LARGE)       # infinity / infinity is not 1
    return x / (1 + F.abs(x))


@softsign.backward
def softsign_backward(F: Any, g: Any, x: Any) -> Any:
    r = 1 / (1 + F.abs(x))
    return g * (r * r)


def _tanh_shrink_near_0(F: Any, x: Any) -> Any:
    """x - tanh(x) for |x| < 1 by the continued fraction tanh x = x / (1 + k), k = x^2 / (3 + x^2 / (5 + ...))."""
    s = F.minimum(x * x, 1)
    k = s / 19
    for odd in (17, 15, 13, 11, 9, 7, 5, 3):
        k = s / (odd + k)
    return x * (k / (1 + k))


@activation(formula=r"x - \tanh x", derivative=r"\tanh^2 x",
            paper="https://docs.pytorch.org/docs/stable/generated/torch.nn.Tanhshrink.html", range=(-inf, inf),
            monotonic=True, smooth="analytic", zero_centred=True, lipschitz=1, module="Tanhshrink", torch="tanhshrink")
def tanh_shrink(F: Any, x: Any) -> Any:
    """What tanh takes away. Near 0, where x and tanh(x) cancel, by a continued fraction of positive terms."""
    return F.where(F.abs(x) < 1, _tanh_shrink_near_0(F, x), x - F.tanh(x))


@tanh_shrink.backward
def tanh_shrink_backward(F: Any, g: Any, x: Any) -> Any:
    t = F.tanh(x)
    return g * (t * t)


@tanh_shrink.second
def tanh_shrink_second(F: Any, g: Any, x: Any) -> Any:
    return tanh_backward(F, g, x) * (2 * F.tanh(x))


@activation(formula=r"\Phi(x) = \tfrac12 \operatorname{erfc}\!\left(-\tfrac{x}{\sqrt2}\right)",
            derivative=r"\varphi(x) = \frac{e^{-x^2/2}}{\sqrt{2\pi}}", paper="arXiv:1606.08415", range=(0, 1), monotonic=True,
            smooth="analytic", zero_centred=False, saturates={"left": 0, "right": 1}, lipschitz=1 / sqrt(2 * pi),
            module="NormalCDF")
def normal_cdf(F: Any, x: Any) -> Any:
    """The distribution function of the normal distribution, the erf sigmoid; by erfc, which keeps the left tail."""
    return 0.5 * F.erfc(-sqrt(0.5) * x)


@normal_cdf.backward
def normal_cdf_backward(F: Any, g: Any, x: Any) -> Any:
    return g * (1 / sqrt(2 * pi) * F.exp(-0.5 * (x * x)))


@normal_cdf.second
def normal_cdf_second(F: Any, g: Any, x: Any) -> Any:
    x = F.minimum(F.maximum(x, -40), 40)                # where it is 0 already; infinity * 0 is not
    e = F.exp(-0.25 * (x * x))           # half the exponent: before the product with x nothing is subnormal yet
    return g * (-1 / sqrt(2 * pi) * (x * e) * e)


@activation(formula=r"\arctan x", derivative=r"\frac{1}{1 + x^2}", paper="Kamruzzaman and Aziz, IJCNN 2002", range=(-pi / 2, pi / 2),
            monotonic=True, smooth="analytic", zero_centred=True, saturates={"left": -pi / 2, "right": pi / 2}, lipschitz=1)
def arctan(F: Any, x: Any) -> Any:
    """The arc tangent, whose tails fall as 1/x."""
    return F.atan(x)


@arctan.backward
def arctan_backward(F: Any, g: Any, x: Any) -> Any:
    return g / (1 + x * x)


@arctan.second
def arctan_second(F: Any, g: Any, x: Any) -> Any:
    x = F.minimum(F.maximum(x, -LARGE), LARGE)
    d = 1 + x * x
    return g * (-2 * x / d / d)


@activation(formula=r"\frac{x}{\sqrt{1 + \alpha x^2}}", derivative=r"(1 + \alpha x^2)^{-3/2}", paper="arXiv:1710.09967",
            range=(-1, 1), monotonic=True, smooth="analytic", zero_centred=True, saturates={"left": -1, "right": 1},
            lipschitz=1, module="ISRU")
def isru(F: Any, x: Any, *, alpha: float = 1.0) -> Any:
    """The inverse square root unit: a sigmoid without an exponential (Carlile et al. 2017)."""
    x = F.minimum(F.maximum(x, -LARGE), LARGE)
    return x / F.sqrt(1 + alpha * (x * x))


@isru.backward
def isru_backward(F: Any, g: Any, x: Any, *, alpha: float) -> Any:
    d = 1 + alpha * (x * x)
    return g / (d * F.sqrt(d))


@isru.second
def isru_second(F: Any, g: Any, x: Any, *, alpha: float) -> Any:
    x = F.minimum(F.maximum(x, -LARGE), LARGE)
    d = 1 + alpha * (x * x)
    return g * (-3 * alpha * x / d) / (d * F.sqrt(d))
