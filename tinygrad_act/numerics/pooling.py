"""The largest element of each window, with which one it is; and elements put back, or taken, where it was.

An axis at a time, the last one first, so a window of k by k takes 2 k passes. Which element won is kept as its number in
the window, row by row: a byte for windows of up to 256.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

from .blocks import Blocks
from .layout import empty_alike, zeros_alike
from .windows import Windows, at, elements, first_taps, rows, taps

FEW = 9                                  # taps up to which going through them beats adding at positions
LARGE = 1 << 13                          # entries of a table
LONG = 8                                 # windows side by side from which on argmax beats going through the taps


class Pooling(Blocks):
    """The part of the vocabulary behind max pooling. `windows` are those along the last axes."""

    xp: Any
    sent: Any
    add_at: Any
    few = 0                              # of so many numbers, or fewer, each window's are looked up in a table

    def without_nan(self, x: Any) -> bool:
        """Is surely no NaN in x? Where looking would mean waiting for a GPU, the answer is no."""
        return False

    def max_pool(self, x: Any, windows: Sequence[Windows], index: bool = True) -> tuple[Any, Any]:
        """The maximum of each window, and its number in the window (None unless `index`).

        Of several equal ones the first counts. NaN is larger than all, and of several the last counts, as in PyTorch.
        """
        if 0 < x.size <= self.few and (found := self._max_of_few(x, windows)) is not None:
            return found
        dtype = None if not index else "uint8" if math.prod(w.kernel for w in windows) <= 256 else "int32"
        lead = x.shape[:-len(windows)]
        shape = (*lead, *[w.out for w in windows])
        if rows(windows):                                     # one long axis
            n, kernel = (math.prod(sizes) for sizes in (x.shape[-len(windows):], [w.kernel for w in windows]))
            windows = (Windows(n, windows[0].out, kernel, kernel),)
            x = x.reshape(*lead, n)
        y, which = self.in_blocks(lambda part: self._max_pool(part, windows, dtype), x, len(windows))
        return y.reshape(shape), which if which is None else which.reshape(shape)

    def _max_of_few(self, x: Any, windows: Sequence[Windows]) -> tuple[Any, Any] | None:
        """max_pool of few floats without NaN; None for others."""
        tables = _tables(self.xp, tuple(windows)) if x.dtype.char in "fd" else None
        if tables is None or not self.without_nan(x):
            return None
        inside, numbers, starts, _ = tables
        k = x.reshape(-1, math.prod(w.n for w in windows)).take(inside, axis=1)
        shape = (*x.shape[:-len(windows)], *[w.out for w in windows])
        return k.max(axis=2).reshape(shape), numbers.take(k.argmax(axis=2) + starts).reshape(shape)

    def _max_pool(self, x: Any, windows: Sequence[Windows], dtype: str | None) -> tuple[Any, Any]:
        which, unit = None, 1
        careful = dtype is not None and x.dtype.kind not in "iu" and not self.without_nan(x)
        for dim in range(-1, -1 - len(windows), -1):
            w = windows[dim]
            along = self._max_by_reduction if w.tiles and w.kernel >= LONG else self._max_along
            x, which = along(x, which, dim, w, unit, dtype, careful)
            unit *= w.kernel
        return x, which

    def _max_by_reduction(self, x: Any, inner: Any, dim: int, w: Windows, unit: int, dtype: str | None, careful: bool
                          ) -> tuple[Any, Any]:
        """_max_along for windows side by side."""
        dim += x.ndim
        split = (*x.shape[:dim], w.out, w.kernel, *x.shape[dim + 1:])
        x = x.reshape(split)
        if dtype is None:
            return self.xp.max(x, axis=dim + 1), None
        k = self.xp.argmax(x, axis=dim + 1, keepdims=True)
        if careful:
            nan = x != x
            last = w.kernel - 1 - self.xp.argmax(self.xp.flip(nan, axis=dim + 1), axis=dim + 1, keepdims=True)
            k = self.xp.where(self.xp.any(nan, axis=dim + 1, keepdims=True), last, k)
        y = self.xp.take_along_axis(x, k, axis=dim + 1).squeeze(dim + 1)
        number = (k * unit).astype(dtype)
        if inner is not None:
            number += self.xp.take_along_axis(inner.reshape(split), k, axis=dim + 1)
        return y, number.squeeze(dim + 1)

    def _max_along(self, x: Any, inner: Any, dim: int, w: Windows, unit: int, dtype: str | None, careful: bool) -> tuple[Any, Any]:
        """One axis. `inner` are the numbers that won along the later axes, `unit` how many there are of them."""
        y = self._first(x, dim, w, x.dtype)
        which = None if dtype is None else self._first_numbers(y, inner, dim, w, unit, dtype)
        for k, (outs, ins) in enumerate(taps(w)[1:], 1):
            here, there = at(self, x.ndim, dim, outs), at(self, x.ndim, dim, ins)
            s = self._solid(x[there])
            best, view = y[here], type(outs) is slice
            if which is not None:
                new = s > best
                if careful:
                    new |= s != s
                # The numbers go up from tap to tap, so the larger of two is the newer.
                number = new * which.dtype.type(k * unit) if inner is None else (inner[there] + k * unit) * new
                self._raise(which, here, which[here], number, view)
            self._raise(y, here, best, s, view)
        return y, which

    def _raise(self, y: Any, here: Any, part: Any, other: Any, view: bool) -> None:
        """y[here] = the larger of part, which is y[here], and other."""
        if view:
            self.xp.maximum(part, other, out=part)
        else:
            y[here] = self.xp.maximum(part, other)

    def _solid(self, x: Any) -> Any:
        """x with neighbours side by side in memory, as what reads it several times wants it."""
        return x if x.itemsize in x.strides else self.xp.array(x)

    def _first(self, x: Any, dim: int, w: Windows, dtype: Any) -> Any:
        """What x has at each window's first tap that is not in the padding, as an array of its own."""
        outs, ins = taps(w)[0]
        if not w.padding:
            return self.xp.array(x[at(self, x.ndim, dim, ins)])
        y = empty_alike(self.xp, x, tuple([w.out if i == x.ndim + dim else n for i, n in enumerate(x.shape)]), dtype)
        y[at(self, x.ndim, dim, outs)] = x[at(self, x.ndim, dim, ins)]
        for o, k in enumerate(first_taps(w)):
            if k:
                place = w.start(o) + k * w.dilation
                inside = place < w.n                          # else dilation steps over all there is
                y[at(self, x.ndim, dim, slice(o, o + 1))] = x[at(self, x.ndim, dim, slice(place, place + 1))] if inside else lowest(self.xp, x.dtype)
        return y

    def _first_numbers(self, y: Any, inner: Any, dim: int, w: Windows, unit: int, dtype: str) -> Any:
        """The numbers of those taps."""
        which = zeros_alike(self.xp, y, y.shape, dtype) if inner is None else self._first(inner, dim, w, dtype)
        for o, k in enumerate(first_taps(w)) if w.padding else ():
            if k:
                which[at(self, y.ndim, dim, slice(o, o + 1))] += k * unit
        return which

    # -------------------------------------------------------------------- where the maximum was
    def pool_positions(self, which: Any, windows: Sequence[Windows]) -> Any:
        """The numbers in the window as positions in the flattened input plane (int64)."""
        position: Any = 0
        inner = math.prod(w.kernel for w in windows)
        if inner > self.xp.iinfo(which.dtype).max:            # of 256: a byte has their numbers, but not 256
            which = which.astype("int32")
        for dim, w in zip(range(-len(windows), 0), windows, strict=True):
            total, inner = inner, inner // w.kernel
            k = which % total // inner
            starts = self.sent(tuple([w.start(o) for o in range(w.out)]), "int64").reshape((-1,) + (1,) * (-1 - dim))
            position = position * w.n + (k.astype("int64") * w.dilation + starts)
        return position

    def max_scatter(self, g: Any, which: Any, windows: Sequence[Windows]) -> Any:
        """Zeros of the input's shape, with g added where each maximum was."""
        shape = (*g.shape[:-len(windows)], *[w.n for w in windows])
        tables = _tables(self.xp, tuple(windows)) if g.size > 0 and math.prod(shape) <= self.few else None
        if tables is not None:
            area = math.prod(w.n for w in windows)
            y = self.xp.zeros((math.prod(shape) // area, area), g.dtype)
            places = tables[3].take(which.reshape(len(y), -1) + tables[2]) + self.xp.arange(0, y.size, area).reshape(-1, 1)
            self.add_at(y.reshape(-1), places.reshape(-1), g.reshape(-1))
            return y.reshape(shape)
        count = math.prod(w.kernel for w in windows)
        if count > FEW or not all(w.even for w in windows):
            y = self.xp.zeros(math.prod(shape), g.dtype)
            if g.size:
                self.add_at(y, self._flat(which, windows), g.reshape(-1))
            return y.reshape(shape)
        make = empty_alike if all(w.tiles for w in windows) else zeros_alike
        y = make(self.xp, which, shape, g.dtype)
        if g.size and g.flags.c_contiguous and y.flags.c_contiguous:
            g, which, parts = (a.reshape(-1, *a.shape[-len(windows):]) for a in (g, which, y))
        else:
            parts = y
        apart = all(w.apart for w in windows)
        for start, end in self.blocks(parts):
            self._scatter_into(parts[start:end], g[start:end], which[start:end], windows, apart)
        return y

    def _scatter_into(self, y: Any, g: Any, which: Any, windows: Sequence[Windows], apart: bool) -> None:
        """g times 0 or 1, as integers: exact for infinities and NaN too."""
        bits = f"u{g.dtype.itemsize}"
        g, seen = g.view(bits), y.view(bits)
        for k, (outs, ins) in enumerate(_each(windows)):
            if apart:
                self.xp.multiply(g[outs], which[outs] == k, out=seen[ins])
            else:
                y[ins] += (g[outs] * (which[outs] == k)).view(y.dtype)

    def max_gather(self, x: Any, which: Any, windows: Sequence[Windows]) -> Any:
        """What x has where each maximum was: the adjoint of max_scatter."""
        if not which.size:
            return self.xp.zeros(which.shape, x.dtype)
        return x.reshape(-1)[self._flat(which, windows)].reshape(which.shape)

    def _flat(self, which: Any, windows: Sequence[Windows]) -> Any:
        """Where each maximum was in the input's flat memory; positions past an edge (see `hollow`) are the edge."""
        area = math.prod(w.n for w in windows)
        planes = math.prod(which.shape[:-len(windows)])
        places = self.xp.minimum(self.pool_positions(which, windows), area - 1).reshape(planes, -1)
        return (places + self.xp.arange(planes).reshape(-1, 1) * area).reshape(-1)


@functools.lru_cache(maxsize=64)
def _tables(xp: Any, windows: tuple[Windows, ...]) -> tuple[Any, Any, Any, Any] | None:
    """Of the windows of a plane: where their elements lie, a row for each window; flat, their numbers in the window, and where each
    row starts; flat, where the element of each number lies. None if that is much, or a window has no element.
    """
    size = math.prod(w.kernel for w in windows)
    if size > 256 or size * math.prod(w.out for w in windows) > LARGE:
        return None
    found = elements(windows)
    if not found or not all(found):
        return None
    inside = [[p for _, p in row] + [row[0][1]] * (size - len(row)) for row in found]     # the first of equal ones counts, so it may
    numbers = [k for row in found for k, _ in (*row, *row[:1] * (size - len(row)))]        # stand for those that are not there
    places = [dict(row).get(k, 0) for row in found for k in range(size)]
    return (xp.asarray(inside, "int64"), xp.asarray(numbers, "uint8"), xp.arange(0, len(numbers), size), xp.asarray(places, "int64"))


def lowest(xp: Any, dtype: Any) -> Any:
    """What no element is below."""
    return xp.iinfo(dtype).min if dtype.kind in "iu" else -math.inf


def _each(windows: Sequence[Windows]) -> Any:
    """(outputs, inputs) for every tap of the windows in all axes, in the order of their numbers."""
    pairs: list[tuple[tuple[Any, ...], tuple[Any, ...]]] = [((...,), (...,))]
    for w in windows:
        pairs = [((*outs, o), (*ins, i)) for outs, ins in pairs for o, i in taps(w)]
    return pairs
