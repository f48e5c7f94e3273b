"""The named pairs that some functions return, called as PyTorch's `return_types` are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

from ..tensor import Tensor

T = TypeVar("T")


def listed(result: Any) -> str:
    """A line for each field, as PyTorch prints its return types."""
    fields: Sequence[str] = result._fields
    return f"{type(result).__name__.lower()}(\n" + ",\n".join(f"{f}={v!r}" for f, v in zip(fields, result, strict=True)) + ")"


def printed(kind: type[T]) -> type[T]:
    """Have a class of named parts print itself so."""
    kind.__repr__ = listed  # type: ignore[method-assign]
    return kind


class Chosen(NamedTuple):
    """Elements, and where along the axis they stood."""

    values: Tensor
    indices: Tensor


class Range(NamedTuple):
    """The smallest and the largest element."""

    min: Tensor
    max: Tensor


def named(name: str) -> Any:
    """A `Chosen` that prints itself under the name of the function that returns it."""
    return type(name, (Chosen,), {"__slots__": (), "__repr__": listed, "__doc__": f"What `{name}` returns: values and indices."})
