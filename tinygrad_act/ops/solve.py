"""Systems of linear equations."""

from __future__ import annotations

from typing import Any

from ..backend.namespace import broadcast_shape, numel
from ..errors import DTypeError, ShapeError
from ..graph import casts, recording
from ..tensor import Tensor
from .factor import diagonal_mask, matrices
from .linalg import column, turned
from .reduce import only_floats
from .registry import op


def _products(F: Any, gb: Any, y: Any, a_shape: Any) -> Any:
    """-gb y^T in the shape of a: one product, if a is one matrix and the others have a batch."""
    if numel(a_shape[:-2]) != 1 or gb.ndim == 2:
        return F.sum_to(F.matmul(-gb, turned(F, y)), a_shape)
    order = (gb.ndim - 2, *range(gb.ndim - 2), gb.ndim - 1)
    gb, y = (F.reshape(F.permute(x, order), (x.shape[-2], numel(x.shape[:-2]) * x.shape[-1])) for x in (gb, y))
    return F.reshape(F.matmul(-gb, turned(F, y)), a_shape)


def triangle(F: Any, x: Any, upper: bool = False) -> Any:
    """True where the lower triangle of x is, with its diagonal, or the upper one."""
    rows, columns = F.reshape(F.arange(x.shape[-2], x), (-1, 1)), F.arange(x.shape[-1], x)
    return rows <= columns if upper else rows >= columns


def _solve_rule(F: Any, g: Any, a: Any, y: Any, b_shape: Any, *, needs: tuple[bool, ...]) -> Any:
    """Giles (2008), 2.3.1: for b, the solution with the transpose; for a, its products with y."""
    gb = F.solve(turned(F, a), g)
    return (_products(F, gb, y, a.shape) if needs[0] else None, F.sum_to(gb, b_shape) if needs[1] else None)


def _triangular_rule(F: Any, g: Any, a: Any, y: Any, b_shape: Any, *, upper: bool, needs: tuple[bool, ...]) -> Any:
    """The same; what is not read of a has no gradient."""
    gb = F.solve_triangular(turned(F, a), g, upper=not upper)
    ga = None
    if needs[0]:
        ga = _products(F, gb, y, a.shape)
        ga = F.where(triangle(F, ga, upper), ga, 0)
    return ga, F.sum_to(gb, b_shape) if needs[1] else None


_solve = op("solve", lambda F, a, b: F.solve(a, b), joint=_solve_rule, same_dtype=True)
triangular = op("solve_triangular", lambda F, a, b, *, upper, regular="": F.solve_triangular(a, b, upper, regular),
                joint=_triangular_rule, same_dtype=True)


def fitting(A: Tensor, B: Tensor, rows: bool, name: str, runs: str) -> None:
    """Raise unless A X = B (or X A = B, if not `rows`) can be written of these; `runs` is the op that takes them."""
    if only_floats(B, name).dtype != A.dtype and not casts(runs):
        raise DTypeError(name, f"{A.dtype} and {B.dtype}", "the dtypes differ", "convert one, for example with .to(ta.float32)")
    needed = A.shape[-2 if rows else -1]
    if B.ndim < 2 or needed != B.shape[-2 if rows else -1]:
        side, one = ("rows", "a batch of vectors is one of matrices of one column: B.unsqueeze(-1)") if rows else \
            ("columns", "left=False takes matrices: of a vector, B.unsqueeze(-2) is one of one row")
        raise ShapeError(name, f"{A.shape} and {B.shape}", f"the right-hand side needs {needed} {side}", one)
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
        fitting(A, columns, True, "solve", "solve")
        y = _solve.call(A, columns)
        return recording.reshape(y, shape=y.shape[:-1])  # type: ignore[no-any-return]
    fitting(A, B, left, "solve", "solve")
    return _solve.call(A, B) if left else turned(recording, _solve.call(turned(recording, A), turned(recording, B)))


def solve_triangular(A: Tensor, B: Tensor, *, upper: bool, left: bool = True, unitriangular: bool = False) -> Tensor:
    """X with A X = B (X A = B if not `left`), where of A only that triangle is read; with `unitriangular` its diagonal is taken for 1.

    A 0 on the diagonal is divided by: it gives inf or NaN, no error.

    >>> ta.linalg.solve_triangular(ta.tensor([[1., 0.], [1., 2.]]), ta.tensor([[1.], [5.]]), upper=False)
    tensor([[1.],
            [2.]])
    """
    matrices(A, "solve_triangular", "the matrix of a system of equations must be square")
    fitting(A, B, left, "solve_triangular", "solve_triangular")
    if unitriangular:
        A = recording.where(diagonal_mask(recording, A), 1, A)
    if left:
        return triangular.call(A, B, upper=upper)
    return turned(recording, triangular.call(turned(recording, A), turned(recording, B), upper=not upper))  # type: ignore[no-any-return]


def cholesky_solve(B: Tensor, L: Tensor, upper: bool = False) -> Tensor:
    """X with A X = B, of A the Cholesky factor L (L^T, if `upper`); inf or NaN where that has a 0 on the diagonal."""
    matrices(L, "cholesky_solve", "a Cholesky factor is square", "solve_triangular")
    fitting(L, B, True, "cholesky_solve", "solve_triangular")
    first, last = (turned(recording, L), L) if upper else (L, turned(recording, L))
    return triangular.call(last, triangular.call(first, B, upper=False), upper=True)
