"""The first names of mixed precision, `cuda.amp`, which are `amp`'s for the device "cuda". Each says, as PyTorch's do, what to write now."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from .. import dtypes
from . import autocast_mode, grad_scaler

__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd"]


def _old(name: str, now: str) -> None:
    warnings.warn(f"`cuda.amp.{name}(args...)` is deprecated. Please use `amp.{name}({now})` instead.", FutureWarning, stacklevel=3)


class autocast(autocast_mode.autocast):
    """`ta.amp.autocast("cuda")`. Without a GPU it is switched off with a warning, and the block runs in float32.

    >>> import warnings
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore")
    ...     with ta.cuda.amp.autocast(enabled=ta.cuda.is_available()):
    ...         y = ta.nn.Linear(4, 2)(ta.ones(1, 4))
    >>> y.dtype
    dtype('float32')
    """

    def __init__(self, enabled: bool = True, dtype: Any = dtypes.float16, cache_enabled: bool = True) -> None:
        _old("autocast", "'cuda', args...")
        super().__init__("cuda", dtype, enabled, cache_enabled)


class GradScaler(grad_scaler.GradScaler):
    """`ta.amp.GradScaler("cuda")`. Without a GPU it is switched off with a warning, and hands everything through."""

    def __init__(self, init_scale: float = 2.0**16, growth_factor: float = 2.0, backoff_factor: float = 0.5, growth_interval: int = 2000,
                 enabled: bool = True) -> None:
        _old("GradScaler", "'cuda', args...")
        super().__init__("cuda", init_scale, growth_factor, backoff_factor, growth_interval, enabled)


def custom_fwd(fwd: Callable[..., Any] | None = None, *, cast_inputs: Any = None) -> Callable[..., Any]:
    """`ta.amp.custom_fwd(device_type="cuda")`."""
    _old("custom_fwd", "args..., device_type='cuda'")
    decorated: Callable[..., Any] = autocast_mode.custom_fwd(fwd, device_type="cuda", cast_inputs=cast_inputs)
    return decorated


def custom_bwd(bwd: Callable[..., Any]) -> Callable[..., Any]:
    """`ta.amp.custom_bwd(device_type="cuda")`."""
    _old("custom_bwd", "args..., device_type='cuda'")
    decorated: Callable[..., Any] = autocast_mode.custom_bwd(bwd, device_type="cuda")
    return decorated
