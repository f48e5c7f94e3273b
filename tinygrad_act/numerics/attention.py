"""Scaled dot-product attention and its gradient, a part at a time.

There are as many weights as queries times keys, so they are never all there at once: both directions work on some of the
heads (or of the queries) at a time, few enough for the cache, and change in place what they made. The way back computes
the weights again from the logarithm of each row's sum (Dao et al. 2022, arXiv:2205.14135).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

from ..dtypes import bool_, float32, is_half

Index = tuple[slice, ...]
ALL = slice(None)


class Tile(NamedTuple):
    """Where a part is: in what has a row a query, in what has one a key, and among the weights."""

    queries: Index
    keys: Index
    pairs: Index


class Attention:
    """The part of the vocabulary behind ops/attention.py, which says what the arguments are.

    All of q, k, v have the same leading dims. `mask` and `keep` broadcast; the number 0.0 stands for there being none.
    """

    xp: Any

    scores_at_once = 1 << 26             # about how many weights to have at a time

    def attend(self, q: Any, k: Any, v: Any, mask: Any, keep: Any, scale: float, causal: bool, gain: float) -> tuple[Any, Any]:
        """The output, whose axes lie in memory as q's do, and the logarithm of each row's sum, (..., L, 1)."""
        y = self.xp.empty_like(q, shape=(*q.shape[:-1], v.shape[-1]))
        logs = self.xp.zeros((*q.shape[:-1], 1), float32 if is_half(q.dtype) else q.dtype)
        if not k.shape[-2]:
            y[...] = 0
        for at in tiles(q.shape[:-1], k.shape[-2], causal, self.scores_at_once):
            y[at.queries], logs[at.queries] = self._attend(at, q, k, v, mask, keep, scale, causal, gain)
        return y, logs

    def _attend(self, at: Tile, q: Any, k: Any, v: Any, mask: Any, keep: Any, scale: float, causal: bool, gain: float
                ) -> tuple[Any, Any]:
        e, total, peak = self.exponentials(self._scores(at, part(q, at.queries), part(k, at.keys), mask, scale, causal))
        if not isinstance(keep, float):
            e *= part(keep, at.pairs)
        y = self.xp.matmul(e, part(v, at.keys))
        y *= gain / total
        return y, self.xp.log(total) + peak

    def attend_grad(self, g: Any, q: Any, k: Any, v: Any, mask: Any, keep: Any, y: Any, logs: Any, scale: float,
                    causal: bool, gain: float, for_mask: bool) -> list[Any]:
        """The gradients for q, k, v and, if wanted, the mask, with their axes in memory as those have them."""
        found = [self.xp.empty_like(x) for x in (q, k, v)]
        places = list(tiles(q.shape[:-1], k.shape[-2], causal, self.scores_at_once))
        several = not all(at.queries[-2].start == 0 and at.keys[-2].stop == k.shape[-2] for at in places)
        for x in found if several or not places else ():
            x[...] = 0
        found.append(self.xp.zeros(mask.shape, mask.dtype) if for_mask else None)
        for at in places:
            *parts, gs = self._attend_grad(at, g, q, k, v, mask, keep, y, logs, scale, causal, gain)
            for x, place, gx in zip(found[:3], (at.queries, at.keys, at.keys), parts, strict=True):
                x[place] = x[place] + gx if several else gx
            if for_mask:
                m = found[3][within(found[3], at.pairs)]
                m += self.sum_to(gs, m.shape)
            del gs
        return found

    def _attend_grad(self, at: Tile, g: Any, q: Any, k: Any, v: Any, mask: Any, keep: Any, y: Any, logs: Any, scale: float,
                     causal: bool, gain: float) -> tuple[Any, Any, Any, Any]:
        """For q, k, v and the scores of a part."""
        g, q, y = [part(x, at.queries) for x in (g, q, y)]
        k, v = part(k, at.keys), part(v, at.keys)
        p = self._scores(at, q, k, mask, scale, causal)
        p -= logs[at.queries]
        self.xp.exp(p, out=p)
        gs = self.xp.matmul(g, v.swapaxes(-1, -2))
        if isinstance(keep, float):
            gv = self.xp.matmul(p.swapaxes(-1, -2), g)
        else:
            left = part(keep, at.pairs)
            gv = self.xp.matmul((p * left).swapaxes(-1, -2), g * gain)
            gs *= left
            gs *= gain
        gs -= self.vecdot(g, y)
        gs *= p
        return self.xp.matmul(gs, k) * scale, self.xp.matmul(gs.swapaxes(-1, -2), q * scale), gv, gs

    def _scores(self, at: Tile, q: Any, k: Any, mask: Any, scale: float, causal: bool) -> Any:
        """q kᵀ · scale of a part, plus a mask's numbers, or -inf where it is False."""
        scores = self.xp.matmul(q * scale, k.swapaxes(-1, -2))
        if causal:
            queries, keys = at.pairs[-2:]
            mask = self.xp.arange(keys.stop)[None, :] <= self.xp.arange(queries.start, queries.stop)[:, None]
        else:
            mask = part(mask, at.pairs)
        if not isinstance(mask, float):
            scores += self.xp.log(mask.astype(scores.dtype)) if mask.dtype == bool_ else mask        # log: 0 and -inf
        return scores

    def exponentials(self, x: Any) -> tuple[Any, Any, Any]:
        """exp(x - peak), for a peak a row with which nothing overflows; the sums of the rows; and the peaks. Changes x.

        A row that is all -inf becomes zeros; its sum is given as 1, and its peak as 0.
        """
        peak = self.xp.max(x, axis=-1, keepdims=True)
        peak[peak == -math.inf] = 0
        x -= peak
        self.xp.exp(x, out=x)
        total = self.xp.sum(x, axis=-1, keepdims=True)
        total[total == 0] = 1
        return x, total, peak

    def vecdot(self, a: Any, b: Any) -> Any:
        """Each row of a times its row of b, summed: (..., 1)."""
        return self.xp.sum(a * b, axis=-1, keepdims=True)


def tiles(rows: tuple[int, ...], keys: int, causal: bool, limit: int) -> Iterator[Tile]:
    """Parts of at most about `limit` weights.

    `rows` are q's dims without the features. The heads of a part are neighbours; a head of more weights is cut by
    queries, into parts of 128 or more, and each is given the keys that it can see.
    """
    *batch, queries = rows
    step = max(128, limit // max(keys, 1))
    for start in range(0, queries if keys else 0, step):
        stop = min(start + step, queries)
        seen = min(stop, keys) if causal else keys
        for some in pieces(batch, (stop - start) * seen, limit):
            ours, theirs = slice(start, stop), slice(0, seen)
            yield Tile((*some, ours, ALL), (*some, theirs, ALL), (*some, ours, theirs))


def pieces(batch: list[int], each: int, limit: int) -> Iterator[Index]:
    """Slices of the batch's axes, the last ones whole as far as `limit` goes, for `each` numbers an element."""
    cuts = []
    for n in reversed(batch):
        step = max(1, min(n, limit // each))
        each *= step
        cuts.append([slice(i, i + step) for i in range(0, n, step)])
    return itertools.product(*reversed(cuts))


def part(x: Any, index: Index) -> Any:
    """A part of an array that broadcasts, halves as float32; a number is its own part."""
    if isinstance(x, float):
        return x
    x = x[within(x, index)]
    return x.astype(float32) if is_half(x.dtype) else x


def within(x: Any, index: Index) -> Index:
    """The index of a part: an axis of size 1 belongs to every part."""
    return tuple([ALL if n == 1 else s for n, s in zip(x.shape, index[len(index) - x.ndim:], strict=True)])
