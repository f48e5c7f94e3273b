"""Rows of a table by their numbers: embedding; and their sums, means or maxima in bags: embedding_bag. One node each."""

from __future__ import annotations

import math
from typing import Any

from .. import backend, dtypes
from ..backend import namespaces
from ..errors import ArgumentError, DeviceError, DTypeError, IndexingError, ShapeError
from ..graph import recording
from ..op import Single
from ..tensor import Tensor, wrap
from .index import IndexOp
from .inplace import write
from .norms import _norm
from .registry import enter, op

# -------------------------------------------------------------------------------------------------------- the rows
_rows = op("add_rows", lambda F, v, index, *, count, skip=-1, ordered=False: F.add_rows(v, index, count, skip, None, ordered),
           lambda F, h, index, *, skip: _picked(F, h, index, skip), None)


def _add_rows(v: Any, index: Any, count: int, skip: int = -1, factor: Any = None, ordered: bool = False) -> Any:
    """As the arrays' own add_rows, recorded."""
    v = v if factor is None else v * factor.reshape((-1, 1))
    return _rows(v, index, count=count, skip=skip, ordered=ordered)


recording.add_rows = _add_rows


def _at(index: Any) -> Any:
    """An index as getitem takes it: an array, also where the rule is recorded."""
    return index.array if isinstance(index, Tensor) else index


def _picked(F: Any, table: Any, index: Any, skip: int) -> Any:
    """The rows of `table` at `index`; zeros for `skip`."""
    rows = F.getitem(table, (_at(index),))
    return rows if skip < 0 else F.where(F.reshape(index != skip, (*index.shape, 1)), rows, 0)


def _wide(dtype: Any) -> Any:
    return dtypes.float32 if dtypes.is_half(dtype) else dtype


def _rarity(F: Any, index: Any, count: int, like: Any) -> Any:
    """For each index 1 over how often it is there."""
    one = F.cast(F.full((index.shape[0], 1), 1, like), _wide(like.dtype))
    return 1 / F.reshape(F.getitem(F.add_rows(one, index, count), (_at(index),)), index.shape)


def _embedding_back(F: Any, g: Any, weight_shape: Any, index: Any, *, skip: int, by_frequency: bool) -> Any:
    count, width = weight_shape
    n = math.prod(index.shape)
    g, flat = F.reshape(g, (n, width)), F.reshape(index, (n,))
    factor = F.cast(_rarity(F, flat, count, g), g.dtype) if by_frequency else None
    return F.add_rows(g, flat, count, skip, factor)


_embedding = enter(IndexOp("embedding", lambda F, weight, index, *, skip=-1, by_frequency=False: F.getitem(weight, (_at(index),)),
                          _embedding_back, None))


# `factor` is a number for each index, or 1.0.
def _factors(F: Any, factor: Any, index: Any, skip: int, dtype: Any) -> Any:
    """The factors, 0 for what is skipped; None if all are 1."""
    if isinstance(factor, float):
        return None if skip < 0 else F.cast(index != skip, dtype)
    return factor if skip < 0 else F.where(index != skip, factor, 0)


def _bag(F: Any, weight: Any, factor: Any, index: Any, bag: Any, *, bags: int, skip: int = -1, by_frequency: bool = False) -> Any:
    return F.add_rows(F.getitem(weight, (_at(index),)), bag, bags, -1, _factors(F, factor, index, skip, weight.dtype), True)


def _bag_for_weight(F: Any, g: Any, weight_shape: Any, factor: Any, index: Any, bag: Any, *, skip: int, by_frequency: bool) -> Any:
    factor = _factors(F, factor, index, skip, g.dtype)
    if by_frequency:
        rarity = F.cast(_rarity(F, index, weight_shape[0], g), g.dtype)
        factor = rarity if factor is None else factor * rarity
    return F.add_rows(F.getitem(g, (_at(bag),)), index, weight_shape[0], skip, factor)


