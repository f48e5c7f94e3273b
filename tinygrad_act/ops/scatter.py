"""Reading and writing at positions that a tensor names: gather, scatter, index_select and their kin."""

from __future__ import annotations

from typing import Any

from .. import dtypes
from ..backend import namespaces
from ..errors import ArgumentError, DTypeError, IndexingError, ShapeError
from ..graph import casts, recording
from ..op import Single
from ..tensor import Tensor, wrap
from . import arguments
from .arguments import dimension, synonyms
from .index import IndexOp, getitem_op, put
from .registry import enter, public
from .shape import broadcast_shapes, broadcast_tensors, expand, reshape

gather_op = IndexOp("gather", lambda F, x, index, *, dim: F.gather(x, dim, index),
                    lambda F, g, x_shape, index, *, dim: F.scatter_add(F.full(x_shape, 0, g), dim, index, g))
scatter_op = IndexOp("scatter", lambda F, x, index, src, *, dim: F.scatter(x, dim, index, src),
                     lambda F, g, index, *, dim: F.scatter(g, dim, index, F.full(index.shape, 0, g)), None,
                     lambda F, g, index, *, dim: F.gather(g, dim, index))
scatter_add_op = IndexOp("scatter_add", lambda F, x, index, src, *, dim: F.scatter_add(x, dim, index, src),
                         lambda F, g: g, None, lambda F, g, index, *, dim: F.gather(g, dim, index))
index_select_op = IndexOp("index_select", lambda F, x, index, *, dim: F.index_select(x, dim, index),
                          lambda F, g, x_shape, index, *, dim: F.index_add(F.full(x_shape, 0, g), dim, index, g))
index_add_op = IndexOp("index_add", lambda F, x, index, src, *, dim: F.index_add(x, dim, index, src),
                       lambda F, g: g, None, lambda F, g, index, *, dim: F.index_select(g, dim, index))
index_copy_op = IndexOp("index_copy", lambda F, x, index, src, *, dim: F.index_copy(x, dim, index, src),
                        lambda F, g, index, x_shape, *, dim:
                        F.index_copy(g, dim, index, F.full((*x_shape[:dim], index.shape[0], *x_shape[dim + 1:]), 0, g)),
                        None, lambda F, g, index, *, dim: F.index_select(g, dim, index))
# In F the dim and the index come before what is written, as in PyTorch's functions; an Op's inputs come first.
for _row in (gather_op, index_select_op):
    enter(_row)
    setattr(recording, _row.name, lambda x, dim, index, _row=_row: _row(x, index, dim=dim))
for _row in (scatter_op, scatter_add_op, index_add_op, index_copy_op):
    enter(_row)
    setattr(recording, _row.name, lambda x, dim, index, src, _row=_row: _row(x, index, src, dim=dim))


# --------------------------------------------------------------------------------------------------- one position each
def _indexed(x: Tensor, dim: Any, index: Any, op: str) -> tuple[int, Tensor]:
    """`dim` from the front and `index`, checked against x; an empty one may be of any dtype."""
    dim = dimension(dim, x.ndim, op)
    _integers(index, op, empty=True)
    if (index.ndim or 1) != (x.ndim or 1):
        raise ShapeError(op, f"an index of shape {index.shape} for a tensor of shape {x.shape}", "they must have as many axes")
    if index.shape != x.shape and 0 not in index.shape and any(d != dim and n > m for d, (n, m) in enumerate(zip(index.shape, x.shape, strict=False))):
        raise ShapeError(op, f"an index of shape {index.shape} for a tensor of shape {x.shape}",
                         f"apart from dim {dim} it may not be larger")
    _in_bounds(index, x.shape[dim] if x.ndim else 1, dim, op)
    return dim, index if index.dtype.kind == "i" else recording.cast(index, dtype=dtypes.int64)


