"""Rows added up on the CPU, all of them or by where they belong: in C (kernels/rowsums.c), or by products where there is no compiler."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from . import pool
from .direct import dense, library
from .layout import in_one_piece, place
from .namespace import Namespace

MANY = 1 << 14                           # numbers from which on OpenBLAS would wake its threads for a sum, and a call of C pays
RUN = 128                                # numbers that NumPy, too, adds up one after the other; of more it adds parts, which is more exact
SIDE, WEIGHT = 64, 4                     # columns that C adds up side by side; numbers that take as long as one shared otherwise


class RowsAdded(Namespace):
    """See numerics/rowsums.py."""

    def sum_rows(self, x: Any, out: Any = None) -> Any:
        """The sum of a matrix's rows, of few as a product with ones: that is quicker than NumPy's sum, and of several columns more exact."""
        functions = library("rowsums", "fd", x) if x.size > MANY and in_one_piece(x) else None
        if functions is None:
            return _ones(x.shape[0], x.dtype.char).dot(x, out)
        y = np.empty(x.shape[1], x.dtype) if out is None else out
        blocks = -(-x.shape[1] // SIDE)
        size = x.size // WEIGHT
        pool.ranges(functions.sum_rows, (place(x), place(y), *x.shape), x.shape[1], size, -(-blocks // pool.available(size)) * SIDE)
        return y

    def row_totals(self, x: Any, axes: int) -> Any:
        """The sums over the last axes: of short rows as a product with ones, for NumPy's sum begins anew with each row; else in C if it is
        to be had.
        """
        shape = x.shape[:x.ndim - axes]
        count = math.prod(shape)
        n = x.size // count
        if axes == 1 and n <= RUN:
            return x.reshape(-1, n).dot(_ones(n, x.dtype.char)).reshape(shape)
        functions = library("rowsums", "fd", x) if in_one_piece(x) else None
        if functions is None:
            return np.add.reduce(x, tuple(range(x.ndim - axes, x.ndim)))
        y = np.empty(shape, x.dtype)
        pool.ranges(functions.row_totals, (place(x), place(y), n), count, x.size // WEIGHT)
        return y

    def index_add(self, x: Any, dim: int, index: Any, src: Any) -> Any:
        """Rows of a matrix in C, if none is named from the end."""
        if dim % x.ndim == 0 and x.ndim == 2 and x.size and x.shape[1:] == src.shape[1:] and self.within(index, 0, len(x) - 1):
            y = np.array(x, order="C")
            if self.rows_in_c(y, src, index):
                return y
        return super().index_add(x, dim, index, src)

    def _add_rows(self, y: Any, v: Any, index: Any, factor: Any, ordered: bool) -> None:
        if not self.rows_in_c(y, v, index, factor):
            self._by_products(y, v, index, factor, ordered)

    def rows_in_c(self, y: Any, v: Any, index: Any, factor: Any = None) -> bool:
        """Add each row of v (times factor) to row index[i] of y, which is in one piece, if C can be had for it."""
        functions = library("rowsums", "fd", v, y, *([] if factor is None else [factor]))
        if functions is None:
            return False
        held = y, dense(v), dense(index.astype(np.int64, copy=False)), None if factor is None else dense(factor)
        places = [place(a) for a in held]
        pool.ranges(functions.add_rows, (*places, len(v), v.shape[1]), len(y), v.size, -(-len(y) // pool.available(v.size)))
        return True

    def _by_products(self, y: Any, v: Any, index: Any, factor: Any, ordered: bool) -> None:
        """A product of a vector and the rows of each place; few numbers, and short rows of many places, one by one."""
        order = np.arange(index.size) if ordered else np.argsort(index.astype(np.uint16) if len(y) <= 1 << 16 else index, kind="stable")
        place = index[order]
        starts = np.flatnonzero(np.concatenate(((True,), place[1:] != place[:-1])))
        several = np.diff(starts, append=index.size) > 1
        if v.size <= 1 << 12 or 300 * np.count_nonzero(several) > v.size:
            flat = index[:, None] * v.shape[1] + np.arange(v.shape[1])
            np.add.at(y.reshape(-1), flat.ravel(), (v if factor is None else v * factor[:, None]).ravel())
            return
        v = v if ordered else v[order]
        factor = np.ones(index.size, v.dtype) if factor is None else factor[order]
        single = starts[~several]
        y[place[single]] = v[single] * factor[single, None]
        ends = np.append(starts[1:], index.size)[several]
        starts = starts[several]
        for start, end, row in zip(starts.tolist(), ends.tolist(), place[starts].tolist(), strict=True):
            np.dot(factor[start:end], v[start:end], out=y[row])


@functools.lru_cache(maxsize=64)
def _ones(count: int, char: str) -> Any:
    return np.ones(count, char)
