"""How alike vectors are: cosine_similarity and pairwise_distance, one node each."""

from __future__ import annotations

from typing import Any

from .. import dtypes
from ..backend.namespace import broadcast_shape
from ..errors import ArgumentError, DTypeError, ShapeError
from ..graph import recording
from ..tensor import Tensor
from . import arguments
from .norms import _norm, _norm_rule
from .reduce import keep, operand, wide
from .registry import op


def _lengths(F: Any, x: Any, dim: int, eps: float) -> tuple[Any, Any]:
    """The length along `dim` and the same, eps at least."""
    length = F.sqrt(F.sum(x * x, dim, True))
    return length, F.maximum(length, eps)


def _unit(F: Any, x: Any, length: Any) -> Any:
    """The slope of a vector's length: 0 for one of length 0."""
    zero = length == 0
    return F.where(zero, 0 * x, x / F.where(zero, 1, length))


def _cosine(F: Any, x1: Any, x2: Any, *, dim: int, eps: float = 1e-8) -> Any:
    return F.sum((x1 / _lengths(F, x1, dim, eps)[1]) * (x2 / _lengths(F, x2, dim, eps)[1]), dim)


def _cosine_back(F: Any, g: Any, x: Any, other: Any, dim: int, eps: float) -> Any:
    """As in PyTorch, the slope of the length is its own also where eps stands in for it. x may be one vector for many others.

    The sum of g y over those others is that of x / bound with `towards`, so the result is not read, and may be changed in place.
    """
    length, bound = _lengths(F, x, dim, eps)
    g = keep(F, g, (*g.shape[:dim], 1, *g.shape[dim:]), dim, False)
    towards = F.sum_to(g * (other / _lengths(F, other, dim, eps)[1]), x.shape)
    return (towards - F.sum((x / bound) * towards, dim, True) * _unit(F, x, length)) / bound


_cosine_row = op("cosine_similarity", wide(_cosine),
                 wide(lambda F, g, x1, x2, *, dim, eps: _cosine_back(F, g, x1, x2, dim, eps)),
                 wide(lambda F, g, x1, x2, *, dim, eps: _cosine_back(F, g, x2, x1, dim, eps)))


def _both(name: str, x1: Any, x2: Any, along: int | None = None) -> tuple[Tensor, Tensor]:
    """The two in their common dtype and shape; with `along`, of as many axes and of one size on that one."""
    dtype = dtypes.result_type(operand(x1, name), operand(x2, name))
    shape = broadcast_shape(x1.shape, x2.shape)
    if shape is None:
        raise ShapeError(name, f"{x1.shape} and {x2.shape}", "the shapes do not broadcast: aligned at the right, sizes must be equal or 1",
                         "reshape or unsqueeze one of them")
    pair = (x if x.dtype == dtype else recording.cast(x, dtype=dtype) for x in (x1, x2))
    if along is not None and shape:
        along = arguments.dimension(along, len(shape), name)
        sizes = [(*(1,) * (len(shape) - x.ndim), *x.shape) for x in (x1, x2)]
        shapes = [(*n[:along], shape[along], *n[along + 1:]) for n in sizes]
    else:
        shapes = [shape, shape]
    first, second = (x if x.shape == wanted else x.expand(wanted) for x, wanted in zip(pair, shapes, strict=True))
    return first, second


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """The cosine of the angle between vectors along `dim`; a length less than eps counts as eps. The shapes broadcast.

    >>> ta.nn.functional.cosine_similarity(ta.tensor([[3.0, 4.0]]), ta.tensor([[4.0, 3.0]]))
    tensor([0.9600])
    """
    first, second = _both("cosine_similarity", x1, x2, dim)
    if not dtypes.is_floating(first.dtype):
        raise DTypeError("cosine_similarity", f"tensors of {first.dtype}", "it takes floating tensors", "convert one with .float()")
    dim = arguments.dimension(dim, first.ndim, "cosine_similarity")
    if not first.ndim:
        return cosine_similarity(first.reshape((1,)), second.reshape((1,)), 0, eps)
    return _cosine_row(first, second, dim=dim, eps=eps)


def _apart(F: Any, x1: Any, x2: Any, *, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Any:
    return _norm(F, x1 - x2 + eps, p=p, dim=-1, keepdim=keepdim)


def _apart_back(F: Any, g: Any, x1: Any, x2: Any, y: Any, p: float, eps: float, keepdim: bool) -> Any:
    return _norm_rule(F, g, x1 - x2 + eps, y, p=p, dim=-1, keepdim=keepdim)


_distance = op("pairwise_distance", wide(_apart),
               wide(lambda F, g, x1, x2, y, *, p, eps, keepdim: _apart_back(F, g, x1, x2, y, p, eps, keepdim)),
               wide(lambda F, g, x1, x2, y, *, p, eps, keepdim: -_apart_back(F, g, x1, x2, y, p, eps, keepdim)))


def pairwise_distance(x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Tensor:
    """The p-norm of x1 - x2 + eps along the last axis. The shapes broadcast.

    >>> ta.nn.functional.pairwise_distance(ta.tensor([[0.0, 0.0]]), ta.tensor([[3.0, 4.0]]))
    tensor([5.0000])
    """
    first, second = _both("pairwise_distance", x1, x2)
    if not dtypes.is_floating(first.dtype):
        first, second = (recording.cast(x, dtype=dtypes.get_default_dtype()) for x in (first, second))
    if not isinstance(p, (int, float)):
        raise ArgumentError("pairwise_distance", f"p={p!r}", "it must be a number")
    if not first.ndim:
        return pairwise_distance(first.reshape((1,)), second.reshape((1,)), p, eps, False)
    return _distance(first, second, p=p, eps=eps, keepdim=keepdim)
