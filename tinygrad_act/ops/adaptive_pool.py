"""Adaptive pooling: as many windows as asked for, nearly equal parts of each axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..errors import ArgumentError, ShapeError
from ..numerics.windows import Windows, adaptive
from ..tensor import Tensor
from .arguments import Ints, whole
from .pool import avg_pool_op, maximum_of, only_floats, only_numbers, spatial

Sizes = int | None | Sequence[int | None]                   # None: as many as the input has


def _parts(name: str, x: Tensor, n: int, output_size: Any, channels: bool) -> tuple[Windows, ...]:
    sizes = spatial(name, x, n, channels)
    wanted = output_size if isinstance(output_size, (tuple, list)) else (output_size,) * n
    if len(wanted) != n or (n == 1 and None in wanted):
        raise ArgumentError(name, f"output_size={output_size!r}", "it is an int" + (f", or {n} of them" if n > 1 else ""))
    outs = [size if out is None else whole(out, name, "output_size") for size, out in zip(sizes, wanted, strict=True)]
    if min(outs) < 0:
        raise ShapeError(name, f"output_size={output_size}", "a size cannot be negative")
    return tuple([adaptive(size, out) for size, out in zip(sizes, outs, strict=True)])


def _average(name: str, x: Tensor, n: int, output_size: Any) -> Tensor:
    windows = _parts(name, x, n, output_size, False)
    only_floats(name, x)
    return avg_pool_op.call(x, windows=windows)


def _maximum(name: str, x: Tensor, n: int, output_size: Any, return_indices: bool) -> Any:
    windows = _parts(name, x, n, output_size, True)
    only_numbers(name, x)
    return maximum_of(x, windows, return_indices)


def adaptive_avg_pool1d(input: Tensor, output_size: Ints) -> Tensor:
    """The averages of `output_size` parts of the last axis of (N, C, L) or (C, L): see adaptive_avg_pool2d.

    >>> ta.nn.functional.adaptive_avg_pool1d(ta.tensor([[1.0, 2.0, 3.0]]), 2)
    tensor([[1.5000, 2.5000]])
    """
    return _average("adaptive_avg_pool1d", input, 1, output_size)


def adaptive_avg_pool2d(input: Tensor, output_size: Sizes) -> Tensor:
    """The averages of nearly equal parts of (N, C, H, W) or (C, H, W), so that (*, H', W') = output_size comes out.

    Part i of n elements goes from floor(i n / out) to ceil((i + 1) n / out): parts may overlap. None keeps a size.

    >>> ta.nn.functional.adaptive_avg_pool2d(ta.arange(12.0).reshape(1, 3, 4), (1, 2))
    tensor([[[4.5000, 6.5000]]])
    """
    return _average("adaptive_avg_pool2d", input, 2, output_size)


def adaptive_avg_pool3d(input: Tensor, output_size: Sizes) -> Tensor:
    """The averages of nearly equal parts of (N, C, D, H, W) or (C, D, H, W): see adaptive_avg_pool2d.

    >>> ta.nn.functional.adaptive_avg_pool3d(ta.arange(8.0).reshape(1, 2, 2, 2), 1)
    tensor([[[[3.5000]]]])
    """
    return _average("adaptive_avg_pool3d", input, 3, output_size)


def adaptive_max_pool1d(input: Tensor, output_size: Ints, return_indices: bool = False) -> Any:
    """The maxima of `output_size` parts of the last axis of (N, C, L) or (C, L): see adaptive_max_pool2d.

    >>> ta.nn.functional.adaptive_max_pool1d(ta.tensor([[1.0, 3.0, 2.0]]), 2)
    tensor([[3., 3.]])
    """
    return _maximum("adaptive_max_pool1d", input, 1, output_size, return_indices)


def adaptive_max_pool2d(input: Tensor, output_size: Sizes, return_indices: bool = False) -> Any:
    """The maxima of the parts that adaptive_avg_pool2d averages; with return_indices, where they are in the flattened H·W.

    >>> ta.nn.functional.adaptive_max_pool2d(ta.arange(12.0).reshape(1, 3, 4), 1)
    tensor([[[11.]]])
    """
    return _maximum("adaptive_max_pool2d", input, 2, output_size, return_indices)


def adaptive_max_pool3d(input: Tensor, output_size: Sizes, return_indices: bool = False) -> Any:
    """The maxima of the parts of (N, C, D, H, W) or (C, D, H, W): see adaptive_max_pool2d.

    >>> ta.nn.functional.adaptive_max_pool3d(ta.arange(8.0).reshape(1, 2, 2, 2), 1)
    tensor([[[[7.]]]])
    """
    return _maximum("adaptive_max_pool3d", input, 3, output_size, return_indices)
