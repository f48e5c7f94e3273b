"""Scaled dot-product attention and its gradient, a part at a time.

There are as many weights as queries times keys, so they are never all there at once: both directions work on some of the
heads (or of the queries) at a time, few enough for the cache, and change in place what they made. The way back computes
the weights again from each row's sum, and the number that its exponents were taken from (Dao et al. 2022,
arXiv:2205.14135). Both are kept: in the logarithm of the two together a sum is lost beside a peak of -1e9, which a mask
may make.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
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
    sum_to: Any

    scores_at_once = 1 << 26             # about how many weights to have at a time

    def attend(self, q: Any, k: Any, v: Any, mask: Any, keep: Any, scale: float, causal: bool, gain: float
               ) -> tuple[Any, Any, Any]:
        """The output, whose axes lie in memory as q's do, and of each row the peak and the sum, (..., L, 1): see exponentials."""
        y = self.xp.empty_like(q, shape=(*q.shape[:-1], v.shape[-1]))
        peak, total = (make((*q.shape[:-1], 1), float32 if is_half(q.dtype) else q.dtype) for make in (self.xp.zeros, self.xp.ones))
        if not k.shape[-2]:
            y[...] = 0

        def work(part: list[Tile]) -> None:
            for at in part:
                y[at.queries], peak[at.queries], total[at.queries] = self._attend(at, q, k, v, mask, keep, scale, causal, gain)

        self._in_parts(work, q, k, causal)
        return y, peak, total

    def _in_parts(self, work: Callable[[list[Tile]], None], q: Any, k: Any, causal: bool,
                  in_order: bool = False) -> None:
        """Do the work for each part of the batch; they have nothing to do with one another, unless they add to one mask."""
        parts = tiles(q.shape[:-1], k.shape[-2], causal, self.scores_at_once)
        self.together(work, parts, 0 if in_order else math.prod(q.shape[:-1]) * k.shape[-2])

    def together(self, work: Callable[[Any], None], parts: list[Any], size: int) -> None:
        """Do the work for each of the parts, which have to do with `size` numbers in all, in any order."""
        for part in parts:
            work(part)

    def _attend(self, at: Tile, q: Any, k: Any, v: Any, mask: Any, keep: Any, scale: float, causal: bool, gain: float
                ) -> tuple[Any, Any, Any]:
        e, total, peak = self.exponentials(self._scores(at, piece(q, at.queries), piece(k, at.keys), mask, scale, causal))
        if not isinstance(keep, float):
            e *= piece(keep, at.pairs)
        y = self.xp.matmul(e, piece(v, at.keys))
        y *= gain / total
        return y, peak, total

    def attend_grad(self, g: Any, q: Any, k: Any, v: Any, mask: Any, keep: Any, y: Any, peak: Any, total: Any,
                    scale: float, causal: bool, gain: float, for_mask: bool) -> list[Any]:
        """The gradients for q, k, v and, if wanted, the mask, with their axes in memory as those have them."""
        found = [self.xp.empty_like(x) for x in (q, k, v)]
        gm: Any = self.xp.zeros(mask.shape, mask.dtype) if for_mask else None

        def work(part: list[Tile]) -> None:
            several = len(part) > 1 or part[0].keys[-2].stop < k.shape[-2]
            for x in found[1:] if several else ():
                x[part[0].keys[:-2]] = 0
            for at in part:
                *three, gs = self._attend_grad(at, g, q, k, v, mask, keep, y, peak, total, scale, causal, gain)
                for x, place, gx in zip(found, (at.queries, at.keys, at.keys), three, strict=True):
                    x[place] = x[place] + gx if several and x is not found[0] else gx
                if for_mask:
                    m = gm[within(gm, at.pairs)]
                    m += self.sum_to(gs, m.shape)
                del gs

        if not q.shape[-2] or not k.shape[-2]:
            for x in found:
                x[...] = 0
        self._in_parts(work, q, k, causal, in_order=for_mask)
        return [*found, gm]

    def _attend_grad(self, at: Tile, g: Any, q: Any, k: Any, v: Any, mask: Any, keep: Any, y: Any, peak: Any,
                     total: Any, scale: float, causal: bool, gain: float) -> tuple[Any, Any, Any, Any]:
        """For q, k, v and the scores of a part. The weights are p / total; g is divided instead, which has fewer numbers."""
        g, q, y = [piece(x, at.queries) for x in (g, q, y)]
        g = g / total[at.queries]
        k, v = piece(k, at.keys), piece(v, at.keys)
        p = self._scores(at, q, k, mask, scale, causal)
        p = self.again(p, peak[at.queries])
        gs = self.xp.matmul(g, v.swapaxes(-1, -2))
        if isinstance(keep, float):
            gv = self.xp.matmul(p.swapaxes(-1, -2), g)
        else:
            left = piece(keep, at.pairs)
            gv = self.xp.matmul((p * left).swapaxes(-1, -2), g * gain)
            gs *= left
            gs *= gain
        gs = self.pulled(gs, p, g, y)
        return self.xp.matmul(gs, k) * scale, self.xp.matmul(gs.swapaxes(-1, -2), q * scale), gv, gs

    def _scores(self, at: Tile, q: Any, k: Any, mask: Any, scale: float, causal: bool) -> Any:
        """q kᵀ · scale of a part, plus a mask's numbers, or -inf where it is False."""
        scores = self.xp.matmul(q * scale, k.swapaxes(-1, -2))
        if causal:
            rows, keys = at.pairs[-2:]
            ahead = scores[..., rows.start:]             # before it, all are seen
            ahead += self.xp.log(self.xp.tri(rows.stop - rows.start, max(keys.stop - rows.start, 0), dtype=scores.dtype))
        elif not isinstance(mask, float):
            mask = piece(mask, at.pairs)
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

    def again(self, scores: Any, peak: Any) -> Any:
        """exp(scores - peak), in the place of the scores."""
        scores -= peak
        self.xp.exp(scores, out=scores)
        return scores

    def pulled(self, gs: Any, p: Any, g: Any, y: Any) -> Any:
        """p (gs - the sum of each row of g y), in the place of gs."""
        gs -= self.vecdot(g, y)
        gs *= p
        return gs

    def vecdot(self, a: Any, b: Any) -> Any:
        """Each row of a times its row of b, summed: (..., 1)."""
        return self.xp.sum(a * b, axis=-1, keepdims=True)


