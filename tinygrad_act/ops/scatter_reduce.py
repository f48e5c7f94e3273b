"""scatter_reduce: several sources to one place combined by sum, product, mean, maximum or minimum."""

from __future__ import annotations

from typing import Any

from ..errors import ArgumentError
from ..graph import recording
from ..tensor import Tensor
from .index import IndexOp
from .registry import public
from .scatter import scatter, scatter_add, scattered


def _for_x(F: Any, g: Any, x: Any, index: Any, src: Any, y: Any, *, dim: int, reduce: str) -> Any:
    if reduce == "prod":                              # the product of the others, also where x is 0
        others = F.scatter_reduce(F.where(x == 0, F.ones_like(x), x), dim, index, src, "prod")
        return g * F.where(x == 0, others, y / F.where(x == 0, F.ones_like(x), x))
    return F.where(x == y, _shares(F, g, x, index, src, y, dim), F.zeros_like(g))


def _for_src(F: Any, g: Any, x: Any, index: Any, src: Any, y: Any, *, dim: int, reduce: str) -> Any:
    if reduce == "prod":
        zero = src == 0
        ones = F.ones_like(src)
        zeros = F.scatter_add(F.zeros_like(x), dim, index, F.cast(zero, x.dtype))
        only = F.cast(zero, x.dtype) * F.gather(zeros, dim, index) == 1         # one 0 among the sources of its place
        others = F.gather(g * F.scatter_reduce(x, dim, index, F.where(only, ones, src), "prod"), dim, index)
        return F.where(only, others, F.gather(g * y, dim, index) / F.where(zero, ones, src))
    shares = F.gather(_shares(F, g, x, index, src, y, dim), dim, index)
    return F.where(src == F.gather(y, dim, index), shares, F.zeros_like(shares))


def _shares(F: Any, g: Any, x: Any, index: Any, src: Any, y: Any, dim: int) -> Any:
    """g divided among all that are the extreme value."""
    mine = F.cast(x == y, g.dtype)
    return g / F.scatter_add(mine, dim, index, F.cast(src == F.gather(y, dim, index), g.dtype))


_op = IndexOp("scatter_reduce", lambda F, x, index, src, *, dim, reduce: F.scatter_reduce(x, dim, index, src, reduce),
              _for_x, None, _for_src)


def _recorded(x: Any, dim: int, index: Any, src: Any, reduce: str) -> Any:
    return _op(x, index, src, dim=dim, reduce=reduce)


recording.scatter_reduce = _recorded


def _neutral(x: Tensor, reduce: str) -> Any:
    """What changes nothing when combined."""
    if reduce in ("sum", "mean", "prod"):
        return int(reduce == "prod")
    high = float("inf") if x.dtype.kind not in "iub" else 1 if x.dtype.kind == "b" else (
        2 ** (8 * x.dtype.itemsize - (x.dtype.kind == "i")) - 1)
    if reduce == "amin":
        return high
    return -high if x.dtype.kind not in "iub" else -high - 1 if x.dtype.kind == "i" else 0


@public()
def scatter_reduce(input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True) -> Tensor:
    """A copy in which out[index[i][j]][j] combines all src[i][j] sent there (for dim 0, and so for other dims).

    `reduce` is "sum", "prod", "mean", "amax" or "amin"; what was there counts as one more if `include_self`.

    >>> ta.ones(3).scatter_reduce(0, ta.tensor([1, 1]), ta.tensor([5.0, 6.0]), "amax")
    tensor([1., 6., 1.])
    """
    if reduce not in ("sum", "prod", "mean", "amax", "amin"):
        raise ArgumentError("scatter_reduce", f"reduce={reduce!r}", "it must be sum, prod, mean, amax or amin")
    x: Any = input if include_self else scatter(input, dim, index, value=_neutral(input, reduce))
    if reduce in ("prod", "amax", "amin"):
        return scattered("scatter_reduce", _op, x, dim, index, src, reduce=reduce)
    total: Any = scatter_add(x, dim, index, src)
    if reduce == "sum":
        return total  # type: ignore[no-any-return]
    ones = recording.full(src.shape, 1, input)
    count: Any = recording.full(input.shape, 1, input)
    if not include_self:
        count = scatter(count, dim, index, value=0)
    count = recording.maximum(scatter_add(count, dim, index, ones), 1)
    if input.dtype.kind in "iu":
        return total // count  # type: ignore[no-any-return]
    return total / count  # type: ignore[no-any-return]