def _integers(index: Any, op: str, empty: bool = False) -> None:
    if not isinstance(index, Tensor) or (index.dtype.kind != "i" and not (empty and 0 in index.shape)):
        raise DTypeError(op, f"an index of {getattr(index, 'dtype', type(index).__name__)}", "an index is an integer tensor",
                         "convert it with .long()")


def _in_bounds(index: Tensor, n: int, dim: int, op: str, low: int = 0) -> None:
    if not namespaces[type(index.array)].within(index.array, low, n - 1):
        raise IndexingError(op, f"an index along dim {dim} of size {n}", f"an element of it is not from {low} to {n - 1}")


def _line(x: Tensor) -> Tensor:
    """A 0-d tensor as one of one element."""
    return x if x.ndim else reshape(x, 1)


@public()
@synonyms
def gather(input: Tensor, dim: int, index: Tensor, *, sparse_grad: bool = False) -> Tensor:
    """out[i][j] = input[index[i][j]][j] for dim 0, and so for other dims; of the shape of `index`.

    >>> ta.tensor([[1, 2], [3, 4]]).gather(1, ta.tensor([[0, 0], [1, 0]]))
    tensor([[1, 1],
            [4, 3]])
    """
    if isinstance(index, Tensor) and 0 in index.shape:           # of nothing: PyTorch asks no more of it
        return reshape(getitem_op(reshape(input, -1), index=(slice(0),)), index.shape)
    dim, index = _indexed(input, dim, index, "gather")
    out = gather_op(_line(input), _line(index), dim=dim)
    return out if index.ndim else reshape(out, ())


@public()
@synonyms
def scatter(input: Tensor, dim: int, index: Tensor, src: Any = None, *, value: Any = None, reduce: str | None = None) -> Tensor:
    """A copy with out[index[i][j]][j] = src[i][j] for dim 0, and so for other dims; `reduce` "add" or "multiply" combines.

    `src` is a tensor at least as large as `index`, or (also as `value`) a number.

    >>> ta.zeros(4).scatter(0, ta.tensor([1, 3]), ta.tensor([5.0, 6.0]))
    tensor([0., 5., 0., 6.])
    """
    if reduce not in (None, "add", "multiply"):
        raise ArgumentError("scatter", f"reduce={reduce!r}", 'it must be "add" or "multiply"', "see scatter_reduce")
    source = value if src is None else src
    if not isinstance(source, Tensor) or (source.ndim == 0 and index.ndim):
        source = _constant(source, index, input)
    if reduce == "multiply":
        return recording.scatter_reduce(input, dim, index, source, "prod")  # type: ignore[no-any-return]
    return scattered("scatter", scatter_add_op if reduce else scatter_op, input, dim, index, source)


def _constant(value: Any, index: Tensor, x: Tensor) -> Tensor:
    if value is None:
        raise ArgumentError("scatter", "no src", "the source is missing", "pass src= or value=")
    value = value.item() if isinstance(value, Tensor) else dtypes.stored(value, x.dtype, "scatter")
    return recording.full(index.shape, value, x)  # type: ignore[no-any-return]


def scattered(op: str, row: Any, x: Tensor, dim: Any, index: Tensor, src: Tensor, **settings: Any) -> Tensor:
    shape = x.shape
    dim, index = _indexed(x, dim, index, op)
    if src.dtype != x.dtype and not casts(op):
        raise DTypeError(op, f"a source of {src.dtype} for a tensor of {x.dtype}", "the dtypes differ", "convert one with .to")
    x, index, src = _line(x), _line(index), _line(src)
    if index.shape != src.shape:
        if src.ndim != index.ndim or any(n > m for n, m in zip(index.shape, src.shape, strict=True)):
            raise ShapeError(op, f"an index of shape {index.shape} and a source of shape {src.shape}",
                             "the source must be as large as the index")
        src = getitem_op(src, index=tuple([slice(n) for n in index.shape]))
    out = row(x, index, src, dim=dim, **settings)
    return out if shape else reshape(out, ())


