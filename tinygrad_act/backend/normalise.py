"""Normalisation on the CPU in C (kernels/normalise.c): each group in a few passes while it is in the cache.

The functions in numerics/normalise.py stay the definition, and what runs where there is no compiler; the tests run both.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..numerics.normalise import RUNS, SHORT, channels_last
from . import pool
from .direct import dense, library
from .layout import place
from .namespace import Namespace

SHARED = 1 << 17                         # from how many numbers on the groups are cut into parts, for threads to share


class Normalised(Namespace):
    """The functions that have C beside them."""

    few = 1 << 11

    def normalise(self, x: Any, weight: Any, bias: Any, view: Any, centred: bool, eps: float) -> tuple[Any, Any, Any]:
        functions = library("normalise", "fd", x, weight, bias)
        if functions is None:
            return super().normalise(x, weight, bias, view, centred, eps)
        N, G, K, L = view
        x, groups = dense(x), N * G
        y, mean, scale = np.empty(x.shape, x.dtype), np.empty(groups) if centred else None, np.empty(groups)
        self._run(functions.normalise, (x, dense(weight), dense(bias), y, mean, scale, np.array(eps, np.float64)), (G, K, L), groups)
        return y, mean, scale

    def moments(self, x: Any, view: Any, batch: bool, centred: bool = True) -> tuple[Any, Any]:
        functions = library("normalise", "fd", x) if batch else None
        if functions is None:
            return super().moments(x, view, batch, centred)
        kind, sizes, x = _channels(view, x)
        mean, variance = np.empty(view[1]), np.empty(view[1])
        self._run(getattr(functions, f"{kind}moments"), (x, mean, variance), sizes, view[1])
        return mean, variance

    def standardise(self, x: Any, mean: Any, scale: Any, weight: Any, bias: Any, view: Any, batch: bool) -> Any:
        functions = library("normalise", "fd", x, weight, bias) if batch else None
        if functions is None:
            return super().standardise(x, mean, scale, weight, bias, view, batch)
        shape = x.shape
        kind, sizes, x = _channels(view, x)
        y = np.empty(x.shape, x.dtype)
        statistics = dense(mean.astype("d", copy=False)), dense(scale.astype("d", copy=False))
        self._run(getattr(functions, f"{kind}standardise"), (x, *statistics, dense(weight), dense(bias), y), sizes, view[1])
        return _as_given(y, shape)

    def normalise_grad(self, g: Any, x: Any, weight: Any, mean: Any, scale: Any, view: Any, batch: bool) -> tuple[Any, Any, Any]:
        functions = library("normalise", "fd", x, g, weight)
        if functions is None:
            return super().normalise_grad(g, x, weight, mean, scale, view, batch)
        shape, (N, G, K, L) = x.shape, view
        w = dense(weight)
        if batch:
            kind, sizes, x, g = _channels(view, x, g)
            gx, both = np.empty(x.shape, x.dtype), np.empty((2, G))
            self._run(getattr(functions, f"{kind}standardise_back"), (g, x, w, mean, scale, gx, both), sizes, G)
            return _as_given(gx, shape), both[0], both[1]
        x, g = dense(x), dense(g)
        gx, groups = np.empty(shape, x.dtype), N * G
        each, channels = _each(x.size, groups), G * K
        sums: Any = None
        to_weight = to_bias = None
        if w is not None:
            sums = np.zeros((-(-groups // each), 2, channels))
            to_weight, to_bias = (np.empty(channels, x.dtype), np.empty(channels, x.dtype)) if each == groups else (None, None)
        self._run(functions.normalise_back, (g, x, w, mean, scale, gx, sums, to_weight, to_bias), (G, K, L, each), groups)
        return (gx, to_weight, to_bias) if sums is None or each == groups else (gx, *sums.sum(0))

    def _run(self, function: Any, arrays: tuple[Any, ...], sizes: tuple[Any, ...], groups: int) -> None:
        """The function on all groups of the first array."""
        size = arrays[0].size
        pool.ranges(function, (*map(place, arrays), *sizes), groups, size, _each(size, groups))


def _each(size: int, groups: int) -> int:
    """How many groups a part has, of an array of that size."""
    return groups if size < SHARED else -(-groups // RUNS)


def _channels(view: Any, x: Any, *others: Any) -> Any:
    """Which functions are for channels like x's, (samples, channels, pixels), and the arrays in one piece, all laid out alike."""
    N, G, _, L = view
    if channels_last(x):
        order = (0, *range(2, x.ndim), 1)
        return "short_", (N * L, G, 1), *[dense(a.transpose(order)) for a in (x, *others)]
    return "short_" * (L < SHORT), (N, G, L), *[dense(a) for a in (x, *others)]


def _as_given(y: Any, shape: tuple[int, ...]) -> Any:
    """The result for an array of that shape, in its order of axes."""
    return y if y.shape == shape else y.transpose((0, y.ndim - 1, *range(1, y.ndim - 1)))
