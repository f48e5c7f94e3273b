"""Reductions over all axes or some: what they have in common, sums, means, products and extremes."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from .. import dtypes
from ..backend.namespace import numel
from ..errors import ArgumentError, DTypeError, ShapeError, TinygradActError
from ..grad_mode import mode
from ..graph import new_node, recording
from ..op import Single
from ..short import new
from ..tensor import Tensor
from . import arguments
from .arguments import Dims, synonyms
from .registry import enter, op, public
from .results import Range

Function = TypeVar("Function", bound=Callable[..., Any])


# ------------------------------------------------------------------------------- what all reductions have in common
class Reduction(Single):
    """An op of one tensor and settings."""

    def result(self, x: Tensor, values: tuple[Any, ...], params: dict[str, Any]) -> Tensor:
        """The last of `values` (the inputs' arrays, and the result's) as the Tensor that this op makes of x."""
        out = new(Tensor)
        out.array = values[-1]
        if x._requires_grad and mode.grad and self.differentiable:
            plan = self.plans.get(1) or self.plan(1)
            out._requires_grad = True
            out.node = new_node(self, (x.node or x, *[None] * (len(values) - 2)), plan.keep(values), plan, params)
        elif mode.inference:
            out.inference = True
        return out

    def explain(self, error: Exception, arrays: Any) -> TinygradActError:
        if "zero-size" in str(error) or "empty" in str(error):
            return ShapeError(self.name, str(arrays[0].shape), "an axis it reduces is empty, and the result is undefined there",
                              "check that there is at least one element, or reduce another dim")
        return super().explain(error, arrays)


def reduction(name: str, forward: Callable[..., Any], *rules: Any) -> Reduction:
    """A row, also of what runs along an axis without reducing it. In a graph, dim is None, an int or a tuple, from the front."""
    row = Reduction(name, forward, *rules)
    enter(row)
    return row


def operand(x: Any, op: str) -> Tensor:
    """x, which must be a Tensor."""
    if not isinstance(x, Tensor):
        raise ArgumentError(op, type(x).__name__, "the input must be a Tensor", "make one with ta.tensor(...)")
    return x


def axes(x: Any, dim: Any, op: str) -> Any:
    """`dim` of a reduction of x, from the front; None for all axes, which () and [] mean too."""
    if dim is None:
        return None
    n = operand(x, op).array.ndim
    if type(dim) is int and -n <= dim < n:
        return dim % n
    dims = arguments.dimensions(dim, n, op)
    return (dims or None) if n else None                     # a 0-d tensor has no axes to reduce


def axis(x: Any, dim: Any, op: str) -> int | None:
    """As `axes`, where only one may be given."""
    if isinstance(dim, (tuple, list)):
        raise ArgumentError(op, f"dim={dim!r}", "it takes one dim", "reduce one dim after the other")
    return axes(x, dim, op)  # type: ignore[no-any-return]


def only_floats(x: Tensor, op: str) -> Tensor:
    if not dtypes.is_floating(operand(x, op).array.dtype):
        raise DTypeError(op, f"a tensor of {x.dtype}", "it is defined for floating tensors only", "convert it first, with x.float()")
    return x


def cast(x: Tensor, dtype: Any) -> Tensor:
    """x in the dtype asked for; None leaves it."""
    return x if dtype is None or x.dtype == dtypes.as_dtype(dtype) else recording.cast(x, dtype=dtypes.as_dtype(dtype))


def keep(F: Any, g: Any, shape: tuple[int, ...], dim: Any, keepdim: bool) -> Any:
    """g with the reduced axes back, of size 1."""
    if keepdim:
        return g
    n = len(shape)
    dims = range(n) if dim is None else {d % n for d in ((dim,) if isinstance(dim, int) else dim)}
    return F.reshape(g, tuple([1 if i in dims else size for i, size in enumerate(shape)]))


def wide(rule: Function) -> Function:
    """The rule with halves computed in float32 and rounded once."""
    @functools.wraps(rule)
    def run(F: Any, *values: Any, **params: Any) -> Any:
        half = values[0].dtype
        if half.char in "fd" or not dtypes.is_half(half):
            return rule(F, *values, **params)
        y = rule(F, *[F.cast(v, dtypes.float32) if hasattr(v, "dtype") and v.dtype == half else v for v in values], **params)
        return [F.cast(part, half) for part in y] if isinstance(y, list) else F.cast(y, half)
    return run  # type: ignore[return-value]


# --------------------------------------------------------------------------------------------------- sum, mean, prod
def _spread(F: Any, g: Any, x_shape: Any, *, dim: Any, keepdim: bool) -> Any:
    return F.expand(g if dim is None and not keepdim else keep(F, g, x_shape, dim, keepdim), x_shape)


def _spread_mean(F: Any, g: Any, x_shape: Any, *, dim: Any, keepdim: bool) -> Any:
    return _spread(F, g / (numel(x_shape, dim) or 1), x_shape, dim=dim, keepdim=keepdim)


def _prod_rule(F: Any, g: Any, x: Any, *, dim: Any, keepdim: bool) -> Any:
    """The product of all others is that of those before times that of those after: zeros need no special case."""
    g = keep(F, g, x.shape, dim, keepdim)
    v = F.reshape(x, (numel(x.shape),)) if dim is None else x
    d = 0 if dim is None else dim
    before = F.cumprod(shifted(F, v, d, 1), d)
    after = F.flip(F.cumprod(shifted(F, F.flip(v, (d,)), d, 1), d), (d,))
    return g * F.reshape(before * after, x.shape)


def shifted(F: Any, x: Any, dim: int, first: float) -> Any:
    """x one place later along `dim`, with `first` at the beginning."""
    n = x.shape[dim]
    if n == 0:
        return x
    dim %= x.ndim
    edge = F.full((*x.shape[:dim], 1, *x.shape[dim + 1:]), first, x)
    return F.cat((edge, F.getitem(x, (slice(None),) * dim + (slice(0, n - 1),))), dim)


_sum = reduction("sum", lambda F, x, *, dim=None, keepdim=False: F.sum(x, dim, keepdim), _spread)
_mean = reduction("mean", lambda F, x, *, dim=None, keepdim=False: F.mean(x, dim, keepdim), wide(_spread_mean))
_prod = reduction("prod", lambda F, x, *, dim=None, keepdim=False: F.prod(x, dim, keepdim), wide(_prod_rule))
op("sum_to", lambda F, x, *, shape: F.sum_to(x, shape), lambda F, g, x_shape: F.expand(g, x_shape))


@public()
@synonyms
def sum(input: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The sum of all elements, or over `dim` (an int or several). Ints and bools are summed as int64, halves in float32.

    >>> ta.tensor([[1., 2.], [3., 4.]]).sum(dim=0)
    tensor([4., 6.])
    """
    if dtype is not None:
        input = cast(operand(input, "sum"), dtype)
    y = _sum.call(input, dim=dim if dim is None else axes(input, dim, "sum"), keepdim=keepdim)
    return y if dtype is None else cast(y, dtype)


