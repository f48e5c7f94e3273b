"""Means, variances and what normalisation makes of them, a tile of rows at a time, which stays in the processor's cache.

An array is seen as (N, G, K, L): N samples of G groups of K channels of L pixels. Statistics are those of each sample's
groups, or those of each channel over the whole batch (K is 1 then). Weight and bias have G K numbers. So LayerNorm is
(rows, 1, features, 1), GroupNorm (N, groups, C / groups, pixels), BatchNorm (N, C, 1, pixels).

Halves are computed in float32, and sums over samples carried on in float64. x - mean is worked out as such only where
the mean is larger than the deviation: elsewhere no digits are lost in x * scale - mean * scale, which is quicker.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

from ..dtypes import float32, float64, is_half

SHORT = 24                             # a channel of fewer pixels is no row by itself: a sample is
LONG = 4096                            # the mean of a longer row is computed twice
Pairs = list[tuple[Any, Any]]


class Normalising:
    """The part of the vocabulary behind batch_norm and its kin."""

    xp: Any
    looks = False                      # may what is done depend on numbers? On a GPU that would mean waiting for them
    rows = 1 << 62                     # how many numbers to work on at once: all, where a call costs more than memory

    def row_dots(self, a: Any, b: Any) -> Any:
        """The sum of a * b in each row of two matrices."""
        return self.xp.sum(a * b, axis=1)

    def blend(self, y: Any, terms: list[tuple[Any, Pairs]]) -> None:
        """y = the sum of the terms (t, pairs), each t times the sum of the outer products u v of its pairs.

        For t, a matrix like y, None stands for 1; so it does for u (a number a row) and v (a number a column).
        """
        total: Any = 0.0
        for t, pairs in terms:
            factor: Any = 0.0
            for u, v in pairs:
                factor = factor + (1.0 if v is None else v) * (1.0 if u is None else u[:, None])
            total = total + (factor if t is None else t * factor)
        y[...] = total

    # ---------------------------------------------------------------- within each sample
    def normalise(self, x: Any, weight: Any, bias: Any, view: Any, eps: float, centred: bool = True) -> tuple[Any, Any, Any]:
        """Each group with mean 0 (if `centred`) and variance 1, times weight, plus bias; the means; 1 / the deviations."""
        groups = Groups(self, x, view)
        w, b = groups.affine(weight), groups.affine(bias)
        y, mean, scale = self.xp.empty(groups.x.shape, x.dtype), groups.vector(), groups.vector()
        for at in groups.tiles():
            t = groups.read(groups.x, at)
            if centred:
                mean[at], variance, t, left = self.row_moments(t)
            else:
                variance, left = self.row_dots(t, t) / t.shape[1], None
            s = scale[at] = 1 / self.xp.sqrt(variance + eps)
            shift = [] if left is None else groups.pairs(at, -left * s, w)
            groups.write(y, at, [(t, groups.pairs(at, s, w)), (None, shift + groups.pairs(at, None, b))])
        return y.reshape(x.shape), mean, scale

    def group_moments(self, x: Any, view: Any) -> tuple[Any, Any]:
        """The means and variances of each sample's groups, (N, G)."""
        groups = Groups(self, x, view)
        mean, variance = groups.vector(), groups.vector()
        for at in groups.tiles():
            mean[at], variance[at], _, _ = self.row_moments(groups.read(groups.x, at))
        return mean.reshape(view[:2]), variance.reshape(view[:2])

    def row_moments(self, t: Any) -> tuple[Any, Any, Any, Any]:
        """The means and variances of rows; the rows, perhaps less their means; and the means still in them (None: 0)."""
        size = t.shape[1]
        ones = self.xp.ones(size, t.dtype)
        mean = (t @ ones) / size
        if self.looks and size <= LONG:
            square = mean * mean
            variance = self.row_dots(t, t) / size - square
            if ((square <= variance) & (variance < math.inf)).all():
                return mean, variance, t, mean
        d = t - mean[:, None]
        if size > LONG:                # a long sum's last digits: the mean distance is not quite 0 yet
            rest = (d @ ones) / size
            mean, d = mean + rest, d - rest[:, None]
        return mean, self.row_dots(d, d) / size, d, None

    def groups_grad(self, g: Any, x: Any, weight: Any, mean: Any, scale: Any, view: Any) -> tuple[Any, Any, Any]:
        """For x: scale (v - mean(v) - d scale² mean(v d)), where v = g weight and d = x - mean, within each group."""
        groups = Groups(self, x, view)
        w, seeds = groups.affine(weight), g.reshape(groups.x.shape)
        gx, share = self.xp.empty(groups.x.shape, x.dtype), -1 / max(groups.x.shape[1], 1)
        for at in groups.tiles():
            t, seed, s = groups.read(groups.x, at), groups.read(seeds, at), scale[at]
            m = None if mean is None else mean[at]
            if m is not None and self.far(m, s):
                t, m = t - m[:, None], None
            along, across = groups.sums(at, seed, t, m, s, w)
            bend = s * s * s * along * share
            terms = [(seed, groups.pairs(at, s, w)), (t, groups.pairs(at, bend, None))]
            if mean is not None:
                rest = s * across * share
                terms.append((None, groups.pairs(at, rest if m is None else rest - bend * m, None)))
            groups.write(gx, at, terms)
        return gx.reshape(x.shape), *groups.totals()

    def far(self, mean: Any, scale: Any) -> bool:
        """Is the mean larger than the deviation anywhere?"""
        return not self.looks or not (self.xp.abs(mean) * scale <= 1).all()

    # ---------------------------------------------------------------- over the batch
    def batch_moments(self, x: Any, view: Any) -> tuple[Any, Any]:
        """The mean and variance of each channel."""
        batch = Batch(self, x, view)

        def around(mean: Any) -> tuple[Any, Any]:
            def pick(at: Any) -> tuple[Any, Any]:
                d = batch.less(batch.read(batch.x, at), at, mean)
                return d, d
            total, squares = batch.sums(pick)
            return total / batch.count, squares / batch.count

        mean, square = around(None)
        variance = square - mean * mean
        if not self.looks or not ((mean * mean <= variance) & (variance < math.inf)).all():
            variance = around(batch.narrow(mean))[1]
        return batch.narrow(mean), batch.narrow(variance)

    def standardise(self, x: Any, mean: Any, scale: Any, weight: Any, bias: Any, view: Any) -> Any:
        """(x - mean) * scale * weight + bias, for each channel."""
        batch = Batch(self, x, view)
        w, b = batch.affine(weight), batch.affine(bias)
        factor, away = scale if w is None else scale * w, mean if self.far(mean, scale) else None
        shift = b if away is not None else (0 if b is None else b) - mean * factor
        y = self.xp.empty(batch.x.shape, x.dtype)
        factor, shift = batch.along(factor), batch.along(shift)
        for at in batch.tiles():
            t = batch.less(batch.read(batch.x, at), at, away)
            batch.put(y[at], [(t, batch.pairs(at, factor)), (None, batch.pairs(at, shift))])
        return batch.back(y)

    def batch_grad(self, g: Any, x: Any, weight: Any, mean: Any, scale: Any, view: Any) -> tuple[Any, Any, Any]:
        """As groups_grad, with the means over the batch, which take a sweep of their own."""
        batch = Batch(self, x, view)
        seeds, w = batch.aligned(g), batch.affine(weight)
        away = mean if self.far(mean, scale) else None
        total, dots = batch.sums(lambda at: (batch.read(seeds, at), batch.less(batch.read(batch.x, at), at, away)))
        dots = (dots - (total * mean if away is None else 0)) * scale
        factor = scale if w is None else scale * w
        bend = batch.narrow(factor * scale * dots) * (-1 / max(batch.count, 1))
        rest = batch.narrow(factor * total) * (-1 / max(batch.count, 1)) - (bend * mean if away is None else 0)
        gx = self.xp.empty(batch.x.shape, x.dtype)
        factor, bend, rest = (batch.along(v) for v in (factor, bend, rest))
        for at in batch.tiles():
            t = batch.less(batch.read(batch.x, at), at, away)
            batch.put(gx[at], [(batch.read(seeds, at), batch.pairs(at, factor)), (t, batch.pairs(at, bend)),
                               (None, batch.pairs(at, rest))])
        return batch.back(gx), dots, total


