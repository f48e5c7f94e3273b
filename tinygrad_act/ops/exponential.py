"""Powers, roots, exponentials and logarithms."""

from __future__ import annotations

import math
from typing import Any

from .. import dtypes
from ..elementwise import Elementwise
from ..errors import ArgumentError, DTypeError
from ..tensor import Tensor
from .arithmetic import NUMBERS, cast, mul
from .registry import elementwise, enter, mirrored_operators, operators, public

LN2, LN10 = math.log(2), math.log(10)

sqrt = elementwise("sqrt", lambda F, x: F.sqrt(x), lambda F, g, y: g / (2 * y), result="float",
                   doc="The square root: NaN below 0, and a gradient of inf at 0.")
rsqrt = elementwise("rsqrt", lambda F, x: 1 / F.sqrt(x), lambda F, g, y: -0.5 * g * (y * y * y), result="float",
                    doc="1 / sqrt(x)")
exp = elementwise("exp", lambda F, x: F.exp(x), lambda F, g, y: g * y, result="float", doc="e to the x")
exp2 = elementwise("exp2", lambda F, x: F.exp2(x), lambda F, g, y: g * (y * LN2), result="float", doc="2 to the x")
expm1 = elementwise("expm1", lambda F, x: F.expm1(x), lambda F, g, x: g * F.exp(x), result="float",
                    doc="exp(x) - 1, without the cancellation near 0. The gradient reads x: y + 1 has lost the left tail.")
log = elementwise("log", lambda F, x: F.log(x), lambda F, g, x: g / x, result="float", doc="The natural logarithm.")
log2 = elementwise("log2", lambda F, x: F.log2(x), lambda F, g, x: g / (x * LN2), result="float", doc="The logarithm to base 2.")
log10 = elementwise("log10", lambda F, x: F.log10(x), lambda F, g, x: g / (x * LN10), result="float",
                    doc="The logarithm to base 10.")
log1p = elementwise("log1p", lambda F, x: F.log1p(x), lambda F, g, x: g / (x + 1), result="float",
                    doc="log(1 + x), exact near 0.")


# ------------------------------------------------------------------------------------------------------- logaddexp
def _gap(F: Any, a: Any, b: Any) -> Any:
    """-|a - b|, and 0 where a and b are the same infinity."""
    return -F.abs(F.where(a == b, 0, a - b))


logaddexp = elementwise("logaddexp", lambda F, a, b: F.maximum(a, b) + F.log1p(F.exp(_gap(F, a, b))),
                        lambda F, g, a, b: g / (1 + F.exp(b - a)), lambda F, g, a, b: g / (1 + F.exp(a - b)),
                        result="float", doc="log(exp(a) + exp(b)), without overflow.")
logaddexp2 = elementwise("logaddexp2", lambda F, a, b: F.maximum(a, b) + F.log1p(F.exp2(_gap(F, a, b))) * (1 / LN2),
                         lambda F, g, a, b: g / (1 + F.exp2(b - a)), lambda F, g, a, b: g / (1 + F.exp2(a - b)),
                         result="float", doc="log2(2**a + 2**b), without overflow.")


# ------------------------------------------------------------------------------------------------------------- pow
def log_of(F: Any, x: Any) -> Any:
    """The logarithm of what may also be a Python number, which it then stays."""
    if not isinstance(x, NUMBERS):
        return F.log(x)
    return math.log(x) if x > 0 else -math.inf if x == 0 else math.nan


def _power(F: Any, a: Any, b: Any) -> Any:
    """a**b; the exponents met most by multiplication, which is exact for squares and many times faster."""
    if isinstance(b, NUMBERS):
        if b == 2:
            return a * a
        if b == 3:
            return a * a * a
        if b == 4:
            return (a * a) * (a * a)
        if b == 0.5:
            return F.sqrt(a)
        if b == -1:
            return 1 / a
        if b == -2:
            return 1 / (a * a)
        if b == -0.5:
            return 1 / F.sqrt(a)
    return F.pow(a, b)


def _power_base(F: Any, g: Any, a: Any, b: Any) -> Any:
    if not isinstance(b, NUMBERS):
        n = F.where(b == 0, 1, b)                       # keeps 0 * inf, of a = 0, out of the branch not taken
        return F.where(b == 0, 0, g * (n * F.pow(a, n - 1)))
    if b == 2:
        return g * (2 * a)
    if b == 1:
        return g
    return F.zeros_like(g) if b == 0 else g * (b * _power(F, a, b - 1))


