"""Pooling by the p-norm of each window, between the average (p = 1) and the maximum (p = inf)."""

from __future__ import annotations

import math
from typing import Any

from ..errors import ArgumentError
from ..graph import recording
from ..tensor import Tensor
from .arguments import Ints
from .pool import inside, max_pool1d, max_pool2d, max_pool3d, only_floats, sliding
from .registry import op


# A window that only partly fits counts as if it were full of its average, as in PyTorch.
def _forward(F: Any, x: Any, *, windows: Any, p: float) -> Any:
    powers = F.avg_pool(x * x if p == 2 else F.pow(x, p), windows)
    return F.pow(powers * float(_full(windows)), 1 / p)


def _backward(F: Any, g: Any, x: Any, y: Any, *, windows: Any, p: float) -> Any:
    """y is the p-th root of s, and s' = p x^(p-1); where y is 0 so is the gradient, as in PyTorch."""
    zero = y == 0
    slope = F.where(zero, 0, g * F.pow(F.where(zero, 1, y), 1 - p)) * float(_full(windows))
    return F.avg_spread(slope, windows=windows) * (x if p == 2 else F.pow(x, p - 1))


def _full(windows: Any) -> int:
    return math.prod(w.kernel for w in windows)


lp_pool_op = op("lp_pool", _forward, _backward)


def _lp_pool(n: int, x: Tensor, norm_type: float, kernel_size: Any, stride: Any, ceil_mode: bool) -> Tensor:
    name = f"lp_pool{n}d"
    if type(norm_type) not in (int, float) or norm_type == 0:
        raise ArgumentError(name, f"norm_type={norm_type!r}", "it is the p of a p-norm: a number that is not 0")
    if math.isinf(norm_type):
        largest: Any = (max_pool1d, max_pool2d, max_pool3d)[n - 1]
        sign = 1 if norm_type > 0 else -1
        return largest(recording.abs(x) * sign, kernel_size, stride, 0, 1, ceil_mode) * sign  # type: ignore[no-any-return]
    windows = inside(name, x, sliding(name, x, n, kernel_size, stride, 0, 1, ceil_mode))
    only_floats(name, x)
    return lp_pool_op.call(x, windows=windows, p=float(norm_type))


def lp_pool1d(input: Tensor, norm_type: float, kernel_size: Ints, stride: Ints | None = None, ceil_mode: bool = False) -> Tensor:
    """The p-norm (sum of x^p)^(1/p) of each window along the last axis of (N, C, L) or (C, L), p = norm_type.

    Where the sum is 0 the gradient is 0; where it is below 0 (an odd p, negative x) the result is NaN. Errors as for max_pool1d.

    >>> ta.nn.functional.lp_pool1d(ta.tensor([[3.0, 4.0]]), 2, 2)
    tensor([[5.]])
    """
    return _lp_pool(1, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(input: Tensor, norm_type: float, kernel_size: Ints, stride: Ints | None = None, ceil_mode: bool = False) -> Tensor:
    """The p-norm of each window of (N, C, H, W) or (C, H, W): see lp_pool1d.

    >>> ta.nn.functional.lp_pool2d(ta.ones(1, 2, 2), 2, 2)
    tensor([[[2.]]])
    """
    return _lp_pool(2, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool3d(input: Tensor, norm_type: float, kernel_size: Ints, stride: Ints | None = None, ceil_mode: bool = False) -> Tensor:
    """The p-norm of each window of (N, C, D, H, W) or (C, D, H, W): see lp_pool1d.

    >>> ta.nn.functional.lp_pool3d(ta.ones(1, 2, 2, 2), 3, 2)
    tensor([[[[2.]]]])
    """
    return _lp_pool(3, input, norm_type, kernel_size, stride, ceil_mode)
