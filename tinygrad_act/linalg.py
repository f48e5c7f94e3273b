"""`ta.linalg`: of what PyTorch has under this name, products, norms, factorisations of real matrices and what is solved by them."""

from __future__ import annotations

import numbers
from typing import Any

from .errors import ArgumentError, DTypeError, LinAlgError, ShapeError
from .graph import casts
from .ops.arguments import whole
from .ops.decompose import cholesky, eigh, eigvalsh, qr, svd
from .ops.determinant import det, slogdet
from .ops.diagonal import cross as _cross
from .ops.diagonal import diagonal as _diagonal
from .ops.factor import inv, svdvals
from .ops.linalg import matmul, matrix_power, multi_dot
from .ops.matrix_function import matrix_exp, vander
from .ops.norms import matrix_norm as _matrix_norm
from .ops.norms import norm as _norm
from .ops.pseudoinverse import cond, lstsq, matrix_rank, pinv
from .ops.reduce import cast, only_floats, operand, sum
from .ops.solve import solve, solve_triangular
from .tensor import Tensor

__all__ = ["LinAlgError", "cholesky", "cond", "cross", "det", "diagonal", "eigh", "eigvalsh", "inv", "lstsq", "matmul", "matrix_exp",
           "matrix_norm", "matrix_power", "matrix_rank", "multi_dot", "norm", "pinv", "qr", "slogdet", "solve", "solve_triangular", "svd",
           "svdvals", "vander", "vecdot", "vector_norm"]


def vector_norm(x: Tensor, ord: float = 2, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """(sum |x|**ord) ** (1/ord) over `dim`, by default over all elements; inf and -inf are the largest and smallest.

    >>> ta.linalg.vector_norm(ta.tensor([3., 4.]))
    tensor(5.)
    """
    return _vector_norm(x, ord, dim, keepdim, dtype, "vector_norm")


def _vector_norm(x: Tensor, ord: Any, dim: Any, keepdim: bool, dtype: Any, name: str) -> Tensor:
    if isinstance(ord, Tensor) and not ord.ndim:
        ord = ord.item()
    if not isinstance(ord, numbers.Real):
        raise ArgumentError(name, f"ord={ord!r}", "the order of a norm of vectors is a number", "pass one, also math.inf or -math.inf")
    return _norm(x, ord, dim, keepdim, dtype)


def matrix_norm(A: Tensor, ord: Any = "fro", dim: tuple[int, int] = (-2, -1), keepdim: bool = False, *,
                dtype: Any = None) -> Tensor:
    """"fro": the root of the sum of squares; 1, inf (-1, -inf): the largest (smallest) sum of |x| down a column, along a row;
    2, -2, "nuc": the largest, the smallest, the sum of the singular values. The largest of none is 0.
    """
    return _matrix_norm(cast(operand(A, "matrix_norm"), dtype), ord, dim, keepdim)


def norm(A: Tensor, ord: Any = None, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """A vector norm (over one dim), or a matrix norm (over two). Without `ord` the root of the sum of squares, without `dim` of all.

    >>> ta.linalg.norm(ta.tensor([[1., 2.], [3., 4.]]), 1)
    tensor(6.)
    """
    if dim is None and ord is not None:
        if operand(A, "norm").ndim not in (1, 2):
            raise ShapeError("norm", f"{A.shape} with ord={ord!r}", "without dim it takes a vector or a matrix", "name the dims")
        dim = tuple(range(A.ndim))
    if isinstance(dim, (tuple, list)) and len(dim) not in (1, 2):
        raise ArgumentError("norm", f"dim={dim!r}", "it takes one dim, of vectors, or two, of matrices", "vector_norm takes any number of them")
    if ord is None:
        return _norm(A, 2, dim, keepdim, dtype)
    if isinstance(dim, (tuple, list)) and len(dim) == 2:
        return _matrix_norm(cast(operand(A, "norm"), dtype), ord, dim, keepdim, "norm")
    return _vector_norm(A, ord, dim, keepdim, dtype, "norm")


def vecdot(x: Tensor, y: Tensor, *, dim: int = -1) -> Tensor:
    """The inner products of the vectors along `dim`, of one floating dtype; the other axes broadcast."""
    if only_floats(x, "vecdot").dtype != only_floats(y, "vecdot").dtype and not casts("matmul"):         # autocast, where PyTorch takes both
        raise DTypeError("vecdot", f"{x.dtype} and {y.dtype}", "the dtypes differ", "convert one, for example with .to(ta.float32)")
    return sum(x * y, whole(dim, "vecdot", "dim"))


def cross(input: Tensor, other: Tensor, *, dim: int = -1) -> Tensor:
    """The cross products of the vectors along `dim`."""
    return _cross(input, other, dim)


def diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """The diagonals of matrices, the last two axes."""
    return _diagonal(A, offset, dim1, dim2)
