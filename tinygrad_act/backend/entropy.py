"""Cross-entropy on the CPU in C (kernels/softmax.c), and the loss behind log_softmax (gather.c), in the usual case: a class a
sample, each of which counts once.

Of few logits C keeps the slopes, that is the whole gradient but for a factor, in the powers' place, and no totals. The rules of
ops/loss.py stay the definition, and what runs in all other cases and where there is no compiler; the tests run both.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from . import pool
from .direct import dense, library
from .layout import in_one_piece, place
from .shares import Shares, softmax_in_c

MANY = 1 << 14                           # logits from which on their slopes are not kept, and threads may share them
CLASSES = np.dtype("int64")


class Entropies(Shares):
    """The rules that have C beside them."""

    beside = Shares.beside | {"cross_entropy", "cross_entropy_backward", "nll_loss", "nll_loss_backward"}

    def own(self, name: str, rule: Callable[..., Any], *values: Any, **settings: Any) -> Any:
        if name == "cross_entropy":
            found = self._entropy(*values, **settings)
        elif name == "cross_entropy_backward":
            found = self._entropy_backward(*values, **settings)
        elif name == "nll_loss":
            found = self._nll(*values, **settings)
        elif name == "nll_loss_backward":
            found = self._nll_backward(*values, **settings)
        else:
            return super().own(name, rule, *values, **settings)
        return rule(self, *values, **settings) if found is None else found

    def _library(self, x: Any, target: Any, weight: Any, *others: Any, label_smoothing: float, every: bool) -> Any:
        """The functions in C, if this is the usual case."""
        if x.size < self.large or not every or label_smoothing or type(weight) is not float or target.dtype != CLASSES:
            return None
        functions = softmax_in_c(x, *others)
        return functions if functions and all(map(in_one_piece, (x, target, *others))) else None

    def _entropy(self, x: Any, target: Any, weight: Any, *, dim: int, reduction: str, ignore_index: int, **case: Any) -> Any:
        functions = self._library(x, target, weight, **case)
        if functions is None:
            return None
        n, inner = x.shape[dim], math.prod(x.shape[dim + 1:])
        count = x.size // (n * inner)
        if x.size < MANY and inner == 1:
            each = reduction == "none"
            loss, slopes = np.empty(target.shape if each else (), x.dtype), np.empty(x.shape, x.dtype)
            functions.cross_entropy_of_few(*map(place, (x, target, loss, slopes)), n, each, count if reduction == "mean" else 1, 0, count)
            return loss, 0.0, None, slopes, 0.0
        kept = (*x.shape[:dim], 1, *x.shape[dim + 1:])
        loss, peak, total = (np.empty(shape, x.dtype) for shape in (target.shape, kept, kept))
        pool.ranges(functions.cross_entropy, (*map(place, (x, target, loss, peak, total)), n, inner), count, x.size)
        if reduction != "none":
            loss = self.sum(loss) / target.size if reduction == "mean" else self.sum(loss)
        return loss, peak, total, 0.0, 0.0

    def _entropy_backward(self, g: Any, x: Any, target: Any, weight: Any, peak: Any, total: Any, e: Any, places: Any, *,
                          dim: int, reduction: str, ignore_index: int, **case: Any) -> Any:
        if total is None:                                # then e are the slopes
            return e * (g[..., None] if reduction == "none" else g / target.size if reduction == "mean" else g)
        g = np.asarray(g, order="C")                     # of one number it may be a scalar
        functions = None if type(peak) is float or type(e) is not float else self._library(x, target, weight, g, peak, total, **case)
        if functions is None:
            return None
        n, inner = x.shape[dim], math.prod(x.shape[dim + 1:])
        y, count = np.empty(x.shape, x.dtype), x.size // (n * inner)
        settings = n, inner, int(reduction == "none"), target.size if reduction == "mean" else 1
        pool.ranges(functions.cross_entropy_backward, (*map(place, (g, x, target, peak, total, y)), *settings), count, x.size)
        return y

    def _nll(self, x: Any, target: Any, *, dim: int, ignore_index: int, reduction: str, every: bool) -> Any:
        functions = library("gather", "fd", x) if every and target.dtype == CLASSES else None
        if functions is None:
            return None
        each = reduction == "none"
        loss, held = np.empty(target.shape if each else (), x.dtype), (dense(x), dense(target))
        functions.nll_loss(*map(place, (*held, loss)), *_sizes(x.shape, dim, reduction, target.size))
        return loss

    def _nll_backward(self, g: Any, x_shape: Any, x_dtype: Any, target: Any, *, dim: int, ignore_index: int, reduction: str, every: bool) -> Any:
        if not every or target.dtype != CLASSES:
            return None
        y = np.zeros(x_shape, x_dtype)
        functions = library("gather", "fd", y, g)
        if functions is None:
            return None
        held = np.asarray(g, order="C"), dense(target)
        functions.nll_loss_backward(*map(place, (*held, y)), *_sizes(x_shape, dim, reduction, target.size))
        return y


def _sizes(shape: tuple[int, ...], dim: int, reduction: str, count: int) -> tuple[int, int, bool, int, int]:
    """What the C of nll_loss is told."""
    return shape[dim], math.prod(shape[dim + 1:]), reduction == "none", count if reduction == "mean" else 1, math.prod(shape[:dim])
