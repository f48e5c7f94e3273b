"""One of several: maximum, clamp, where, and what replaces NaN."""

from __future__ import annotations

import math
from typing import Any

from .. import dtypes
from ..elementwise import Elementwise
from ..errors import ArgumentError, DTypeError
from ..tensor import Tensor
from .arithmetic import cast
from .comparison import ne
from .reduce import operand
from .registry import elementwise, enter, functions, public
from .rounding import copy_of

# Where the two are equal each gets half of the gradient; a NaN passes it to both, as in PyTorch.
maximum = elementwise("maximum", lambda F, a, b: F.maximum(a, b),
                      lambda F, g, a, b: F.where(a == b, g * 0.5, F.where(a < b, 0, g)),
                      lambda F, g, a, b: F.where(a == b, g * 0.5, F.where(a > b, 0, g)),
                      doc="The larger of a and b, NaN if one is; equal ones share the gradient.")
minimum = elementwise("minimum", lambda F, a, b: F.minimum(a, b),
                      lambda F, g, a, b: F.where(a == b, g * 0.5, F.where(a > b, 0, g)),
                      lambda F, g, a, b: F.where(a == b, g * 0.5, F.where(a < b, 0, g)),
                      doc="The smaller of a and b, NaN if one is; equal ones share the gradient.")
# Here the first gets it, where they are equal or b is NaN.
fmax = elementwise("fmax", lambda F, a, b: F.fmax(a, b),
                   lambda F, g, a, b: F.where(F.logical_or(a >= b, b != b), g, 0),
                   lambda F, g, a, b: F.where(F.logical_or(a >= b, b != b), 0, g),
                   doc="The larger of a and b, or the one that is not NaN.")
fmin = elementwise("fmin", lambda F, a, b: F.fmin(a, b),
                   lambda F, g, a, b: F.where(F.logical_or(a <= b, b != b), g, 0),
                   lambda F, g, a, b: F.where(F.logical_or(a <= b, b != b), 0, g),
                   doc="The smaller of a and b, or the one that is not NaN.")

# ------------------------------------------------------------------------------------------------------------ clamp
at_least = enter(Elementwise("clamp_min", lambda F, x, min: F.maximum(x, min),
                                lambda F, g, x, min: F.where(x >= min, g, 0), lambda F, g, x, min: F.where(x < min, g, 0)))
at_most = enter(Elementwise("clamp_max", lambda F, x, max: F.minimum(x, max),
                               lambda F, g, x, max: F.where(x <= max, g, 0), lambda F, g, x, max: F.where(x > max, g, 0)))
between = enter(Elementwise(
    "clamp", lambda F, x, min, max: F.minimum(F.maximum(x, min), max),
    lambda F, g, x, min, max: F.where(F.logical_and(x >= min, x <= max), g, 0),
    lambda F, g, x, min, max: F.where(F.logical_and(x < min, min < max), g, 0),
    lambda F, g, x, min, max: F.where(F.logical_or(x > max, max < min), g, 0)))


@public("clamp", "clip")
def clamp(input: Tensor, min: Tensor | float | None = None, max: Tensor | float | None = None) -> Tensor:
    """`input` kept between `min` and `max`, numbers or tensors, either of which may be left out.

    The gradient passes inside and at the bounds. Where min > max, the result is max.

    >>> ta.clamp(ta.tensor([-2., 0.5, 3.]), min=-1, max=1)
    tensor([-1.0000,  0.5000,  1.0000])
    """
    if operand(input, "clamp").dtype.kind in "iu":
        fits("clamp", min, input)
        fits("clamp", max, input)
    if max is None:
        if min is None:
            raise ArgumentError("clamp", "", "neither min nor max is given", "give at least one")
        return at_least(input, min)
    return at_most(input, max) if min is None else between(input, min, max)


@public()
def clamp_min(input: Tensor, min: Tensor | float) -> Tensor:
    """`input`, but nothing below `min`, a number or a tensor."""
    return clamp(input, min)


@public()
def clamp_max(input: Tensor, max: Tensor | float) -> Tensor:
    """`input`, but nothing above `max`, a number or a tensor."""
    return clamp(input, None, max)


def fits(name: str, number: Any, like: Any) -> None:
    """Complain of a number that `like`'s dtype cannot hold."""
    if isinstance(like, Tensor):
        dtypes.stored(number, like.dtype, name)


