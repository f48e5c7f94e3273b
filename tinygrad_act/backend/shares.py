"""Softmax and log_softmax on the CPU in C (kernels/softmax.c): a row in a few passes while it is in the cache.

The rules of activations/softmaxes.py stay the definition, and what runs where there is no compiler; the tests run both.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from . import pool
from .direct import library
from .layout import in_one_piece, place
from .namespace import Namespace


def softmax_in_c(*arrays: Any) -> Any:
    """The functions of softmax.c for these arrays; None if they are to be computed without."""
    return library("softmax", "f", *arrays, vector=("log1p",))


class Shares(Namespace):
    """The rules that have C beside them, by their names."""

    beside = frozenset({"softmax", "softmax_backward", "log_softmax", "log_softmax_backward"})

    def own(self, name: str, rule: Callable[..., Any], *values: Any, **settings: Any) -> Any:
        """What the rule of that name returns."""
        x = values[0]
        if x.size < self.large:
            return rule(self, *values, **settings)
        functions = softmax_in_c(x, *values[1:])
        if functions is None or not all(map(in_one_piece, values)):
            return rule(self, *values, **settings)
        axis = settings["dim"] % x.ndim
        n, inner = x.shape[axis], math.prod(x.shape[axis + 1:])
        y = np.empty(x.shape, x.dtype)
        count = x.size // (n * inner)
        pool.ranges(getattr(functions, name), (*map(place, (*values, y)), n, inner), count, x.size)
        return y
