"""Means, variances and what normalisation makes of them, a tile of rows at a time, which stays in the processor's cache.

An array is seen as (N, G, K, L): N samples of G groups of K channels of L pixels. Statistics are those of each sample's
groups, or those of each channel over the whole batch (K is 1 then). Weight and bias have G K numbers. So LayerNorm is
(rows, 1, features, 1), GroupNorm (N, groups, C / groups, pixels), BatchNorm (N, C, 1, pixels).

Halves are computed in float32, and statistics in float64. x - mean is worked out as such only where the mean is larger
than the deviation: elsewhere x * scale - mean * scale loses no digits, and is quicker.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ..dtypes import float32, float64, is_half

SHORT = 24                             # a channel of fewer pixels is no row by itself: a sample is
RUNS = 8                               # parts that threads may share
LONG = 4096                            # the mean of more numbers is computed twice


class Normalising:
    """The part of the vocabulary behind batch_norm and its kin. A statistic has a number a group: (N G,), or (C,)."""

    xp: Any
    sum: Any
    looks = False                      # may what is done depend on numbers? On a GPU that would mean waiting for them
    rows = 1 << 62                     # how many numbers to work on at once: all, where a call costs more than memory
    few = 0                            # of so many numbers, or fewer, all is done at once in float64

    def row_dots(self, a: Any, b: Any) -> Any:
        """The sum of a * b in each row of two matrices."""
        return self.xp.sum(a * b, axis=1)

    def blend(self, y: Any, terms: Sequence[Any], factors: Sequence[tuple[Any, Any]]) -> None:
        """y = the sum of the terms (None: 1), each times the product of its two factors."""
        total: Any = None
        for i, (t, (left, right)) in enumerate(zip(terms, factors, strict=True), 1):
            part = left @ right
            if t is not None:
                part *= t
            if total is not None and i == len(terms) and part.dtype == y.dtype:
                self.xp.add(total, part, out=y)
                return
            if total is not None:
                total += part
            else:
                total = part
        y[...] = total

    def moments(self, x: Any, view: Any, batch: bool, centred: bool = True) -> tuple[Any, Any]:
        """The mean and variance of each group, in float64; without `centred` None, and the mean square."""
        if 0 < x.size <= self.few:
            t, along = _whole(x, view), _along(batch)
            count = max(math.prod(view) // (view[1] if batch else view[0] * view[1]), 1)
            mean = self.sum(t, along, True) / count if centred else None
            d = t if mean is None else t - mean
            squares = self.sum(d * d, along) / count
            return None if mean is None else mean.reshape(-1), squares.reshape(-1)
        groups = layout(self, x, view, batch)
        count = max(groups.count, 1)
        total, squares = groups.sums(lambda at: (groups.read(groups.x, at),) * 2)
        if not centred:
            return None, squares / count
        mean = total / count
        variance = squares / count - mean * mean
        sure = self.looks and groups.x.shape[1] <= LONG
        if not sure or not ((mean * mean <= variance) & (variance < math.inf)).all():
            near = groups.narrow(mean)
            total, squares = groups.sums(lambda at: (groups.less(groups.read(groups.x, at), at, near),) * 2)
            rest = total / count
            mean, variance = near + rest, squares / count - rest * rest
        return mean, variance

    def standardise(self, x: Any, mean: Any, scale: Any, weight: Any, bias: Any, view: Any, batch: bool) -> Any:
        """(x - mean) * scale * weight + bias."""
        if 0 < x.size <= self.few:
            y = _whole(x, view)
            if mean is not None:
                y = y - _each(mean, view, batch)
            y = y * _each(scale, view, batch)
            y = y if isinstance(weight, float) else y * weight.reshape(1, *view[1:3], 1)
            y = y if isinstance(bias, float) else y + bias.reshape(1, *view[1:3], 1)
            return y.reshape(x.shape).astype(x.dtype)
        groups = layout(self, x, view, batch)
        w, b = groups.affine(weight), groups.affine(bias)
        left, away = groups.split(mean, scale)
        scale = groups.narrow(scale)
        shift = [] if left is None else [(-left * scale, w)]
        factors = [groups.outer([(scale, w)]), groups.outer(shift + ([] if b is None else [(None, b)]))]
        y, rows = groups.like()
        groups.sweep(lambda at: groups.write(rows, at, [groups.less(groups.read(groups.x, at), at, away), None], factors))
        return y

    def normalise(self, x: Any, weight: Any, bias: Any, view: Any, centred: bool, eps: float) -> tuple[Any, Any, Any]:
        """Each group of each sample less its mean (None if not `centred`), times its scale; and these two."""
        mean, variance = self.moments(x, view, False, centred)
        scale = 1 / self.xp.sqrt(variance + eps)
        return self.standardise(x, mean, scale, weight, bias, view, False), mean, scale

    def normalise_grad(self, g: Any, x: Any, weight: Any, mean: Any, scale: Any, view: Any, batch: bool) -> tuple[Any, Any, Any]:
        """For x: scale (v - mean(v) - d scale² mean(v d)), where v = g weight and d = x - mean; for weight; for bias.

        `mean` is None where none was subtracted.
        """
        if 0 < x.size <= self.few:
            return self._small_grad(_whole(g, view), x, weight, mean, _each(scale, view, batch), view, batch)
        groups = layout(self, x, view, batch)
        w, seeds = groups.affine(weight), groups.aligned(g)
        left, away = groups.split(mean, scale)
        scale = groups.narrow(scale)

        def pick(at: slice) -> tuple[Any, Any]:
            return groups.read(seeds, at), groups.less(groups.read(groups.x, at), at, away)

        across, along, to_weight, to_bias = groups.grad_sums(pick, w, left, scale)
        share = -1 / max(groups.count, 1)
        bend = groups.narrow(scale * scale * scale * along * share)
        rest = None if mean is None else groups.narrow(scale * across * share)
        rest = rest if left is None else rest - bend * left
        factors = [groups.outer([(scale, w)]), groups.outer([(bend, None)]), groups.outer([] if rest is None else [(rest, None)])]
        gx, rows = groups.like()
        groups.sweep(lambda at: groups.write(rows, at, [*pick(at), None], factors))
        return gx, to_weight, to_bias

    def _small_grad(self, g: Any, x: Any, weight: Any, mean: Any, scale: Any, view: Any, batch: bool) -> tuple[Any, Any, Any]:
        """As normalise_grad, all at once in float64."""
        add, along = self.sum, _along(batch)
        y = _whole(x, view)
        y = (y if mean is None else y - _each(mean, view, batch)) * scale
        v = g if isinstance(weight, float) else g * weight.reshape(1, *view[1:3], 1)
        share = 1 / max(math.prod(view) // max(scale.size, 1), 1)
        gx = v - y * (add(v * y, along, True) * share)
        gx = gx if mean is None else gx - add(v, along, True) * share
        sums = add(g * y, (0, 3)).reshape(-1), add(g, (0, 3)).reshape(-1)
        return (gx * scale).reshape(x.shape).astype(x.dtype), *sums


def _whole(x: Any, view: Any) -> Any:
    """A small array as (N, G, K, L), in float64."""
    return x.reshape(view).astype(float64)


def _along(batch: bool) -> tuple[int, ...]:
    """Over which of these axes a group reaches."""
    return (0, 2, 3) if batch else (2, 3)


def _each(statistic: Any, view: Any, batch: bool) -> Any:
    """A number a group, to be broadcast to (N, G, K, L)."""
    return statistic.reshape((1 if batch else view[0], view[1], 1, 1))


def channels_last(x: Any) -> bool:
    """Do the channels (axis 1) lie last in memory?"""
    return x.ndim > 2 and not x.flags.c_contiguous and bool(x.transpose((0, *range(2, x.ndim), 1)).flags.c_contiguous)


def layout(F: Any, x: Any, view: Any, batch: bool) -> Any:
    _, G, _, L = view
    if not batch:
        return Rows(F, x, view) if G == L == 1 else Pixels(F, x, view, False)
    last = channels_last(x)
    return Columns(F, x, view, last) if last or L < SHORT else Pixels(F, x, view, True)


class Tiles:
    """A matrix, read and written a tile of rows at a time."""

    most = 1 << 62                     # rows in a tile

    def __init__(self, F: Any, x: Any, shape: tuple[int, int]) -> None:
        self.F, self.xp, self.shape, self.x = F, F.xp, x.shape, x.reshape(shape)
        self.half = is_half(x.dtype)
        self.wide = float32 if self.half else x.dtype

    def tiles(self) -> Iterator[slice]:
        rows, size = self.x.shape
        step = max(1, min(self.F.rows // max(size, 1), self.most))
        return (slice(i, i + step) for i in range(0, rows, step))

    def sweep(self, work: Callable[[slice], Any], sums: Sequence[Any] = ()) -> None:
        """Do the work for each tile. What it returns is added to `sums`, in an order that does not depend on how many threads
        there are.
        """
        tiles = list(self.tiles())
        runs = min(len(tiles), RUNS)
        found: list[Any] = [None] * runs

        def run(i: int) -> None:
            for at in tiles[i * len(tiles) // runs:(i + 1) * len(tiles) // runs]:
                parts = work(at)
                if sums and found[i] is None:
                    found[i] = [part.astype(float64) for part in parts]
                elif sums:
                    for total, part in zip(found[i], parts, strict=True):
                        total += part

        self.F.together(run, list(range(runs)), self.x.size)
        for parts in found if sums else ():
            for total, part in zip(sums, parts, strict=True):
                total += part

    def narrow(self, v: Any) -> Any:
        """A statistic in the dtype of the arithmetic."""
        return v.astype(self.wide)

    def split(self, mean: Any, scale: Any) -> tuple[Any, Any]:
        """The mean as what is left in x, and what is taken away from it first, where it is larger than the deviation: then
        the mean as far as x's dtype holds it.
        """
        if mean is None:
            return None, None
        near = self.narrow(mean)
        if self.F.looks and bool((self.xp.abs(mean) * scale <= 1).all()):
            return near, None
        return self.narrow(mean - near), near

    def affine(self, p: Any) -> Any:
        """A weight or bias as a vector; None for a number, which changes nothing."""
        return None if isinstance(p, float) else p.reshape(-1).astype(self.wide, copy=False)

    def read(self, a: Any, at: slice) -> Any:
        return a[at].astype(float32) if self.half else a[at]

    def aligned(self, g: Any) -> Any:
        """Another array of x's shape, as the same matrix."""
        return g.reshape(self.x.shape)

    def like(self) -> tuple[Any, Any]:
        """A new array like x, and the same as the matrix."""
        y = self.xp.empty(self.shape, self.x.dtype)
        return y, y.reshape(self.x.shape)

    def product(self, pairs: list[tuple[Any, Any]]) -> Any:
        """The sum of the outer products of one pair or two, as matrices to be multiplied, which is quicker than vectors along
        short rows. In a pair None is a vector of ones.
        """
        left, right = self.xp.zeros((self.x.shape[0], 2), self.wide), self.xp.zeros((2, self.x.shape[1]), self.wide)
        for i, (u, v) in enumerate(pairs):
            left[:, i] = 1 if u is None else u
            right[i] = 1 if v is None else v
        return left, right

    def write(self, y: Any, at: slice, terms: list[Any], factors: list[Any]) -> None:
        """Into the rows `at` of y the sum of the terms (None: 1), each times its factor, that `product` made (None: 0)."""
        there = [(t, (f[0][at], f[1])) for t, f in zip(terms, factors, strict=True) if f is not None]
        self.F.blend(y[at], *zip(*there, strict=True))

    def row_sums(self, pick: Callable[[slice], tuple[Any, Any]]) -> tuple[Any, Any]:
        """The sums of a and of a b in each row, where pick(tile) gives a and b; in float64."""
        rows, size = self.x.shape
        total, dots = self.xp.empty(rows, float64), self.xp.empty(rows, float64)
        ones = self.xp.ones(size, self.wide)

        def work(at: slice) -> None:
            a, b = pick(at)
            total[at], dots[at] = a @ ones, self.F.row_dots(a, b)

        self.sweep(work)
        return total, dots


