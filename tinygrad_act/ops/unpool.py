"""Max-unpooling: elements back at the positions that max pooling with return_indices took them from."""

from __future__ import annotations

import math
from typing import Any

from ..backend import namespaces
from ..errors import ArgumentError, DTypeError, IndexingError, ShapeError
from ..tensor import Tensor
from .arguments import Ints, whole
from .pool import several, spatial
from .registry import op


def _flat(x: Any, n: int) -> tuple[int, ...]:
    """Batch and channels in one axis, the last n in another. (Spelled out, because -1 means nothing for an empty x.)"""
    return math.prod(x.shape[:-n]), math.prod(x.shape[-n:])


def _forward(F: Any, x: Any, indices: Any, *, size: tuple[int, ...]) -> Any:
    rows, count = _flat(x, len(size))
    zeros = F.full((rows, math.prod(size)), 0, x)
    out = F.scatter(zeros, 1, F.reshape(indices, (rows, count)), F.reshape(x, (rows, count)))
    return F.reshape(out, (*x.shape[:-len(size)], *size))


def _backward(F: Any, g: Any, indices: Any, *, size: tuple[int, ...]) -> Any:
    rows, count = _flat(indices, len(size))
    return F.reshape(F.gather(F.reshape(g, (rows, math.prod(size))), 1, F.reshape(indices, (rows, count))), indices.shape)


max_unpool_op = op("max_unpool", _forward, _backward, None)


def _max_unpool(n: int, x: Tensor, indices: Tensor, kernel_size: Any, stride: Any, padding: Any, output_size: Any) -> Tensor:
    name = f"max_unpool{n}d"
    sizes = spatial(name, x, n)
    if not isinstance(indices, Tensor) or indices.dtype != "int64":
        raise DTypeError(name, f"indices of {getattr(indices, 'dtype', type(indices).__name__)}", "they are int64",
                         f"take them from max_pool{n}d(..., return_indices=True)")
    if indices.shape != x.shape:
        raise ShapeError(name, f"an input of shape {x.shape} and indices of shape {indices.shape}", "there is an index for each element")
    kernel = several(kernel_size, n, name, "kernel_size")
    step = kernel if stride is None or stride in ((), []) else several(stride, n, name, "stride")
    pad = several(padding, n, name, "padding")
    if min(step) < 1:
        raise ArgumentError(name, f"stride={step}", "it must be at least 1")
    usual = tuple([(m - 1) * s + k - 2 * p for m, k, s, p in zip(sizes, kernel, step, pad, strict=True)])
    size = usual if output_size is None else _chosen(name, output_size, usual, step)
    if min(size) < 1:
        raise ShapeError(name, f"an input of shape {x.shape}", f"the result would have the sizes {size}", "pass output_size=")
    area = math.prod(size)
    if not namespaces[type(indices.array)].within(indices.array, 0, area - 1):
        raise IndexingError(name, f"indices into {size}", f"an index is not from 0 to {area - 1}",
                            "pass the output_size= that the pooled tensor had")
    return max_unpool_op(x, indices, size=size)


def _chosen(name: str, output_size: Any, usual: tuple[int, ...], step: tuple[int, ...]) -> tuple[int, ...]:
    size = tuple([whole(m, name, "output_size") for m in output_size]) if isinstance(output_size, (tuple, list)) else (output_size,)
    size = size[2:] if len(size) == len(usual) + 2 else size
    if len(size) != len(usual):
        raise ArgumentError(name, f"output_size={output_size}", f"it has {len(usual)} sizes, or {len(usual) + 2} with batch and channels")
    if any(not u - s < m < u + s for m, u, s in zip(size, usual, step, strict=True)):
        raise ShapeError(name, f"output_size={size}", "each size must be within a stride of the usual one",
                         f"choose from {tuple([u - s + 1 for u, s in zip(usual, step, strict=True)])} to "
                         f"{tuple([u + s - 1 for u, s in zip(usual, step, strict=True)])}")
    return size


def max_unpool1d(input: Tensor, indices: Tensor, kernel_size: Ints, stride: Ints | None = None, padding: Ints = 0,
                 output_size: Any = None) -> Tensor:
    """What max_pool1d took, back where `indices` (of its return_indices) says, and 0 elsewhere: see max_unpool2d.

    >>> y, where = ta.nn.functional.max_pool1d(ta.tensor([[1.0, 3.0, 2.0, 4.0]]), 2, return_indices=True)
    >>> ta.nn.functional.max_unpool1d(y, where, 2)
    tensor([[0., 3., 0., 4.]])
    """
    return _max_unpool(1, input, indices, kernel_size, stride, padding, output_size)


def max_unpool2d(input: Tensor, indices: Tensor, kernel_size: Ints, stride: Ints | None = None, padding: Ints = 0,
                 output_size: Any = None) -> Tensor:
    """What max_pool2d took, back where `indices` (of its return_indices) says, and 0 elsewhere.

    Args:
        kernel_size, stride, padding: those of the max_pool2d that is undone.
        output_size: (H, W) or a whole shape, where several sizes pool to the input's.

    >>> y, where = ta.nn.functional.max_pool2d(ta.arange(4.0).reshape(1, 2, 2), 2, return_indices=True)
    >>> ta.nn.functional.max_unpool2d(y, where, 2)
    tensor([[[0., 0.],
             [0., 3.]]])
    """
    return _max_unpool(2, input, indices, kernel_size, stride, padding, output_size)


def max_unpool3d(input: Tensor, indices: Tensor, kernel_size: Ints, stride: Ints | None = None, padding: Ints = 0,
                 output_size: Any = None) -> Tensor:
    """What max_pool3d took, back where `indices` (of its return_indices) says, and 0 elsewhere: see max_unpool2d.

    >>> y, where = ta.nn.functional.max_pool3d(ta.ones(1, 1, 1, 2), (1, 1, 2), return_indices=True)
    >>> ta.nn.functional.max_unpool3d(y, where, (1, 1, 2))
    tensor([[[[1., 0.]]]])
    """
    return _max_unpool(3, input, indices, kernel_size, stride, padding, output_size)
