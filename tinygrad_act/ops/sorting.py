"""Sorting and choosing: sort, topk, median, max and min along an axis, running extremes; sets.

All that choose elements are one op with different indices: the values are gathered, and the gradient goes back to
where they came from.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..backend import namespaces
from ..dtypes import bool_, int64, is_floating
from ..errors import DTypeError, IndexingError, ShapeError
from ..graph import recording, watchers
from ..tensor import Tensor, wrap
from . import arguments
from .arguments import Ints, synonyms
from .reduce import Reduction, largest, operand, reduction, smallest, sum, to_equals, wide
from .registry import op, public
from .results import Chosen, named


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
    """The elements of x along `dim` at `find(F, array, dim)`, indices with that axis kept, and these indices. It may return the pair
    of both."""
    row, pair = _CHOOSERS[name]
    d = arguments.dimension(dim, operand(x, name).ndim, name)
    shape = x.shape
    if not shape:
        x = recording.reshape(x, shape=(1,))
    a = x.array
    F = namespaces[type(a)]
    found = find(F, a, d)
    values, indices = found if isinstance(found, tuple) else (None, F.cast(found, int64))
    params: dict[str, Any] = {"dim": d, "keepdim": keepdim if shape else False}
    if watchers:
        values = row(x, wrap(indices), **params)
    else:
        values = F.asarray(_take(F, a, indices, **params)) if values is None else values if shape else F.reshape(values, ())
        values = row.result(x, (a, indices, values), params)
    return pair(values, wrap(F.reshape(indices, values.shape)))  # type: ignore[no-any-return]


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
def _median(name: str, skip_nan: bool, doc: str) -> None:
    def all_of(F: Any, x: Any) -> Any:
        flat = F.reshape(x, (x.size,))
        return F.reshape(F.gather(flat, 0, F.middle(flat, 0, skip_nan)), ())

    whole = op(name, all_of, wide(to_equals))

    @public(name)
    @synonyms
    def function(input: Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
        if operand(input, name).dtype == bool_:
            raise DTypeError(name, "a tensor of bool", "bools have no middle", "convert it first, with x.int()")
        if dim is not None:
            _not_empty(input, dim, name)
            return _choose(name, input, dim, lambda F, a, d: F.middle(a, d, skip_nan), keepdim)
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
    return _choose("sort", input, dim, lambda F, a, d: F.order(a, d, descending))


@public()
@synonyms
def argsort(input: Tensor, dim: int = -1, descending: bool = False, stable: bool = False) -> Tensor:
    """The indices that sort along `dim`."""
    if not operand(input, "argsort").ndim:
        return sort(input).indices
    d = arguments.dimension(dim, input.ndim, "argsort")
    F = namespaces[type(input.array)]
    return wrap(F.cast(F.order(input.array, d, descending), int64))


@public()
def msort(input: Tensor) -> Tensor:
    """The elements in order along the first axis: `sort(input, 0).values`."""
    return sort(input, 0).values


@public()
@synonyms
def topk(input: Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Chosen:
    """(values, indices) of the k largest (or smallest) along `dim`, in order, also if not `sorted`. NaN is the largest; of equal
    elements the first is taken, and comes first.

    >>> ta.tensor([3., 1., 2.]).topk(2).values
    tensor([3., 2.])
    """
    n = _length(input, dim, "topk")
    k = arguments.whole(k, "topk", "k")
    if not 0 <= k <= n:
        raise IndexingError("topk", f"k={k} of {n} elements", "there are not so many", f"k must be from 0 to {n}")
    k = k if input.ndim else 1                               # a number is all there is to choose
    return _choose("topk", input, dim, lambda F, a, d: F.first_places(a, k, d, largest))


@public()
@synonyms
def kthvalue(input: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> Chosen:
    """The k-th smallest along `dim` (from 1), as (values, indices)."""
    n = _length(input, dim, "kthvalue")
    k = arguments.whole(k, "kthvalue", "k")
    if not 1 <= k <= n:
        raise IndexingError("kthvalue", f"k={k} of {n} elements", "k counts them from 1", f"k must be from 1 to {n}")
    return _choose("kthvalue", input, dim, lambda F, a, d: F.place(a, k - 1, d), keepdim)


def _length(x: Tensor, dim: Any, name: str) -> int:
    return x.shape[arguments.dimension(dim, x.ndim, name)] if operand(x, name).ndim else 1


# ----------------------------------------------------------------------------------------------------- running extremes
@public()
@synonyms
def cummax(input: Tensor, dim: int) -> Chosen:
    """The running maxima along `dim` and where they stand (the last of equal ones), as (values, indices).

    >>> ta.tensor([1., 3., 2.]).cummax(0).values
    tensor([1., 3., 3.])
    """
    return _choose("cummax", input, dim, lambda F, a, d: F.running_extremes(a, d, True))


@public()
@synonyms
def cummin(input: Tensor, dim: int) -> Chosen:
    """The running minima along `dim` and where they stand (the last of equal ones), as (values, indices)."""
    return _choose("cummin", input, dim, lambda F, a, d: F.running_extremes(a, d, False))


# ------------------------------------------------------ sets, searching and counting: membership.py, with the first call
@public()
@synonyms
def unique(input: Tensor, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False,
           dim: int | None = None) -> Any:
    """The distinct elements, or slices along `dim`, in order; with where each is among them, and how many there are.

    >>> ta.tensor([3, 1, 3]).unique(return_counts=True)
    (tensor([1, 3]), tensor([1, 2]))
    """
    from .membership import unique
    return unique(input, return_inverse, return_counts, dim)


@public()
@synonyms
def unique_consecutive(input: Tensor, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None) -> Any:
    """As `unique`, of neighbours only: a run of equal elements (or slices along `dim`) becomes one, and nothing is sorted.

    >>> ta.tensor([3, 3, 1, 3]).unique_consecutive(return_counts=True)
    (tensor([3, 1, 3]), tensor([2, 1, 1]))
    """
    from .membership import unique_consecutive
    return unique_consecutive(input, return_inverse, return_counts, dim)


@public(method=False)
def isin(elements: Tensor | float, test_elements: Tensor | float, *, assume_unique: bool = False, invert: bool = False) -> Tensor:
    """Is each of `elements` among `test_elements` (not so, if `invert`)? Either may be a number. NaN is in nothing.

    >>> ta.isin(ta.tensor([[1, 2], [3, 4]]), ta.tensor([2, 3]))
    tensor([[False,  True],
            [ True, False]])
    """
    from .membership import isin
    return isin(elements, test_elements, invert)


@public(method=False)
def searchsorted(sorted_sequence: Tensor, input: Any, *, out_int32: bool = False, right: bool = False,
                 side: str | None = None, sorter: Tensor | None = None) -> Tensor:
    """Where each of `input` would be inserted into a sorted sequence (along the last axis): before equal elements, or
    after them if `right` (or `side="right"`). `sorter` is what argsort made of a sequence that is not sorted."""
    from .membership import searchsorted
    return searchsorted(sorted_sequence, input, out_int32, right, side, sorter)


@public(method=False)
def bucketize(input: Any, boundaries: Tensor, *, out_int32: bool = False, right: bool = False) -> Tensor:
    """Between which of the sorted `boundaries`, (K,), each of `input` lies: i, from 0 to K, where
    boundaries[i-1] < input <= boundaries[i], or boundaries[i-1] <= input < boundaries[i] if `right`.

    >>> ta.bucketize(ta.tensor([[3, 6], [0, 5]]), ta.tensor([1, 3, 5]))
    tensor([[1, 3],
            [0, 2]])
    """
    from .membership import bucketize
    return bucketize(input, boundaries, out_int32, right)


@public()
def bincount(input: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """How often each of 0, 1, 2, ... occurs in a 1-d tensor of ints, or the sums of their `weights`.

    >>> ta.bincount(ta.tensor([0, 2, 2]))
    tensor([1, 0, 2])
    """
    from .membership import bincount
    return bincount(input, weights, minlength)


@public(method=False)
def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """All choices of r elements of a 1-d tensor, in its order, as rows: (choices, r). Each may recur, if `with_replacement`.

    >>> ta.combinations(ta.tensor([1, 2, 3])).tolist()
    [[1, 2], [1, 3], [2, 3]]
    """
    from .membership import combinations
    return combinations(input, r, with_replacement)


@public(method=False)
def unravel_index(indices: Tensor, shape: Ints) -> tuple[Tensor, ...]:
    """Positions in the flattened tensor of that shape as indices, a tensor for each axis.

    >>> ta.unravel_index(ta.tensor([1, 5]), (2, 3))
    (tensor([0, 1]), tensor([1, 2]))
    """
    from .membership import unravel_index
    return unravel_index(indices, shape)