@public()
@synonyms
def mean(input: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The mean of all elements, or over `dim`; of an empty set, NaN. Raises DTypeError for ints without `dtype=`.

    >>> ta.tensor([1., 2., 6.]).mean()
    tensor(3.)
    """
    if dtype is not None:
        input = cast(operand(input, "mean"), dtype)
    only_floats(input, "mean")
    return _mean.call(input, dim=dim if dim is None else axes(input, dim, "mean"), keepdim=keepdim)


@public()
@synonyms
def prod(input: Tensor, dim: int | None = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The product of all elements, or along one `dim`. Its gradient is exact also where elements are zero.

    >>> ta.tensor([2., 3., 4.]).prod()
    tensor(24.)
    """
    input = cast(operand(input, "prod"), dtype)
    return cast(_prod.call(input, dim=axis(input, dim, "prod"), keepdim=keepdim), dtype)


# Sums that leave out NaN.
@public()
@synonyms
def nansum(input: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The sum of the elements that are not NaN."""
    input = cast(operand(input, "nansum"), dtype)
    return sum(recording.where(recording.isnan(input), 0, input), dim, keepdim, dtype=dtype)


@public()
@synonyms
def nanmean(input: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The mean of the elements that are not NaN; NaN where there are none."""
    input = only_floats(cast(operand(input, "nanmean"), dtype), "nanmean")
    count = sum(recording.logical_not(recording.isnan(input)), dim, keepdim)
    return nansum(input, dim, keepdim) / count


# ------------------------------------------------------------------------------------------------------------ extremes
def shared(F: Any, g: Any, chosen: Any, dim: Any) -> Any:
    """g in equal parts to the elements that are `chosen`."""
    chosen = F.cast(chosen, g.dtype)
    return g / F.sum(chosen, dim, True) * chosen


def _extreme_rule(F: Any, g: Any, x: Any, y: Any, *, dim: Any, keepdim: bool) -> Any:
    g, y = keep(F, g, x.shape, dim, keepdim), keep(F, y, x.shape, dim, keepdim)
    return shared(F, g, x == y, dim)


def to_equals(F: Any, g: Any, x: Any, y: Any) -> Any:
    """In equal parts to all elements equal to the one found, NaN being equal to NaN."""
    return shared(F, g, F.logical_or(x == y, F.logical_and(F.isnan(x), F.isnan(y))), None)


_amax = reduction("amax", lambda F, x, *, dim=None, keepdim=False: F.amax(x, dim, keepdim), wide(_extreme_rule))
_amin = reduction("amin", lambda F, x, *, dim=None, keepdim=False: F.amin(x, dim, keepdim), wide(_extreme_rule))
largest = reduction("max", lambda F, x: F.amax(x), wide(to_equals))
smallest = reduction("min", lambda F, x: F.amin(x), wide(to_equals))


@public()
@synonyms
def amax(input: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """The largest elements over `dim` (one or several). Equal ones share the gradient.

    >>> ta.tensor([[1., 5.], [7., 2.]]).amax(dim=1)
    tensor([5., 7.])
    """
    return _amax.call(input, dim=axes(input, dim, "amax"), keepdim=keepdim)


@public()
@synonyms
def amin(input: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """The smallest elements over `dim` (one or several). Equal ones share the gradient."""
    return _amin.call(input, dim=axes(input, dim, "amin"), keepdim=keepdim)


@public()
@synonyms
def aminmax(input: Tensor, *, dim: int | None = None, keepdim: bool = False) -> Range:
    """The pair (min, max) of all elements, or along one `dim`."""
    dim = axis(input, dim, "aminmax")
    return Range(amin(input, dim, keepdim), amax(input, dim, keepdim))


# ------------------------------------------------------------------------------------------ counting; no gradients
def _counting(name: str, forward: Callable[..., Any], doc: str) -> None:
    row = reduction(name, forward)

    @public(name)
    @synonyms
    def function(input: Tensor, dim: Any = None, keepdim: bool = False) -> Tensor:
        none = isinstance(dim, (tuple, list)) and not dim        # of no dims: only whether each element is true
        y = row.call(input, dim=() if none else axes(input, dim, name), keepdim=keepdim)
        return cast(y, dtypes.uint8) if input.dtype == dtypes.uint8 else y
    function.__name__, function.__doc__ = name, doc


_counting("all", lambda F, x, *, dim=None, keepdim=False: F.all(x, dim, keepdim), "Are all elements true (not 0)? Over `dim`, one or several.")
_counting("any", lambda F, x, *, dim=None, keepdim=False: F.any(x, dim, keepdim), "Is any element true (not 0)? Over `dim`, one or several.")
_count = reduction("count_nonzero", lambda F, x, *, dim=None: F.sum(x != 0, dim))


@public()
@synonyms
def count_nonzero(input: Tensor, dim: Dims = None) -> Tensor:
    """How many elements are not 0, over `dim` (one or several); NaN counts.

    >>> ta.tensor([0., 2., 0., 3.]).count_nonzero()
    tensor(2)
    """
    return _count.call(input, dim=axes(input, dim, "count_nonzero"))


def _position(name: str, doc: str) -> None:
    row = reduction(name, lambda F, x, *, dim=None, keepdim=False: getattr(F, name)(x, dim, keepdim))

    @public(name)
    @synonyms
    def function(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Tensor:
        if operand(input, name).dtype.kind == "b":
            raise DTypeError(name, "a tensor of bool", "it takes numbers", "convert it first, with x.int()")
        return row.call(input, dim=axis(input, dim, name), keepdim=keepdim)
    function.__name__, function.__doc__ = name, doc


_position("argmax", """The position of the largest element (of the flattened tensor, or along `dim`); the first if several. NaN is largest.

    >>> ta.tensor([[1., 9.], [4., 2.]]).argmax(dim=1)
    tensor([1, 0])
    """)
_position("argmin", "The position of the smallest element (of the flattened tensor, or along `dim`); the first if several. NaN comes first.")
