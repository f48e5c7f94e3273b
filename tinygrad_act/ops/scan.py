"""Running sums, products and extremes along one axis, and differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import dtypes
from ..errors import ArgumentError, ShapeError
from ..graph import recording
from ..tensor import Tensor
from . import arguments
from .arguments import synonyms
from .reduce import cast, only_floats, operand, reduction, shifted
from .registry import op, public

# h[i] = a[i] * h[i-1] + b[i]. Its adjoint is the same recurrence from the other end, so it is closed under
# differentiation; through it the products differentiate without dividing by elements that may be zero.
linear_scan = op(
    "linear_scan",
    lambda F, a, b, *, dim: F.linear_scan(a, b, dim),
    lambda F, g, a, y, *, dim: backward_scan(F, a, g, dim) * shifted(F, y, dim, 0),
    lambda F, g, a, *, dim: backward_scan(F, a, g, dim))


def backward_scan(F: Any, a: Any, g: Any, dim: int) -> Any:
    """r[i] = g[i] + a[i+1] * r[i+1]."""
    return F.flip(F.linear_scan(F.flip(F.roll(a, (-1,), (dim,)), (dim,)), F.flip(g, (dim,)), dim), (dim,))


def _cumprod_rule(F: Any, g: Any, x: Any, *, dim: int) -> Any:
    return F.cumprod(shifted(F, x, dim, 1), dim) * backward_scan(F, x, g, dim)


def _logcumsumexp_rule(F: Any, g: Any, x: Any, y: Any, *, dim: int) -> Any:
    """exp(x[i]) times the sum of g[k] * exp(-y[k]) over k >= i, in steps of exp(y[k-1] - y[k]), which are at most 1."""
    half = x.dtype if dtypes.is_half(x.dtype) else None
    if half:                                                 # y is rounded by more than its differences may be off
        g, x = F.cast(g, dtypes.float32), F.cast(x, dtypes.float32)
        y = F.logcumsumexp(x, dim)
    before = shifted(F, y, dim, 0)
    same = before == y                                       # also where both are infinite
    steps = F.where(same, 1, F.exp(F.where(same, 0, before) - F.where(same, 0, y)))
    gx = F.exp(x - y) * backward_scan(F, steps, g, dim)
    return F.cast(gx, half) if half else gx


_cumsum = reduction("cumsum", lambda F, x, *, dim: F.cumsum(x, dim),
                    lambda F, g, *, dim: F.flip(F.cumsum(F.flip(g, (dim,)), dim), (dim,)))
_cumprod = reduction("cumprod", lambda F, x, *, dim: F.cumprod(x, dim), _cumprod_rule)
_logcumsumexp = reduction("logcumsumexp", lambda F, x, *, dim: F.logcumsumexp(x, dim), _logcumsumexp_rule)


def along(x: Tensor, dim: Any, name: str, run: Callable[[Tensor, int], Tensor]) -> Tensor:
    """`run` on x with its axis from the front; a 0-d tensor is a run of one."""
    d = arguments.dimension(dim, operand(x, name).ndim, name)
    if x.ndim:
        return run(x, d)
    y = run(recording.reshape(x, shape=(1,)), 0)
    return recording.reshape(y, shape=())  # type: ignore[no-any-return]


@public()
@synonyms
def cumsum(input: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """Running sums along `dim`; ints and bools are summed as int64.

    >>> ta.tensor([1., 2., 3.]).cumsum(0)
    tensor([1., 3., 6.])
    """
    return cast(along(cast(operand(input, "cumsum"), dtype), dim, "cumsum", lambda x, d: _cumsum.call(x, dim=d)), dtype)


@public()
@synonyms
def cumprod(input: Tensor, dim: int, *, dtype: Any = None) -> Tensor:
    """Running products along `dim`. The gradient is exact also where elements are zero.

    >>> ta.tensor([1., 2., 3.]).cumprod(0)
    tensor([1., 2., 6.])
    """
    return cast(along(cast(operand(input, "cumprod"), dtype), dim, "cumprod", lambda x, d: _cumprod.call(x, dim=d)), dtype)


@public()
@synonyms
def logcumsumexp(input: Tensor, dim: int) -> Tensor:
    """The logarithms of the running sums of exp(input), without overflow."""
    return along(only_floats(input, "logcumsumexp"), dim, "logcumsumexp", lambda x, d: _logcumsumexp.call(x, dim=d))


@public()
@synonyms
def diff(input: Tensor, n: int = 1, dim: int = -1, prepend: Tensor | None = None, append: Tensor | None = None) -> Tensor:
    """The n-th differences of neighbours along `dim`, after joining `prepend` and `append` to it; xor for bools.

    >>> ta.tensor([1., 4., 9.]).diff()
    tensor([3., 5.])
    """
    if not operand(input, "diff").ndim:
        raise ShapeError("diff", "a 0-d tensor", "there are no neighbours", "it takes at least one axis")
    if n < 0:
        raise ArgumentError("diff", f"n={n}", "the order cannot be negative")
    dim = arguments.dimension(dim, input.ndim, "diff")
    parts = [t for t in (prepend, input, append) if t is not None and n]
    x = recording.cat(parts, dim) if len(parts) > 1 else input
    less = recording.logical_xor if x.dtype == dtypes.bool_ else recording.sub
    lead = (slice(None),) * dim
    for _ in range(min(n, x.shape[dim])):
        size = x.shape[dim]
        x = less(recording.getitem(x, (*lead, slice(1, size))), recording.getitem(x, (*lead, slice(0, max(size - 1, 0)))))
    return x
