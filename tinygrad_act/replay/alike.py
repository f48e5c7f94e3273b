"""Are two things that Python sees the same for certain: would a step that reads one go exactly as with the other?"""

from __future__ import annotations

from typing import Any

from .. import backend
from ..nn.parameter import is_lazy
from ..tensor import Tensor


def same(a: Any, b: Any) -> bool:
    """Plain values, and arrays of the CPU, by value: 1, 1.0 and True are three things, 0.0 and -0.0 two, NaN is itself. All else by identity."""
    if a is b:
        return True
    if type(a) is not type(b):
        return False
    if isinstance(a, (tuple, list)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, (float, complex)):
        return repr(a) == repr(b)
    if backend.is_array(a):
        return backend.is_host(a) and (a.dtype, a.shape) == (b.dtype, b.shape) and bool(a.tobytes() == b.tobytes())
    return isinstance(a, (int, str, bytes, range, frozenset)) and bool(a == b)


def loose(x: Any) -> bool:
    """Could another thing be == to it, and yet not the same?"""
    if isinstance(x, Tensor):
        return is_lazy(x) or x.numel() == 1
    return isinstance(x, (int, float, complex, tuple))
