"""Sums over windows, divided, and their adjoint. An axis at a time: a window of k by k takes 2 k passes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..dtypes import float32, is_half
from .layout import empty_alike, zeros_alike
from .windows import Windows, at, counts, taps

LONG = 8                                 # windows side by side from which on a reduction beats a pass for each element


class Averaging:
    """The part of the vocabulary behind average pooling. `windows` are those along the last axes.

    `divisor` is a number, or None for how many elements a window has: with `include_pad`, those of the padding too.
    """

    xp: Any

    def avg_pool(self, x: Any, windows: Sequence[Windows], divisor: float | None = None, include_pad: bool = True) -> Any:
        """The sum of each window over its divisor."""
        dtype = x.dtype
        y = x.astype(float32) if is_half(dtype) else x
        for dim, w in enumerate(windows, -len(windows)):
            y = self._sums(y, dim, w)
        y /= self._divisor(windows, divisor, include_pad, y)
        return y.astype(dtype, copy=False)

    def avg_spread(self, g: Any, windows: Sequence[Windows], divisor: float | None = None, include_pad: bool = True) -> Any:
        """The adjoint: each window's g over its divisor, to all its elements."""
        dtype = g.dtype
        y = g.astype(float32) if is_half(dtype) else g
        y = y / self._divisor(windows, divisor, include_pad, y)
        for dim in range(-1, -1 - len(windows), -1):
            y = self._spread(y, dim, windows[dim])
        return y.astype(dtype, copy=False)

    def _sums(self, x: Any, dim: int, w: Windows) -> Any:
        if w.tiles and w.kernel >= LONG:
            dim += x.ndim
            return self.xp.sum(x.reshape(*x.shape[:dim], w.out, w.kernel, *x.shape[dim + 1:]), axis=dim + 1)
        shape = list(x.shape)
        shape[dim] = w.out
        y = None
        for outs, ins in taps(w):
            part = x[at(x.ndim, dim, ins)]
            if outs != slice(0, w.out):
                y = zeros_alike(self.xp, x, tuple(shape)) if y is None else y
                y[at(x.ndim, dim, outs)] += part
            elif y is None:
                y = self.xp.array(part)
            else:
                y += part
        return zeros_alike(self.xp, x, tuple(shape)) if y is None else y

    def _spread(self, g: Any, dim: int, w: Windows) -> Any:
        shape = list(g.shape)
        shape[dim] = w.n
        if w.tiles and w.kernel >= LONG:
            return self.xp.repeat(g, w.kernel, axis=dim)
        if w.tiles:
            y = empty_alike(self.xp, g, tuple(shape))
            for _, ins in taps(w):
                y[at(g.ndim, dim, ins)] = g
            return y
        y = zeros_alike(self.xp, g, tuple(shape))
        for outs, ins in taps(w):
            part = g[at(g.ndim, dim, outs)]
            if type(ins) is tuple and len(set(ins)) < len(ins):              # more windows than elements
                for i, place in enumerate(ins):
                    y[at(g.ndim, dim, slice(place, place + 1))] += part[at(g.ndim, dim, slice(i, i + 1))]
            else:
                y[at(g.ndim, dim, ins)] += part
        return y

    def _divisor(self, windows: Sequence[Windows], divisor: float | None, include_pad: bool, like: Any) -> Any:
        if divisor is not None:
            return divisor
        each = [counts(w, include_pad) for w in windows]
        if all(len(set(c)) <= 1 for c in each):
            return float(math.prod(c[0] for c in each if c))
        product = self.xp.ones((), like.dtype)
        for c in each:
            product = product[..., None] * self.xp.asarray(c, like.dtype)
        return product