class Rows(Tiles):
    """Each row is a group, and has weights along it: LayerNorm."""

    sums = Tiles.row_sums

    def __init__(self, F: Any, x: Any, view: Any) -> None:
        super().__init__(F, x, (view[0], view[2]))
        self.count = view[2]

    def less(self, t: Any, at: slice, mean: Any) -> Any:
        """t less the mean of its group, unless that is None."""
        return t if mean is None else t - mean[at][:, None]

    def outer(self, pairs: list[tuple[Any, Any]]) -> Any:
        """The sum of the products of a statistic and a weight (None: 1), to be multiplied; None for none."""
        return self.product(pairs) if pairs else None

    def grad_sums(self, pick: Any, w: Any, left: Any, scale: Any) -> tuple[Any, ...]:
        """The sums over each group of g w and of g w d, and over the samples what goes to weight and bias; d is x - mean,
        and `left` of the mean is still in what pick(tile) gives with g.
        """
        rows, size = self.x.shape
        across, along, to_weight = (self.xp.zeros(n, float64) for n in (rows, rows, size))
        both = self.xp.ones((2, rows), self.wide)
        both[1] = 0 if left is None else scale * left
        under = self.xp.zeros((2, size), float64)
        w = self.xp.ones(size, self.wide) if w is None else w

        def work(at: slice) -> Any:
            g, t = pick(at)
            p = g * t
            across[at], along[at] = g @ w, p @ w
            return scale[at] @ p, both[:, at] @ g

        self.sweep(work, (to_weight, under))
        return across, along if left is None else along - left * across, to_weight - under[1], under[0]


