"""Systems of linear equations."""

from __future__ import annotations

from typing import Any

from ..backend.namespace import broadcast_shape
from ..errors import ShapeError
from ..graph import recording
from ..tensor import Tensor
from .factor import diagonal_mask, matrices
from .linalg import column, turned
from .reduce import only_floats
from .registry import op


def _solve_rule(F: Any, g: Any, a: Any, y: Any, b_shape: Any, *, needs: tuple[bool, ...]) -> Any:
    """Giles (2008), 2.3.1: for b, the solution with the transpose; for a, its products with y."""
    gb = F.solve(turned(F, a), g)
    return (F.sum_to(-F.matmul(gb, turned(F, y)), a.shape) if needs[0] else None, F.sum_to(gb, b_shape) if needs[1] else None)


def _triangular_rule(F: Any, g: Any, a: Any, y: Any, b_shape: Any, *, upper: bool, needs: tuple[bool, ...]) -> Any:
    """The same; what is not read of a has no gradient."""
    gb = F.solve_triangular(turned(F, a), g, upper=not upper)
    ga = None
    if needs[0]:
        ga = F.sum_to(-F.matmul(gb, turned(F, y)), a.shape)
        ga = F.triu(ga) if upper else F.tril(ga)
    return ga, F.sum_to(gb, b_shape) if needs[1] else None


_solve = op("solve", lambda F, a, b: F.solve(a, b), joint=_solve_rule, same_dtype=True)
_triangular = op("solve_triangular", lambda F, a, b, *, upper: F.solve_triangular(a, b, upper), joint=_triangular_rule, same_dtype=True)


def _fitting(A: Tensor, B: Tensor, rows: bool, name: str) -> None:
    """Raise unless A X = B (or X A = B, if not `rows`) can be written of these."""
    only_floats(B, name)
    if B.ndim < 2 or A.shape[-1] != B.shape[-2 if rows else -1]:
        side = "rows" if rows else "columns"
        raise ShapeError(name, f"{A.shape} and {B.shape}", f"the right-hand side needs {A.shape[-1]} {side}",
                         "a batch of vectors is one of matrices of one column: B.unsqueeze(-1)")
    if broadcast_shape(A.shape[:-2], B.shape[:-2]) is None:
        raise ShapeError(name, f"{A.shape} and {B.shape}", f"batches {A.shape[:-2]} and {B.shape[:-2]} do not broadcast",
                         "sizes must be equal or 1")


def is_vector(A: Tensor, B: Tensor) -> bool:
    """Is B, beside matrices A, vectors rather than matrices? PyTorch's rule: one axis, or just the shape of A without its last."""
    return B.ndim == 1 or (B.ndim == A.ndim - 1 and B.shape == A.shape[:-1])


def solve(A: Tensor, B: Tensor, *, left: bool = True) -> Tensor:
    """X with A X = B (X A = B if not `left`); B is a vector, a batch of them just as long as A's, or matrices, whose batch broadcasts.

    Raises LinAlgError where A is singular.

    >>> ta.linalg.solve(ta.tensor([[2., 0.], [0., 4.]]), ta.tensor([2., 2.]))
    tensor([1.0000, 0.5000])
    """
    matrices(A, "solve", "the matrix of a system of equations must be square")
    if left and is_vector(A, only_floats(B, "solve")):
        columns = column(recording, B)
        _fitting(A, columns, True, "solve")
        y = _solve.call(A, columns)
        return recording.reshape(y, shape=y.shape[:-1])  # type: ignore[no-any-return]
    _fitting(A, B, left, "solve")
    return _solve.call(A, B) if left else turned(recording, _solve.call(turned(recording, A), turned(recording, B)))


def solve_triangular(A: Tensor, B: Tensor, *, upper: bool, left: bool = True, unitriangular: bool = False) -> Tensor:
    """X with A X = B (X A = B if not `left`), where of A only that triangle is read; with `unitriangular` its diagonal is taken for 1.

    >>> ta.linalg.solve_triangular(ta.tensor([[1., 0.], [1., 2.]]), ta.tensor([[1.], [5.]]), upper=False)
    tensor([[1.],
            [2.]])
    """
    matrices(A, "solve_triangular", "the matrix of a system of equations must be square")
    _fitting(A, B, left, "solve_triangular")
    if unitriangular:
        A = recording.where(diagonal_mask(recording, A), 1, A)
    if left:
        return _triangular.call(A, B, upper=upper)
    return turned(recording, _triangular.call(turned(recording, A), turned(recording, B), upper=not upper))  # type: ignore[no-any-return]


def cholesky_solve(B: Tensor, L: Tensor, upper: bool = False) -> Tensor:
    """X with A X = B, of A the Cholesky factor L (L^T, if `upper`)."""
    matrices(L, "cholesky_solve", "a Cholesky factor is square")
    _fitting(L, B, True, "cholesky_solve")
    first, last = (turned(recording, L), L) if upper else (L, turned(recording, L))
    return _triangular.call(last, _triangular.call(first, B, upper=False), upper=True)
