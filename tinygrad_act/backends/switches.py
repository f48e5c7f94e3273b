"""What PyTorch's listings set once at their beginning: where tensors are made, how exact products are, whether results may vary."""

from __future__ import annotations

from typing import Any

from .. import backend
from ..errors import ArgumentError

__all__ = ["are_deterministic_algorithms_enabled", "get_default_device", "get_float32_matmul_precision",
           "is_deterministic_algorithms_warn_only_enabled", "set_default_device", "set_float32_matmul_precision", "use_deterministic_algorithms"]

PRECISIONS = ("highest", "high", "medium")
_precision = "highest"
_deterministic = _warn_only = False


def set_default_device(device: Any) -> None:
    """Make new tensors there unless told otherwise: `ta.set_default_device("cuda")`; None is the CPU.

    It is `ta.backend.use` by the device's name, and holds for all threads. Raises as that does where there is no GPU.

    >>> before = ta.get_default_device()
    >>> ta.set_default_device("cpu"); ta.zeros(1).device
    device(type='cpu')
    >>> ta.set_default_device(before)
    """
    device = backend.Device("cpu" if device is None else device)
    backend.use(next(name for name, kind in backend.BACKENDS.items() if kind == device.type), device.index)


def get_default_device() -> backend.Device:
    """Where tensors are made unless told otherwise."""
    return backend.current_device()


def set_float32_matmul_precision(precision: str) -> None:
    """Say how exact products of float32 matrices must be: "highest", "high" or "medium".

    It is kept, and changes nothing: they are computed in float32 always, which is exact enough for each of the three.

    >>> ta.set_float32_matmul_precision("high"); ta.get_float32_matmul_precision()
    'high'
    >>> ta.set_float32_matmul_precision("highest")
    """
    global _precision
    if precision not in PRECISIONS:
        raise ArgumentError("set_float32_matmul_precision", repr(precision), "there is no such precision", f"choose from {', '.join(PRECISIONS)}")
    _precision = precision


def get_float32_matmul_precision() -> str:
    """What was said to set_float32_matmul_precision; at first "highest"."""
    return _precision


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Say that the same program must give the same numbers each time.

    It is kept, and changes nothing. On the CPU they are the same always, for one number of threads. On a GPU there is one way to
    compute each op, and those that add into places by index (`index_add`, `scatter_add`, the gradient of an embedding) add in no
    fixed order: their sums may differ in the last bits, and they are not refused.

    >>> ta.use_deterministic_algorithms(True); ta.are_deterministic_algorithms_enabled()
    True
    >>> ta.use_deterministic_algorithms(False)
    """
    global _deterministic, _warn_only
    if not isinstance(mode, bool):
        raise ArgumentError("use_deterministic_algorithms", f"mode={mode!r}", "it is True or False")
    _deterministic, _warn_only = mode, bool(warn_only)


def are_deterministic_algorithms_enabled() -> bool:
    """What was said to use_deterministic_algorithms; at first False."""
    return _deterministic


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """Was it said with warn_only?"""
    return _warn_only
