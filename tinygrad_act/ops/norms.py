"""Sizes of vectors: norm for any p, and logsumexp, the smooth maximum."""

from __future__ import annotations

import math
from typing import Any

from .. import dtypes
from ..backend.namespace import numel
from ..errors import ArgumentError, ShapeError
from ..tensor import Tensor
from .arguments import Dims, synonyms
from .factor import spectral_norm
from .reduce import axes, cast, keep, only_floats, operand, reduction, shared, wide
from .registry import public


def _logsumexp(F: Any, x: Any, *, dim: Any = None, keepdim: bool = False) -> Any:
    if not numel(x.shape, dim):
        return F.log(F.sum(x, dim, keepdim))                 # of nothing: log 0
    top = F.amax(x, dim, True)
    top = F.where(F.isfinite(top), top, 0)
    y = F.log(F.sum(F.exp(x - top), dim, keepdim))
    return y + F.reshape(top, y.shape)


_lse = reduction("logsumexp", wide(_logsumexp), wide(
    lambda F, g, x, y, *, dim, keepdim: keep(F, g, x.shape, dim, keepdim) * F.exp(x - keep(F, y, x.shape, dim, keepdim))))


@public()
@synonyms
def logsumexp(input: Tensor, dim: Dims, keepdim: bool = False) -> Tensor:
    """log(sum(exp(input))) over `dim`, computed without overflow; -inf where everything is.

    >>> ta.tensor([1000., 1000.]).logsumexp(0)
    tensor(1000.6932)
    """
    if not dtypes.is_floating(operand(input, "logsumexp").dtype):
        input = cast(input, dtypes.get_default_dtype())
    return _lse.call(input, dim=axes(input, dim, "logsumexp"), keepdim=keepdim)


# --------------------------------------------------------------------------------------------------------------- norm
def _norm(F: Any, x: Any, *, p: float = 2, dim: Any = None, keepdim: bool = False) -> Any:
    if p == 2:
        return F.sqrt(F.sum(x * x, dim, keepdim))
    a = F.abs(x)
    if p in (math.inf, -math.inf):
        return F.amax(a, dim, keepdim) if p > 0 else F.amin(a, dim, keepdim)
    if p == 0:
        return F.sum(F.cast(a != 0, x.dtype), dim, keepdim)
    if p < 0 and not numel(x.shape, dim):
        raise ShapeError("norm", f"{x.shape} with p={p}", "it has no value for an empty set", "use a positive p")
    return F.sum(a, dim, keepdim) if p == 1 else F.pow(F.sum(F.pow(a, p), dim, keepdim), 1 / p)


def _norm_rule(F: Any, g: Any, x: Any, y: Any, *, p: float, dim: Any, keepdim: bool) -> Any:
    """The subgradients are PyTorch's: 0 at 0, and shared among the largest elements where p is infinite."""
    g, y = keep(F, g, x.shape, dim, keepdim), keep(F, y, x.shape, dim, keepdim)
    if p == 0:
        return 0 * g * F.sign(x)
    if p == 1:
        return g * F.sign(x)
    if p in (math.inf, -math.inf):
        return F.sign(x) * shared(F, g, F.abs(x) == y, dim)
    zero = y == 0
    g, y = F.where(zero, 0 * g, g), F.where(zero, 1, y)
    return g * x / y if p == 2 else g * F.pow(y, 1 - p) * power_slope(F, x, p)


def power_slope(F: Any, x: Any, p: float) -> Any:
    """The slope of |x|**p over p: sign(x) * |x|**(p-1), and 0 at 0."""
    a = F.abs(x)
    zero = a == 0
    return F.sign(x) * F.where(zero, 0 * a, F.pow(F.where(zero, 1, a), p - 1))


norm_op = reduction("norm", wide(_norm), wide(_norm_rule))


@public()
@synonyms
def norm(input: Tensor, p: Any = "fro", dim: Dims = None, keepdim: bool = False, dtype: Any = None) -> Tensor:
    """The p-norm of the elements over `dim`: (sum |x|**p) ** (1/p). `p` is any number, inf, -inf, or "fro" (2).

    "nuc" is a norm of matrices, over two dims: the sum of the singular values.

    >>> ta.tensor([3., -4.]).norm(), ta.tensor([3., -4.]).norm(1)
    (tensor(5.), tensor(7.))
    """
    if p is None or p == "fro":
        p = 2
    input = only_floats(cast(operand(input, "norm"), dtype), "norm")
    if p == "nuc":
        return spectral_norm(input, p, tuple(range(input.ndim)) if dim is None else axes(input, dim, "norm") or (), keepdim, "norm")
    if isinstance(p, str):
        raise ArgumentError("norm", f"p={p!r}", "there is no such norm", 'pass a number, math.inf, "fro" or "nuc"')
    return norm_op.call(input, p=p, dim=axes(input, dim, "norm"), keepdim=keepdim)
