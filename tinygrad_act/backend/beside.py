"""C written by hand beside functions of the vocabulary, for large arrays on the CPU: where these are many passes over memory.

The function in numerics/ stays the definition, and what runs where there is no compiler; the tests run both.
"""

from __future__ import annotations

import ctypes
import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..dtypes import float32, is_half
from ..numerics.windows import Windows, rows
from . import direct, pool
from .config import config
from .layout import in_one_piece, place
from .namespace import Namespace

TAPS = 256                               # of a kernel, as in depthwise.c, and in a byte


def library(file: str, *arrays: Any) -> Any:
    """The file's functions for these arrays, the first of which is as large as any; None if they are to be computed without."""
    whole = arrays[0].size >= config.large and all(map(in_one_piece, arrays))
    return direct.library(file, "fd", *arrays) if whole else None


def _at(array: Any) -> Any:
    return ctypes.c_void_p(array.ctypes.data)


class Beside(Namespace):
    """The functions that have C beside them."""

    def max_pool(self, x: Any, windows: Sequence[Windows], index: bool = True) -> tuple[Any, Any]:
        if is_half(x.dtype) and index:                       # of which each number is one of float32's
            y, which = self.max_pool(x.astype(float32), windows)
            return y.astype(x.dtype), which
        functions = library("pool", x) if index else None
        if functions is None or (shape := _shape(tuple(windows))) is None:
            return super().max_pool(x, windows, index)
        sizes = (*x.shape[:-len(windows)], *[w.out for w in windows])
        y, which = np.empty(sizes, x.dtype), np.empty(sizes, np.uint8)
        self._planes(functions.max_pool, (x, y, which), shape, x, windows)
        return y, which

    def max_scatter(self, g: Any, which: Any, windows: Sequence[Windows]) -> Any:
        functions = library("pool", g) if which.dtype == np.uint8 and in_one_piece(which) else None
        if functions is None or (shape := _shape(tuple(windows))) is None:
            return super().max_scatter(g, which, windows)
        y = np.empty((*g.shape[:-len(windows)], *[w.n for w in windows]), g.dtype)
        self._planes(functions.max_scatter, (g, y, which), shape, y, windows)
        return y

    def avg_pool(self, x: Any, windows: Sequence[Windows], divisor: float | None = None, include_pad: bool = True) -> Any:
        functions = None if rows(windows) or type(divisor) is float else library("pool", x)
        if functions is None or (shape := _shape(tuple(windows))) is None:
            return super().avg_pool(x, windows, divisor, include_pad)
        y = np.empty((*x.shape[:-len(windows)], *[w.out for w in windows]), x.dtype)
        self._planes(functions.avg_pool, (x, y), shape, x, windows, divisor or 0, include_pad)
        return y

    def avg_spread(self, g: Any, windows: Sequence[Windows], divisor: float | None = None, include_pad: bool = True) -> Any:
        functions = None if rows(windows) or type(divisor) is float else library("pool", g)
        if functions is None or (shape := _shape(tuple(windows))) is None:
            return super().avg_spread(g, windows, divisor, include_pad)
        x = np.empty((*g.shape[:-len(windows)], *[w.n for w in windows]), g.dtype)
        self._planes(functions.avg_spread, (x, g), shape, x, windows, divisor or 0, include_pad)
        return x

    def _planes(self, function: Any, arrays: Sequence[Any], shape: Any, x: Any, windows: Sequence[Windows], *settings: Any) -> None:
        """The function on all planes of x."""
        pool.ranges(function, (*map(place, arrays), ctypes.addressof(shape), *settings), math.prod(x.shape[:-len(windows)]), x.size)

    # -------------------------------------------------------------------- convolutions of each channel by itself
    def convolution(self, x: Any, w: Any, bias: Any = None, *, groups: int, size: Any, **settings: Any) -> Any:
        functions = library("depthwise", x, w) if _depthwise(x.shape[1], w.shape, groups, settings["stride"]) else None
        if functions is None:
            return super().convolution(x, w, bias, groups=groups, size=size, **settings)
        y = _started((*x.shape[:2], *size), x.dtype, bias)
        self._channels(functions.result, x, y, w, bias is not None, **settings)
        return y

    def convolution_input(self, g: Any, w: Any, bias: Any = None, *, groups: int, size: Any, **settings: Any) -> Any:
        functions = library("depthwise", g, w) if _depthwise(g.shape[1], w.shape, groups, settings["stride"]) else None
        if functions is None:
            return super().convolution_input(g, w, bias, groups=groups, size=size, **settings)
        x = _started((*g.shape[:2], *size), g.dtype, bias)
        self._channels(functions.image, x, g, w, bias is not None, **settings)
        return x

    def convolution_weight(self, g: Any, x: Any, *, groups: int, size: Any, **settings: Any) -> Any:
        shape = (g.shape[1], x.shape[1] // groups, *size)
        functions = library("depthwise", x, g) if _depthwise(x.shape[1], shape, groups, settings["stride"]) else None
        if functions is None:
            return super().convolution_weight(g, x, groups=groups, size=size, **settings)
        w = np.empty(shape, x.dtype)
        self._channels(functions.kernel, x, g, w, False, **settings)
        return w

    def _channels(self, function: Any, x: Any, y: Any, w: Any, add: bool, *, stride: Any, padding: Any, dilation: Any) -> None:
        """The function on all channels, some at a time; whether to add to what is there."""
        axes = [(1, *v)[-2:] for v in (x.shape[2:], y.shape[2:], w.shape[2:], stride)]
        axes += [(0, *padding)[-2:], (1, *dilation)[-2:]]
        places, count = [a.ctypes.data for a in (x, y, w)], x.shape[1]
        size = y.size * math.prod(w.shape[2:])
        step, shape = pool.each(count, size), [n for pair in axes for n in pair]
        sizes = [(ctypes.c_long * (5 + len(shape)))(start, min(start + step, count), count, len(x), *shape, add) for start in range(0, count, step)]
        pool.calls(function, [(*places, ctypes.addressof(numbers)) for numbers in sizes], size)

    def blend(self, y: Any, terms: Sequence[Any], factors: Sequence[tuple[Any, Any]]) -> None:
        held = [a for several in (terms, *factors) for a in several if a is not None]
        functions = library("blend", y, *held) if _usual(terms) else None
        if functions is None:
            super().blend(y, terms, factors)
            return
        numbers = len(terms) > 1 and terms[-1] is None
        first = (terms[0], *factors[0])
        second = (terms[1], *factors[1]) if len(terms) - numbers > 1 else first
        kind = 2 * (second is not first) + numbers
        functions.blend(*map(_at, (y, *first, *second, *factors[-1])), *map(ctypes.c_long, (kind, *y.shape)))


def _started(shape: tuple[int, ...], dtype: Any, bias: Any) -> Any:
    """An array for results, which are to be added to a bias if there is one."""
    y = np.empty(shape, dtype)
    if bias is not None:
        y[...] = bias.reshape(-1, *(1,) * (len(shape) - 2))
    return y


def _depthwise(channels: int, kernel: tuple[int, ...], groups: int, stride: tuple[int, ...]) -> bool:
    """Has each channel a kernel of its own, and one result, in one or two axes?"""
    return (groups == channels == kernel[0] and kernel[1] == 1 and len(kernel) < 5
            and math.prod(kernel) <= TAPS * channels and math.prod(stride) <= TAPS)


def _usual(terms: Sequence[Any]) -> bool:
    """One term or two, and perhaps numbers."""
    missing = [t is None for t in terms]
    return missing in ([False], [False, True], [False, False], [False, False, True])


@functools.lru_cache(maxsize=1024)
def _shape(windows: tuple[Windows, ...]) -> Any:
    """What pool.c is told of these windows. None if they are not for it: those in one or two axes are, evenly spaced and without holes,
    each with an element that is no padding.
    """
    if len(windows) > 2 or math.prod(w.kernel for w in windows) > TAPS or not all(
            w.even and w.dilation == 1 and w.start(w.out - 1) < w.n and w.padding < w.kernel for w in windows):
        return None
    axes = (Windows(1, 1, 1, 1), *windows)[-2:]
    return (ctypes.c_long * 10)(*[getattr(w, name) for name in ("n", "out", "kernel", "stride", "padding") for w in axes])
