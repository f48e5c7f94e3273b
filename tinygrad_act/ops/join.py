"""Several tensors as one, and one as several."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any

from .. import dtypes
from ..changes import note_view
from ..errors import ArgumentError, IndexingError, ShapeError
from ..grad_mode import mode
from ..graph import recording
from ..op import Op, Single
from ..tensor import Tensor
from . import arguments
from .arguments import Ints, dimension, synonyms
from .index import getitem_op
from .registry import enter, public, table
from .shape import atleast_1d, atleast_2d, atleast_3d, broadcast_tensors, ravel, reshape_op

cat_op = Single("cat", lambda F, *xs, dim: F.cat(xs, dim),
            joint=lambda F, g, xs_shape, *, dim: F.split_sizes(g, tuple([s[dim] for s in xs_shape]), dim))
stack_op = Single("stack", lambda F, *xs, dim: F.stack(xs, dim), joint=lambda F, g, *, dim: F.unbind(g, dim))
# One node with a result for each part, so that going back is one concatenation, however many parts there are.
split_op = enter(Op("split_sizes", lambda F, x, *, sizes, dim: F.split_sizes(x, sizes, dim),
              joint=lambda F, g, *, dim: (F.cat(g, dim),), outputs=2))
unbind_op = enter(Op("unbind", lambda F, x, *, dim: F.unbind(x, dim),
               joint=lambda F, g, *, dim: (F.stack(g, dim),), outputs=2))
table.update(cat=cat_op, stack=stack_op)


def _tensors(tensors: Any, op: str) -> Sequence[Tensor]:
    if isinstance(tensors, Tensor) or not isinstance(tensors, (tuple, list)):
        raise ArgumentError(op, type(tensors).__name__, "it takes a tuple or list of Tensors", f"write {op}([a, b])")
    if not tensors:
        raise ArgumentError(op, "an empty list", "there is nothing to join")
    alike = True
    for x in tensors:
        if not isinstance(x, Tensor):
            raise ArgumentError(op, f"a list with {type(x).__name__}", "it joins Tensors", "wrap it with ta.tensor(...)")
        alike = alike and x.array.dtype is tensors[0].array.dtype
    if alike:
        return tensors
    dtype = tensors[0].dtype
    for x in tensors:
        dtype = dtypes.promote_types(dtype, x.dtype)
    return [x if x.dtype == dtype else recording.cast(x, dtype=dtype) for x in tensors]


# --------------------------------------------------------------------------------------------------------- joining
@public("cat", "concat", "concatenate", method=False, F=True)
@synonyms
def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Tensors one behind the other along `dim`; on the other axes they agree. dtypes are promoted.

    >>> ta.cat([ta.zeros(1, 2), ta.ones(2, 2)]).shape
    (3, 2)
    """
    tensors = _tensors(tensors, "cat")
    some = [x for x in tensors if x.array.shape != (0,)] or tensors[:1]      # PyTorch skips empty 1-d tensors
    shape = some[0].shape
    if not shape:
        raise ShapeError("cat", "0-d tensors", "they have no axis to join", "use stack")
    dim = dimension(dim, len(shape), "cat")
    for x in some:
        other = x.array.shape
        if other != shape and (len(other) != len(shape) or other[:dim] != shape[:dim] or other[dim + 1:] != shape[dim + 1:]):
            raise ShapeError("cat", f"{shape} and {other} along dim {dim}", "the other sizes differ")
    return cat_op.call(*some, dim=dim)


