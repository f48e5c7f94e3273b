"""Sorting and choosing: sort, topk, median, max and min along an axis, running extremes, unique.

All that choose elements are one op with different indices: the values are gathered, and the gradient goes back to
where they came from.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..backend import namespaces
from ..dtypes import bool_, float32, int64, is_floating
from ..errors import ArgumentError, DTypeError, IndexingError, ShapeError
from ..graph import recording, watchers
from ..tensor import Tensor, wrap
from . import arguments
from .arguments import synonyms
from .reduce import Reduction, largest, operand, reduction, smallest, sum, to_equals, wide
from .registry import op, public
from .results import Chosen, named
from .scatter import gather


# ------------------------------------------------------------------------------------------------ choosing, in general
def _take(F: Any, x: Any, indices: Any, *, dim: int, keepdim: bool = True) -> Any:
    y = F.gather(x, dim, indices)
    return y if keepdim else F.reshape(y, y.shape[:dim] + y.shape[dim + 1:])


def _give_back(repeats: bool) -> Callable[..., Any]:
    """The rule of `_take`: where an index may occur twice in a row, what it got is added up."""
    def rule(F: Any, g: Any, indices: Any, x_shape: Any, *, dim: int, keepdim: bool) -> Any:
        put = F.scatter_add if repeats else F.scatter
        return put(F.full(x_shape, 0, g), dim, indices, F.reshape(g, indices.shape))
    return rule


def _chooser(name: str, repeats: bool = False) -> Reduction:
    return reduction(name, _take, _give_back(repeats), None)


_CHOOSERS = {name: (_chooser(f"{name}_dim" if name in ("max", "min", "median", "nanmedian") else name, repeats), named(name))
             for name, repeats in {"max": False, "min": False, "median": False, "nanmedian": False, "mode": False,
                                   "kthvalue": False, "sort": False, "topk": False, "cummax": True, "cummin": True}.items()}


def _choose(name: str, x: Tensor, dim: Any, find: Callable[[Any, Any, int], Any], keepdim: bool = True) -> Chosen:
    """The elements of x along `dim` at `find(F, array, dim)`, indices with that axis kept, and these indices."""
    row, pair = _CHOOSERS[name]
    d = arguments.dimension(dim, operand(x, name).ndim, name)
    shape = x.shape
    if not shape:
        x = recording.reshape(x, shape=(1,))
    a = x.array
    F = namespaces[type(a)]
    indices = F.cast(find(F, a, d), int64)
    params: dict[str, Any] = {"dim": d, "keepdim": keepdim if shape else False}
    if watchers:
        values = row(x, wrap(indices), **params)
    else:
        values = row.result(x, (a, indices, F.asarray(_take(F, a, indices, **params))), params)
    return pair(values, wrap(F.reshape(indices, values.shape)))  # type: ignore[no-any-return]


def _order(F: Any, a: Any, dim: int, descending: bool = False) -> Any:
    """The stable order along `dim`; NaN is the largest."""
    if not descending:
        return F.argsort(a, dim)
    return a.shape[dim] - 1 - F.flip(F.argsort(F.flip(a, (dim,)), dim), (dim,))


def _part(a: Any, dim: int, start: int, stop: int) -> Any:
    return a[(slice(None),) * dim + (slice(start, stop),)]


def _not_empty(x: Tensor, dim: Any, name: str) -> None:
    if operand(x, name).ndim and not x.shape[arguments.dimension(dim, x.ndim, name)]:
        raise ShapeError(name, f"{x.shape} over dim={dim}", "that axis is empty, and there is nothing to choose",
                         "check that there is at least one element")


# ------------------------------------------------------------------------------------------------------------- max, min
def _extreme(name: str, whole: Any, find: Callable[[Any, Any, int], Any], doc: str) -> None:
    @public(name)
    @synonyms
    def function(input: Tensor, dim: Any = None, keepdim: bool = False, *, other: Tensor | None = None) -> Any:
        if isinstance(dim, Tensor):
            dim, other = None, dim
        if other is not None:
            return getattr(recording, f"{name}imum")(input, other)
        if dim is None:
            if not operand(input, name).array.size:
                raise ShapeError(name, str(input.shape), f"an empty tensor has no {name}imum", "name a dim that is not empty")
            return whole.call(input)
        _not_empty(input, dim, name)
        return _choose(name, input, dim, find, keepdim)
    function.__name__, function.__doc__ = name, doc


_extreme("max", largest, lambda F, a, d: F.argmax(a, d, True), """`max(x)`: the largest element, where equal ones share the gradient.
    `max(x, dim)`: the pair (values, indices) along `dim`, with the gradient to the element chosen, the first of equal ones.
    `max(x, y)`: the larger of the two, elementwise. NaN wins.

    >>> ta.tensor([[1., 9.], [4., 2.]]).max(dim=1).indices
    tensor([1, 0])
    """)
_extreme("min", smallest, lambda F, a, d: F.argmin(a, d, True), """`min(x)`, `min(x, dim)` and `min(x, y)`: as `max`, for the smallest.""")


# ------------------------------------------------------------------------------------------------------------- median
def _middle(F: Any, a: Any, dim: int, skip_nan: bool) -> Any:
    """Where the lower median stands; with a NaN in the row it is that, unless they are skipped."""
    order = F.argsort(a, dim)
    n = a.shape[dim]
    real = n - F.sum(F.isnan(a), dim, True)
    if skip_nan:
        position = F.maximum(real - 1, 0) // 2
    else:
        position = F.where(real < n, real, (n - 1) // 2)
    return F.gather(order, dim, position)


def _median(name: str, skip_nan: bool, doc: str) -> None:
    def all_of(F: Any, x: Any) -> Any:
        flat = F.reshape(x, (x.size,))
        return F.reshape(F.gather(flat, 0, _middle(F, flat, 0, skip_nan)), ())

    whole = op(name, all_of, wide(to_equals))

    @public(name)
    @synonyms
    def function(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
        if operand(input, name).dtype == bool_:
            raise DTypeError(name, "a tensor of bool", "bools have no middle", "convert it first, with x.int()")
        if dim is not None:
            _not_empty(input, dim, name)
            return _choose(name, input, dim, lambda F, a, d: _middle(F, a, d, skip_nan), keepdim)
        if not input.array.size:
            if not is_floating(input.dtype):
                raise ShapeError(name, str(input.shape), "an empty tensor of ints has no median")
            return recording.mul(sum(input), float("nan"))
        return whole(input)
    function.__name__, function.__doc__ = name, doc


_median("median", False, """The lower of the two middle elements (or the middle one): of all, or along `dim` as (values, indices).

    Of all elements, those equal to it share the gradient. NaN if there is one.

    >>> ta.tensor([4., 1., 3., 2.]).median()
    tensor(2.)
    """)
_median("nanmedian", True, "As `median`, leaving out NaN.")


def _most_frequent(F: Any, a: Any, dim: int) -> Any:
    """The last index of the smallest of the most frequent values: sorted, the end of the first longest run."""
    order = F.argsort(a, dim)
    ranked = F.gather(a, dim, order)
    n = a.shape[dim]
    place = F.reshape(F.arange(n, a), (n,) + (1,) * (a.ndim - dim - 1))
    begins = F.cat((_part(ranked, dim, 0, 1) == _part(ranked, dim, 0, 1), _part(ranked, dim, 1, n) != _part(ranked, dim, 0, n - 1)), dim)
    length = place - F.cummax(F.where(begins, place, 0), dim)
    return F.gather(order, dim, F.argmax(length, dim, True))


@public()
@synonyms
def mode(input: Tensor, dim: int = -1, keepdim: bool = False) -> Chosen:
    """The most frequent value along `dim` (the smallest of several), as (values, indices)."""
    _not_empty(input, dim, "mode")
    return _choose("mode", input, dim, _most_frequent, keepdim)


# -------------------------------------------------------------------------------------------------------- sort and topk
@public()
@synonyms
def sort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Chosen:
    """(values, indices) of the elements in order along `dim`. Always stable; NaN is the largest.

    >>> ta.tensor([3., 1., 2.]).sort(descending=True).indices
    tensor([0, 2, 1])
    """
    return _choose("sort", input, dim, lambda F, a, d: _order(F, a, d, descending))


@public()
@synonyms
def argsort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Tensor:
    """The indices that sort along `dim`."""
    if not operand(input, "argsort").ndim:
        return sort(input).indices
    d = arguments.dimension(dim, input.ndim, "argsort")
    F = namespaces[type(input.array)]
    return wrap(F.cast(_order(F, input.array, d, descending), int64))


@public()
@synonyms
def topk(input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Chosen:
    """(values, indices) of the k largest (or smallest) along `dim`, in order. NaN is the largest.

    >>> ta.tensor([3., 1., 2.]).topk(2).values
    tensor([3., 2.])
    """
    n = _length(input, dim, "topk")
    k = arguments.whole(k, "topk", "k")
    if not 0 <= k <= n:
        raise IndexingError("topk", f"k={k} of {n} elements", "there are not so many", f"k must be from 0 to {n}")
    return _choose("topk", input, dim, lambda F, a, d: _part(_order(F, a, d, largest), d, 0, k))


@public()
@synonyms
def kthvalue(input: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> Chosen:
    """The k-th smallest along `dim` (from 1), as (values, indices)."""
    n = _length(input, dim, "kthvalue")
    k = arguments.whole(k, "kthvalue", "k")
    if not 1 <= k <= n:
        raise IndexingError("kthvalue", f"k={k} of {n} elements", "k counts them from 1", f"k must be from 1 to {n}")
    return _choose("kthvalue", input, dim, lambda F, a, d: _part(_order(F, a, d), d, k - 1, k), keepdim)


def _length(x: Tensor, dim: Any, name: str) -> int:
    return x.shape[arguments.dimension(dim, x.ndim, name)] if operand(x, name).ndim else 1


# ----------------------------------------------------------------------------------------------------- running extremes
def _running(name: str) -> Callable[[Any, Any, int], Any]:
    def find(F: Any, a: Any, dim: int) -> Any:
        best = getattr(F, name)(a, dim)
        n = a.shape[dim]
        place = F.reshape(F.arange(n, a), (n,) + (1,) * (a.ndim - dim - 1))
        return F.cummax(F.where(F.logical_or(a == best, F.isnan(a)), place, 0), dim) if n else place + F.cast(a, int64)
    return find


@public()
@synonyms
def cummax(input: Tensor, dim: int) -> Chosen:
    """The running maxima along `dim` and where they stand (the last of equal ones), as (values, indices).

    >>> ta.tensor([1., 3., 2.]).cummax(0).values
    tensor([1., 3., 3.])
    """
    return _choose("cummax", input, dim, _running("cummax"))


@public()
@synonyms
def cummin(input: Tensor, dim: int) -> Chosen:
    """The running minima along `dim` and where they stand (the last of equal ones), as (values, indices)."""
    return _choose("cummin", input, dim, _running("cummin"))


# ------------------------------------------------------------------------------------------------- sets and histograms
@public()
@synonyms
def unique(input: Tensor, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False,
           dim: int | None = None) -> Any:
    """The distinct elements, or slices along `dim`, in order; with where each is among them, and how many there are.

    >>> ta.tensor([3, 1, 3]).unique(return_counts=True)
    (tensor([1, 3]), tensor([1, 2]))
    """
    a = operand(input, "unique").array
    F = namespaces[type(a)]
    found = F.unique(a, None if dim is None else arguments.dimension(dim, a.ndim, "unique"))
    wanted = (True, return_inverse, return_counts)
    results = tuple(wrap(part if i == 0 else F.cast(part, int64))
                    for i, (part, want) in enumerate(zip(found, wanted, strict=True)) if want)
    return results if len(results) > 1 else results[0]


@public()
def bincount(input: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """How often each of 0, 1, 2, ... occurs in a 1-d tensor of ints, or the sums of their `weights`.

    >>> ta.bincount(ta.tensor([0, 2, 2]))
    tensor([1, 0, 2])
    """
    a = operand(input, "bincount").array
    F = namespaces[type(a)]
    if a.ndim != 1 or a.dtype.kind not in "iu" or (a.size and F.amin(a).item() < 0):
        raise ArgumentError("bincount", f"{a.dtype} of shape {a.shape}", "it counts non-negative ints in a 1-d tensor",
                            "flatten and convert it")
    if weights is not None and weights.shape != input.shape:
        raise ShapeError("bincount", f"{weights.shape} weights for {input.shape}", "there must be one for each")
    if weights is None:
        return wrap(F.bincount(a, None, minlength))
    y = F.bincount(a, weights.array, minlength)
    return wrap(F.cast(y, float32) if weights.dtype == float32 else y)


@public(method=False)
def searchsorted(sorted_sequence: Tensor, input: Any, *, out_int32: bool = False, right: bool = False,
                 side: str | None = None, sorter: Tensor | None = None) -> Tensor:
    """Where each of `input` would be inserted into a sorted sequence (along the last axis): before equal elements, or
    after them if `right` (or `side="right"`). `sorter` is what argsort made of a sequence that is not sorted."""
    a = operand(sorted_sequence if sorter is None else gather(sorted_sequence, -1, sorter), "searchsorted").array
    F = namespaces[type(a)]
    v = input.array if isinstance(input, Tensor) else F.asarray(input)
    right = right or side == "right"
    if a.ndim == 1:
        found = F.asarray(F.searchsorted(a, v, "right" if right else "left"))
    else:
        if a.shape[:-1] != v.shape[:-1]:
            raise ShapeError("searchsorted", f"{a.shape} and {v.shape}", "all axes but the last must be equal")
        row, each = F.reshape(a, (*a.shape[:-1], 1, a.shape[-1])), F.reshape(v, (*v.shape, 1))
        found = F.sum(row <= each if right else row < each, -1)
    return wrap(F.cast(found, "int32" if out_int32 else int64))