def _bag_for_factor(F: Any, g: Any, weight: Any, index: Any, bag: Any, *, skip: int) -> Any:
    y = F.sum(F.getitem(g, (_at(bag),)) * F.getitem(weight, (_at(index),)), (1,))
    return y if skip < 0 else F.where(index != skip, y, 0)


_bag_sum = Single("embedding_bag", _bag, _bag_for_weight, _bag_for_factor, None, None)


def _largest(F: Any, weight: Any, index: Any, places: Any) -> tuple[Any, Any]:
    """The maxima of each bag, whose places in `index` are a row of `places` (-1 for none); and the rows they are from."""
    there = places >= 0
    numbers = F.where(there, F.getitem(index, (F.where(there, places, 0),)), -1)            # (bags, longest)
    some = F.reshape(numbers >= 0, (*numbers.shape, 1))
    rows = F.where(some, F.getitem(weight, (F.where(numbers >= 0, numbers, 0),)), -float("inf"))
    best = F.argmax(rows, 1)                                                                # (bags, width)
    chosen = F.gather(numbers, 1, best)
    empty = chosen < 0
    column = F.arange(weight.shape[1], index)
    return F.where(empty, F.cast(F.full((), 0, weight), weight.dtype), F.getitem(weight, (F.where(empty, 0, chosen), column))), chosen


def _largest_back(F: Any, g: Any, weight_shape: Any, chosen: Any) -> Any:
    there = chosen >= 0
    rows, columns = _at(F.where(there, chosen, 0)), _at(F.arange(weight_shape[1], chosen))
    return F.index_add_to(F.where(there, g, 0), index=(rows, columns), shape=weight_shape)


_bag_max = Single("embedding_bag", _largest, _largest_back, None, None, aux=("chosen",))


# ------------------------------------------------------------------------------------------------- what is refused
def _check(name: str, input: Any, weight: Any) -> None:
    for what, t in (("input", input), ("weight", weight)):
        if not isinstance(t, Tensor):
            raise ArgumentError(name, f"{what}: {type(t).__name__}", f"the {what} must be a Tensor", "make one with ta.tensor(...)")
    if input.dtype not in (dtypes.int64, dtypes.int32):
        raise DTypeError(name, f"an input of dtype {input.dtype}", "it holds the numbers of rows: int64 or int32",
                         "convert it with .long()" + (" (did you exchange input and weight?)" if weight.dtype.kind == "i" else ""))
    if weight.ndim != 2:
        raise ShapeError(name, f"a weight of shape {weight.shape}", "it must be a table: (num_embeddings, embedding_dim)")
    if type(input.array) is not type(weight.array):
        raise DeviceError(name, f"an input on {input.device} and a weight on {weight.device}", "no op moves data",
                          "move one with .to(device)")
    namespaces[type(input.array)].require(_rows_there, name, input.array, weight.shape[0])


def _rows_there(name: str, index: Any, rows: int) -> None:
    """Raise unless they are. A replay looks, too, as it must not go another way for that."""
    F = namespaces[type(index)]
    if not F.within(index, 0, rows - 1):
        wrong = index[F.logical_or(index < 0, index >= rows)]
        raise IndexingError(name, f"the index {backend.to_host(wrong[:1]).item()}", f"it is out of range: the table has {rows} rows",
                            f"indices are 0 to {rows - 1}: make num_embeddings larger than the largest")


def padding_row(name: str, padding_idx: int | None, count: int) -> int:
    """The row that gets no gradient, from the front; -1 for none."""
    if padding_idx is None:
        return -1
    if not -count <= padding_idx < count:
        raise ArgumentError(name, f"padding_idx={padding_idx}", f"the table has {count} rows", f"it must be from {-count} to {count - 1}")
    return padding_idx % count


def _renormalise(name: str, weight: Tensor, index: Any, max_norm: float, norm_type: float) -> None:
    """Rows about to be looked up, whose norm is larger than max_norm, are scaled to it, in place."""
    if not index.size:
        return
    F = namespaces[type(index)]
    rows = F.getitem(weight.array, (index,))
    norm = _norm(F, F.cast(rows, _wide(rows.dtype)), p=norm_type, dim=rows.ndim - 1, keepdim=True)
    write(weight, (index,), F.cast(rows * F.where(norm > max_norm, max_norm / (norm + 1e-7), 1.0), weight.dtype), name)