def _power_exponent(F: Any, g: Any, a: Any, b: Any, y: Any) -> Any:
    if isinstance(a, NUMBERS):
        return F.where(b >= 0, 0, g * (y * -math.inf)) if a == 0 else g * (y * log_of(F, a))
    flat = F.logical_and(a == 0, b >= 0)                # 0**b = 0 (or 1) there, whose slope PyTorch takes as 0
    return F.where(flat, 0, g * (y * F.log(F.where(flat, 1, a))))


def _integer_power(F: Any, a: Any, b: Any) -> Any:
    below = F.where(a == 1, 1, F.where(a == -1, 1 - 2 * F.remainder(b, 2), 0))        # 1/a**|b|, rounded towards 0
    return F.where(b < 0, below, F.pow(a, F.maximum(b, 0)))


power = enter(Elementwise("pow", _power, _power_base, _power_exponent, kinds="if"))
integer_power = enter(Elementwise("integer_pow", _integer_power, kinds="i"))


@public("pow")
def pow_(input: Tensor | float, exponent: Tensor | float) -> Tensor:
    """input ** exponent, either of which may be a number (but not both).

    The gradient with respect to the exponent is 0 where the base is 0 and the exponent is not negative.

    Raises DTypeError for an integer tensor to a negative integer power.

    >>> x = ta.tensor([1., 2., 3.], requires_grad=True)
    >>> (x ** 2).sum().backward(); x.grad
    tensor([2., 4., 6.])
    """
    if type(exponent) is float or (isinstance(input, Tensor) and input.dtype.char in "fd"):
        return power(input, exponent)
    kind = dtypes.kind(dtypes.result_type(input, exponent))
    if kind == "f":
        return power(input, exponent)
    if kind == "b":
        raise DTypeError("pow", "bool ** bool", "there are no powers of bools", "convert one, for example with .to(ta.int64)")
    if not isinstance(exponent, Tensor) and exponent < 0:
        raise DTypeError("pow", f"integers ** {exponent}", "a negative power of an integer is not an integer",
                         "use floats, or write 1.0 * x for x")
    return integer_power(input, exponent) if isinstance(exponent, Tensor) else power(input, exponent)


def reflected_power(exponent: Tensor, input: Any) -> Tensor:
    return pow_(input, exponent)


@public()
def float_power(input: Tensor | float, exponent: Tensor | float) -> Tensor:
    """input ** exponent computed in, and returned as, float64.

    >>> ta.float_power(ta.tensor([2, 3]), -1).dtype
    dtype('float64')
    """
    if not isinstance(input, Tensor) and not isinstance(exponent, Tensor):
        raise ArgumentError("float_power", f"{input!r}, {exponent!r}", "one of the two must be a Tensor")
    wide = [cast(x, dtype=dtypes.float64) if isinstance(x, Tensor) else float(x) for x in (input, exponent)]
    return power(*wide)


@public()
def ldexp(input: Tensor, other: Tensor | float) -> Tensor:
    """input * 2**other.

    >>> ta.ldexp(ta.tensor([1.0]), ta.tensor([3]))
    tensor([8.])
    """
    return mul(input, pow_(2.0, other))


operators(__pow__=pow_)
mirrored_operators(__rpow__=reflected_power)


# --------------------------------------------------------------------------------------------------- xlogy, logit
def _xlogy(F: Any, a: Any, b: Any) -> Any:
    return F.where(F.logical_and(a == 0, b == b), 0, a * log_of(F, b))


def _xlogy_first(F: Any, g: Any, a: Any, b: Any) -> Any:
    flat = F.logical_and(a == 0, b <= 0)
    return F.where(flat, 0, g * (log_of(F, b) if isinstance(b, NUMBERS) else F.log(F.where(flat, 1, b))))


xlogy = elementwise("xlogy", _xlogy, _xlogy_first,
                    lambda F, g, a, b: g * (a / b), result="float",
                    doc="a * log(b), and 0 where a is 0 (unless b is NaN).")


def _logit(F: Any, x: Any, *, eps: float | None = None) -> Any:
    if eps is not None:
        x = F.where(x < eps, eps, F.where(x > 1 - eps, 1 - eps, x))
    return F.log(x / (1 - x))


def _logit_backward(F: Any, g: Any, x: Any, *, eps: float | None) -> Any:
    if eps is None:                                     # 0.0 + makes the -0.0 of x = -0.0 a 0.0: the slope is +inf
        return F.where(F.logical_or(x < 0, x > 1), math.nan, g / (0.0 + x * (1 - x)))
    outside = F.logical_or(x < eps, x > 1 - eps)
    x = F.where(outside, 0.5, x)
    return F.where(outside, 0, g / (x * (1 - x)))


logit = elementwise("logit", _logit, _logit_backward, result="float",
                    doc="log(x / (1 - x)), the inverse of sigmoid; with eps, x is first clamped to eps .. 1 - eps.")
