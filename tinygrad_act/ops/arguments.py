"""What shape-like arguments may look like, checked in one place: sizes, and dims that count from the end."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from ..errors import ArgumentError, IndexingError, ShapeError

Function = TypeVar("Function", bound=Callable[..., Any])
Ints = int | Sequence[int]                             # a dim or several, a size or several
Dims = int | Sequence[int] | None                      # None: all of them


def whole(x: Any, op: str, what: str) -> int:
    """A Python int from an int, a NumPy integer or an integer Tensor of one element."""
    if type(x) is int:
        return x
    try:
        return int(operator.index(x))
    except TypeError:
        raise ArgumentError(op, f"{what}={x!r}", f"{what} must be an int, not {type(x).__name__}") from None


def sizes(given: Sequence[Any], op: str) -> tuple[int, ...]:
    """`f(2, 3)` and `f((2, 3))` alike, as ints; -1 is let through."""
    if len(given) == 1 and isinstance(given[0], (tuple, list)):
        given = given[0]
    return tuple([n if type(n) is int else whole(n, op, "size") for n in given])


def shape(given: Sequence[Any], op: str) -> tuple[int, ...]:
    """As `sizes`, for a new array: none may be negative."""
    result = sizes(given, op)
    if result and min(result) < 0:
        raise ShapeError(op, str(result), "a size cannot be negative")
    return result


def dimension(dim: Any, ndim: int, op: str) -> int:
    """`dim` from the front. A 0-d tensor is taken to have one axis, as PyTorch does."""
    i, n = whole(dim, op, "dim"), ndim or 1
    if not -n <= i < n:
        raise IndexingError(op, f"dim={i} of a {ndim}-d tensor", f"dim must be from {-n} to {n - 1}")
    return i % n


def dimensions(dims: Any, ndim: int, op: str) -> tuple[int, ...]:
    """One dim or several, from the front, each at most once."""
    if not isinstance(dims, (tuple, list)):
        return (dimension(dims, ndim, op),)
    result = tuple([dimension(d, ndim, op) for d in dims])
    if len(set(result)) < len(result):
        raise ArgumentError(op, f"dim={tuple(dims)}", "a dim is named twice")
    return result


def synonyms(f: Function) -> Function:
    """Let `f` take NumPy's `axis` and `keepdims` for PyTorch's `dim` and `keepdim`."""
    @functools.wraps(f)
    def call(*args: Any, **named: Any) -> Any:
        if named:
            if "axis" in named and "dim" not in named:
                named["dim"] = named.pop("axis")
            if "keepdims" in named and "keepdim" not in named:
                named["keepdim"] = named.pop("keepdims")
        return f(*args, **named)
    return call  # type: ignore[return-value]