# --------------------------------------------------------------------------------------------------------- public
def embedding(input: Tensor, weight: Tensor, padding_idx: int | None = None, max_norm: float | None = None,
              norm_type: float = 2.0, scale_grad_by_freq: bool = False, sparse: bool = False) -> Tensor:
    """weight[input]: a row of the table for each number.

    Args:
        input: int64 or int32, of any shape (*).
        weight: (num_embeddings, embedding_dim).
        padding_idx: a row that gets no gradient.
        max_norm: the rows looked up are first scaled down, in the table itself, to a `norm_type`-norm of this at most.
        scale_grad_by_freq: divide the gradient of a row by how often it is in the input.
        sparse: gradients are dense here; it changes nothing.

    Returns: (*, embedding_dim).

    Raises:
        IndexingError: a number is not in 0 .. num_embeddings - 1 (on a GPU, where looking would cost a wait, it wraps).
        DTypeError: the input is not of int64 or int32.

    >>> ta.nn.functional.embedding(ta.tensor([2, 0]), ta.tensor([[0.0, 0.5], [1.0, 1.5], [2.0, 2.5]]))
    tensor([[2.0000, 2.5000],
            [0.0000, 0.5000]])
    """
    _check("embedding", input, weight)
    skip = padding_row("embedding", padding_idx, weight.shape[0])
    if max_norm is not None:
        _renormalise("embedding", weight, input.array, max_norm, norm_type)
    return _embedding(weight, input, skip=skip, by_frequency=scale_grad_by_freq)


def embedding_bag(input: Tensor, weight: Tensor, offsets: Tensor | None = None, max_norm: float | None = None,
                  norm_type: float = 2, scale_grad_by_freq: bool = False, mode: str = "mean", sparse: bool = False,
                  per_sample_weights: Tensor | None = None, include_last_offset: bool = False,
                  padding_idx: int | None = None) -> Tensor:
    """The sum, mean or maximum ("sum", "mean", "max") of the rows of each bag of numbers, without keeping them; an empty
    bag gives zeros.

    Args:
        input: (bags, length), or (n,) with `offsets`, where each bag starts (from 0; with include_last_offset also where
            the last ends).
        per_sample_weights: what each row counts for, of input's shape; for "sum" only.
        padding_idx: a number that is left out of its bag.

    The other arguments and errors are those of `embedding`.

    >>> table = ta.tensor([[1.0], [2.0], [4.0]])
    >>> ta.nn.functional.embedding_bag(ta.tensor([0, 1, 2]), table, ta.tensor([0, 2]), mode="sum")
    tensor([[3.],
            [4.]])
    """
    _check("embedding_bag", input, weight)
    _check_bags(input, weight, offsets, per_sample_weights, mode, scale_grad_by_freq, sparse)
    skip = padding_row("embedding_bag", padding_idx, weight.shape[0])
    F, index = namespaces[type(input.array)], input.array.reshape(-1)
    if max_norm is not None:
        _renormalise("embedding_bag", weight, index, max_norm, norm_type)
    bag, bags, starts = _bags(F, input, offsets, include_last_offset)
    if bag.shape[0] < index.shape[0]:                        # what comes after the last offset is in no bag
        index = index[:bag.shape[0]]
    if mode == "max":
        index = index if index.size else F.full((1,), -1, index)
        return _bag_max(weight, wrap(F.where(index == skip, -1, index)), wrap(_places(F, bag, bags, starts, input)))
    factor: Any = 1.0 if per_sample_weights is None else per_sample_weights.reshape((-1,))
    if mode == "mean":
        counted = F.cast(index != skip, _wide(weight.dtype)).reshape((-1, 1))
        factor = wrap(F.cast((1 / F.maximum(F.add_rows(counted, bag, bags), 1))[bag][:, 0], weight.dtype))
    return _bag_sum(weight, factor, wrap(index), wrap(bag), bags=bags, skip=skip, by_frequency=scale_grad_by_freq)


