"""Tuples, lists, dicts and slices with something in them, however deep."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any


def mapped(x: Any, kind: type, function: Callable[[Any], Any]) -> Any:
    """`x` with every `kind` within tuples, lists, dicts and slices replaced by `function` of it."""
    if isinstance(x, kind):
        return function(x)
    if isinstance(x, (tuple, list)):
        parts = [mapped(p, kind, function) for p in x]
        return type(x)(*parts) if hasattr(x, "_fields") else type(x)(parts)       # a named tuple takes them singly
    if isinstance(x, dict):
        new = copy.copy(x)                   # of its kind: a defaultdict, for one, is not made of pairs
        new.update((k, mapped(v, kind, function)) for k, v in x.items())
        return new
    if isinstance(x, slice):
        return slice(*[mapped(p, kind, function) for p in (x.start, x.stop, x.step)])
    return x
