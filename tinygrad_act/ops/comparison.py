"""Comparisons, tests of one number, logic and bits. Nothing here has a gradient."""

from __future__ import annotations

import math
from typing import Any

from ..backend import namespaces
from ..elementwise import Elementwise
from ..errors import ArgumentError
from ..tensor import Tensor
from .registry import alias, elementwise, enter, mirrored_operators, operators, public, unary_operators

eq = elementwise("eq", lambda F, a, b: a == b, doc="a == b, element by element.")
ne = elementwise("ne", lambda F, a, b: a != b, doc="a != b, element by element.")
lt = elementwise("lt", lambda F, a, b: a < b, doc="a < b, element by element.")
le = elementwise("le", lambda F, a, b: a <= b, doc="a <= b, element by element.")
gt = elementwise("gt", lambda F, a, b: a > b, doc="a > b, element by element.")
ge = elementwise("ge", lambda F, a, b: a >= b, doc="a >= b, element by element.")
alias(not_equal="ne", less="lt", less_equal="le", greater="gt", greater_equal="ge")
operators(__eq__=eq, __ne__=ne, __lt__=lt, __le__=le, __gt__=gt, __ge__=ge)

isnan = elementwise("isnan", lambda F, x: F.isnan(x), doc="True where an element is NaN.")
isinf = elementwise("isinf", lambda F, x: F.isinf(x), doc="True where an element is infinite.")
isfinite = elementwise("isfinite", lambda F, x: F.isfinite(x), doc="True where an element is neither infinite nor NaN.")
isposinf = elementwise("isposinf", lambda F, x: x == math.inf, doc="True where an element is +inf.")
isneginf = elementwise("isneginf", lambda F, x: x == -math.inf, doc="True where an element is -inf.")

logical_and = elementwise("logical_and", lambda F, a, b: F.logical_and(a, b), doc="True where neither is 0.")
logical_or = elementwise("logical_or", lambda F, a, b: F.logical_or(a, b), doc="True where one is not 0.")
logical_xor = elementwise("logical_xor", lambda F, a, b: F.logical_xor(a, b), doc="True where just one is not 0.")
logical_not = elementwise("logical_not", lambda F, x: F.logical_not(x), doc="True where an element is 0.")

# `mixes` is given because that takes the way which checks kinds, for floats too.
bitwise_and = elementwise("bitwise_and", lambda F, a, b: a & b, kinds="bi", mixes=(0, 1), doc="a & b, of bools or integers.")
bitwise_or = elementwise("bitwise_or", lambda F, a, b: a | b, kinds="bi", mixes=(0, 1), doc="a | b, of bools or integers.")
bitwise_xor = elementwise("bitwise_xor", lambda F, a, b: a ^ b, kinds="bi", mixes=(0, 1), doc="a ^ b, of bools or integers.")
bitwise_not = elementwise("bitwise_not", lambda F, x: ~x, kinds="bi", mixes=(0,), doc="~x, of bools or integers.")
bitwise_left_shift = elementwise("bitwise_left_shift", lambda F, a, b: a << b, kinds="i", mixes=(0, 1), doc="a << b, of integers.")
bitwise_right_shift = elementwise("bitwise_right_shift", lambda F, a, b: a >> b, kinds="i", mixes=(0, 1), doc="a >> b, of integers.")
operators(__and__=bitwise_and, __or__=bitwise_or, __xor__=bitwise_xor, __lshift__=bitwise_left_shift,
          __rshift__=bitwise_right_shift, __rlshift__=bitwise_left_shift, __rrshift__=bitwise_right_shift)
mirrored_operators(__rand__=bitwise_and, __ror__=bitwise_or, __rxor__=bitwise_xor)
unary_operators(__invert__=bitwise_not)


# -------------------------------------------------------------------------------------------------------- closeness
def _isclose(F: Any, input: Any, other: Any, *, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Any:
    other = 1.0 * other                                 # differences of unsigned integers would wrap
    apart = F.abs(input - other)
    close = F.logical_or(input == other, F.logical_and(F.isfinite(apart), apart <= atol + F.abs(rtol * other)))
    return F.logical_or(close, F.logical_and(input != input, other != other)) if equal_nan else close


isclose_row = enter(Elementwise("isclose", _isclose))


@public()
def isclose(input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Tensor:
    """True where |input - other| <= atol + rtol * |other|; infinities are close to themselves, NaN only if `equal_nan`.

    >>> ta.isclose(ta.tensor([1.0, 2.0]), ta.tensor([1.0 + 1e-7, 2.1]))
    tensor([ True, False])
    """
    if rtol < 0 or atol < 0:
        raise ArgumentError("isclose", f"rtol={rtol}, atol={atol}", "a tolerance cannot be negative")
    return isclose_row(input, other, rtol=rtol, atol=atol, equal_nan=equal_nan)


@public()
def allclose(input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> bool:
    """Whether all elements are close, as `isclose` has it.

    >>> ta.allclose(ta.tensor([1.0]), ta.tensor([1.0 + 1e-7]))
    True
    """
    return _all(isclose(input, other, rtol, atol, equal_nan))


@public()
def equal(input: Tensor, other: Tensor) -> bool:
    """Whether two tensors have the same shape and the same elements (of whatever dtype).

    >>> ta.equal(ta.tensor([1, 2]), ta.tensor([1.0, 2.0]))
    True
    """
    return input.shape == other.shape and _all(eq(input, other))


def _all(t: Tensor) -> bool:
    return bool(namespaces[type(t.array)].all(t.array).item())
