"""What if? A node's rule run again with other numbers in the place of those that it kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ... import backend
from ...backend import namespaces
from ...errors import TinygradActError
from ...graph import FREED, Node
from ..chain import pull
from ..values import host, largest

Change = Callable[[int, Any], Any]               # (number of the input or result that was kept, its value) -> another


def probe(node: Node, g: Any, i: int, change: Change) -> Any:
    """What the node would pass on to its input i if it had kept other numbers; None if its rule cannot be run so."""
    if node.saved is FREED or node.plan is None or node.op.variadic:
        return None
    kept = node.saved
    other = tuple(value if attribute else change(k, value) for (k, attribute), value in zip(node.plan.sources, kept, strict=True))
    try:
        node.saved = other
        return pull(node, g, i)
    except (TinygradActError, ValueError, TypeError, IndexError, ArithmeticError, AttributeError):
        return None
    finally:
        node.saved = kept


def ones(value: Any) -> Any:
    """1 in the place of each number."""
    if not backend.is_array(value):
        return type(value)(1) if isinstance(value, (int, float)) else value
    return namespaces[type(value)].ones_like(value)


def hinges_on(node: Node, g: Any, i: int, k: int) -> bool:
    """Does what the node passes on to its input i vanish because of its input k: not with ones there, and whatever input i is?"""
    without = probe(node, g, i, lambda at, value: ones(value) if at == k else value)
    if without is None or largest(without) == 0:
        return False
    own = probe(node, g, i, lambda at, value: ones(value) if at == i else value)
    return own is None or largest(own) == 0


def underflows(node: Node, g: Any, i: int) -> bool:
    """Is what it passes on 0 in its element type, and not in float64?"""
    if node.op.name == "cast":
        return largest(g) > 0
    if node.saved is FREED or node.plan is None or isinstance(g, (list, tuple)) or not backend.is_array(g) or host(g).dtype == g.dtype:
        return False
    F = namespaces[type(g)]

    def wide(value: Any) -> Any:
        return F.cast(value, "float64") if backend.is_array(value) and value.dtype.kind == "f" else value

    found = probe(node, wide(g), i, lambda _, value: wide(value))
    part = pull(node, g, i)
    return found is not None and 0 < largest(found) < smallest(part.dtype)


def smallest(dtype: Any) -> float:
    """The smallest number above 0, about."""
    return {"float16": 6e-8, "bfloat16": 9.2e-41, "float32": 1.4e-45}.get(str(dtype), 0.0)
