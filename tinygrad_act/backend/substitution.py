"""Triangular systems on the CPU in C (kernels/substitute.c), of some rows at a time.

The definition in factorise.py stays, halves what is larger, and is what runs where there is no compiler; the tests run both.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import direct, pool
from .config import config
from .layout import HEAD
from .namespace import Namespace

MOST = 256                               # rows that C takes
WEIGHT, SIDE = 32, 32                    # products that take as long as a number that threads share otherwise; columns that C takes side by side


class Substituted(Namespace):
    """The function that has C beside it."""

    def substitute(self, a: Any, y: Any, upper: bool) -> None:
        n, functions = a.shape[-1], library(a, y)
        if functions is None or n > MOST:
            super().substitute(a, y, upper)
        elif y.size:
            count, size, given = y.size // n, y.size * n // WEIGHT, (id(a), id(y), id(y), HEAD, upper)
            pool.ranges(functions.substitute, given, count, size, -(-pool.each(count, size) // SIDE) * SIDE)


def library(a: Any, y: Any) -> Any:
    """substitute.c for these arrays; None if they are to be computed without."""
    if config.kernels != "auto" or type(a) is not np.ndarray or type(y) is not np.ndarray or a.dtype != y.dtype:
        return None
    fits = a.dtype.char in "fd" and a.dtype.isnative and a.flags.aligned and y.flags.aligned
    return direct.functions("substitute", a.dtype.char) if fits else None
