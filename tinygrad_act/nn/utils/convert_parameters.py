"""All parameters of a network as one vector, and back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ... import _functions as ops
from ...changes import changes
from ...errors import ShapeError
from ...tensor import Tensor

__all__ = ["parameters_to_vector", "vector_to_parameters"]


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All parameters, flattened, in one vector."""
    return ops.cat([p.reshape((-1,)) for p in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """The inverse of parameters_to_vector: copies the values in."""
    parameters = list(parameters)
    sizes: list[Any] = [p.array.size for p in parameters]
    if vec.shape != (sum(sizes),):
        raise ShapeError("vector_to_parameters", f"a vector of shape {vec.shape}", f"the parameters have {sum(sizes)} numbers")
    start = 0
    for p, n in zip(parameters, sizes, strict=True):
        p.array[...] = vec.array[start:start + n].reshape(p.shape)
        changes.mark(p.array, "vector_to_parameters")
        start += n