@public(method=False, F=True)
@synonyms
def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Tensors of one shape along a new axis at `dim`.

    >>> ta.stack([ta.zeros(2), ta.ones(2)], dim=1).shape
    (2, 2)
    """
    tensors = _tensors(tensors, "stack")
    shape = tensors[0].array.shape
    for x in tensors:
        if x.array.shape != shape:
            raise ShapeError("stack", f"{shape} and {x.shape}", "the shapes differ", "use cat, or pad them")
    return stack_op.call(*tensors, dim=dimension(dim, len(shape) + 1, "stack"))


def _joined(names: tuple[str, ...], prepare: Any, dim: Any, doc: str) -> None:
    def join(tensors: Sequence[Tensor]) -> Tensor:
        parts = [prepare(x) for x in _tensors(tensors, names[0])]
        return cat(parts, dim(parts))
    join.__name__, join.__doc__ = names[0], doc
    public(*names, method=False)(join)


_joined(("hstack",), atleast_1d, lambda xs: 0 if xs[0].ndim == 1 else 1, "Tensors side by side: along axis 1, 1-d ones along 0.")
_joined(("vstack", "row_stack"), atleast_2d, lambda xs: 0, "Tensors as rows, one under the other.")
_joined(("dstack",), atleast_3d, lambda xs: 2, "Tensors behind one another, along axis 2.")
_joined(("column_stack",), lambda x: x if x.ndim > 1 else reshape_op(x, shape=(x.array.size, 1)), lambda xs: 1,
        "Tensors side by side, 1-d ones as columns.")


# ------------------------------------------------------------------------------------------------------- dividing
def _parts(x: Tensor, sizes: tuple[int, ...], dim: int) -> tuple[Tensor, ...]:
    parts = split_op.call(x, sizes=sizes, dim=dim)
    lead, ends = (slice(None),) * dim, list(accumulate(sizes, initial=0))
    _note(x, parts, [(*lead, slice(i, j)) for i, j in pairwise(ends)])
    return parts  # type: ignore[no-any-return]


def _note(x: Tensor, parts: Sequence[Tensor], indices: Sequence[Any]) -> None:
    """The parts are views, each as good as x[index]: that is how an in-place change finds its way."""
    if mode.grad:
        for part, index in zip(parts, indices, strict=True):
            note_view(x, part, getitem_op, {"index": index})


def _axis(x: Tensor, dim: Any, op: str) -> int:
    if not x.ndim:
        raise IndexingError(op, "a 0-d tensor", "it has no axis to divide")
    return dimension(dim, x.ndim, op)


@public()
@synonyms
def split(tensor: Tensor, split_size_or_sections: Ints | None = None, dim: int = 0, *, split_size: Ints | None = None) -> tuple[Tensor, ...]:
    """Consecutive views along `dim`: of one size (the last may be smaller), or of the sizes given.

    >>> [len(part) for part in ta.arange(5).split(2)], [len(part) for part in ta.arange(5).split([1, 4])]
    ([2, 2, 1], [1, 4])
    """
    size = split_size_or_sections if split_size is None else split_size
    if isinstance(size, (tuple, list)):
        return split_with_sizes(tensor, size, dim)
    dim = _axis(tensor, dim, "split")
    n, size = tensor.shape[dim], arguments.whole(size, "split", "split_size")
    if size < 0 or (size == 0 and n):
        raise ArgumentError("split", f"split_size={size} along an axis of {n}", "the size must be positive")
    count = max(1, -(-n // size)) if size else 1
    return _parts(tensor, tuple([min(size, n - i * size) for i in range(count)]), dim)


@public()
@synonyms
def split_with_sizes(input: Tensor, split_sizes: Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Consecutive views of the sizes given along `dim`, which they fill."""
    dim = _axis(input, dim, "split")
    sizes = arguments.shape((tuple(split_sizes),), "split")
    if sum(sizes) != input.shape[dim]:
        raise ShapeError("split", f"sizes {sizes} along an axis of {input.shape[dim]}", f"they add up to {sum(sizes)}")
    return _parts(input, sizes, dim)


