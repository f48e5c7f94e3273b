"""cuDNN, which no op uses here: on a GPU convolutions are products of matrices, by cuBLAS.

The switches can be set as in PyTorch, and change nothing:
    benchmark, benchmark_limit      there is one way to convolve, so none to choose by timing
    deterministic                   see `ta.use_deterministic_algorithms`
    enabled                         there is nothing to switch off
    allow_tf32                      see `ta.set_float32_matmul_precision`

>>> ta.backends.cudnn.benchmark = True
>>> ta.backends.cudnn.benchmark, ta.backends.cudnn.is_available()
(True, False)
>>> ta.backends.cudnn.benchmark = False
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["allow_tf32", "benchmark", "benchmark_limit", "deterministic", "enabled", "flags", "is_acceptable", "is_available", "version"]

benchmark: bool = False
benchmark_limit: int | None = 10
deterministic: bool = False
enabled: bool = True
allow_tf32: bool = True


def is_available() -> bool:
    """False: no op uses cuDNN."""
    return False


def is_acceptable(tensor: Any) -> bool:
    """False, whatever the tensor: no op uses cuDNN."""
    return False


def version() -> int | None:
    """None: there is no cuDNN here to have one."""
    return None


@contextmanager
def flags(enabled: bool = False, benchmark: bool = False, benchmark_limit: int | None = 10, deterministic: bool = False,
          allow_tf32: bool = True) -> Iterator[None]:
    """Set the switches in a `with` block, which changes nothing else.

    >>> with ta.backends.cudnn.flags(enabled=True, deterministic=True):
    ...     ta.backends.cudnn.deterministic
    True
    """
    wanted = {"enabled": enabled, "benchmark": benchmark, "benchmark_limit": benchmark_limit, "deterministic": deterministic,
              "allow_tf32": allow_tf32}
    before = {name: globals()[name] for name in wanted}
    globals().update(wanted)
    try:
        yield
    finally:
        globals().update(before)