@public()
@synonyms
def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """As scatter, but added to what is there; several to one place add up.

    >>> ta.zeros(3).scatter_add(0, ta.tensor([1, 1]), ta.tensor([5.0, 6.0]))
    tensor([ 0., 11.,  0.])
    """
    return scattered("scatter_add", scatter_add_op, input, dim, index, src)


# ----------------------------------------------------------------------------------------------- whole slices
def _slices(x: Tensor, dim: Any, index: Any, op: str, low: int = 0) -> tuple[int, Tensor]:
    dim = dimension(dim, x.ndim, op)
    _integers(index, op)
    if index.ndim > 1:
        raise IndexingError(op, f"an index of shape {index.shape}", "it must have one axis at most")
    _in_bounds(index, x.shape[dim] if x.ndim else 1, dim, op, low)
    return dim, _line(index)


@public()
@synonyms
def index_select(input: Tensor, dim: int, index: Tensor) -> Tensor:
    """The slices along `dim` that `index` names, in its order.

    >>> ta.tensor([[1, 2], [3, 4]]).index_select(1, ta.tensor([1]))
    tensor([[2],
            [4]])
    """
    dim, index = _slices(input, dim, index, "index_select")
    out = index_select_op(_line(input), index, dim=dim)
    return out if input.ndim else reshape(out, ())


def _write(op: str, row: Any, x: Tensor, dim: Any, index: Any, source: Tensor) -> Tensor:
    dim, index = _slices(x, dim, index, op)
    shape, line = x.shape, _line(x)
    wanted = (*line.shape[:dim], index.shape[0], *line.shape[dim + 1:])
    if source.dtype != x.dtype and not casts(op):
        raise DTypeError(op, f"a source of {source.dtype} for a tensor of {x.dtype}", "the dtypes differ")
    if _line(source).shape != wanted:
        raise ShapeError(op, f"a source of shape {source.shape}", f"for this index it must be {wanted}")
    out = row(line, index, _line(source), dim=dim)
    return out if shape else reshape(out, ())


@public()
@synonyms
def index_add(input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: float = 1) -> Tensor:
    """A copy with the slices of alpha * source added to those that `index` names; repeated ones add up.

    >>> ta.zeros(3).index_add(0, ta.tensor([1, 1]), ta.tensor([5.0, 6.0]))
    tensor([ 0., 11.,  0.])
    """
    return _write("index_add", index_add_op, input, dim, index, source if alpha == 1 else source * alpha)


@public()
@synonyms
def index_copy(input: Tensor, dim: int, index: Tensor, source: Tensor) -> Tensor:
    """A copy with the slices that `index` names replaced by those of `source`."""
    return _write("index_copy", index_copy_op, input, dim, index, source)


@public()
@synonyms
def index_fill(input: Tensor, dim: int, index: Tensor, value: Any) -> Tensor:
    """A copy with the slices that `index` names filled with `value`, a number or a 0-d tensor.

    >>> ta.zeros(3).index_fill(0, ta.tensor([0, 2]), 5)
    tensor([5., 0., 5.])
    """
    dim, index = _slices(input, dim, index, "index_fill", -input.shape[dim] if input.ndim else -1)
    if not isinstance(value, Tensor):
        value = recording.full((), dtypes.stored(value, input.dtype, "index_fill"), input)
    if value.ndim:
        raise ShapeError("index_fill", f"a value of shape {value.shape}", "it must be a number or a 0-d tensor", "use index_copy")
    value = value if value.dtype == input.dtype else recording.cast(value, dtype=input.dtype)
    array, F = index.array, namespaces[type(index.array)]
    named = F.index_copy(F.full((_line(input).shape[dim],), 0, array), 0, array, F.ones_like(array))     # 1 where named, once
    along = [-1 if d == dim else 1 for d in range(input.ndim)]
    return recording.where(wrap(F.reshape(named, along)) != 0, value, input)  # type: ignore[no-any-return]


