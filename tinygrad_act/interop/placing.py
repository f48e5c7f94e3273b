"""map_location: where the tensors of a file go."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .. import backend
from ..errors import ArgumentError
from ..tensor import Tensor, wrap

Place = Callable[[Any, str], Any]


def placing(map_location: Any) -> Place:
    """(array on the host, where it was) -> the array where `map_location` wants it.

    That is a device, or {where it was: a device}, or a function of a tensor on the host and of where it was, which
    returns that tensor, or it moved, or None. What is not said goes where new tensors are made.
    """
    def place(host: Any, location: str) -> Any:
        to = map_location
        if callable(map_location):
            moved = map_location(wrap(host), location)
            if moved is not None:
                if not isinstance(moved, Tensor) or moved.shape != host.shape:
                    raise ArgumentError("load", f"map_location returned {type(moved).__name__}", "it is to return the tensor it is given, or that moved, or None")
                return moved.array
            to = None
        elif isinstance(map_location, Mapping):
            to = map_location.get(location)
        return backend.asarray(host, device=backend.current_device() if to is None else to)
    return place
