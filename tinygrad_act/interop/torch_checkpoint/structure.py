"""What a checkpoint may hold, and that it is a tree which can be walked, printed and compared in the time its size suggests."""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import Any

from ... import backend, dtypes
from ...tensor import Tensor
from ..source import Source
from .machine import SAVE

DEEP = 200                                               # levels; Python's own recursion ends at some 1000
LEAVES = (Tensor, str, int, float, complex, bool, type(None), bytes, bytearray, backend.Device, dtypes.DType)
ODD = "it is not what training saves; do not trust it"
CONTAINERS = (dict, OrderedDict, Counter, list, tuple, set)


def check(tree: Any, source: Source, size: int) -> None:
    """Refuse what holds itself, is nested too deeply, or is far more than the `size` bytes of its pickle when written out."""
    limit = max(1_000_000, 10 * size)
    parts: dict[int, tuple[int, int]] = {}               # of each container: how many parts it has written out, how deep it is
    begun: set[int] = set()
    todo: list[Any] = [tree]
    while todo:
        node = todo[-1]
        if type(node) not in CONTAINERS:
            if not isinstance(node, LEAVES):
                source.refuse(f"it holds a {type(node).__name__} by itself, which only a tensor is made of", SAVE)
            todo.pop()
        elif id(node) in parts:
            todo.pop()
        elif id(node) in begun:                          # all that it holds has been seen
            todo.pop()
            begun.remove(id(node))
            below = [parts.get(id(part), (1, 0)) for part in _parts(node)]
            parts[id(node)] = count, depth = 1 + sum(n for n, _ in below), 1 + max((d for _, d in below), default=0)
            if count > limit:
                source.refuse(f"written out, the {size} bytes of its structure are over {limit} parts", ODD)
            if depth > DEEP:
                source.refuse(f"its structure is more than {DEEP} levels deep", ODD)
        else:
            begun.add(id(node))
            inner = _parts(node)
            if len(begun) > DEEP:
                source.refuse(f"its structure is more than {DEEP} levels deep", ODD)
            if any(id(part) in begun for part in inner):
                source.refuse("its structure holds itself", ODD)
            todo += inner


def _parts(node: Any) -> list[Any]:
    inner = list(node.values()) if isinstance(node, dict) else list(node)
    return [*inner, *vars(node).values()] if type(node) is OrderedDict else inner