# ------------------------------------------------------------------------------------------------- as if it were flat
@public()
def take(input: Tensor, index: Tensor) -> Tensor:
    """The elements at positions of the flattened tensor, in the shape of `index`.

    >>> ta.tensor([[1, 2], [3, 4]]).take(ta.tensor([0, 3]))
    tensor([1, 4])
    """
    _integers(index, "take")
    _in_bounds(index, input.array.size, 0, "take", -input.array.size)
    return reshape(index_select_op(reshape(input, -1), reshape(index, -1), dim=0), index.shape)


@public("put")
def put_flat(input: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    """A copy with `source` at positions of the flattened tensor, or added there."""
    _integers(index, "put")
    _in_bounds(index, input.array.size, 0, "put", -input.array.size)
    return reshape(put(reshape(input, -1), (reshape(index, -1).array,), reshape(source, -1), accumulate), input.shape)


@public()
@synonyms
def take_along_dim(input: Tensor, indices: Tensor, dim: int | None = None) -> Tensor:
    """gather, with `input` and `indices` broadcast against each other on the other axes; without dim, as if flat.

    Along a dim, negative indices count from its end.
    """
    if dim is None:
        return gather(reshape(input, -1), 0, reshape(indices, -1))
    dim = dimension(dim, input.ndim, "take_along_dim")
    if input.ndim != indices.ndim:
        raise ShapeError("take_along_dim", f"{input.shape} and {indices.shape}", "they must have as many axes")
    shapes = [tuple([1 if d == dim else n for d, n in enumerate(t.shape)]) for t in (input, indices)]
    common = broadcast_shapes(*shapes)
    indices = recording.where(indices < 0, indices + input.shape[dim], indices)
    wide = [expand(t, (*common[:dim], t.shape[dim], *common[dim + 1:])) for t in (input, indices)]
    return gather(wide[0], dim, wide[1])


# ----------------------------------------------------------------------------------------------------------- masks
def _mask(mask: Any, op: str) -> None:
    if not isinstance(mask, Tensor) or mask.dtype.kind != "b":
        raise DTypeError(op, f"a mask of {getattr(mask, 'dtype', type(mask).__name__)}", "a mask is a bool tensor",
                         "convert it with .bool()")


@public()
def masked_select(input: Tensor, mask: Tensor) -> Tensor:
    """The elements where `mask` (broadcast with the tensor) is True, in one axis.

    >>> x = ta.arange(4)
    >>> x.masked_select(x > 1)
    tensor([2, 3])
    """
    _mask(mask, "masked_select")
    x, m = broadcast_tensors(input, mask)
    return _line(x)[_line(m)]


@public()
def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """A copy with the first elements of `source`, in order, where `mask` is True."""
    _mask(mask, "masked_scatter")
    x, m = broadcast_tensors(input, mask)
    x, m = _line(x), _line(m)
    count = namespaces[type(x.array)].getitem(x.array, m.array).shape[0]
    if source.dtype != x.dtype:
        raise DTypeError("masked_scatter", f"a source of {source.dtype} for a tensor of {x.dtype}", "the dtypes differ")
    if source.array.size < count:
        raise ShapeError("masked_scatter", f"a source of {source.array.size} elements", f"the mask has {count} places")
    values = getitem_op(reshape(source, -1), index=(slice(count),))
    return reshape(put(x, (m.array,), values), broadcast_tensors(input, mask)[0].shape)


@public()
def nonzero(input: Tensor, *, as_tuple: bool = False) -> Any:
    """The indices of the elements that are not zero: as rows of one tensor, or a tensor for each axis.

    >>> ta.tensor([0, 3, 4]).nonzero()
    tensor([[1],
            [2]])
    """
    found = [wrap(a) for a in namespaces[type(input.array)].nonzero(_line(input).array)]
    if as_tuple:
        return tuple(found)
    return recording.stack(found, 1) if input.ndim else recording.full((found[0].shape[0], 0), 0, found[0])


@public()
def argwhere(input: Tensor) -> Tensor:
    """The indices of the elements that are not zero, as rows."""
    return nonzero(input)  # type: ignore[no-any-return]


def _one_hot(F: Any, x: Any, *, count: int) -> Any:
    """By positions in flat memory: to compare each class with all of them takes many times longer."""
    y = F.new((x.size * count,), dtypes.int64, 0)
    y[F.arange(x.size, x) * count + F.reshape(x, (-1,))] = 1
    return F.reshape(y, (*x.shape, count))


_ones_at = enter(Single("one_hot", _one_hot, None))


@public(method=False)
def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """int64 vectors with a 1 at the class and 0 elsewhere, in a new last axis; as many classes as needed unless given.

    >>> ta.nn.functional.one_hot(ta.tensor([0, 2]))
    tensor([[1, 0, 0],
            [0, 0, 1]])
    """
    if tensor.dtype != dtypes.int64:
        raise DTypeError("one_hot", f"a tensor of {tensor.dtype}", "classes are int64", "convert it with .long()")
    array = tensor.array
    F = namespaces[type(array)]
    if num_classes == -1:
        if not array.size:
            raise ArgumentError("one_hot", "an empty tensor", "the number of classes cannot be seen from it", "pass num_classes=")
        num_classes = int(recording.amax(tensor).item()) + 1
    if array.size and not F.within(array, 0, num_classes - 1):
        raise ArgumentError("one_hot", f"num_classes={num_classes}", "a class is not from 0 to num_classes - 1")
    return _ones_at.call(tensor, count=num_classes)


# ------------------------------------------------------------------------------------------------- repeated elements
@public()
@synonyms
def repeat_interleave(input: Tensor, repeats: Any = None, dim: int | None = None, *, output_size: int | None = None) -> Tensor:
    """Each slice along `dim` repeated in place, as often as `repeats` says (an int, or one for each); flat without dim.

    Given a single tensor of counts, the index 0, 1, ... with each repeated that often.

    >>> ta.tensor([1, 2]).repeat_interleave(ta.tensor([2, 3]))
    tensor([1, 1, 2, 2, 2])
    """
    if repeats is None:
        return wrap(_counted(input, output_size))
    if dim is None:
        input, dim = reshape(input, -1), 0
    dim = dimension(dim, input.ndim, "repeat_interleave")
    n = input.shape[dim]
    if not isinstance(repeats, Tensor):
        repeats = arguments.whole(repeats, "repeat_interleave", "repeats") if not isinstance(repeats, (list, tuple)) else repeats
    if isinstance(repeats, int):
        if repeats < 0:
            raise ArgumentError("repeat_interleave", f"repeats={repeats}", "it cannot be negative")
        before, after = input.shape[:dim], input.shape[dim + 1:]
        spread = expand(reshape(input, (*before, n, 1, *after)), (*before, n, repeats, *after))
        return reshape(recording.clone(spread), (*before, n * repeats, *after))
    counts = repeats if isinstance(repeats, Tensor) else input.new_tensor(repeats, dtype=dtypes.int64)
    if counts.array.size not in (1, n) or counts.ndim > 1:
        raise ShapeError("repeat_interleave", f"{counts.shape} repeats along an axis of {n}", "there must be one for each")
    counts = counts if counts.shape == (n,) else expand(reshape(counts, 1), n)
    return recording.index_select(input, dim, wrap(_counted(counts, output_size)))  # type: ignore[no-any-return]


def _counted(counts: Tensor, output_size: int | None) -> Any:
    _integers(counts, "repeat_interleave")
    F = namespaces[type(counts.array)]
    if counts.array.size and not F.within(counts.array, 0, 1 << 62):
        raise ArgumentError("repeat_interleave", "negative repeats", "an element cannot be repeated less than never")
    index = F.repeats(counts.array)
    if output_size is not None and index.shape[0] != output_size:
        raise ShapeError("repeat_interleave", f"output_size={output_size}", f"the repeats add up to {index.shape[0]}")
    return index