def tiles(rows: tuple[int, ...], keys: int, causal: bool, limit: int) -> list[list[Tile]]:
    """Parts of at most about `limit` weights: for each part of the batch, those one after the other in queries.

    `rows` are q's dims without the features. The heads of a part are neighbours; a head of more weights is cut by
    queries, into parts of 128 or more, and each is given the keys that it can see.
    """
    *batch, queries = rows
    step = max(128, limit // max(keys, 1))
    cuts = [slice(i, min(i + step, queries)) for i in range(0, queries if keys else 0, step)]
    found = []
    for some in pieces(batch, min(step, queries) * keys, limit) if cuts else ():
        seen = [slice(0, min(cut.stop, keys) if causal else keys) for cut in cuts]
        found.append([Tile((*some, cut, ALL), (*some, s, ALL), (*some, cut, s)) for cut, s in zip(cuts, seen, strict=True)])
    return found


def pieces(batch: list[int], each: int, limit: int) -> Iterator[Index]:
    """Slices of the batch's axes, the last ones whole as far as `limit` goes, for `each` numbers an element."""
    cuts = []
    for n in reversed(batch):
        count = -(-n // max(1, min(n, limit // each)))   # of equal slices, for threads to share
        step = -(-n // max(count, 1))
        each *= max(step, 1)
        cuts.append([slice(i, i + step) for i in range(0, n, step or 1)])
    return itertools.product(*reversed(cuts))


def piece(x: Any, index: Index) -> Any:
    """A part of an array that broadcasts, halves as float32; a number is its own part."""
    if isinstance(x, float):
        return x
    x = x[within(x, index)]
    return x.astype(float32) if is_half(x.dtype) else x


def within(x: Any, index: Index) -> Index:
    """The index of a part: an axis of size 1 belongs to every part."""
    return tuple([ALL if n == 1 else s for n, s in zip(x.shape, index[len(index) - x.ndim:], strict=True)])