def _check_bags(input: Tensor, weight: Tensor, offsets: Tensor | None, per_sample: Tensor | None, mode: str, by_frequency: bool,
                sparse: bool) -> None:
    if mode not in ("sum", "mean", "max"):
        raise ArgumentError("embedding_bag", f"mode={mode!r}", "choose from 'sum', 'mean', 'max'")
    if mode == "max" and (by_frequency or sparse):
        raise ArgumentError("embedding_bag", "mode='max'", "it takes neither scale_grad_by_freq nor sparse")
    if input.ndim not in (1, 2):
        raise ShapeError("embedding_bag", f"an input of shape {input.shape}", "it must be (bags, length), or (n,) with offsets")
    if (input.ndim == 1) != (offsets is not None):
        raise ArgumentError("embedding_bag", f"an input of shape {input.shape} {'without' if offsets is None else 'with'} offsets",
                            "one axis takes offsets, which say where each bag starts; with two axes each row is a bag")
    if input.ndim == 2 and not input.shape[1]:
        raise ShapeError("embedding_bag", f"an input of shape {input.shape}", "the bags have no length", "pass offsets for empty bags")
    if per_sample is not None:
        if mode != "sum":
            raise ArgumentError("embedding_bag", f"per_sample_weights with mode={mode!r}", "they are for mode='sum'")
        if per_sample.shape != input.shape:
            raise ShapeError("embedding_bag", f"per_sample_weights of shape {per_sample.shape} for an input of shape {input.shape}",
                             "there must be one for each")
        if per_sample.dtype != weight.dtype:
            raise DTypeError("embedding_bag", f"per_sample_weights of {per_sample.dtype} for a weight of {weight.dtype}", "the dtypes differ")


def _bags(F: Any, input: Tensor, offsets: Tensor | None, last: bool) -> tuple[Any, int, Any]:
    """The bag of each index, how many bags there are, and where each starts (with the end)."""
    n = input.array.size
    if offsets is None:
        bags, length = input.shape
        starts = F.arange(bags + 1, input.array) * length
        return F.arange(n, input.array) // max(length, 1), bags, starts
    if not isinstance(offsets, Tensor) or offsets.ndim != 1 or offsets.dtype not in (dtypes.int64, dtypes.int32):
        raise ArgumentError("embedding_bag", f"offsets: {getattr(offsets, 'shape', type(offsets).__name__)}",
                            "they must be one axis of int64 or int32")
    starts = F.cast(offsets.array, dtypes.int64)
    if last and not starts.size:
        raise ShapeError("embedding_bag", "no offsets", "with include_last_offset there is one at least: the end")
    if starts.size and (last or backend.is_host(offsets.array)):       # on a GPU looking means waiting: only for where the last bag ends
        known = backend.to_host(starts).tolist()
        if known[0] or known != sorted(known) or known[-1] > n:
            raise IndexingError("embedding_bag", f"offsets {known[:8]} of an input of {n}", "they must start with 0, not decrease, "
                                "and not reach past the end")
        n = known[-1] if last else n
    bags = starts.shape[0] - last
    if not last:
        starts = F.cat((starts, F.full((1,), n, starts)), 0)
    every = F.arange(n, starts) if bags else F.arange(0, starts)
    return F.searchsorted(starts[:bags], every, "right") - 1, bags, starts


def _places(F: Any, bag: Any, bags: int, starts: Any, input: Tensor) -> Any:
    """(bags, longest): where in the input the indices of each bag are, -1 for none."""
    longest = input.shape[1] if input.ndim == 2 else 0
    if input.ndim == 1 and bags:                             # a shape must be known: here it is worth the wait
        longest = int(backend.to_host((starts[1:] - starts[:-1]).max()).item())
    places = starts[:-1].reshape((-1, 1)) + F.arange(max(longest, 1), starts)
    return F.where(places < starts[1:].reshape((-1, 1)), places, -1)
