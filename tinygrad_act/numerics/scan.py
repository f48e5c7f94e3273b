"""Running reductions, for libraries whose ufuncs do not accumulate: log2(n) passes of whole-array operations.

Pass number k joins each element's run with the run that ends where its own begins, so that runs double in length
(Hillis and Steele, Data parallel algorithms, CACM 29, 1986). Nothing is divided, so zeros and infinities are exact.
"""

from __future__ import annotations

from typing import Any

from ..dtypes import float32, is_half


class Scans:
    """The part of the vocabulary that runs along an axis. `dim` is an int; the shape stays."""

    xp: Any

    def cummax(self, x: Any, dim: int) -> Any:
        return _runs(self.xp.maximum, x, dim)

    def cummin(self, x: Any, dim: int) -> Any:
        return _runs(self.xp.minimum, x, dim)

    def running_extremes(self, x: Any, dim: int, largest: bool) -> tuple[Any, Any]:
        """The running maxima or minima and where they stand: the last of equal ones, and once there is a NaN, the last NaN."""
        best = self.cummax(x, dim) if largest else self.cummin(x, dim)
        n = x.shape[dim]
        place = self.xp.arange(n).reshape((n,) + (1,) * (x.ndim - dim - 1))
        places = self.cummax(self.xp.where(self.xp.logical_or(x == best, self.xp.isnan(x)), place, 0), dim) if n else x.astype("int64")
        return self.gather(x, dim, places), places  # type: ignore[attr-defined]

    def logcumsumexp(self, x: Any, dim: int) -> Any:
        wide = x.astype(float32) if is_half(x.dtype) else x
        return _runs(self.xp.logaddexp, wide, dim).astype(x.dtype, copy=False)

    def linear_scan(self, a: Any, b: Any, dim: int) -> Any:
        """h with h[i] = a[i] * h[i-1] + b[i] along `dim`, and h[-1] = 0 (so a[0] does not matter)."""
        dtype = b.dtype
        a, b = (self.xp.array(self.xp.moveaxis(x, dim, 0), dtype=float32 if is_half(dtype) else dtype) for x in (a, b))
        step = 1
        while step < b.shape[0]:
            b[step:] += a[step:] * b[:-step]
            a[step:] *= a[:-step].copy()
            step *= 2
        return self.xp.moveaxis(b, 0, dim).astype(dtype, copy=False)


def _runs(join: Any, x: Any, dim: int) -> Any:
    y = x.copy()
    along = y.swapaxes(dim, 0)                   # a view: what is written there stands in y
    step = 1
    while step < along.shape[0]:
        along[step:] = join(along[:-step], along[step:])
        step *= 2
    return y