@public()
@synonyms
def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """At most `chunks` views of equal size along `dim`, the last perhaps smaller."""
    dim = _axis(input, dim, "chunk")
    if chunks <= 0:
        raise ArgumentError("chunk", f"chunks={chunks}", "there must be at least one")
    size = -(-input.shape[dim] // chunks)
    return split(input, size, dim) if size else _parts(input, (0,) * chunks, dim)


@public()
@synonyms
def tensor_split(input: Tensor, indices_or_sections: Any = None, dim: int = 0, *, indices: Any = None,
                 sections: Any = None) -> tuple[Tensor, ...]:
    """Views along `dim`: that many of nearly equal size, or cut before the given indices."""
    where = next((w for w in (indices_or_sections, indices, sections) if w is not None), None)
    dim = _axis(input, dim, "tensor_split")
    n = input.shape[dim]
    if isinstance(where, Tensor):
        where = where.tolist()
    if isinstance(where, (tuple, list)):
        cuts = [slice(None, i).indices(n)[1] for i in where]
        bounds = [slice(i, j) for i, j in zip([0, *cuts], [*cuts, n], strict=True)]
        return tuple([recording.getitem(input, index=((slice(None),) * dim + (b,))) for b in bounds])
    count = arguments.whole(where, "tensor_split", "sections")
    if count <= 0:
        raise ArgumentError("tensor_split", f"sections={count}", "there must be at least one")
    return _parts(input, tuple([n // count + (i < n % count) for i in range(count)]), dim)


def _even(name: str, axis: Any) -> None:
    def even(input: Tensor, indices_or_sections: Ints) -> tuple[Tensor, ...]:
        dim = axis(input)
        if input.ndim <= dim:
            raise ShapeError(name, f"a tensor of shape {input.shape}", f"it needs {dim + 1} axes or more")
        if isinstance(indices_or_sections, int) and (indices_or_sections <= 0 or input.shape[dim] % indices_or_sections):
            raise ShapeError(name, f"{input.shape} into {indices_or_sections}", f"axis {dim} does not divide evenly",
                             "use tensor_split")
        return tensor_split(input, indices_or_sections, dim)
    even.__name__, even.__doc__ = name, "`tensor_split` along one axis, into equal parts."
    public(name)(even)


_even("hsplit", lambda x: 0 if x.ndim == 1 else 1)
_even("vsplit", lambda x: 0)
_even("dsplit", lambda x: 2)


@public(F=True)
@synonyms
def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """All slices along `dim`, which goes away.

    >>> ta.tensor([[1, 2], [3, 4]]).unbind(1)
    (tensor([1, 3]), tensor([2, 4]))
    """
    dim = _axis(input, dim, "unbind")
    parts = unbind_op.call(input, dim=dim)
    lead = (slice(None),) * dim
    _note(input, parts, [(*lead, i) for i in range(len(parts))])
    return parts  # type: ignore[no-any-return]


# --------------------------------------------------------------------------------------------------- combinations
@public(method=False)
def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[Tensor, ...]:
    """Coordinates of a grid: each 1-d tensor expanded over the axes of all; with "xy" the first two axes swap.

    >>> ta.meshgrid(ta.arange(2), ta.arange(3), indexing="ij")[1]
    tensor([[0, 1, 2],
            [0, 1, 2]])
    """
    if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)):
        tensors = tuple(tensors[0])
    if indexing not in ("ij", "xy"):
        raise ArgumentError("meshgrid", f"indexing={indexing!r}", 'it must be "ij" or "xy"')
    if not tensors or any(x.ndim > 1 for x in tensors):
        raise ShapeError("meshgrid", f"{[x.shape for x in tensors]}", "it takes tensors of at most 1 axis")
    swap = indexing == "xy" and len(tensors) > 1
    order = (tensors[1], tensors[0], *tensors[2:]) if swap else tensors
    n = len(order)
    grids = broadcast_tensors(*[reshape_op(x, shape=(*(1,) * i, x.array.size, *(1,) * (n - i - 1))) for i, x in enumerate(order)])
    return (grids[1], grids[0], *grids[2:]) if swap else grids


@public(method=False)
def cartesian_prod(*tensors: Tensor) -> Tensor:
    """Every choice of one element from each 1-d tensor, as rows."""
    if len(tensors) == 1:
        return tensors[0]
    grids = meshgrid(*tensors)
    return stack([ravel(grid) for grid in grids], 1)


@public(method=False)
def block_diag(*tensors: Tensor) -> Tensor:
    """Matrices along the diagonal of a larger one, zeros elsewhere."""
    blocks = [atleast_2d(x) for x in tensors]
    width, column, rows = sum(x.shape[1] for x in blocks), 0, []
    for x in blocks:
        sides = [recording.full((x.shape[0], n), 0, x) for n in (column, width - column - x.shape[1])]
        rows.append(cat([sides[0], x, sides[1]], 1))
        column += x.shape[1]
    return cat(rows, 0)
