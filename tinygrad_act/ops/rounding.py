"""Rounding, signs, and the neighbours of a number. The gradient of a step is 0."""

from __future__ import annotations

from typing import Any

from .. import dtypes
from ..backend import namespaces
from ..elementwise import Elementwise
from ..errors import DTypeError
from ..tensor import Tensor, wrap
from .arithmetic import flat
from .reduce import operand
from .registry import alias, elementwise, enter, op, public


def copy_of(x: Tensor) -> Tensor:
    """The same integers, which rounding leaves alone."""
    return wrap(namespaces[type(x.array)].copy(x.array))


def _step(name: str, forward: Any, doc: str) -> None:
    """floor and its kin: a row for floats, and integers as they are."""
    row = enter(Elementwise(name, forward, flat, kinds="f"))

    def function(input: Tensor) -> Tensor:
        return copy_of(input) if isinstance(input, Tensor) and dtypes.kind(input.dtype) == "i" else row(input)

    function.__name__, function.__doc__ = name, doc
    public()(function)


_step("floor", lambda F, x: F.floor(x), "The largest whole number not above each element; its gradient is 0.")
_step("ceil", lambda F, x: F.ceil(x), "The smallest whole number not below each element; its gradient is 0.")
_step("trunc", lambda F, x: F.trunc(x), "Each element without its fraction; its gradient is 0.")
frac = elementwise("frac", lambda F, x: x - F.trunc(x), lambda F, g: g, kinds="f",
                   doc="The fraction of each element, with its sign.")

round_row = enter(Elementwise("round", lambda F, x: F.round(x), flat, kinds="f"))
round_decimals = enter(Elementwise(
    "round_decimals",
    lambda F, x, *, decimals: F.round(x * 10.0**decimals) / 10.0**decimals if decimals > 0
    else F.round(x / 10.0**-decimals) * 10.0**-decimals, flat, kinds="f"))


@public("round")
def round_(input: Tensor, *, decimals: int = 0) -> Tensor:
    """To the nearest whole number, halves to the even one; or to `decimals` places (negative: tens, hundreds).

    >>> ta.round(ta.tensor([0.5, 1.5, -1.7])), ta.round(ta.tensor([3.14159]), decimals=2)
    (tensor([ 0.,  2., -2.]), tensor([3.1400]))
    """
    if decimals:
        return round_decimals(input, decimals=decimals)
    return copy_of(input) if isinstance(input, Tensor) and dtypes.kind(input.dtype) == "i" else round_row(input)


# ------------------------------------------------------------------------------------------------------------ signs
sign_row = enter(Elementwise("sign", lambda F, x: F.where(x == x, F.sign(x), 0), flat, kinds="if"))


@public("sign", "sgn")
def sign(input: Tensor) -> Tensor:
    """-1, 0 or 1; 0 for NaN, as in PyTorch. The gradient is 0."""
    return copy_of(input) if isinstance(input, Tensor) and input.dtype.kind == "b" else sign_row(input)


signbit = elementwise("signbit", lambda F, x: F.signbit(x), doc="True where the sign bit is set: below 0, and for -0.0.")
copysign = elementwise(
    "copysign", lambda F, a, b: F.copysign(a, b),
    lambda F, g, a, y: F.where(a == 0, 0, F.where(F.signbit(a) == F.signbit(y), g, -g)), flat, result="float",
    doc="|a| with the sign of b.")
heaviside_row = enter(Elementwise(
    "heaviside", lambda F, x, values: F.where(x == 0, values, F.where(x > 0, F.ones_like(x), F.zeros_like(x))),
    same_dtype=True))


@public()
def heaviside(input: Tensor, values: Tensor) -> Tensor:
    """0 below 0, 1 above, `values` at 0. Not differentiable, but by a surrogate: see `study.rules`.

    >>> ta.heaviside(ta.tensor([-2., 0., 3.]), ta.tensor([0.5]))
    tensor([0.0000, 0.5000, 1.0000])
    """
    return heaviside_row(operand(input, "heaviside"), operand(values, "heaviside"))


# Not elementwise to the engine: the next float16 is not the next float32, so nothing may widen it.
nextafter_row = op("nextafter", lambda F, a, b: F.nextafter(a, b),
                   lambda F, g, a, b: F.sum_to(F.where(a == b, 0, g), a.shape),
                   lambda F, g, b_shape: F.sum_to(F.zeros_like(g), b_shape), same_dtype=True)


@public()
def nextafter(input: Tensor, other: Tensor) -> Tensor:
    """The next floating-point number after each element of `input` in the direction of `other`."""
    for x in (input, other):
        if isinstance(x, Tensor) and dtypes.kind(x.dtype) != "f":
            raise DTypeError("nextafter", str(x.dtype), "only floats have neighbours", "convert with .to(ta.float32)")
    result: Tensor = nextafter_row(input, other)
    return result


alias(fix="trunc")
