"""The named pairs that some functions return, called as PyTorch's `return_types` are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ..tensor import Tensor


def _listed(result: Any) -> str:
    """A line for each field, as PyTorch prints its return types."""
    fields: Sequence[str] = result._fields
    return f"{type(result).__name__}(\n" + ",\n".join(f"{f}={v!r}" for f, v in zip(fields, result, strict=True)) + ")"


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
    return type(name, (Chosen,), {"__slots__": (), "__repr__": _listed, "__doc__": f"What `{name}` returns: values and indices."})
