"""The first few of each row's order on the CPU in C (kernels/choose.c).

numerics/choosing.py stays the definition, and is what runs along other axes, for many places, and where there is no compiler; the
tests run both.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import pool
from .direct import dense, library
from .layout import place
from .namespace import Namespace

MOST = 64                                # places, as in C


class Choice(Namespace):
    """The function that has C beside it."""

    def first_places(self, x: Any, k: int, dim: int, largest: bool) -> Any:
        functions = library("choose", "fd", x) if dim == x.ndim - 1 and 0 < k <= MOST else None
        if functions is None:
            return super().first_places(x, k, dim, largest)
        held, places = dense(x), np.empty((*x.shape[:-1], k), np.int64)
        pool.ranges(functions.first_places, (place(held), place(places), x.shape[-1], k, largest), x.size // x.shape[-1], x.size)
        return places
