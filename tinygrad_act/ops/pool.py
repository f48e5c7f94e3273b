"""Pooling: the maximum or the average of windows that slide over the last axes. One node each."""

from __future__ import annotations

import functools
from typing import Any

from .. import dtypes
from ..errors import ArgumentError, DTypeError, ShapeError
from ..grad_mode import mode
from ..numerics.windows import Windows, output_size
from ..op import Op, Single
from ..tensor import Tensor
from .arguments import Ints, whole
from .registry import op


# ------------------------------------------------------------------------------------------------- the nodes
# Of a maximum the graph keeps which element of its window it was, a byte for each.
def _max_rule(F: Any, g: Any, which: Any, *, windows: Any) -> Any:
    return F.max_scatter(g, which, windows)


def _with_positions(F: Any, x: Any, *, windows: Any) -> Any:
    y, which = F.max_pool(x, windows)
    return (y, F.pool_positions(which, windows)), which


max_pool_op = op("max_pool", lambda F, x, *, windows: F.max_pool(x, windows), _max_rule, aux=("which",))
max_pool_with_positions = Op("max_pool", _with_positions, lambda F, g, which, *, windows: _max_rule(F, g[0], which, windows=windows),
                             aux=("which",), outputs=2)
maximum_only = Single("max_pool", lambda F, x, *, windows: F.max_pool(x, windows, False)[0], None)
op("max_scatter", lambda F, g, which, *, windows: F.max_scatter(g, which, windows),
   lambda F, h, which, *, windows: F.max_gather(h, which, windows), None)
op("max_gather", lambda F, x, which, *, windows: F.max_gather(x, which, windows),
   lambda F, g, which, *, windows: F.max_scatter(g, which, windows), None)

avg_pool_op = op("avg_pool", lambda F, x, *, windows, divisor=None, include_pad=True: F.avg_pool(x, windows, divisor, include_pad),
                 lambda F, g, *, windows, divisor, include_pad: F.avg_spread(g, windows, divisor, include_pad))
op("avg_spread", lambda F, g, *, windows, divisor=None, include_pad=True: F.avg_spread(g, windows, divisor, include_pad),
   lambda F, h, *, windows, divisor, include_pad: F.avg_pool(h, windows, divisor, include_pad))


