"""Sums over windows, divided, and their adjoint. An axis at a time: a window of k by k takes 2 k passes."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

from ..dtypes import float32, is_half
from .blocks import Blocks
from .layout import empty_alike, zeros_alike
from .resampling import Map, linear_map
from .windows import Windows, at, counts, rows, taps

LONG = 8                                 # windows side by side from which on a reduction beats a pass for each element


class Averaging(Blocks):
    """The part of the vocabulary behind average pooling. `windows` are those along the last axes.

    `divisor` is a number, or None for how many elements a window has: with `include_pad`, those of the padding too.
    """

    _mapped: Any

    def avg_pool(self, x: Any, windows: Sequence[Windows], divisor: float | None = None, include_pad: bool = True) -> Any:
        """The sum of each window over its divisor."""
        dtype = x.dtype
        y = x.astype(float32) if is_half(dtype) else x
        if rows(windows) and x.size:
            long = y.reshape(-1, math.prod(w.kernel for w in windows))
            y = self.xp.matmul(long, self.xp.ones(long.shape[1], y.dtype))
            y = y.reshape(*x.shape[:-len(windows)], *[w.out for w in windows])
        else:
            y, = self.in_blocks(lambda part: (self._all_sums(part, windows),), y, len(windows))
        y /= self._divisor(windows, divisor, include_pad, y)
        return y.astype(dtype, copy=False)

    def avg_spread(self, g: Any, windows: Sequence[Windows], divisor: float | None = None, include_pad: bool = True) -> Any:
        """The adjoint: each window's g over its divisor, to all its elements."""
        dtype = g.dtype
        y = g.astype(float32) if is_half(dtype) else g
        y = y / self._divisor(windows, divisor, include_pad, y)
        if rows(windows):
            lead = (*g.shape[:-len(windows)], windows[0].out)
            long = self.xp.empty((*lead, math.prod(w.kernel for w in windows)), dtype)
            long[...] = y.reshape(*lead, 1)
            return long.reshape(*g.shape[:-len(windows)], *[w.n for w in windows])
        y, = self.in_blocks(lambda part: (self._spread_all(part, windows),), y, len(windows))
        return y.astype(dtype, copy=False)

    def _all_sums(self, x: Any, windows: Sequence[Windows]) -> Any:
        for dim, w in enumerate(windows, -len(windows)):
            x = self._sums(x, dim, w)
        return x

    def _spread_all(self, g: Any, windows: Sequence[Windows]) -> Any:
        for dim in range(-1, -1 - len(windows), -1):
            g = self._spread(g, dim, windows[dim])
        return g

    def _sums(self, x: Any, dim: int, w: Windows) -> Any:
        if not w.even:
            return self._mapped(x, dim, _parts(w))
        if w.tiles and w.kernel >= LONG:
            dim += x.ndim
            return self.xp.sum(x.reshape(*x.shape[:dim], w.out, w.kernel, *x.shape[dim + 1:]), axis=dim + 1)
        y = None
        for outs, ins in taps(w):
            part = x[at(self, x.ndim, dim, ins)]
            if y is None and not w.padding:
                y = self.xp.array(part)
                continue
            if y is None:
                y = zeros_alike(self.xp, x, _resized(x, dim, w.out))
            y[at(self, x.ndim, dim, outs)] += part
        return y

    def _spread(self, g: Any, dim: int, w: Windows) -> Any:
        if not w.even:
            return self._mapped(g, dim, _parts(w).transposed)
        if w.tiles and w.kernel >= LONG:
            return self.xp.repeat(g, w.kernel, axis=dim)
        y = (empty_alike if w.tiles else zeros_alike)(self.xp, g, _resized(g, dim, w.n))
        for outs, ins in taps(w):
            if w.tiles:
                y[at(self, g.ndim, dim, ins)] = g
            else:
                y[at(self, g.ndim, dim, ins)] += g[at(self, g.ndim, dim, outs)]
        return y

    def _divisor(self, windows: Sequence[Windows], divisor: float | None, include_pad: bool, like: Any) -> Any:
        if divisor is not None:
            return divisor
        each = [counts(w, include_pad) for w in windows]
        if all(len(set(c)) <= 1 for c in each):
            return float(math.prod(c[0] for c in each if c))
        product = self.xp.ones((), like.dtype)
        for c in each:
            product = product[..., None] * self.sent(tuple(c), like.dtype)
        return product


def _resized(x: Any, dim: int, n: int) -> tuple[int, ...]:
    return tuple([n if i == x.ndim + dim else m for i, m in enumerate(x.shape)])


@functools.lru_cache(maxsize=256)
def _parts(w: Windows) -> Map:
    return linear_map(w.n, w.out, [(o, i, 1.0) for o in range(w.out) for i in range(w.start(o), w.end(o))])
