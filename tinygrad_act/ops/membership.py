"""Sets of numbers, places in a sorted sequence, counts: what unique, isin, searchsorted and their kin compute.

Nothing here has a gradient, but `combinations`. See sorting.py for the functions as they are public, with their documentation.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

from .. import dtypes
from ..backend import namespaces
from ..errors import ArgumentError, DTypeError, ShapeError
from ..graph import recording
from ..tensor import Tensor, wrap
from . import arguments
from .reduce import operand
from .registry import functions


# ----------------------------------------------------------------------------------------------------------------- sets
def _asked(F: Any, found: tuple[Any, Any, Any], inverse: bool, counts: bool) -> Any:
    """The distinct elements, and what else was asked for."""
    results = [wrap(found[0]), *[wrap(F.cast(part, dtypes.int64)) for part, want in zip(found[1:], (inverse, counts), strict=True) if want]]
    return tuple(results) if len(results) > 1 else results[0]


def unique(input: Tensor, return_inverse: bool, return_counts: bool, dim: int | None) -> Any:
    a = operand(input, "unique").array
    F = namespaces[type(a)]
    if dim is not None and not a.ndim:
        raise ShapeError("unique", f"a 0-d tensor with dim={dim}", "it has no slices", "leave dim out")
    return _asked(F, F.unique(a, None if dim is None else arguments.dimension(dim, a.ndim, "unique")), return_inverse, return_counts)


def unique_consecutive(input: Tensor, return_inverse: bool, return_counts: bool, dim: int | None) -> Any:
    name, a = "unique_consecutive", operand(input, "unique_consecutive").array
    F = namespaces[type(a)]
    shape, d = a.shape, 0 if dim is None else arguments.dimension(dim, a.ndim, name)
    if dim is None or not a.ndim:
        a = F.reshape(a, (a.size,))
    elif not a.size and shape[d]:
        raise ShapeError(name, f"{shape} along dim={dim}", "another axis is empty, and there is nothing to compare")
    n, lead = a.shape[d], (slice(None),) * d
    new = a[(*lead, slice(1, n))] != a[(*lead, slice(0, max(n - 1, 0)))]
    if a.ndim > 1:
        new = F.any(new, tuple(i for i in range(a.ndim) if i != d))
    places = F.arange(n, a)
    begins = F.cat((places[:1] == 0, new))
    first = begins.nonzero()[0]
    ends = F.cat((first[1:], places[n - 1:] + 1))
    inverse = F.cumsum(begins, 0) - 1 if return_inverse else places
    return _asked(F, (F.index_select(a, d, first), F.reshape(inverse, shape) if dim is None else inverse, ends - first), return_inverse, return_counts)


def isin(elements: Any, test_elements: Any, invert: bool) -> Tensor:
    tensor = next((x for x in (elements, test_elements) if isinstance(x, Tensor)), None)
    if tensor is None:
        raise ArgumentError("isin", f"a {type(elements).__name__} and a {type(test_elements).__name__}", "one of the two must be a Tensor",
                            "make one with ta.tensor(...)")
    common = dtypes.result_type(elements, test_elements)
    F = namespaces[type(tensor.array)]
    if dtypes.kind(common) == "i":
        limits = dtypes.iinfo(common)
        if any(isinstance(x, int) and not limits.min <= x <= limits.max for x in (elements, test_elements)):      # it is none of them
            return wrap(F.cast(F.full(elements.shape if isinstance(elements, Tensor) else (), invert, tensor.array), dtypes.bool_))
    x, among = (F.asarray(t.array if isinstance(t, Tensor) else t, dtypes.float32 if dtypes.is_half(common) else common)
                for t in (elements, test_elements))
    shape, x, among = x.shape, F.reshape(x, (x.size,)), F.reshape(among, (among.size,))
    if among.size:
        among = F.index_select(among, 0, F.argsort(among, 0))
        found = F.index_select(among, 0, F.minimum(F.searchsorted(among, x), among.size - 1)) == x
    else:
        found = F.cast(F.zeros_like(x), dtypes.bool_)
    return wrap(F.reshape(F.logical_not(found) if invert else found, shape))


# ------------------------------------------------------------------------------------------------- searching, counting
def searchsorted(sorted_sequence: Tensor, input: Any, out_int32: bool, right: bool, side: str | None, sorter: Tensor | None,
                 name: str = "searchsorted") -> Tensor:
    sequence = operand(sorted_sequence, name)
    if side not in (None, "left", "right") or (side == "left" and right):
        raise ArgumentError(name, f"side={side!r}, right={right}", "the side is 'left' or 'right'", "give side or right, not both")
    if not sequence.ndim:
        raise ShapeError(name, "a 0-d tensor", "a sequence has an axis", "unsqueeze(0) it")
    if sorter is not None:
        if sorter.shape != sequence.shape or sorter.dtype != dtypes.int64:
            raise ArgumentError(name, f"a sorter of {sorter.dtype}, of shape {sorter.shape}", f"it must be int64 of shape {sequence.shape}",
                                "make it with sequence.argsort()")
        sequence = functions["gather"](sequence, -1, sorter)
    a = sequence.array
    F = namespaces[type(a)]
    v = input.array if isinstance(input, Tensor) else F.asarray(input)
    right = right or side == "right"
    if a.ndim == 1:
        found = F.asarray(F.searchsorted(a, v, "right" if right else "left"))
    else:
        if a.shape[:-1] != v.shape[:-1]:
            raise ShapeError(name, f"{a.shape} and {v.shape}", "all axes but the last must be equal")
        row, each = F.reshape(a, (*a.shape[:-1], 1, a.shape[-1])), F.reshape(v, (*v.shape, 1))
        last = F.isnan(each)                                 # NaN is the largest, as in the order of one sequence
        found = F.sum(F.logical_or(row <= each, last) if right else F.logical_or(row < each, F.logical_and(last, F.logical_not(F.isnan(row)))), -1)
    return wrap(F.cast(found, dtypes.int32 if out_int32 else dtypes.int64))


def bucketize(input: Any, boundaries: Tensor, out_int32: bool, right: bool) -> Tensor:
    if operand(boundaries, "bucketize").ndim != 1:
        raise ShapeError("bucketize", f"boundaries of shape {boundaries.shape}", "they must be 1-d")
    return searchsorted(boundaries, input, out_int32, right, None, None, "bucketize")


def bincount(input: Tensor, weights: Tensor | None, minlength: int) -> Tensor:
    a = operand(input, "bincount").array
    F = namespaces[type(a)]
    if a.ndim != 1 or a.dtype.kind not in "iu" or (a.size and F.amin(a).item() < 0):
        raise ArgumentError("bincount", f"{a.dtype} of shape {a.shape}", "it counts non-negative ints in a 1-d tensor",
                            "flatten and convert it")
    if minlength < 0:
        raise ArgumentError("bincount", f"minlength={minlength}", "there cannot be fewer than 0 bins")
    if weights is not None and weights.shape != input.shape:
        raise ShapeError("bincount", f"{weights.shape} weights for {input.shape}", "there must be one for each")
    if weights is None:
        return wrap(F.bincount(a, None, minlength))
    y = F.bincount(a, weights.array, minlength)
    return wrap(F.cast(y, dtypes.float32) if weights.dtype == dtypes.float32 else y)


# --------------------------------------------------------------------------------------------------- choices and places
def combinations(input: Tensor, r: int, with_replacement: bool) -> Tensor:
    if operand(input, "combinations").ndim != 1 or r < 0:
        raise ArgumentError("combinations", f"{input.shape}, r={r}", "it chooses r >= 0 elements of a 1-d tensor", "flatten it")
    if r == 0:
        return functions["empty"](0, dtype=input.dtype, device=input.device)  # type: ignore[no-any-return]
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    rows = list(choose(range(input.shape[0]), r))
    index = functions["tensor"](list(itertools.chain.from_iterable(rows)), dtype=dtypes.int64, device=input.device)
    return recording.reshape(functions["index_select"](input, 0, index), shape=(len(rows), r))  # type: ignore[no-any-return]


def unravel_index(indices: Tensor, shape: Any) -> tuple[Tensor, ...]:
    a = operand(indices, "unravel_index").array
    sizes = arguments.shape(shape if isinstance(shape, (tuple, list)) else (shape,), "unravel_index")
    if dtypes.kind(a.dtype) != "i":
        raise DTypeError("unravel_index", f"indices of {a.dtype}", "positions are ints", "convert them, with x.long()")
    F = namespaces[type(a)]
    return tuple([wrap(F.asarray(F.cast(a, dtypes.int64) // max(math.prod(sizes[i + 1:]), 1) % max(n, 1))) for i, n in enumerate(sizes)])
