"""Rows added up by where they belong: the gradient of a table whose rows were looked up, the same at every run."""

from __future__ import annotations

from typing import Any

from ..dtypes import float32, is_half


class RowSums:
    """Mixed into Namespace, whose `xp` it uses."""

    xp: Any

    def add_rows(self, v: Any, index: Any, count: int, skip: int = -1) -> Any:
        """`count` rows of zeros, each v[i] added to row index[i]; row `skip` stays 0. v is (n, D), index (n,).

        Sorted, so that the rows of one place follow one another, and added up in runs that double in length: in whole
        passes, whose number does not depend on the numbers.
        """
        y = self.xp.zeros((count, *v.shape[1:]), v.dtype)
        if not v.size:
            return y
        order = self.xp.argsort(index, kind="stable")
        place, v = index[order], v[order].astype(float32 if is_half(v.dtype) else v.dtype)
        step = 1
        while step < place.shape[0]:
            same = (place[step:] == place[:-step])[:, None]
            v[step:] = v[step:] + self.xp.where(same, v[:-step], 0)
            step *= 2
        last = self.xp.searchsorted(place, place, side="right") - 1
        y[place] = v[last].astype(y.dtype)                   # equal places are written equal numbers
        if skip >= 0:
            y[skip] = 0
        return y


def halved(xp: Any, v: Any, index: Any, y: Any) -> None:
    """y[i] = the sum of the rows of v whose index is i. Neighbours of one place are added in pairs, then pairs of these."""
    order = xp.argsort(index, kind="stable")
    place = index[order]
    while place.size:
        starts = xp.flatnonzero(xp.concatenate((xp.ones(1, "bool"), place[1:] != place[:-1])))
        sizes = xp.diff(starts, append=place.size)
        single = starts[sizes == 1]
        y[place[single]] = v[order[single]]
        if single.size == place.size:
            return
        rank = xp.arange(place.size) - xp.repeat(starts, sizes)
        several = xp.repeat(sizes, sizes) > 1
        even = several & (rank % 2 == 0)
        left, right = xp.flatnonzero(even), xp.flatnonzero(several & (rank % 2 == 1))
        sums = v[order[left]]
        sums[xp.cumsum(even)[right - 1] - 1] += v[order[right]]
        v, place, order = sums, place[left], xp.arange(left.size)
