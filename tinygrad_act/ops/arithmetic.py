"""Arithmetic and its operators.

Every other file of this folder is like this one: a row is an op's name, its forward rule, and a backward rule for each
input. What a rule's parameters name is what the graph keeps.
"""

from __future__ import annotations

import math
from typing import Any

from .. import dtypes
from ..elementwise import Elementwise
from ..errors import ArgumentError, DTypeError
from ..tensor import Tensor
from .registry import alias, elementwise, enter, mirrored_operators, op, operators, public, unary_operators

NUMBERS = (int, float)                                 # bool is an int

cast = op("cast", lambda F, x, *, dtype: F.cast(x, dtype), lambda F, g, x_dtype: F.cast(g, x_dtype))
zeros_like = op("zeros_like", lambda F, x: F.zeros_like(x))
ones_like = op("ones_like", lambda F, x: F.ones_like(x))


def flat(F: Any, g: Any) -> Any:
    """The backward rule of a function that is constant wherever it has a derivative."""
    return F.zeros_like(g)


# ------------------------------------------------------------------------------------------------ the four operations
add = elementwise("add", lambda F, a, b: a + b, lambda F, g: g, lambda F, g: g)
sub = elementwise("sub", lambda F, a, b: a - b, lambda F, g: g, lambda F, g: -g, kinds="if")
rsub = elementwise("rsub", lambda F, a, b: b - a, lambda F, g: -g, lambda F, g: g, kinds="if", method=False)
mul = elementwise("mul", lambda F, a, b: a * b, lambda F, g, b: g * b, lambda F, g, a: g * a,
                  doc="a * b, element by element; they broadcast.")
div = elementwise("div", lambda F, a, b: a / b, lambda F, g, b: g / b, lambda F, g, a, b: -g * (a / b / b), result="float")
neg = elementwise("neg", lambda F, x: -x, lambda F, g: -g, kinds="if", doc="-x")


def _divide_integers(F: Any, a: Any, b: Any) -> Any:
    return F.floor_divide(a - F.fmod(a, b), b)          # what is left divides exactly, so the rounding says nothing


floor_divide = elementwise("floor_divide", lambda F, a, b: F.floor_divide(a, b), flat, flat, kinds="if",
                           doc="The quotient rounded down; its gradient is 0. Integers stay integers.")
div_trunc = enter(Elementwise("div_trunc", lambda F, a, b: F.trunc(a / b), flat, flat, kinds="f"))
div_trunc_int = enter(Elementwise("div_trunc_int", _divide_integers, kinds="i"))
remainder = elementwise("remainder", lambda F, a, b: F.remainder(a, b),
                        lambda F, g: g, lambda F, g, a, b: -g * F.floor_divide(a, b), kinds="if",
                        doc="What is left after `floor_divide`: it has the sign of b, as Python's %.")
fmod = elementwise("fmod", lambda F, a, b: F.fmod(a, b),
                   lambda F, g: g, lambda F, g, a, b: -g * F.trunc(a / b), kinds="if",
                   doc="What is left after division rounded towards 0: it has the sign of a, as C's fmod.")
gcd = elementwise("gcd", lambda F, a, b: F.gcd(a, b), kinds="i", doc="The greatest common divisor of integers.")
lcm = elementwise("lcm", lambda F, a, b: F.lcm(a, b), kinds="i", doc="The least common multiple of integers.")


def _scaled(name: str, input: Any, other: Any, alpha: Any) -> Any:
    """alpha * other, for `add(input, other, alpha=)`."""
    if isinstance(alpha, float) and dtypes.kind(dtypes.result_type(input, other)) != "f":
        raise ArgumentError(name, f"alpha={alpha} for integers", "alpha must not be a float", "pass an int, or floats")
    return other * alpha


@public("add")
def add_scaled(input: Tensor | float, other: Tensor | float, *, alpha: float = 1) -> Tensor:
    """input + alpha * other.

    >>> ta.add(ta.tensor([1., 2.]), ta.tensor([10., 20.]), alpha=2)
    tensor([21., 42.])
    """
    return add(input, other if type(alpha) is int and alpha == 1 else _scaled("add", input, other, alpha))


@public("sub", "subtract")
def sub_scaled(input: Tensor | float, other: Tensor | float, *, alpha: float = 1) -> Tensor:
    """input - alpha * other. Not for bools: `^` or `logical_xor` is meant there.

    >>> ta.sub(ta.tensor([1., 2.]), 10, alpha=2)
    tensor([-19., -18.])
    """
    return sub(input, other if type(alpha) is int and alpha == 1 else _scaled("sub", input, other, alpha))


@public("rsub", method=False)
def rsub_scaled(input: Tensor | float, other: Tensor | float, *, alpha: float = 1) -> Tensor:
    """other - alpha * input."""
    return rsub(input if type(alpha) is int and alpha == 1 else _scaled("rsub", other, input, alpha), other)


