"""Softmax, log_softmax and attention's exponentials on the CPU in C (kernels/softmax.c): a row in a few passes while it is in the cache.

The rules of activations/softmaxes.py and the functions of numerics/attention.py stay the definition, and what runs where there
is no compiler; the tests run both.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from . import pool
from .direct import dense, library
from .layout import in_one_piece, place
from .namespace import Namespace

PARTS = 16                               # into which blocks are cut, for threads to share


def _library(*arrays: Any) -> Any:
    return library("softmax", "f", *arrays, vector=("log1p",))


class Shares(Namespace):
    """What has C beside it: rules, by their names, and functions."""

    beside = frozenset({"softmax", "softmax_backward", "log_softmax", "log_softmax_backward"})

    def own(self, name: str, rule: Callable[..., Any], *values: Any, **settings: Any) -> Any:
        """What the rule of that name returns."""
        x = values[0]
        functions = _library(x, *values[1:]) if x.size else None
        if functions is None or not all(map(in_one_piece, values)):
            return rule(self, *values, **settings)
        axis = settings["dim"] % x.ndim
        n, inner = x.shape[axis], math.prod(x.shape[axis + 1:])
        y = np.empty(x.shape, x.dtype)
        self._blocks(getattr(functions, name), (*values, y), (n, inner), x.size // (n * inner), x.size)
        return y

    def _blocks(self, function: Any, arrays: tuple[Any, ...], sizes: tuple[int, ...], count: int, size: int) -> None:
        """The function on all blocks of the arrays, which lie in one piece."""
        pool.ranges(function, (*map(place, arrays), *sizes), count, -(-count // PARTS) if size >= pool.WORTH else count, size)

    # ------------------------------------------------------------------------------------------- attention
    def exponentials(self, x: Any) -> tuple[Any, Any, Any]:
        functions = _library(x) if in_one_piece(x) else None
        if functions is None:
            return self._exponentials(x)
        total, peak = (np.empty((*x.shape[:-1], 1), x.dtype) for _ in range(2))
        functions.exponentials(place(x), place(total), place(peak), x.shape[-1], 0, total.size)
        return x, total, peak

    def _exponentials(self, x: Any) -> tuple[Any, Any, Any]:
        """Without looking for the largest numbers, which takes longer than all the rest, if the sums show they did not matter."""
        e: Any = np.exp(x)
        total = np.matmul(e, np.ones((x.shape[-1], 1), x.dtype))
        safe = total.min() >= 1e-8 and total.max() <= 1e8                          # not so for NaN
        return (e, total, 0.0) if safe else super().exponentials(x)

    def again(self, scores: Any, peak: Any) -> Any:
        functions = _library(scores, peak) if in_one_piece(scores) else None
        if functions is None:
            return super().again(scores, peak)
        rows = dense(peak)
        functions.again(place(scores), place(rows), scores.shape[-1], 0, rows.size)
        return scores

    def pulled(self, gs: Any, p: Any, g: Any, y: Any) -> Any:
        functions = _library(gs, p, g, y) if in_one_piece(gs) and in_one_piece(p) else None
        if functions is None:
            return super().pulled(gs, p, g, y)
        dots = dense(self.vecdot(g, y))
        functions.pulled(place(gs), place(p), place(dots), gs.shape[-1], 0, dots.size)
        return gs
