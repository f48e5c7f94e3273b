"""Reading and writing along an axis where an index says, number by number, on the CPU in C (kernels/gather.c).

The functions of indexing.py stay the definition, and are what runs where the index is smaller than the array along other axes, or is
expanded, and where there is no compiler; the tests run both.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from . import pool
from .direct import dense, library
from .layout import in_one_piece, place
from .namespace import Namespace

INDEX = np.dtype("int64")


class Gathered(Namespace):
    """The functions that have C beside them."""

    def gather(self, x: Any, dim: int, index: Any) -> Any:
        functions = _functions(x, dim, index)
        if functions is not None:
            y = np.empty(index.shape, x.dtype)
            if _each(functions.gather, dense(x), y, dim, index):
                return y
        return super().gather(x, dim, index)

    def scatter(self, x: Any, dim: int, index: Any, src: Any) -> Any:
        y = _written("scatter", x, dim, index, src)
        return super().scatter(x, dim, index, src) if y is None else y

    def scatter_add(self, x: Any, dim: int, index: Any, src: Any) -> Any:
        y = _written("scatter_add", x, dim, index, src)
        return super().scatter_add(x, dim, index, src) if y is None else y


def _functions(x: Any, dim: int, index: Any, *others: Any) -> Any:
    """The functions in C, if they are for these arrays."""
    if index.dtype != INDEX or not in_one_piece(index) or index.ndim != x.ndim or not index.size:
        return None
    dim %= x.ndim
    if index.shape[:dim] != x.shape[:dim] or index.shape[dim + 1:] != x.shape[dim + 1:]:
        return None
    return library("gather", "fd", x, *others)


def _written(name: str, x: Any, dim: int, index: Any, src: Any) -> Any:
    """A copy of x to which that function has written src; None if it is to be made otherwise."""
    functions = _functions(x, dim, index, src)
    if functions is None:
        return None
    if src.shape != index.shape:
        src = src[tuple([slice(n) for n in index.shape])]
    y = np.array(x, order="C")
    return y if _each(getattr(functions, name), y, dense(src), dim, index) else None


def _each(function: Any, wide: Any, few: Any, dim: int, index: Any) -> bool:
    """Call it; False if a number of the index is out of bounds, which NumPy knows what to say of, or is negative."""
    dim %= wide.ndim
    wrong, outer, inner = np.zeros(1, INDEX), math.prod(wide.shape[:dim]), math.prod(wide.shape[dim + 1:])
    pool.ranges(function, (*map(place, (wide, few, index, wrong)), wide.shape[dim], index.shape[dim], inner), outer, few.size)
    return not wrong[0]
