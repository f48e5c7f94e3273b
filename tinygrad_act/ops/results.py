"""The named pairs that some functions return, called as PyTorch's `return_types` are."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..tensor import Tensor


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
    return type(name, (Chosen,), {"__slots__": (), "__doc__": f"What `{name}` returns: values and indices."})
