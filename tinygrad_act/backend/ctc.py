"""The sums over all alignments that CTC needs, on the CPU in C (kernels/ctc.c): sample by sample instead of step by step.

numerics/ctc.py stays the definition, and is what runs where there is no compiler; the tests run both.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import pool
from .direct import dense, library
from .layout import place
from .namespace import Namespace

VECTOR = ("exp", "log")


class Aligned(Namespace):
    """The functions that have C beside them."""

    def ctc_forward(self, scores: Any, skip: Any) -> Any:
        functions = library("ctc", "fd", scores, skip, vector=VECTOR)
        if functions is None:
            return super().ctc_forward(scores, skip)
        steps, n, s = scores.shape
        alpha, held = np.empty((steps + 1, n, s + 2), scores.dtype), (dense(scores), dense(skip))
        pool.ranges(functions.ctc_forward, (*map(place, (*held, alpha)), steps, n, s), n, scores.size)
        return alpha

    def ctc_occupancy(self, scores: Any, skip: Any, alpha: Any, nll: Any, final: Any, last: Any) -> Any:
        functions = library("ctc", "fd", scores, skip, alpha, nll, final, vector=VECTOR)
        if functions is None:
            return super().ctc_occupancy(scores, skip, alpha, nll, final, last)
        steps, n, s = scores.shape
        beta, out, held = np.empty((n, s + 2), scores.dtype), np.empty(scores.shape, scores.dtype), [*map(dense, (scores, skip, alpha, nll, final, last))]
        pool.ranges(functions.ctc_occupancy, (*map(place, (*held, beta, out)), steps, n, s), n, scores.size)
        return out
