"""Finding a record by what people call it."""

from __future__ import annotations

from ..errors import ArgumentError, nearest
from .record import Activation, catalogue


def named(name: str, op: str) -> Activation:
    """The record of this name: of the catalogue, of PyTorch's function, or of the module's class, whatever its case.

    Raises:
        ArgumentError: there is none; `op` is who asks, and the nearest names are told.

    >>> from tinygrad_act.activations.names import named
    >>> [named(name, "example").name for name in ("relu", "hardtanh", "GELU")]
    ['relu', 'hard_tanh', 'gelu']
    """
    if not isinstance(name, str):
        raise ArgumentError(op, f"a {type(name).__name__}", "an activation is named by a text")
    if name in catalogue:
        return catalogue[name]
    also = {other: record for record in catalogue.values() for other in (record.torch, record.module) if other}
    found = also.get(name) or {other.lower(): record for other, record in also.items()}.get(name.lower())
    if found is None:
        raise ArgumentError(op, repr(name), "there is no such activation in the catalogue",
                            nearest(name, [*catalogue, *also], f"choose from {', '.join(catalogue)}"))
    return found


def of_module(kind: str) -> Activation | None:
    """The record whose module's class has this name."""
    return next((record for record in catalogue.values() if record.module == kind), None)
