"""Attention on the CPU in C (kernels/attention.c): a head after the other, its weights in the cache.

The functions in numerics/attention.py stay the definition, and what runs where there is no compiler, for a mask's gradient, and
for dtypes that the C is not for; the tests run both.
"""

from __future__ import annotations

import ctypes
import math
import struct
from typing import Any

import numpy as np

from ..dtypes import bool_
from . import pool
from .direct import dense, library
from .layout import place
from .namespace import Namespace

NONE, ADDED, SEEN = range(3)             # kinds of mask, as in C
SHAPE = struct.Struct("2d7l40l")         # `shape` of C
WEIGHT = 8                               # a weight's share in the products, in numbers that are shared otherwise
NOTHING = (0, 0, 0, 0)


class Attended(Namespace):
    """The functions that have C beside them."""

    def attend(self, q: Any, k: Any, v: Any, mask: Any, keep: Any, scale: float, causal: bool, gain: float) -> tuple[Any, Any, Any]:
        functions = _library(q, k, v, mask, keep)
        if functions is None:
            return super().attend(q, k, v, mask, keep, scale, causal, gain)
        y = _like(q, v.shape[-1])
        peak, total = (np.empty((*q.shape[:-1], 1), q.dtype) for _ in range(2))
        _heads(functions, functions.attend, (q, k, v, mask, keep, y, peak, total), (), (scale, gain), causal)
        return y, peak, total

    def attend_grad(self, g: Any, q: Any, k: Any, v: Any, mask: Any, keep: Any, y: Any, peak: Any, total: Any,
                    scale: float, causal: bool, gain: float, for_mask: bool) -> list[Any]:
        g = g if g.strides[-1] == g.itemsize else np.array(g, order="C")
        functions = None if for_mask or y.strides[-1] != y.itemsize else _library(q, k, v, mask, keep, g, y, peak, total)
        if functions is None:
            return super().attend_grad(g, q, k, v, mask, keep, y, peak, total, scale, causal, gain, for_mask)
        found = tuple(_like(x, x.shape[-1]) for x in (q, k, v))
        _heads(functions, functions.attend_back, (q, k, v, mask, keep, y, dense(peak), dense(total)), (g, *found), (scale, gain), causal)
        return [*found, None]

    def exponentials(self, x: Any) -> tuple[Any, Any, Any]:
        """Without looking for the largest numbers, which takes longer than all the rest, if the sums show they did not matter."""
        e: Any = np.exp(x)
        total = np.matmul(e, np.ones((x.shape[-1], 1), x.dtype))
        safe = total.min() >= 1e-8 and total.max() <= 1e8                          # not so for NaN
        return (e, total, 0.0) if safe else super().exponentials(x)

    def vecdot(self, a: Any, b: Any) -> Any:
        return np.vecdot(a, b)[..., None]


def _library(q: Any, k: Any, v: Any, mask: Any, keep: Any, *others: Any) -> Any:
    """The functions in C, where they are for such arrays: with up to two axes of heads, and the features of what they write side by side."""
    weights = q.size // max(q.shape[-1], 1) * k.shape[-2]
    if q.ndim > 4 or not weights or not v.shape[-1] or not q.size or any(x.strides[-1] != x.itemsize for x in (q, k, v)):
        return None
    for x in (q, k, v, mask, keep, *others):
        if type(x) is not float and not (x.flags.aligned and x.dtype.isnative and all(step % x.itemsize == 0 for step in x.strides)):
            return None
    added = () if type(mask) is float or mask.dtype == bool_ else (mask,)
    if type(keep) is not float and keep.dtype != bool_:
        return None
    return library("attention", "f", q, k, v, *others, *added)


def _like(x: Any, features: int) -> Any:
    """An array for results: rows lie as those of x do, features side by side. (NumPy has them apart where x is one head for several.)"""
    y = np.empty_like(x, shape=(*x.shape[:-1], features))
    return y if y.strides[-1] == y.itemsize else np.empty(y.shape, y.dtype)


def _heads(functions: Any, function: Any, arrays: tuple[Any, ...], more: tuple[Any, ...], factors: tuple[float, float], causal: bool) -> None:
    """The function on all heads of q, k, v, the mask, what is kept, y, the peaks, the sums, and for the way back `more` of them."""
    q, k, v, mask, keep, y, peak, total = arrays
    heads, (L, D), (S, E) = (1, 1, *q.shape[:-2])[-2:], q.shape[-2:], v.shape[-2:]
    kind = NONE if type(mask) is float else SEEN if mask.dtype == bool_ else ADDED
    weights = (*q.shape[:-1], S)
    steps = [_steps(x, weights if x is mask or x is keep else x.shape) for x in (q, k, v, y, mask, keep, *more)]
    shape = ctypes.create_string_buffer(SHAPE.size)
    SHAPE.pack_into(shape, 0, *factors, heads[1], L, S, D, E, causal, kind, *[n for one in steps for n in one], *NOTHING * (10 - len(steps)))
    given = [None if type(x) is float else place(x) for x in (*more[:1], q, k, v, mask, keep, y, peak, total, *more[1:])]
    at, count = ctypes.addressof(shape), math.prod(heads)
    size = math.prod(weights) * (D + E) // WEIGHT * (1 + len(more))
    pool.ranges(function, (*given, at, None), count, size, room=(len(given) + 1, functions.bytes(at)))


def _steps(x: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    """From one element to the next along batch, heads, rows and columns, where x stands for an array of that shape."""
    if type(x) is float:
        return NOTHING
    missing = len(shape) - x.ndim
    own = [0] * missing + [0 if n == 1 else step // x.itemsize for n, step in zip(x.shape, x.strides, strict=True)]
    return (0, 0, *own)[-4:]
