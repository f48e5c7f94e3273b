"""The largest element of each window, with which one it is; and elements put back, or taken, where it was.

An axis at a time, the last one first, so a window of k by k takes 2 k passes. Which element won is kept as its number in
the window, row by row: a byte for windows of up to 256.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .layout import empty_alike, zeros_alike
from .windows import Windows, at, first_taps, taps

FEW = 9                                  # taps up to which going through them beats adding at positions


class Pooling:
    """The part of the vocabulary behind max pooling. `windows` are those along the last axes."""

    xp: Any
    add_at: Any

    def max_pool(self, x: Any, windows: Sequence[Windows], index: bool = True) -> tuple[Any, Any]:
        """The maximum of each window, and its number in the window (None unless `index`).

        Of several equal ones the first counts. NaN is larger than all, and of several the last counts, as in PyTorch.
        """
        which, inner = None, 1
        dtype = "uint8" if math.prod(w.kernel for w in windows) <= 256 else "int32"
        for dim in range(-1, -1 - len(windows), -1):
            x, which = self._max_along(x, which, dim, windows[dim], inner, dtype if index else None)
            inner *= windows[dim].kernel
        return x, which

    def _max_along(self, x: Any, inner: Any, dim: int, w: Windows, unit: int, dtype: str | None) -> tuple[Any, Any]:
        """One axis. `inner` are the numbers that won along the later axes, `unit` how many there are of them."""
        y, which, rest = self._first(x, inner, dim, w, unit, dtype)
        for k, (outs, ins) in rest:
            all_of_them = outs == slice(0, w.out)
            here, there = at(x.ndim, dim, outs), at(x.ndim, dim, ins)
            s = self._solid(x[there])
            best = y if all_of_them else y[here]
            if which is not None:
                new = s > best
                if x.dtype.kind not in "iu":
                    new |= s != s                             # NaN
                numbers = which if all_of_them else which[here]
                step = (k * unit if inner is None else inner[there] + k * unit) - numbers
                step *= new
                numbers = numbers + step                      # modulo 256 for bytes, which comes out right
                if all_of_them:
                    which = numbers
                else:
                    which[here] = numbers
            best = self.xp.maximum(best, s)
            if all_of_them:
                y = best
            else:
                y[here] = best
        return y, which

    def _solid(self, x: Any) -> Any:
        """x with neighbours side by side in memory, as what reads it several times wants it."""
        return x if x.itemsize in x.strides else self.xp.array(x)

    def _first(self, x: Any, inner: Any, dim: int, w: Windows, unit: int, dtype: str | None) -> tuple[Any, Any, Any]:
        """Each window's first element, its number, and the taps that are left to compare."""
        all_taps = list(enumerate(taps(w)))
        _, ins = all_taps[0][1]
        padded = w.padding > 0
        if padded:
            first = first_taps(w)
            ins = tuple([min(w.start(o) + k * w.dilation, w.n - 1) for o, k in enumerate(first)])
        there = at(x.ndim, dim, ins)
        y = x[there]
        y = self.xp.array(y) if padded or w.kernel == 1 else self._solid(y)
        if padded and (hollow := [o for o in range(w.out) if w.start(o) + first[o] * w.dilation >= w.n]):
            y[at(x.ndim, dim, tuple(hollow))] = lowest(self.xp, x.dtype)          # dilation stepped over all there is
        which = None
        if dtype:
            which = self.xp.zeros(y.shape, dtype) if inner is None else self.xp.array(inner[there])
            if padded:
                which += self.xp.asarray([k * unit for k in first], dtype).reshape((-1,) + (1,) * (-1 - dim))
        return y, which, all_taps if padded else all_taps[1:]

    # -------------------------------------------------------------------- where the maximum was
    def pool_positions(self, which: Any, windows: Sequence[Windows]) -> Any:
        """The numbers in the window as positions in the flattened input plane (int64)."""
        position: Any = 0
        inner = math.prod(w.kernel for w in windows)
        for dim, w in zip(range(-len(windows), 0), windows, strict=True):
            total, inner = inner, inner // w.kernel
            k = which % total // inner
            starts = self.xp.asarray([w.start(o) for o in range(w.out)], "int64").reshape((-1,) + (1,) * (-1 - dim))
            position = position * w.n + (k.astype("int64") * w.dilation + starts)
        return position

    def max_scatter(self, g: Any, which: Any, windows: Sequence[Windows]) -> Any:
        """Zeros of the input's shape, with g added where each maximum was."""
        shape = (*g.shape[:-len(windows)], *[w.n for w in windows])
        count = math.prod(w.kernel for w in windows)
        if count > FEW or not all(w.even for w in windows):
            y = self.xp.zeros(math.prod(shape), g.dtype)
            if g.size:
                self.add_at(y, self._flat(which, windows), g.reshape(-1))
            return y.reshape(shape)
        make = empty_alike if all(w.tiles for w in windows) else zeros_alike
        y = make(self.xp, which, shape, g.dtype)
        bits = f"u{g.dtype.itemsize}"
        g, seen = g.view(bits), y.view(bits)           # times 0 or 1 as integers: exact for infinities and NaN too
        apart = all(w.apart for w in windows)
        for k, (outs, ins) in enumerate(_each(windows)):
            part = g[outs] * (which[outs] == k)
            if apart:
                seen[ins] = part
            else:
                y[ins] += part.view(y.dtype)
        return y

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


def lowest(xp: Any, dtype: Any) -> Any:
    """What no element is below."""
    return xp.iinfo(dtype).min if dtype.kind in "iu" else -math.inf


def _each(windows: Sequence[Windows]) -> Any:
    """(outputs, inputs) for every tap of the windows in all axes, in the order of their numbers."""
    pairs: list[tuple[tuple[Any, ...], tuple[Any, ...]]] = [((...,), (...,))]
    for w in windows:
        pairs = [((*outs, o), (*ins, i)) for outs, ins in pairs for o, i in taps(w)]
    return pairs
