"""Calls of NumPy's that can put their result into an array that is there already: for the replay of a recorded step."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import rowsums
from .namespace import Namespace

# Operators of arrays that are ufuncs and nothing else. (`x ** 2` is not: it is a square, which a ufunc would have to be told.)
UFUNCS: dict[Any, Any] = {
    operator.add: np.add, operator.sub: np.subtract, operator.mul: np.multiply, operator.truediv: np.divide, operator.neg: np.negative,
    operator.abs: np.absolute, operator.matmul: np.matmul, operator.lt: np.less, operator.le: np.less_equal, operator.gt: np.greater,
    operator.ge: np.greater_equal, operator.eq: np.equal, operator.ne: np.not_equal, operator.and_: np.bitwise_and,
    operator.or_: np.bitwise_or, operator.xor: np.bitwise_xor, operator.invert: np.invert}
IN_PLACE: dict[Any, Any] = {
    operator.iadd: np.add, operator.isub: np.subtract, operator.imul: np.multiply, operator.itruediv: np.divide}
FLOATS = {np.dtype("f"), np.dtype("d")}
NEW = object()                           # in a call's arguments: where the array for the result goes


def into(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, tuple[Any, ...], dict[str, Any], bool] | None:
    """The same call with a place for the result, NEW: (function, args, kwargs, is it elementwise). None if there is none."""
    function = UFUNCS.get(function, function)
    of = getattr(function, "__self__", None)
    if isinstance(of, Namespace) and not kwargs:
        if function.__name__ == "product" or (function.__name__ == "sum_rows" and math.prod(args[0].shape) > rowsums.MANY):
            return function, (*args, NEW), {}, False
        if function.__name__ == "sum_rows":                                             # as it says itself
            function, args = np.dot, (np.ones(args[0].shape[0], args[0].dtype), *args)
        elif function.__name__ == "run":
            function, args = _compiled(of, *args) or (function, args)
    if function is np.dot and len(args) == 2 and not kwargs and {a.dtype for a in args} < FLOATS:
        return np.dot, (*args, NEW), {}, False
    if isinstance(function, np.ufunc) and function.nout == 1 and not kwargs and len(args) == function.nin:
        if function in (np.maximum, np.minimum):         # which take it by position no more
            return function, args, {"out": NEW}, True
        return function, (*args, NEW), {}, function.signature is None
    of = getattr(function, "__self__", None)
    if isinstance(of, np.ufunc) and function.__name__ == "reduce":
        names = ("array", "axis", "dtype", "out", "keepdims")
        given: dict[str, Any] = {"axis": 0, "dtype": None, "out": None, "keepdims": False, **dict(zip(names, args, strict=False)), **kwargs}
        if set(given) <= set(names) and given["out"] is None:
            return function, (given["array"], given["axis"], given["dtype"], NEW, given["keepdims"]), {}, False
    if getattr(function, "__name__", "") == "copy" and of is not None and not isinstance(of, np.ufunc) and len(args) == 1:
        return np.copyto, (NEW, *args), {}, False
    return None


def _compiled(F: Any, rule: Any, arrays: Sequence[Any], params: dict[str, Any]) -> tuple[Any, tuple[Any, ...]] | None:
    """The ufunc that F.run comes to, and its arguments."""
    sizes = [math.prod(a.shape) for a in arrays if hasattr(a, "shape")]
    if F.executor is None or max(sizes, default=0) < F.large:
        return None
    stand = [np.empty(0, a.dtype) if hasattr(a, "dtype") else a for a in arrays]
    found = F.executor.settled(rule, stand, params)
    if found is None:
        return None
    value = {id(s): a for s, a in zip(stand, arrays, strict=True)}
    return found[0], tuple(value.get(id(a), a) for a in found[1])


def plain(function: Any) -> bool:
    """Does the shape of the result follow from those of the arguments?"""
    return function in UFUNCS or isinstance(function, np.ufunc)


def in_place(function: Any, args: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]] | None:
    """An operator such as += as a ufunc that writes where it reads."""
    return (IN_PLACE[function], (*args, args[0])) if function in IN_PLACE else None


def number(x: float, dtype: Any) -> Any:
    """A Python number as the array that a ufunc would make of it beside arrays of that float dtype, at each call."""
    return np.asarray(x, dtype)


def block(size: int) -> Any:
    """Memory of that many bytes, from a multiple of 64 on."""
    memory = np.empty(size + 64, np.uint8)
    start = -memory.ctypes.data % 64
    return memory[start:start + size]


def place(memory: Any, shape: tuple[int, ...], dtype: Any, strides: tuple[int, ...]) -> Any:
    """An array of that layout at the start of a block."""
    array: Any = np.ndarray(shape, dtype, memory, 0, strides)
    return array


def dense(shape: tuple[int, ...], dtype: Any, strides: tuple[int, ...]) -> bool:
    """Do arrays of that layout fill their memory without a gap, in some order of their axes?"""
    step = dtype.itemsize
    for stride, n in sorted((s, n) for s, n in zip(strides, shape, strict=True) if n != 1):
        if stride != step:
            return False
        step *= n
    return 0 not in shape


def in_rows(shape: tuple[int, ...], dtype: Any, strides: tuple[int, ...]) -> bool:
    """Do arrays of that layout lie as NumPy's new ones do?"""
    return bool(np.empty(shape, dtype).strides == strides)


def like(shape: tuple[int, ...], dtype: Any, strides: tuple[int, ...]) -> Any:
    """An array of that layout, whatever is in it."""
    count = sum((n - 1) * abs(s) for n, s in zip(shape, strides, strict=True)) + dtype.itemsize
    start = sum((n - 1) * -s for n, s in zip(shape, strides, strict=True) if s < 0)
    array: Any = np.ndarray(shape, dtype, block(max(count, 1)), start, strides)
    return array


def maker(shape: tuple[int, ...], dtype: Any) -> Callable[[], Any]:
    """What makes an array of that shape, whatever is in it."""
    return functools.partial(np.empty, shape, dtype)