class Tiles:
    """A matrix, read and written a tile of rows at a time."""

    def __init__(self, F: Any, x: Any, shape: tuple[int, int]) -> None:
        self.F, self.xp, self.x = F, F.xp, x.reshape(shape)
        self.half = is_half(x.dtype)
        self.wide = float32 if self.half else x.dtype

    def tiles(self) -> Iterator[slice]:
        rows, size = self.x.shape
        step = max(1, self.F.rows // max(size, 1))
        return (slice(i, i + step) for i in range(0, rows, step))

    def vector(self) -> Any:
        """A number a row, as yet unknown."""
        return self.xp.empty(self.x.shape[0], self.wide)

    def affine(self, p: Any) -> Any:
        """A weight or bias as a vector; None for a number, which changes nothing."""
        return None if isinstance(p, float) else p.reshape(-1).astype(self.wide, copy=False)

    def read(self, a: Any, at: slice) -> Any:
        return a[at].astype(float32) if self.half else a[at]

    def put(self, y: Any, terms: list[tuple[Any, Pairs]]) -> None:
        """The blend of the terms, in y's place."""
        terms = [(t, pairs) for t, pairs in terms if pairs]
        if self.half:
            z = self.xp.empty(y.shape, float32)
            self.F.blend(z, terms)
            y[...] = z
        else:
            self.F.blend(y, terms)


class Groups(Tiles):
    """A row for each group of each sample; to be blended as such, or as a row for each channel of each sample."""

    def __init__(self, F: Any, x: Any, view: Any) -> None:
        self.N, self.G, self.K, self.L = view
        super().__init__(F, x, (self.N * self.G, self.K * self.L))
        self.flat = self.G == self.L == 1                    # the numbers of weight are the columns'
        rows = 1 if self.flat else self.N * self.G
        self.to_weight, self.to_bias = (self.xp.zeros((rows, self.K), float64 if self.flat else self.wide) for _ in "wb")

    def affine(self, p: Any) -> Any:
        """For the columns; or for the channels of each row."""
        p = super().affine(p)
        return p if p is None or self.flat else self.F.expand(p.reshape((self.G, self.K)), (self.N, self.G, self.K)).reshape(
            (self.N * self.G, self.K))

    def pairs(self, at: slice, u: Any, p: Any) -> Pairs:
        """The factor u p, for u a number a row (None: 1) and p what `affine` gave (None: 1)."""
        if u is None and p is None:
            return []
        if self.flat:
            return [(u, p)]
        if p is None:
            return [(u.repeat(self.K), None)]
        return [((p[at] if u is None else u[:, None] * p[at]).reshape(-1), None)]

    def write(self, y: Any, at: slice, terms: list[tuple[Any, Pairs]]) -> None:
        shape = y[at].shape if self.flat else (y[at].shape[0] * self.K, self.L)
        self.put(y[at].reshape(shape), [(None if t is None else t.reshape(shape), pairs) for t, pairs in terms])

    def sums(self, at: slice, g: Any, t: Any, m: Any, s: Any, w: Any) -> tuple[Any, Any]:
        """In each row the sums of g w d and of g w, where d is t - m; and what goes to weight and bias, to be added up."""
        if self.flat:
            p, w = g * t, self.xp.ones(self.K, g.dtype) if w is None else w
            self.to_weight += s @ p if m is None else s @ p - (s * m) @ g
            self.to_bias += self.xp.ones(g.shape[0], g.dtype) @ g
            along, across = p @ w, g @ w
            return along if m is None else along - m * across, across
        shape = (g.shape[0] * self.K, self.L)
        g, t = g.reshape(shape), t.reshape(shape)
        total = (g @ self.xp.ones(self.L, g.dtype)).reshape((-1, self.K))
        dots = self.F.row_dots(g, t).reshape((-1, self.K))
        dots = dots if m is None else dots - m[:, None] * total
        self.to_weight[at], self.to_bias[at] = s[:, None] * dots, total
        return tuple(v.sum(1) if w is None else (v * w[at]).sum(1) for v in (dots, total))     # type: ignore[return-value]

    def totals(self) -> tuple[Any, Any]:
        """What goes to weight and bias."""
        rows = (1 if self.flat else self.N, self.G * self.K)
        return self.to_weight.reshape(rows).sum(0, dtype=float64), self.to_bias.reshape(rows).sum(0, dtype=float64)


class Batch(Tiles):
    """A row for each channel of each sample; or one for each sample, where those are short or the channels lie last."""

    def __init__(self, F: Any, x: Any, view: Any) -> None:
        N, self.C, _, L = view
        self.count, self.shape = N * L, x.shape
        self.last = x.ndim > 2 and not x.flags.c_contiguous and self.moved(x).flags.c_contiguous
        if self.last:
            N, L = N * L, 1
        self.N, self.L, self.columns = N, L, L < SHORT
        super().__init__(F, self.moved(x), (N, self.C * L) if self.columns else (N * self.C, L))

    def moved(self, x: Any) -> Any:
        """With the channels last, if they are so in memory."""
        return x.transpose((0, *range(2, x.ndim), 1)) if not hasattr(self, "last") or self.last else x

    def aligned(self, g: Any) -> Any:
        """Another array of x's shape, as the same matrix."""
        return self.moved(g).reshape(self.x.shape)

    def back(self, y: Any) -> Any:
        """From the matrix to x's shape."""
        if not self.last:
            return y.reshape(self.shape)
        n = len(self.shape)
        return y.reshape((self.shape[0], *self.shape[2:], self.C)).transpose((0, n - 1, *range(1, n - 1)))

    def narrow(self, v: Any) -> Any:
        return v.astype(self.wide)

    def along(self, v: Any) -> Any:
        """A number a channel as one a row, or a column; None stays."""
        if v is None:
            return None
        return v.repeat(self.L) if self.columns else self.F.expand(v, (self.N, self.C)).reshape(-1)

    def pairs(self, at: slice, v: Any) -> Pairs:
        """The factor that `along` gave."""
        return [] if v is None else [(None, v)] if self.columns else [(v[at], None)]

    def less(self, t: Any, at: slice, mean: Any) -> Any:
        """t less the mean of its channel, unless that is None."""
        if mean is None:
            return t
        v = self.along(mean)
        return t - (v if self.columns else v[at][:, None])

    def sums(self, pick: Callable[[slice], tuple[Any, Any]]) -> tuple[Any, Any]:
        """The sums of a and of a b in each channel, where pick(tile) gives a and b there; in float64."""
        size = self.x.shape[self.columns]
        total, dots = self.xp.zeros(size, float64), self.xp.zeros(size, float64)
        for at in self.tiles():
            a, b = pick(at)
            ones = self.xp.ones(a.shape[1 - self.columns], a.dtype)
            if self.columns:
                total += ones @ a
                dots += ones @ (a * b)
            else:
                total[at], dots[at] = a @ ones, self.F.row_dots(a, b)
        shape, axis = ((self.C, self.L), 1) if self.columns else ((self.N, self.C), 0)
        return total.reshape(shape).sum(axis), dots.reshape(shape).sum(axis)
