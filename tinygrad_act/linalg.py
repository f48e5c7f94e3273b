"""`ta.linalg`: of what PyTorch has under this name, products, norms, factorisations of real matrices and what is solved by them."""

from __future__ import annotations

import math
from typing import Any

from .errors import ArgumentError, LinAlgError, ShapeError
from .ops.decompose import cholesky, eigh, eigvalsh, qr, svd
from .ops.determinant import det, slogdet
from .ops.diagonal import cross as _cross
from .ops.diagonal import diagonal as _diagonal
from .ops.factor import SPECTRAL, inv, spectral_norm, svdvals
from .ops.linalg import matmul, matrix_power, multi_dot
from .ops.matrix_function import matrix_exp, vander
from .ops.norms import norm as _norm
from .ops.pseudoinverse import cond, lstsq, matrix_rank, pinv
from .ops.reduce import amax, amin, axes, cast, operand, sum
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
    return _norm(x, ord, dim, keepdim, dtype)


def matrix_norm(A: Tensor, ord: Any = "fro", dim: tuple[int, int] = (-2, -1), keepdim: bool = False, *,
                dtype: Any = None) -> Tensor:
    """"fro": the root of the sum of squares; 1, inf (-1, -inf): the largest (smallest) sum of |x| down a column, along a row;
    2, -2, "nuc": the largest, the smallest, the sum of the singular values.
    """
    rows, columns = axes(A, dim, "matrix_norm")
    if ord == "fro":
        return _norm(A, 2, dim, keepdim, dtype)
    if ord in SPECTRAL:
        return spectral_norm(cast(A, dtype), ord, (rows, columns), keepdim, "matrix_norm")
    if ord not in (1, -1, math.inf, -math.inf):
        raise ArgumentError("matrix_norm", f"ord={ord!r}", "there is no such matrix norm", 'use "fro", "nuc", 1, -1, 2, -2, inf or -inf')
    over, best = (rows, columns) if abs(ord) == 1 else (columns, rows)
    sums = _norm(A, 1, over, True, dtype)
    y = (amax if ord > 0 else amin)(sums, best, True)
    return y if keepdim else sum(y, (rows, columns))


def norm(A: Tensor, ord: Any = None, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """A vector norm (over one dim, or of all elements without `ord`), or a matrix norm (over two).

    >>> ta.linalg.norm(ta.tensor([[1., 2.], [3., 4.]]), 1)
    tensor(6.)
    """
    if ord is None:
        return _norm(A, 2, dim, keepdim, dtype)
    if dim is None:
        if operand(A, "norm").ndim not in (1, 2):
            raise ShapeError("norm", f"{A.shape} with ord={ord!r}", "without dim it takes a vector or a matrix", "name the dims")
        dim = tuple(range(A.ndim))
    matrix = isinstance(dim, (tuple, list)) and len(dim) == 2
    return matrix_norm(A, ord, tuple(dim), keepdim, dtype=dtype) if matrix else _norm(A, ord, dim, keepdim, dtype)


def vecdot(x: Tensor, y: Tensor, *, dim: int = -1) -> Tensor:
    """The inner products of the vectors along `dim`; the other axes broadcast."""
    return sum(x * y, dim)


def cross(input: Tensor, other: Tensor, *, dim: int = -1) -> Tensor:
    """The cross products of the vectors along `dim`."""
    return _cross(input, other, dim)


def diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """The diagonals of matrices, the last two axes."""
    return _diagonal(A, offset, dim1, dim2)
