"""Where the largest and smallest elements stand along an axis: the whole order, its first k places, its k-th, its middle.

All agree with the stable order: NaN is the largest, and of equal elements the first comes first. Where numbers may be looked at
(not on a GPU, which would have to wait) and there are many, they are not all sorted. The k largest of a row are among those
that reach the k-th largest of the maxima of blocks of it, and these are few: they alone are sorted. An element in
the middle is found by NumPy's partition, and then its place.
"""

from __future__ import annotations

from typing import Any

from ..dtypes import float32, int64, is_half

MANY, LONG = 4096, 64                    # numbers in all, and in a row, from which on it is quicker not to sort
BLOCKS = 512                             # of a long row


class Choosing:
    """The part of the vocabulary that orders along an axis. `dim` is an int, from the front; the results are int64."""

    xp: Any
    looks: bool

    def order(self, x: Any, dim: int, descending: bool = False) -> Any:
        """The stable order."""
        if not descending:
            return self.argsort(x, dim)  # type: ignore[attr-defined]
        back = (slice(None),) * dim + (slice(None, None, -1),)
        return x.shape[dim] - 1 - self.argsort(x[back], dim)[back]  # type: ignore[attr-defined]

    def first_places(self, x: Any, k: int, dim: int, largest: bool) -> Any:
        """The first k places of the order, descending if `largest`."""
        found = None
        if self.looks and x.size >= MANY and x.shape[dim] >= LONG and 0 < 2 * k <= x.shape[dim]:
            found = self._candidates(self._rows(x, dim), k, largest)
        if found is None:
            return self.order(x, dim, largest)[(slice(None),) * dim + (slice(0, k),)]
        return self._back(found, x, dim)

    def place(self, x: Any, position: int, dim: int) -> Any:
        """The place number `position`, from 0, of the ascending order; the axis stays, of size 1."""
        if self.looks and x.size >= MANY and x.shape[dim] >= LONG:
            return self._back(self._place(self._rows(x, dim), position), x, dim)
        return self.order(x, dim)[(slice(None),) * dim + (slice(position, position + 1),)]

    def middle(self, x: Any, dim: int, skip_nan: bool) -> Any:
        """Where the lower median stands; with a NaN in the row it is that, unless they are skipped. The axis stays, of size 1."""
        xp, n = self.xp, x.shape[dim]
        nans = xp.isnan(x)
        if self.looks and not nans.any():
            return self.place(x, (n - 1) // 2, dim)
        real = n - xp.sum(nans, axis=dim, keepdims=True)
        position = xp.maximum(real - 1, 0) // 2 if skip_nan else xp.where(real < n, real, (n - 1) // 2)
        return self.gather(self.order(x, dim), dim, position)  # type: ignore[attr-defined]

    # ---------------------------------------------------------------- rows: dim is the last of two axes
    def _rows(self, x: Any, dim: int) -> Any:
        """x as rows along `dim`, in one piece; the halves, which compare slowly, in float32."""
        rows = self.xp.moveaxis(x, dim, -1).reshape(-1, x.shape[dim])
        return self.xp.ascontiguousarray(rows, float32 if is_half(x.dtype) else None)

    def _back(self, found: Any, x: Any, dim: int) -> Any:
        return self.xp.moveaxis(found.reshape(*x.shape[:dim], *x.shape[dim + 1:], found.shape[1]), -1, dim)

    def _bound(self, rows: Any, k: int, largest: bool) -> Any:
        """For each row a number that k of it reach, and not many more: (rows, 1)."""
        xp, n = self.xp, rows.shape[1]
        blocks = max(3 * k, min(n // 8, BLOCKS))
        size = n // blocks
        if size > 1:                                         # block number j is elements j, j + blocks, ...
            parts = rows[:, :size * blocks].reshape(-1, size, blocks)
            rows = xp.max(parts, axis=1) if largest else xp.min(parts, axis=1)
        kth = rows.shape[1] - k if largest else k - 1
        return xp.partition(rows, kth, -1)[:, kth:kth + 1]

    def _candidates(self, rows: Any, k: int, largest: bool) -> Any:
        """The first k places of each row's order; None if too much reaches the bound (many are equal, or NaN)."""
        xp, (count, n) = self.xp, rows.shape
        bound = self._bound(rows, k, largest)
        reach = xp.logical_not(rows < bound) if largest else rows <= bound           # NaN is the largest
        at = xp.flatnonzero(reach)
        starts = xp.arange(count + 1) * n
        begins = xp.searchsorted(at, starts)
        found = xp.diff(begins)
        most = int(found.max())
        if int(found.min()) < k or most > n // 2:
            return None
        column = xp.arange(most)
        places = at[xp.minimum(begins[:-1, None] + column, at.size - 1)]
        values = xp.where(column < found[:, None], rows.reshape(-1)[places], bound)  # what fills a row comes after all of it
        best = self.order(values, 1, largest)[:, :k]
        return xp.take_along_axis(places, best, 1) - starts[:-1, None]

    def _place(self, rows: Any, position: int) -> Any:
        """Of the elements equal to the one at `position`, the one that has as many of them before it as the order has."""
        xp, (count, n) = self.xp, rows.shape
        value = xp.partition(rows, position, -1)[:, position:position + 1]
        less, same = rows < value, rows == value
        if (value != value).any():
            real = rows == rows
            less, same = less | (real & (value != value)), same | ~(real | (value == value))
        before = position - xp.sum(less, axis=1, dtype=int64)
        starts = xp.arange(count) * n
        at = xp.flatnonzero(same)
        return (at[xp.searchsorted(at, starts) + before] - starts)[:, None]
