"""Rows added up by where they belong: the gradient of a table whose rows were looked up, the same at every run."""

from __future__ import annotations

from typing import Any

from ..dtypes import float32, is_half


class RowSums:
    """Mixed into Namespace, whose `xp` it uses."""

    xp: Any

    def add_rows(self, v: Any, index: Any, count: int, skip: int = -1, factor: Any = None, ordered: bool = False) -> Any:
        """`count` rows of zeros, each v[i] (times factor[i]) added to row index[i]; row `skip` stays 0.

        v is (n, D), index and factor (n,); `ordered` says that the index does not decrease. Halves are summed in float32.
        """
        if is_half(v.dtype):
            factor = None if factor is None else factor.astype(float32, copy=False)
            return self.add_rows(v.astype(float32), index, count, skip, factor, ordered).astype(v.dtype)
        y = self.xp.zeros((count, *v.shape[1:]), v.dtype)
        if v.size:
            self._add_rows(y, v, index, factor, ordered)
            if skip >= 0:
                y[skip] = 0
        return y

    def _add_rows(self, y: Any, v: Any, index: Any, factor: Any, ordered: bool) -> None:
        """In place, by runs of equal places that double in length: whole passes, whose number does not depend on the places."""
        order = slice(None) if ordered else self.xp.argsort(index, kind="stable")
        place = index[order]
        v = v[order] * (1 if factor is None else factor[order][:, None])
        step = 1
        while step < place.shape[0]:
            same = (place[step:] == place[:-step])[:, None]
            v[step:] = v[step:] + self.xp.where(same, v[:-step], 0)
            step *= 2
        y[place] = v[self.xp.searchsorted(place, place, side="right") - 1]       # equal places are written equal numbers
