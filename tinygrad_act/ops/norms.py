"""Sizes of vectors and matrices: norm for any p, and logsumexp, the smooth maximum."""

from __future__ import annotations

import math
import numbers
from typing import Any

from .. import dtypes
from ..backend.namespace import numel
from ..errors import ArgumentError, ShapeError
from ..tensor import Tensor
from .arguments import Dims, synonyms
from .axes import movedim
from .factor import svdvals
from .reduce import amax, amin, axes, cast, keep, only_floats, operand, reduction, shared, sum, wide
from .registry import public
from .shape import reshape


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
        return matrix_norm(input, p, tuple(range(input.ndim)) if dim is None else dim, keepdim, "norm")
    if isinstance(p, str):
        raise ArgumentError("norm", f"p={p!r}", "there is no such norm", 'pass a number, math.inf, "fro" or "nuc"')
    return norm_op.call(input, p=p, dim=axes(input, dim, "norm"), keepdim=keepdim)


# ------------------------------------------------------------------------------------------------------- of matrices
def known(ord: Any, name: str, called: str = "ord") -> None:
    """Raise unless there is a norm of matrices of this order, which the function `name` has as its argument `called`."""
    if not isinstance(ord, (str, numbers.Real)) or ord not in ("fro", "nuc", 1, -1, 2, -2, math.inf, -math.inf):
        raise ArgumentError(name, f"{called}={ord!r}", "there is no such matrix norm", 'use "fro", "nuc", 1, -1, 2, -2, inf or -inf')


def matrix_norm(A: Tensor, ord: Any, dim: Any = (-2, -1), keepdim: bool = False, name: str = "matrix_norm") -> Tensor:
    """What linalg.matrix_norm gives, for the function `name`."""
    known(ord, name)
    if not isinstance(dim, (tuple, list)) or len(dim) != 2:
        raise ArgumentError(name, f"dim={dim!r}", "a norm of matrices takes two dims", "name the two")
    rows, columns = axes(only_floats(A, name), dim, name)
    if ord == "fro":
        return norm_op.call(A, p=2, dim=(rows, columns), keepdim=keepdim)
    if ord in ("nuc", 2, -2):
        s = svdvals(movedim(A, (rows, columns), (-2, -1)))
        y = sum(s, -1) if ord == "nuc" else _extreme(s, ord, -1, False, name)
        return reshape(y, tuple([1 if d in (rows, columns) else n for d, n in enumerate(A.shape)])) if keepdim else y
    over, along = (rows, columns) if abs(ord) == 1 else (columns, rows)
    y = _extreme(norm_op.call(A, p=1, dim=over, keepdim=True), ord, along, True, name)
    return y if keepdim else sum(y, (rows, columns))


def _extreme(x: Tensor, ord: float, dim: int, keepdim: bool, name: str) -> Tensor:
    """The largest of sizes along `dim`, of none 0; the smallest, if `ord` is negative."""
    if x.shape[dim]:
        return amax(x, dim, keepdim) if ord > 0 else amin(x, dim, keepdim)
    if ord < 0:
        raise ShapeError(name, f"a matrix without elements, with ord={ord}", "it has no value for an empty set", "use a positive ord")
    return sum(x, dim, keepdim)
