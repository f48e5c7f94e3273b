"""What runs along an axis on the CPU in C (kernels/scans.c): sums, products, linear recurrences, extremes and where they stand.

Here sums and products are carried in double. The definitions in numerics/scan.py and NumPy's accumulate stay, and are what runs on
few numbers, on what is no float32 or float64, and where there is no compiler; the tests run both.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from . import pool
from .direct import dense, library
from .layout import in_one_piece, place
from .namespace import Namespace, _narrow, _wide

ROWS, WIDE = 8, 16                       # lanes at a time, as in C


class Scanned(Namespace):
    """The functions that have C beside them."""

    def cumsum(self, x: Any, dim: int) -> Any:
        found = _along("cumsum", dim, x)
        return _narrow(x, np.add.accumulate(x, axis=dim, dtype=_wide(x))) if found is None else found[0]

    def cumprod(self, x: Any, dim: int) -> Any:
        found = _along("cumprod", dim, x)
        return _narrow(x, np.multiply.accumulate(x, axis=dim, dtype=_wide(x))) if found is None else found[0]

    def logcumsumexp(self, x: Any, dim: int) -> Any:
        """One number after the other, in double; of doubles as the definition, whose sums are of fewer steps."""
        if x.dtype.char == "d":
            return super().logcumsumexp(x, dim)
        return np.logaddexp.accumulate(x.astype(np.float64), axis=dim).astype(x.dtype)

    def linear_scan(self, a: Any, b: Any, dim: int) -> Any:
        found = _along("linear_scan", dim, a, b) if a.shape == b.shape else None
        return super().linear_scan(a, b, dim) if found is None else found[0]

    def running_extremes(self, x: Any, dim: int, largest: bool) -> tuple[Any, Any]:
        found = _along("cummax" if largest else "cummin", dim, x, places=True)
        return super().running_extremes(x, dim, largest) if found is None else (found[0], found[1])


def _along(name: str, dim: int, *arrays: Any, places: bool = False) -> Any:
    """What the function of that name makes of the arrays, of one shape: a list of new ones, which lie as those do; None without C."""
    x = arrays[-1]
    functions = library("scans", "fd", x, *arrays[:-1]) if x.size else None
    if functions is None:
        return None
    dim %= x.ndim
    turn = (slice(None),) * dim + (slice(None, None, -1),)
    back = all(a.strides[dim] < 0 and in_one_piece(a[turn]) for a in arrays)
    held = arrays if back else tuple(map(dense, arrays))
    made = [np.empty(x.shape, dtype) for dtype in ((x.dtype, np.int64) if places else (x.dtype,))]
    results = [y[turn] for y in made] if back else made
    n, inner = x.shape[dim], math.prod(x.shape[dim + 1:])
    outer = x.size // (n * inner)
    units = -(-outer // ROWS) if inner == 1 else outer * -(-inner // WIDE)
    pool.ranges(getattr(functions, name), (*map(place, (*held, *results)), n, inner, back, outer), units, x.size)
    return results
