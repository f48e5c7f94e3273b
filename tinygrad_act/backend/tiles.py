"""An elementwise computation a tile at a time, so that its temporaries stay in the cache. The results are the same to the bit."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import threads
from .namespace import broadcast_shape, numel

SHARED = 1 << 19                       # from how many numbers on it is worth to start threads


def run(compute: Callable[..., Any], arrays: Sequence[Any], tile: int, count: int) -> Any:
    """`compute(*arrays)` over slices of some `tile` numbers, by `count` threads; whole, where the arrays cannot be cut."""
    cut = cuts(arrays, tile)
    if cut is None:
        return compute(*arrays)
    shape, parts, lead, step = cut

    def at(start: int) -> Any:
        return compute(*[a[start:start + step] if sliced else a for a, sliced in parts])

    y = at(0)
    if not isinstance(y, np.ndarray) or y.base is not None or y.shape != (min(step, lead[0]), *lead[1:]):
        return compute(*arrays)                          # it hands on an input, or returns another shape
    out = np.empty(lead, y.dtype)
    out[:step] = y

    def work(starts: Sequence[int]) -> None:
        for start in starts:
            out[start:start + step] = at(start)

    starts = range(step, lead[0], step)
    if count > 1 and out.size >= SHARED:
        threads.run([functools.partial(work, starts[i::count]) for i in range(count)])
    else:
        work(starts)
    return out.reshape(shape)


def change(put: Callable[..., None], targets: Sequence[Any], rule: Any, arrays: Sequence[Any], params: dict[str, Any], tile: int) -> None:
    """`put(targets, rule, arrays, params)`, in slices of some `tile` numbers where these are arrays of one shape that can be cut."""
    cut = cuts((*targets, *arrays), tile)
    if cut is None or not all(sliced for _, sliced in cut[1][:len(targets)]):
        put(targets, rule, arrays, params)
        return
    _, parts, lead, step = cut
    for start in range(0, lead[0], step):
        now = [a[start:start + step] if sliced else a for a, sliced in parts]
        put(now[:len(targets)], rule, now[len(targets):], params)


def cuts(arrays: Sequence[Any], tile: int) -> tuple[Any, list[tuple[Any, bool]], tuple[int, ...], int] | None:
    """(the result's shape, each array and whether to slice it, the shape to slice along its first axis, how long a slice is)."""
    kinds = [isinstance(a, np.ndarray) and a.ndim > 0 for a in arrays]
    shape = broadcast_shape(*[a.shape for a, is_array in zip(arrays, kinds, strict=True) if is_array])
    if not shape or not all(a.flags.c_contiguous for a, is_array in zip(arrays, kinds, strict=True) if is_array):
        return None
    if all(a.shape == shape for a, is_array in zip(arrays, kinds, strict=True) if is_array):
        parts = [(a.reshape(-1) if is_array else a, is_array) for a, is_array in zip(arrays, kinds, strict=True)]
        return shape, parts, (numel(shape),), tile
    rest = numel(shape[1:])
    if shape[0] < 2 or not 0 < rest <= tile:
        return None
    sliced = [is_array and a.ndim == len(shape) and a.shape[0] > 1 for a, is_array in zip(arrays, kinds, strict=True)]
    return shape, list(zip(arrays, sliced, strict=True)), shape, max(tile // rest, 1)
