"""Images enlarged and reduced on the CPU in C (kernels/resample.c), an axis at a time: the same bits as by numerics/resampling.py, which
stays the definition, and is what runs where there is no compiler.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from ..numerics.resampling import Map, Stroke
from . import pool
from .direct import dense, library
from .layout import place
from .namespace import Namespace

KEPT = 256                               # tables that are kept
_tables: dict[tuple[int, str], tuple[Any, ...]] = {}


class Resampled(Namespace):
    """The function that has C beside it."""

    def _mapped(self, x: Any, dim: int, m: Map) -> Any:
        functions = library("resample", "fd", x)
        if functions is None:
            return super()._mapped(x, dim, m)
        _, runs, taken, weights = _table(m.forth, m.out, x.dtype.char)
        dim %= x.ndim
        outer, inner = x.shape[:dim], math.prod(x.shape[dim + 1:])
        held, y = dense(x), np.empty((*outer, m.out, *x.shape[dim + 1:]), x.dtype)
        pool.ranges(functions.resample, (*map(place, (held, y, runs, taken, weights)), len(runs), m.n, m.out, inner), math.prod(outer), y.size)
        return y


def _table(strokes: tuple[Stroke, ...], out: int, char: str) -> tuple[Any, ...]:
    """What C is told of a map: the strokes, which are held, as their address is the key; and arrays. See resample.c."""
    key = id(strokes), char
    found = _tables.get(key)
    if found is None:
        if len(_tables) >= KEPT:
            _tables.clear()
        taps: list[list[tuple[int, float]]] = [[] for _ in range(out)]
        for outs, parts in strokes:
            for ins, weights in parts:
                for k, (o, i) in enumerate(zip(_positions(outs), _positions(ins), strict=True)):
                    taps[o].append((i, weights[k] if isinstance(weights, tuple) else weights))
        runs, order = [], []
        for count, group in itertools.groupby(range(out), key=lambda o: len(taps[o])):
            outputs = list(group)
            runs.append((outputs[0], outputs[-1] + 1, count))
            order += [taps[o][k] for k in range(count) for o in outputs]
        found = _tables[key] = (strokes, np.array(runs, np.int64), np.array([i for i, _ in order], np.int64), np.array([w for _, w in order], char))
    return found


def _positions(selection: Any) -> Any:
    return selection if isinstance(selection, tuple) else range(selection.start, selection.stop, selection.step)
