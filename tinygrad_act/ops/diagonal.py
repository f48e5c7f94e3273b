"""Diagonals and triangles of matrices, and the cross product."""

from __future__ import annotations

from typing import Any

from .. import backend, dtypes
from ..errors import ArgumentError, ShapeError
from ..graph import recording
from ..tensor import Tensor, wrap
from . import arguments
from .arguments import synonyms
from .reduce import cast, operand
from .reduce import sum as add_up
from .registry import op, public

# The adjoints of each other: reading a diagonal, and zeros with a diagonal.
_diagonal = op("diagonal", lambda F, x, *, offset=0, dim1=0, dim2=1: F.diagonal(x, offset, dim1, dim2),
               lambda F, g, x_shape, *, offset, dim1, dim2: F.undiagonal(g, x_shape, offset, dim1, dim2), view=True)
_undiagonal = op("undiagonal", lambda F, g, *, shape, offset=0, dim1=0, dim2=1: F.undiagonal(g, shape, offset, dim1, dim2),
                 lambda F, h, *, offset, dim1, dim2: F.diagonal(h, offset, dim1, dim2))


def _two_axes(ndim: int, dim1: int, dim2: int, name: str) -> tuple[int, int]:
    d1, d2 = arguments.dimension(dim1, ndim, name), arguments.dimension(dim2, ndim, name)
    if d1 == d2:
        raise ArgumentError(name, f"dim1={dim1}, dim2={dim2}", "a diagonal takes two different axes")
    return d1, d2


@public()
def diagonal(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """The diagonal of the axes dim1 and dim2, as a view with it as the last axis; `offset` > 0 is above the main one.

    >>> ta.tensor([[1., 2.], [3., 4.]]).diagonal()
    tensor([1., 4.])
    """
    if operand(input, "diagonal").ndim < 2:
        raise ShapeError("diagonal", str(input.shape), "a diagonal takes two axes", "diag makes a matrix of a vector")
    dim1, dim2 = _two_axes(input.ndim, dim1, dim2, "diagonal")
    return _diagonal(input, offset=offset, dim1=dim1, dim2=dim2)


@public()
def diag_embed(input: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Matrices of zeros in the axes dim1 and dim2 (of the result), with the last axis of `input` on their diagonals.

    >>> ta.tensor([1., 2.]).diag_embed()
    tensor([[1., 0.],
            [0., 2.]])
    """
    if not operand(input, "diag_embed").ndim:
        raise ShapeError("diag_embed", "a 0-d tensor", "it takes at least one axis")
    dim1, dim2 = _two_axes(input.ndim + 1, dim1, dim2, "diag_embed")
    size = input.shape[-1] + abs(offset)
    shape = list(input.shape[:-1])
    for d in sorted((dim1, dim2)):
        shape.insert(d, size)
    return _undiagonal(input, shape=tuple(shape), offset=offset, dim1=dim1, dim2=dim2)


@public()
def diag(input: Tensor, diagonal: int = 0) -> Tensor:
    """Of a vector, the matrix with it on the diagonal; of a matrix, its diagonal (a copy: `diagonal` is the view)."""
    if operand(input, "diag").ndim == 1:
        return diag_embed(input, diagonal)
    if input.ndim != 2:
        raise ShapeError("diag", str(input.shape), "it takes a vector or a matrix", "use diagonal or diag_embed for batches")
    return recording.clone(_diagonal(input, offset=diagonal))  # type: ignore[no-any-return]


@public()
def diagflat(input: Tensor, offset: int = 0) -> Tensor:
    """The matrix with all elements of `input` on its diagonal."""
    flat = recording.reshape(operand(input, "diagflat"), shape=(input.array.size,))
    return diag_embed(flat, offset)


@public()
def trace(input: Tensor) -> Tensor:
    """The sum of the diagonal of a matrix."""
    if operand(input, "trace").ndim != 2:
        raise ShapeError("trace", str(input.shape), "it takes one matrix", "for batches: x.diagonal(0, -2, -1).sum(-1)")
    return add_up(_diagonal(input))


# ------------------------------------------------------------------------------------------------------------ triangles
def _triangle(name: str, doc: str) -> None:
    record = op(name, lambda F, x, *, diagonal=0: getattr(F, name)(x, diagonal),
             lambda F, g, *, diagonal: getattr(F, name)(g, diagonal))

    def function(input: Tensor, diagonal: int = 0) -> Tensor:
        if operand(input, name).ndim < 2:
            raise ShapeError(name, str(input.shape), "a triangle takes two axes")
        return record(input, diagonal=diagonal)

    def indices(row: int, col: int, offset: int = 0, *, dtype: Any = None, device: Any = None) -> Tensor:
        module, index = backend.resolve(device)
        F = module.F
        row, col = arguments.shape((row, col), f"{name}_indices")
        i, j = F.reshape(F.count(row, index), (row, 1)), F.reshape(F.count(col, index), (1, col))
        inside = j - i <= offset if name == "tril" else j - i >= offset
        flat = F.reshape(inside, (row * col,)).nonzero()[0]
        both = F.cat((F.reshape(flat // max(col, 1), (1, -1)), F.reshape(flat % max(col, 1), (1, -1))), 0)
        return wrap(F.cast(both, dtypes.as_dtype(dtype) or dtypes.int64))
    function.__name__, function.__doc__ = name, doc
    indices.__name__ = f"{name}_indices"
    indices.__doc__ = f"The rows and columns of the elements that `{name}` of a (row, col) matrix keeps: shape (2, count)."
    public(name)(function)
    public(f"{name}_indices", method=False)(indices)


_triangle("tril", """The lower triangles of the last two axes, zeros above the given diagonal.

    >>> ta.ones(2, 2).tril()
    tensor([[1., 0.],
            [1., 1.]])
    """)
_triangle("triu", "The upper triangles of the last two axes, zeros below the given diagonal.")


# -------------------------------------------------------------------------------------------------------- cross product
def _crossed(F: Any, a: Any, b: Any, dim: int) -> Any:
    def turned(x: Any, by: int) -> Any:
        return F.roll(x, (by,), (dim,))
    return turned(a, -1) * turned(b, -2) - turned(a, -2) * turned(b, -1)


_cross = op("cross", lambda F, a, b, *, dim: _crossed(F, a, b, dim),
            lambda F, g, b, a_shape, *, dim: F.sum_to(_crossed(F, b, g, dim), a_shape),
            lambda F, g, a, b_shape, *, dim: F.sum_to(_crossed(F, g, a, dim), b_shape))


@public()
@synonyms
def cross(input: Tensor, other: Tensor, dim: int | None = None) -> Tensor:
    """The cross product of the vectors along `dim` (by default the first axis of size 3); the other axes broadcast.

    >>> ta.tensor([1., 0., 0.]).cross(ta.tensor([0., 1., 0.]), dim=0)
    tensor([0., 0., 1.])
    """
    if operand(input, "cross").ndim != operand(other, "cross").ndim:
        raise ShapeError("cross", f"{input.shape} and {other.shape}", "the tensors have unequally many axes")
    if dim is None:
        if 3 not in input.shape:
            raise ShapeError("cross", str(input.shape), "no axis has size 3")
        dim = input.shape.index(3)
    dim = arguments.dimension(dim, input.ndim, "cross")
    if input.shape[dim] != 3 or other.shape[dim] != 3:
        raise ShapeError("cross", f"{input.shape} and {other.shape} along dim={dim}", "the vectors must have 3 elements")
    common = dtypes.result_type(input, other)
    return _cross(cast(input, common), cast(other, common), dim=dim)