# ------------------------------------------------------------------------------------------------- arguments
def several(value: Any, n: int, name: str, what: str) -> tuple[int, ...]:
    """An int for all n axes, or n of them."""
    values = value if isinstance(value, (tuple, list)) else (value,)
    if len(values) not in (1, n):
        raise ArgumentError(name, f"{what}={value!r}", f"it is an int, or {n} of them")
    return tuple([whole(v, name, what) for v in values]) * (n // len(values))


def spatial(name: str, x: Any, n: int, channels: bool = True) -> tuple[int, ...]:
    """The last n sizes of x, which must be (C, *) or (N, C, *): only N may be 0 (and C, where `channels` is False)."""
    if not isinstance(x, Tensor):
        raise ArgumentError(name, type(x).__name__, "the input must be a Tensor", "make one with ta.tensor(...)")
    axes = ("L", "H, W", "D, H, W")[n - 1]
    if x.ndim not in (n + 1, n + 2):
        raise ShapeError(name, f"an input of shape {x.shape}", f"it must be (N, C, {axes}), or (C, {axes}) without a batch",
                         "add axes with unsqueeze" if x.ndim <= n else "merge axes with flatten")
    if 0 in x.shape[x.ndim - n - (1 if channels else 0):]:
        raise ShapeError(name, f"an input of shape {x.shape}", "only the batch may be empty")
    return x.shape[-n:]


def sliding(name: str, x: Any, n: int, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool
            ) -> tuple[Windows, ...]:
    """The windows along the last n axes of x."""
    sizes, settings = spatial(name, x, n), (kernel_size, stride, padding, dilation)
    for s in settings:
        if type(s) is not int and s is not None:             # of two tuples (2, 2) and (2.0, 2.0) a cache cannot tell one from the other
            return _sliding(name, x.shape, sizes, *settings, ceil_mode)
    return _known_sliding(name, x.shape, sizes, *settings, ceil_mode)


def _sliding(name: str, shape: tuple[int, ...], sizes: tuple[int, ...], kernel_size: Any, stride: Any, padding: Any, dilation: Any,
             ceil_mode: bool) -> tuple[Windows, ...]:
    n = len(sizes)
    kernel = several(kernel_size, n, name, "kernel_size")
    step = kernel if stride is None or stride in ((), []) else several(stride, n, name, "stride")
    pad, dil = several(padding, n, name, "padding"), several(dilation, n, name, "dilation")
    for what, values, least in (("kernel_size", kernel, 1), ("stride", step, 1), ("padding", pad, 0), ("dilation", dil, 1)):
        if min(values) < least:
            raise ArgumentError(name, f"{what}={values}", f"it must be at least {least}")
    for k, p, d in zip(kernel, pad, dil, strict=True):
        reach = d * (k - 1) + 1
        if p > reach // 2:
            raise ArgumentError(name, f"padding={p} with windows of {reach}", "padding may be at most half a window, or some would "
                                "see nothing else", f"choose at most {reach // 2}, or pad the input with nn.functional.pad")
    found = []
    for size, k, s, p, d in zip(sizes, kernel, step, pad, dil, strict=True):
        out = output_size(size, k, s, p, d, ceil_mode)
        if out < 1:
            raise ShapeError(name, f"an input of shape {shape}, padded by {pad}, with windows of "
                             f"{tuple([e * (m - 1) + 1 for m, e in zip(kernel, dil, strict=True)])}", "no window fits",
                             f"here kernel_size can be at most {tuple([(m + 2 * q - 1) // e + 1 for m, q, e in zip(sizes, pad, dil, strict=True)])}")
        found.append(Windows(size, out, k, s, p, d))
    return tuple(found)


_known_sliding = functools.lru_cache(maxsize=256)(_sliding)


def only_numbers(name: str, x: Tensor) -> None:
    if dtypes.kind(x.dtype) == "b":
        raise DTypeError(name, "a tensor of bool", "it takes numbers", "convert it with .to(ta.uint8)")


def inside(name: str, x: Tensor, windows: tuple[Windows, ...]) -> tuple[Windows, ...]:
    """The windows, of which those of a volume's averages may not be larger than it, whatever the padding: PyTorch's rule for these."""
    if len(windows) == 3 and any(w.n < w.kernel for w in windows):
        raise ShapeError(name, f"an input of shape {x.shape}", f"it is smaller than the windows of {tuple([w.kernel for w in windows])}",
                         f"here kernel_size can be at most {tuple([w.n for w in windows])}, or pad the input with nn.functional.pad")
    return windows


def only_floats(name: str, x: Tensor) -> None:
    if not dtypes.is_floating(x.dtype):
        raise DTypeError(name, f"a tensor of {x.dtype}", "an average is a float", "convert it with .float()")


# --------------------------------------------------------------------------------------------------- maximum
def maximum_of(x: Tensor, windows: tuple[Windows, ...], return_indices: bool) -> Any:
    """The maximum of each window by the op that does what is asked and no more."""
    if return_indices:
        return max_pool_with_positions(x, windows=windows)
    return (max_pool_op if x._requires_grad and mode.grad else maximum_only).call(x, windows=windows)


def _max_pool(name: str, x: Tensor, n: int, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool,
              return_indices: bool) -> Any:
    windows = sliding(name, x, n, kernel_size, stride, padding, dilation, ceil_mode)
    only_numbers(name, x)
    return maximum_of(x, windows, return_indices)


def max_pool1d(input: Tensor, kernel_size: Ints, stride: Ints | None = None, padding: Ints = 0, dilation: Ints = 1,
               ceil_mode: bool = False, return_indices: bool = False) -> Any:
    """The maximum of each window along the last axis of (N, C, L) or (C, L): see max_pool2d.

    >>> ta.nn.functional.max_pool1d(ta.tensor([[1.0, 3.0, 2.0, 4.0]]), 2)
    tensor([[3., 4.]])
    """
    return _max_pool("max_pool1d", input, 1, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool2d(input: Tensor, kernel_size: Ints, stride: Ints | None = None, padding: Ints = 0, dilation: Ints = 1,
               ceil_mode: bool = False, return_indices: bool = False) -> Any:
    """The maximum of each window of (N, C, H, W) or (C, H, W); one node, which keeps a byte for each window.

    The gradient goes to the first of equal elements, row by row; NaN counts as largest.

    Args:
        kernel_size: the window's size: an int, or one for each axis; so too the following.
        stride: from window to window; kernel_size unless given.
        padding: how far the first window begins before the edge, at most half a window. The padding is never the maximum.
        dilation: from element to element of a window.
        ceil_mode: also a last window that only partly fits.
        return_indices: also return where each maximum is in the flattened H·W, for max_unpool2d.

    Returns: (N, C, H', W') with H' = floor((H + 2 padding - dilation (kernel_size - 1) - 1) / stride) + 1, and its indices.

    Raises:
        ShapeError: no window fits, or the axes are not those.

    >>> ta.nn.functional.max_pool2d(ta.arange(16.0).reshape(1, 4, 4), 2)
    tensor([[[ 5.,  7.],
             [13., 15.]]])
    """
    return _max_pool("max_pool2d", input, 2, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool3d(input: Tensor, kernel_size: Ints, stride: Ints | None = None, padding: Ints = 0, dilation: Ints = 1,
               ceil_mode: bool = False, return_indices: bool = False) -> Any:
    """The maximum of each window of (N, C, D, H, W) or (C, D, H, W): see max_pool2d.

    >>> ta.nn.functional.max_pool3d(ta.arange(8.0).reshape(1, 2, 2, 2), 2)
    tensor([[[[7.]]]])
    """
    return _max_pool("max_pool3d", input, 3, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


# --------------------------------------------------------------------------------------------------- average
def _avg_pool(name: str, x: Tensor, n: int, kernel_size: Any, stride: Any, padding: Any, ceil_mode: bool,
              count_include_pad: bool, divisor_override: Any = None) -> Tensor:
    windows = inside(name, x, sliding(name, x, n, kernel_size, stride, padding, 1, ceil_mode))
    only_floats(name, x)
    if divisor_override is not None and not 0 < abs(divisor_override) < 1 << 63:
        raise ArgumentError(name, f"divisor_override={divisor_override}", "nothing is divided by 0, nor by a number of more than 63 bits", "leave it out for the mean")
    return avg_pool_op.call(x, windows=windows, divisor=divisor_override, include_pad=bool(count_include_pad))


def avg_pool1d(input: Tensor, kernel_size: Ints, stride: Ints | None = None, padding: Ints = 0, ceil_mode: bool = False,
               count_include_pad: bool = True) -> Tensor:
    """The average of each window along the last axis of (N, C, L) or (C, L): see avg_pool2d.

    >>> ta.nn.functional.avg_pool1d(ta.tensor([[1.0, 3.0, 2.0, 4.0]]), 2)
    tensor([[2., 3.]])
    """
    return _avg_pool("avg_pool1d", input, 1, kernel_size, stride, padding, ceil_mode, count_include_pad)


def avg_pool2d(input: Tensor, kernel_size: Ints, stride: Ints | None = None, padding: Ints = 0, ceil_mode: bool = False,
               count_include_pad: bool = True, divisor_override: int | None = None) -> Tensor:
    """The average of each window of (N, C, H, W) or (C, H, W); one node, which keeps nothing.

    Args: as for max_pool2d, and
        count_include_pad: whether the zeros of the padding count as elements.
        divisor_override: divide the sum by this instead of the number of elements.

    >>> ta.nn.functional.avg_pool2d(ta.arange(16.0).reshape(1, 4, 4), 2)
    tensor([[[ 2.5000,  4.5000],
             [10.5000, 12.5000]]])
    """
    return _avg_pool("avg_pool2d", input, 2, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


def avg_pool3d(input: Tensor, kernel_size: Ints, stride: Ints | None = None, padding: Ints = 0, ceil_mode: bool = False,
               count_include_pad: bool = True, divisor_override: int | None = None) -> Tensor:
    """The average of each window of (N, C, D, H, W) or (C, D, H, W): see avg_pool2d.

    >>> ta.nn.functional.avg_pool3d(ta.arange(8.0).reshape(1, 2, 2, 2), 2)
    tensor([[[[3.5000]]]])
    """
    return _avg_pool("avg_pool3d", input, 3, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)