class Pixels(Tiles):
    """Each row is a channel of a sample; those of a sample's group, or of the batch, are joined: GroupNorm, BatchNorm."""

    def __init__(self, F: Any, x: Any, view: Any, batch: bool) -> None:
        self.N, self.G, self.K, L = view
        super().__init__(F, x, (self.N * self.G * self.K, L))
        self.batch, self.count = batch, (self.N if batch else self.K) * L

    def fold(self, v: Any) -> Any:
        """From a number a row to one a group: their sum."""
        return v.reshape((self.N, self.G)).sum(0) if self.batch else v.reshape((self.N * self.G, self.K)).sum(1)

    def spread(self, v: Any) -> Any:
        """From a number a group to one a row."""
        return self.each(v) if self.batch else v.repeat(self.K)

    def each(self, p: Any) -> Any:
        """From a number a channel to one a row."""
        return self.F.expand(p, (self.N, self.G * self.K)).reshape(-1)

    def sums(self, pick: Any) -> tuple[Any, Any]:
        """As row_sums, of groups."""
        total, dots = self.row_sums(pick)
        return self.fold(total), self.fold(dots)

    def less(self, t: Any, at: slice, mean: Any) -> Any:
        """As that of Rows."""
        return t if mean is None else t - self.spread(mean)[at][:, None]

    def outer(self, pairs: list[tuple[Any, Any]]) -> Any:
        """As that of Rows."""
        found = [math.prod(v for v in (u if u is None else self.spread(u), p if p is None else self.each(p)) if v is not None)
                 for u, p in pairs]
        return self.product([(u, None) for u in found]) if found else None

    def grad_sums(self, pick: Any, w: Any, left: Any, scale: Any) -> tuple[Any, ...]:
        """As that of Rows."""
        total, dots = self.row_sums(pick)
        dots = dots if left is None else dots - self.spread(left) * total
        w = 1 if w is None else self.each(w)
        samples = (self.N, self.G * self.K)
        return (self.fold(total * w), self.fold(dots * w), (dots * self.spread(scale)).reshape(samples).sum(0),
                total.reshape(samples).sum(0))