@public("div", "divide", "true_divide")
def div_rounded(input: Tensor | float, other: Tensor | float, *, rounding_mode: str | None = None) -> Tensor:
    """input / other; with rounding_mode="floor" or "trunc" the quotient rounded down or towards 0 (gradient 0).

    Without a rounding mode integers become the default float; with one they stay integers.

    >>> ta.div(ta.tensor([7, -7]), 2, rounding_mode="trunc"), ta.div(ta.tensor([7, -7]), 2, rounding_mode="floor")
    (tensor([ 3, -3]), tensor([ 3, -4]))
    """
    if rounding_mode is None:
        return div(input, other)
    if rounding_mode == "floor":
        return floor_divide(input, other)
    if rounding_mode != "trunc":
        raise ArgumentError("div", f"rounding_mode={rounding_mode!r}", "there is no such mode", 'it is None, "floor" or "trunc"')
    return (div_trunc if dtypes.kind(dtypes.result_type(input, other)) == "f" else div_trunc_int)(input, other)


@public("positive")
def positive(input: Tensor) -> Tensor:
    """+input: the tensor itself. Not for bools."""
    if input.dtype.kind == "b":
        raise DTypeError("positive", "bool", "it does not take this element type", "it takes integers and floats")
    return input


# --------------------------------------------------------------------------------------------------- of one number
abs_ = elementwise("abs", lambda F, x: F.abs(x),
                   lambda F, g, x: F.where(x == x, g * F.sign(x), 0), kinds="if",
                   doc="The absolute value; its gradient at 0 (and, as in PyTorch, at NaN) is 0.")
square = elementwise("square", lambda F, x: x * x, lambda F, g, x: g * (2 * x), kinds="if", doc="x * x")
reciprocal = elementwise("reciprocal", lambda F, x: 1 / x, lambda F, g, y: -g * (y * y), result="float", doc="1 / x")
deg2rad = elementwise("deg2rad", lambda F, x: x * (math.pi / 180), lambda F, g: g * (math.pi / 180), result="float",
                      doc="Degrees as radians.")
rad2deg = elementwise("rad2deg", lambda F, x: x * (180 / math.pi), lambda F, g: g * (180 / math.pi), result="float",
                      doc="Radians as degrees.")


@public("square")
def square_number(input: Tensor) -> Tensor:
    """x * x, a bool being taken for 0 or 1.

    >>> ta.square(ta.tensor([-3.]))
    tensor([9.])
    """
    return square(cast(input, dtype=dtypes.int64) if isinstance(input, Tensor) and input.array.dtype.char == "?" else input)


# ------------------------------------------------------------------------------------------------- of three numbers
def _lerp(F: Any, input: Any, end: Any, weight: Any) -> Any:
    way = end - input
    if not isinstance(weight, NUMBERS):
        return F.where(F.abs(weight) < 0.5, input + weight * way, end - way * (1 - weight))
    return input + weight * way if abs(weight) < 0.5 else end - way * (1 - weight)      # each exact at its own end


lerp = elementwise("lerp", _lerp, lambda F, g, weight: g * (1 - weight), lambda F, g, weight: g * weight,
                   lambda F, g, input, end: g * (end - input), kinds="f", same_dtype=True,
                   doc="From `input` to `end`: input + weight * (end - input). The weight is a number or a tensor.")
addcmul_row = enter(Elementwise("addcmul", lambda F, input, tensor1, tensor2, *, value=1: input + value * (tensor1 * tensor2),
                                lambda F, g: g, lambda F, g, tensor2, *, value: g * (value * tensor2),
                                lambda F, g, tensor1, *, value: g * (value * tensor1)))
addcdiv = elementwise("addcdiv", lambda F, input, tensor1, tensor2, *, value=1: input + value * (tensor1 / tensor2),
                      lambda F, g: g, lambda F, g, tensor2, *, value: g * (value / tensor2),
                      lambda F, g, tensor1, tensor2, *, value: -g * (value * (tensor1 / tensor2) / tensor2), kinds="f",
                      doc="input + value * tensor1 / tensor2, for floats.")


@public()
def addcmul(input: Tensor | float, tensor1: Tensor | float, tensor2: Tensor | float, *, value: float = 1) -> Tensor:
    """input + value * tensor1 * tensor2; among integers, value loses its fraction.

    >>> ta.addcmul(ta.tensor([1., 2.]), ta.tensor([3.]), ta.tensor([5., 7.]), value=0.5)
    tensor([ 8.5000, 12.5000])
    """
    if isinstance(value, float) and dtypes.kind(dtypes.result_type(input, tensor1, tensor2)) != "f":
        value = int(value)
    return addcmul_row(input, tensor1, tensor2, value=value)


alias(multiply="mul", negative="neg", absolute="abs")
operators(__add__=add, __sub__=sub, __mul__=mul, __truediv__=div, __rtruediv__=div, __floordiv__=floor_divide,
          __rfloordiv__=floor_divide, __mod__=remainder, __rmod__=remainder)
mirrored_operators(__radd__=add, __rmul__=mul, __rsub__=rsub)
unary_operators(__neg__=neg, __pos__=positive, __abs__=abs_)
