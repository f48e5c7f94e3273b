"""x[...]: basic indices are views, index arrays and masks pick copies. Repeated indices add up on the way back."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

from .. import backend, dtypes
from ..backend import namespaces
from ..errors import ArgumentError, DeviceError, DTypeError, IndexingError, ShapeError, TinygradActError
from ..grad_mode import mode
from ..graph import recording
from ..op import Single
from ..tensor import Tensor
from . import arguments
from .arguments import dimension, synonyms
from .registry import enter, public
from .views import View

ALL = slice(None)
BASIC = {int, slice, type(None), type(Ellipsis)}
ENDS = {int, type(None)}


class IndexOp(Single):
    """An op that takes an index, of a dtype of its own: what NumPy says of it becomes an IndexingError."""

    def settle(self) -> None:
        self.free |= sum(1 << i for i, name in enumerate(self.inputs) if name == "index")
        super().settle()

    def explain(self, error: Exception, arrays: Sequence[Any]) -> TinygradActError:
        if isinstance(error, IndexError):
            return IndexingError(self.name, f"a tensor of shape {arrays[0].shape}", str(error).rstrip("."))
        return super().explain(error, arrays)


# `index` is as NumPy has it: a tuple of ints, slices, None and arrays of x's library.
getitem_op = enter(View("getitem", lambda F, x, *, index: F.getitem(x, index),
                        lambda F, g, x_shape, *, index: F.index_add_to(g, index, x_shape)))
enter(IndexOp("index_add_to", lambda F, g, *, index, shape: F.index_add_to(g, index, shape),
              lambda F, h, *, index: F.getitem(h, index)))
put_op = IndexOp("index_put", lambda F, x, v, *, index: F.index_put(x, index, v),
                 lambda F, g, *, index: F.index_put(g, index, F.full((), 0, g)),
                 lambda F, g, v_shape, *, index: F.sum_to(F.getitem(g, index), v_shape))
recording.index_put = lambda x, index, v: put_op(x, v, index=index)


# ------------------------------------------------------------------------------------------- reading an index
def resolve(x: Tensor, index: Any, op: str = "getitem") -> tuple[Any, Any]:
    """PyTorch's index as two of NumPy's, to be used one after the other: a basic one and one of arrays; None for none.

    Integers come first, so that an axis they remove never moves the axes that index arrays make.
    """
    parts = _as_parts(index)
    array = x.array
    for p in parts:
        if type(p) not in BASIC:
            break
    else:
        return _basic(array.shape, parts, op), None
    parts = [_part(p, array, op) for p in parts]
    parts = _spell_out(parts, array.shape, op)
    basic: list[Any] = []
    advanced: list[Any] = []
    axis = 0
    for p in parts:
        if p is None or isinstance(p, bool):
            basic.append(None)
            advanced.append(ALL if p is None else namespaces[type(array)].new((1,), "bool", p))
        elif isinstance(p, int):
            basic.append(_within(p, array.shape, axis, op))
            axis += 1
        elif isinstance(p, slice):
            basic.append(_forward(p, op))
            advanced.append(ALL)
            axis += 1
        else:
            taken = p.ndim if p.dtype.kind == "b" else 1
            if p.dtype.kind == "b" and p.shape != array.shape[axis:axis + taken]:
                raise IndexingError(op, f"a mask of shape {p.shape} at axis {axis} of a tensor of shape {array.shape}",
                                    "the sizes differ")
            basic += [ALL] * taken
            advanced.append(p)
            axis += taken
    trivial = all(p is ALL or (isinstance(p, slice) and p == ALL) for p in basic)
    if all(p is ALL for p in advanced):
        return tuple(basic), None
    return None if trivial else tuple(basic), tuple(advanced)


def _as_parts(index: Any) -> Any:
    """The parts of an index; a list that holds more than numbers is a tuple to PyTorch."""
    if isinstance(index, tuple):
        return index
    if isinstance(index, list) and len(index) < 32 and any(
            isinstance(p, (Tensor, list, tuple, slice)) or p is None or p is Ellipsis for p in index):
        return tuple(index)
    return (index,)


def _basic(shape: tuple[int, ...], parts: Any, op: str) -> Any:
    """A tuple of ints, slices, None and Ellipsis, checked."""
    axis = 0
    if Ellipsis in parts:
        parts = _spell_out(parts, shape, op)
    for p in parts:
        if type(p) is int:
            _within(p, shape, axis, op)
            axis += 1
        elif p is not None:
            if p.step is not None or type(p.start) not in ENDS or type(p.stop) not in ENDS:
                _forward(p, op)
            axis += 1
    if axis > len(shape):
        raise _too_many(shape, op)
    return parts if type(parts) is tuple else tuple(parts)


def _too_many(shape: tuple[int, ...], op: str) -> IndexingError:
    if not shape:
        return IndexingError(op, "a 0-d tensor", "it has no axis to index", "write .item() for its number")
    return IndexingError(op, f"a tensor of shape {shape}", f"there are more indices than its {len(shape)} axes")


def _within(i: int, shape: tuple[int, ...], axis: int, op: str) -> int:
    if axis >= len(shape):
        raise _too_many(shape, op)
    n = shape[axis]
    if not -n <= i < n:
        raise IndexingError(op, f"index {i} at axis {axis} of a tensor of shape {shape}",
                            f"it is out of bounds for size {n}")
    return i


def _forward(p: slice, op: str) -> slice:
    """A slice with ints in it and a positive step."""
    try:
        start, stop, step = [v if v is None else operator.index(v) for v in (p.start, p.stop, p.step)]
    except TypeError:
        raise ArgumentError(op, repr(p), "a slice is made of ints", "convert its ends with int(...)") from None
    if step is not None and step <= 0:
        raise ArgumentError(op, repr(p), "the step of a slice must be positive", "use .flip(dim) for the reverse order")
    return slice(start, stop, step)


def _spell_out(parts: Sequence[Any], shape: tuple[int, ...], op: str) -> list[Any]:
    """The parts with full slices for the first Ellipsis, and for what is missing at the end."""
    taken = 0
    for p in parts:
        taken += 0 if p is None or p is Ellipsis or isinstance(p, bool) else p.ndim if _is_mask(p) else 1
    if taken > len(shape):
        raise _too_many(shape, op)
    out: list[Any] = []
    for p in parts:
        if p is not Ellipsis:
            out.append(p)
        elif taken <= len(shape):
            out += [ALL] * (len(shape) - taken)
            taken = len(shape) + 1
    return out


def _is_mask(p: Any) -> bool:
    return hasattr(p, "dtype") and p.dtype.kind == "b"


def _part(p: Any, array: Any, op: str) -> Any:
    """One part of an index as an int, a bool, a slice, None, Ellipsis or an array of the same library."""
    if type(p) in BASIC or type(p) is bool:
        return p
    F = namespaces[type(array)]
    if isinstance(p, Tensor):
        part = p.array
        if type(part) is not type(array):
            raise DeviceError(op, f"an index on {p.device} for a tensor on {backend.device_of(array)}", "no op moves data",
                              "move the index with .to(device)")
    elif isinstance(p, (list, tuple, range)) or hasattr(p, "__array__"):
        part = _indices(p, array)
    elif hasattr(p, "__index__"):
        return operator.index(p)
    else:
        raise IndexingError(op, f"an index of type {type(p).__name__}", "an index is made of ints, slices, None, ..., "
                            "integer and bool tensors", "convert it to int" if isinstance(p, float) else "")
    if part.dtype.kind not in "ib":
        remedy = "convert it with .long()" + (" or, if it is a mask, with .bool()" if part.dtype.kind == "u" else "")
        raise IndexingError(op, f"an index of dtype {part.dtype}", "indices are signed integers or bools", remedy)
    if part.ndim == 0:
        number = backend.to_host(part).item()
        return bool(number) if part.dtype.kind == "b" else number
    if isinstance(p, Tensor) and mode.grad:
        part = F.copy(part)                # the index a backward rule will need, whatever happens to this one
    return part


def _indices(p: Any, array: Any) -> Any:
    """A list or foreign array as an array beside `array`."""
    from .create import tensor
    listed = isinstance(p, (list, tuple, range))
    return tensor(p, dtype="int64" if listed and not len(p) else None, device=backend.device_of(array)).array


# ---------------------------------------------------------------------------------------------------- x[...]
@public("__getitem__", function=False)
def getitem(x: Tensor, index: Any) -> Tensor:
    """x[index]: numbers, slices, None, ..., masks and lists or tensors of positions, as PyTorch takes them."""
    if type(index) is slice and index.step is None and type(index.start) in ENDS and type(index.stop) in ENDS and x.array.ndim:
        return getitem_op.call(x, index=(index,))
    basic, advanced = resolve(x, index)
    if basic is not None:
        x = getitem_op.call(x, index=basic)
    return x if advanced is None else getitem_op.call(x, index=advanced)


@public()
@synonyms
def select(input: Tensor, dim: int, index: int) -> Tensor:
    """The slice at `index` along `dim`, which goes away."""
    if not input.ndim:
        raise IndexingError("select", "a 0-d tensor", "it has no axis to select from")
    dim, i = dimension(dim, input.ndim, "select"), arguments.whole(index, "select", "index")
    return getitem_op.call(input, index=(*(ALL,) * dim, _within(i, input.shape, dim, "select")))


@public()
@synonyms
def narrow(input: Tensor, dim: int, start: int | Tensor, length: int) -> Tensor:
    """The `length` elements from `start` on, along `dim`.

    >>> ta.arange(5).narrow(0, 1, 2)
    tensor([1, 2])
    """
    if not input.ndim:
        raise ShapeError("narrow", "a 0-d tensor", "it has no axis to narrow")
    dim = dimension(dim, input.ndim, "narrow")
    if isinstance(start, Tensor) and (start.ndim or start.dtype.kind == "b"):
        raise DTypeError("narrow", f"start={start!r}", "the start must be an int or a 0-d integer tensor")
    n, start = input.shape[dim], arguments.whole(start, "narrow", "start")
    if not -n <= start <= n:
        raise IndexingError("narrow", f"start={start} along an axis of {n}", f"it must be from {-n} to {n}")
    start += n if start < 0 else 0
    if length < 0 or start + length > n:
        raise ShapeError("narrow", f"start={start}, length={length} along an axis of {n}", "it reaches past the end")
    return getitem_op.call(input, index=(*(ALL,) * dim, slice(start, start + length)))


@public()
def index_put(input: Tensor, indices: Any, values: Any, accumulate: bool = False) -> Tensor:
    """A copy with `values` at `indices` (a tuple of index tensors), or with them added there, repeated ones too.

    >>> ta.zeros(3).index_put((ta.tensor([0, 2]),), ta.tensor(5.0))
    tensor([5., 0., 5.])
    """
    basic, index = resolve(input, tuple(indices), "index_put")
    if index is None or basic is not None:
        raise ArgumentError("index_put", repr(indices)[:60], "the indices must be a tuple of tensors")
    return put(input, index, values, accumulate)


def put(x: Tensor, index: Any, values: Any, accumulate: bool = False) -> Tensor:
    """index_put for an index that `resolve` has read."""
    if not isinstance(values, Tensor):
        values = recording.full((), dtypes.stored(values, x.dtype, "index_put"), x)
    if values.dtype != x.dtype:
        raise ArgumentError("index_put", f"values of {values.dtype} for a tensor of {x.dtype}", "the dtypes differ")
    if not accumulate:
        return put_op(x, values, index=index)
    target = namespaces[type(x.array)].getitem(x.array, index).shape
    if values.shape != target:
        values = values.expand(target)
    return x + recording.index_add_to(values, index, x.shape)  # type: ignore[no-any-return]


@public()
@synonyms
def select_scatter(input: Tensor, src: Tensor, dim: int, index: int) -> Tensor:
    """A copy with `src` as its slice at `index` along `dim`."""
    return put(input, _at(input, select(input, dim, index), src, dim, index, "select_scatter"), src)


@public()
@synonyms
def slice_scatter(input: Tensor, src: Tensor, dim: int = 0, start: int | None = None, end: int | None = None,
                  step: int = 1) -> Tensor:
    """A copy with `src` as its elements start:end:step along `dim`."""
    cut = _forward(slice(start, end, step), "slice_scatter")
    dim = dimension(dim, input.ndim, "slice_scatter")
    return put(input, _at(input, getitem(input, (ALL,) * dim + (cut,)), src, dim, cut, "slice_scatter"), src)


def _at(x: Tensor, place: Tensor, src: Tensor, dim: int, index: Any, op: str) -> Any:
    if place.shape != src.shape:
        raise ShapeError(op, f"{src.shape} into {place.shape}", "the source must have the shape of its place")
    return (*(ALL,) * (dim % x.ndim), index)