class Columns(Tiles):
    """Each row is a sample, or a pixel where the channels lie last in memory: BatchNorm of few pixels."""

    most = 1 << 10                     # a sum of many more rows in float32 loses digits

    def __init__(self, F: Any, x: Any, view: Any, last: bool) -> None:
        N, self.C, _, L = view
        self.last, self.count = last, N * L
        self.L = 1 if last else L
        super().__init__(F, self.moved(x), (N * L, self.C) if last else (N, self.C * L))
        self.shape = x.shape

    def moved(self, x: Any) -> Any:
        return x.transpose((0, *range(2, x.ndim), 1)) if self.last else x

    def aligned(self, g: Any) -> Any:
        return self.moved(g).reshape(self.x.shape)

    def like(self) -> tuple[Any, Any]:
        if not self.last:
            return super().like()
        n = len(self.shape)
        y = self.xp.empty((self.shape[0], *self.shape[2:], self.C), self.x.dtype)
        return y.transpose((0, n - 1, *range(1, n - 1))), y.reshape(self.x.shape)

    def sums(self, pick: Any) -> tuple[Any, Any]:
        """As row_sums, of channels."""
        total, dots = (self.xp.zeros(self.x.shape[1], float64) for _ in range(2))

        def work(at: slice) -> Any:
            a, b = pick(at)
            ones = self.xp.ones(a.shape[0], self.wide)
            return ones @ a, ones @ (a * b)

        self.sweep(work, (total, dots))
        return total.reshape((self.C, self.L)).sum(1), dots.reshape((self.C, self.L)).sum(1)

    def less(self, t: Any, at: slice, mean: Any) -> Any:
        """As that of Rows."""
        return t if mean is None else t - mean.repeat(self.L)

    def outer(self, pairs: list[tuple[Any, Any]]) -> Any:
        """As that of Rows."""
        found = [math.prod(v for v in pair if v is not None).repeat(self.L) for pair in pairs]
        return self.product([(None, v) for v in found]) if found else None

    def grad_sums(self, pick: Any, w: Any, left: Any, scale: Any) -> tuple[Any, ...]:
        """As that of Rows."""
        total, dots = self.sums(pick)
        dots = dots if left is None else dots - left * total
        w = 1 if w is None else w
        return total * w, dots * w, dots * scale, total