# ------------------------------------------------------------------------------------------------------------ where
select = enter(Elementwise("where", lambda F, condition, input, other: F.where(condition, input, other), None,
                              lambda F, g, condition: F.where(condition, g, 0),
                              lambda F, g, condition: F.where(condition, 0, g), mixes=(1, 2)))


@public(method=False)
def where(condition: Tensor, input: Any = None, other: Any = None) -> Any:
    """`input` where `condition` holds, `other` elsewhere; all three broadcast, and the last two may be numbers.

    With the condition alone: the indices where it holds, a tensor for each axis, as `nonzero(as_tuple=True)`.

    >>> x = ta.tensor([-1., 2.])
    >>> ta.where(x > 0, x, 0.1 * x)
    tensor([-0.1000,  2.0000])
    """
    if input is None and other is None:
        return functions["nonzero"](condition, as_tuple=True)
    if input is None or other is None:
        raise ArgumentError("where", "two arguments", "both or neither of input and other must be given")
    if type(input) is int or type(other) is int:           # a float makes the result one, which holds it
        fits("where", input, other)
        fits("where", other, input)
    if type(condition) is not Tensor or condition.array.dtype.char != "?":
        condition = _mask("where", condition)
    return select(condition, input, other)


@public("where", function=False)
def where_method(self: Tensor, condition: Tensor, other: Any) -> Tensor:
    """`self` where `condition` holds, `other` elsewhere."""
    result: Tensor = where(condition, self, other)
    return result


filled = enter(Elementwise("masked_fill", lambda F, x, mask, value: F.where(mask, value, x),
                              lambda F, g, mask: F.where(mask, 0, g), None,
                              lambda F, g, mask: F.where(mask, g, 0), mixes=(0,)))


@public()
def masked_fill(input: Tensor, mask: Tensor, value: Tensor | float) -> Tensor:
    """`input` with `value`, a number or a 0-d tensor, where the bool tensor `mask` holds; the dtype stays `input`'s.

    >>> ta.masked_fill(ta.tensor([1., 2., 3.]), ta.tensor([True, False, True]), 0)
    tensor([0., 2., 0.])
    """
    kind = dtypes.kind(input.dtype)
    if isinstance(value, Tensor):
        if value.ndim:
            raise ArgumentError("masked_fill", f"a value of shape {value.shape}", "the value must be a number or a 0-d tensor",
                                "use where(mask, value, input)")
        if value.dtype != input.dtype:
            value = cast(value, dtype=input.dtype)
    elif kind == "f":
        fits("masked_fill", value, input)
    elif kind == "b":
        value = bool(value)
    else:
        fits("masked_fill", value, input)
        value = int(value)
    return filled(input, _mask("masked_fill", mask, uint8=False), value)


def _mask(name: str, mask: Any, uint8: bool = True) -> Any:
    if not isinstance(mask, Tensor) or mask.dtype.kind == "b":
        return mask
    if uint8 and mask.dtype == dtypes.uint8:
        return ne(mask, 0)
    raise DTypeError(name, f"a mask of {mask.dtype}", "a mask must be of bools", "compare, for example mask != 0")


# ------------------------------------------------------------------------------------------------------- nan_to_num
def _replace(F: Any, x: Any, *, nan: float, posinf: float, neginf: float) -> Any:
    return F.where(x != x, nan, F.where(x == math.inf, posinf, F.where(x == -math.inf, neginf, x)))


replaced = enter(Elementwise("nan_to_num", _replace, lambda F, g, x: F.where(F.isfinite(x), g, 0)))


@public()
def nan_to_num(input: Tensor, nan: float | None = None, posinf: float | None = None, neginf: float | None = None) -> Tensor:
    """`input` with NaN replaced by `nan` (0), inf by `posinf` and -inf by `neginf` (the dtype's largest and smallest).

    >>> ta.nan_to_num(ta.tensor([float("nan"), float("inf"), 1.0]), posinf=9.0)
    tensor([0., 9., 1.])
    """
    if dtypes.kind(input.dtype) != "f":
        return copy_of(input)
    limits = dtypes.finfo(input.dtype)
    return replaced(input, nan=0.0 if nan is None else nan, posinf=float(limits.max) if posinf is None else posinf,
                    neginf=float(limits.min) if neginf is None else neginf)

