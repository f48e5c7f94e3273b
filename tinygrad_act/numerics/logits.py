"""Exponentials of logits and their sums, for the losses over classes: large arrays a few rows at a time, in the cache.

A row x is known by two numbers, a peak and total = sum(exp(x - peak)): log softmax is (x - peak) - log(total), and no array
of x's size need be kept. Small ones keep their exponentials, which saves computing them again.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

TILE = 1 << 16                            # how many numbers at a time
SMALL = 1 << 18                           # so many, or fewer, keep their exponentials


class Logits:
    """The part of the vocabulary behind ops/loss.py. `dim` is the classes' axis; results keep it, of size 1."""

    xp: Any

    def totals(self, x: Any, dim: int) -> tuple[Any, Any, Any]:
        """(peak, total, exp(x - peak) of a small x, else 0.0). The peaks are the rows' largest numbers."""
        peak = self.xp.max(x, axis=dim, keepdims=True)
        if x.size > SMALL and dim == x.ndim - 1:
            return peak, self._tiled(x, peak), 0.0
        e = x - peak
        self.xp.exp(e, out=e)
        return peak, self.xp.sum(e, axis=dim, keepdims=True), e if x.size <= SMALL else 0.0

    def shares(self, x: Any, peak: Any, kept: Any, scale: Any, dim: int) -> Any:
        """exp(x - peak) * scale as a new array; `scale` has the peaks' shape, or dim's axis is all it lacks."""
        xp = self.xp
        if not isinstance(kept, float):
            return kept * scale
        if dim != x.ndim - 1:
            y = x - peak
            xp.exp(y, out=y)
            y *= scale
            return y
        y = xp.empty(x.shape, x.dtype)
        flat, out, scale = x.reshape(-1, x.shape[-1]), y.reshape(-1, x.shape[-1]), scale.reshape(-1, 1)
        peaks = peak if isinstance(peak, float) else peak.reshape(-1, 1)
        for rows in _tiles(flat):
            part = flat[rows]
            if not isinstance(peaks, float):
                part = xp.subtract(part, peaks[rows], out=out[rows])
            part = xp.exp(part, out=out[rows])
            xp.multiply(part, scale[rows], out=part)
        return y

    def places(self, index: Any, shape: tuple[int, ...], dim: int) -> Any:
        """Where in flat memory an array of `shape` has its elements at `index`, which lacks dim's axis."""
        index, inner = index.astype("int64", copy=False), math.prod(shape[dim + 1:])       # a place may be too large for the classes' dtype
        if inner == 1:
            rows = self.xp.arange(0, math.prod(shape), shape[dim]).reshape(index.shape) if shape[dim] else 0
            return rows + index
        rows = self.xp.arange(math.prod(shape[:dim])) * (shape[dim] * inner)
        return (rows.reshape(-1, 1) + self.xp.arange(inner)).reshape(index.shape) + index * inner

    def at(self, x: Any, places: Any) -> Any:
        return x.reshape(-1)[places]

    def placed(self, v: Any, places: Any, shape: tuple[int, ...]) -> Any:
        """Zeros of `shape`, with v at those places of flat memory: the adjoint of `at`."""
        y = self.xp.zeros(math.prod(shape), v.dtype)
        y[places] = v
        return y.reshape(shape)

    def subtract_at(self, y: Any, places: Any, v: Any) -> Any:
        """y less v at those places: for an array a rule has just made, in its memory if that lies in rows."""
        flat = y.reshape(-1)
        flat[places] -= v
        return flat.reshape(y.shape)

    def _tiled(self, x: Any, peak: Any) -> Any:
        """The totals of rows, a tile at a time."""
        xp = self.xp
        flat, total = x.reshape(-1, x.shape[-1]), xp.empty((*x.shape[:-1], 1), x.dtype)
        peaks = peak if isinstance(peak, float) else peak.reshape(-1, 1)
        sums, buffer, ones = total.reshape(-1, 1), None, xp.ones((flat.shape[1], 1), x.dtype)
        for rows in _tiles(flat):
            part = flat[rows]
            buffer = xp.empty(part.shape, x.dtype) if buffer is None else buffer[:part.shape[0]]
            if not isinstance(peaks, float):
                part = xp.subtract(part, peaks[rows], out=buffer)
            xp.exp(part, out=buffer)
            xp.matmul(buffer, ones, out=sums[rows])
        return total


def _tiles(flat: Any) -> Iterator[slice]:
    step = max(1, TILE // max(flat.shape[1], 1))
    for start in range(0, flat.shape[0], step):
        yield slice(start, start + step)
