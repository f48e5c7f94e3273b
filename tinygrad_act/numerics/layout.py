"""New arrays laid out in memory as a given one: channels that lie last there lie last here."""

from __future__ import annotations

from typing import Any

Selection = slice | tuple[int, ...]                     # along an axis


def zeros_alike(xp: Any, x: Any, shape: tuple[int, ...], dtype: Any = None) -> Any:
    """Zeros of `shape` (as many axes as x), their axes in memory in the order of x's."""
    return _alike(xp.zeros, x, shape, dtype)


def empty_alike(xp: Any, x: Any, shape: tuple[int, ...], dtype: Any = None) -> Any:
    """As zeros_alike, holding whatever the memory held."""
    return _alike(xp.empty, x, shape, dtype)


def _alike(make: Any, x: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    dtype = x.dtype if dtype is None else dtype
    if x.flags.c_contiguous:
        return make(shape, dtype)
    order = sorted(range(len(shape)), key=lambda i: -x.strides[i])       # sorted is stable: ties stay in order
    back = [0] * len(order)
    for place, axis in enumerate(order):
        back[axis] = place
    return make(tuple([shape[axis] for axis in order]), dtype).transpose(back)
