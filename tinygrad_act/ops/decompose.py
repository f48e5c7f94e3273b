"""Matrices as products: Cholesky factors, QR, eigenvalues, singular values."""

from __future__ import annotations

from typing import Any

from ..errors import ArgumentError, GraphError
from ..graph import recording
from ..tensor import Tensor
from .create import full
from .factor import diagonal_mask, matrices, quotient, singular_vectors, svdvals
from .linalg import column, row_of, turned, wide_matmul
from .matrix_results import QR, SVD, Eigh, Svd
from .registry import op
from .solve import triangle, triangular  # the rules below ask F for the latter, too, which has it from this import on


# ------------------------------------------------------------------------------------------------------------- rules
def _mirrored(F: Any, x: Any) -> Any:
    """x's lower triangle, and above the diagonal the same."""
    return F.where(triangle(F, x), x, turned(F, x))


def _cholesky_rule(F: Any, g: Any, y: Any) -> Any:
    """Murray, "Differentiation of the Cholesky decomposition" (2016), (10); for symmetric matrices, so half of it for each triangle."""
    inner = _mirrored(F, F.matmul(turned(F, y), g))              # (10)'s with its transpose added
    left = F.solve_triangular(turned(F, y), inner, upper=True)
    both = F.solve_triangular(turned(F, y), turned(F, left), upper=True)
    return (both + turned(F, both)) * 0.25


def _square_qr(F: Any, q: Any, r: Any, of_q: Any, of_r: Any) -> Any:
    """Where R is square: Walter and Lehmann, "Algorithmic differentiation of linear algebra functions" (2010), as in Seeger et al.,
    "Auto-differentiating linear algebra" (2017).
    """
    m = _mirrored(F, F.matmul(r, turned(F, of_r)) - F.matmul(turned(F, of_q), q))
    return turned(F, F.solve_triangular(r, turned(F, of_q + F.matmul(q, m)), upper=True))


def _qr_rule(F: Any, g: Any, y: Any, *, mode: str) -> Any:
    """A wide matrix is [X, Y] with R = [U, V]: X = Q U, and Y = Q V, of which Q depends on X only (as PyTorch's, Roberts 2020)."""
    (of_q, of_r), (q, r) = g, y
    if mode == "r" or (mode == "complete" and q.shape[-1] > r.shape[-1]):
        raise GraphError("qr", f'mode="{mode}" of {q.shape[-1]} rows and {r.shape[-1]} columns' if mode != "r" else 'mode="r"',
                         "the gradient takes all of Q, and what the matrix determines of it only", 'use mode="reduced"')
    m, n = r.shape[-2:]
    if m >= n:
        return (_square_qr(F, q, r, of_q, of_r),)
    (u, v), (of_u, of_v) = F.split_sizes(r, sizes=(m, n - m), dim=-1), F.split_sizes(of_r, sizes=(m, n - m), dim=-1)
    y_part = F.matmul(q, v)
    of_x = _square_qr(F, q, u, of_q + F.matmul(y_part, turned(F, of_v)), of_u)
    return (F.cat((of_x, F.matmul(q, of_v)), dim=-1),)


def _eigh_rule(F: Any, g: Any, y: Any) -> Any:
    """Giles (2008), 3.1, for symmetric matrices: half of it for each triangle, as in PyTorch. Infinite for eigenvectors of equal
    eigenvalues, if their gradient asks about more than the space that they span.
    """
    (of_w, of_v), (w, v) = g, y
    inner = F.matmul(turned(F, v), of_v)
    diagonal = diagonal_mask(F, inner)
    core = F.where(diagonal, row_of(F, of_w), quotient(F, inner, F.where(diagonal, 1, row_of(F, w) - column(F, w))))
    return (F.matmul(v, F.matmul((core + turned(F, core)) * 0.5, turned(F, v))),)


def _eigvalsh(F: Any, x: Any, *, UPLO: str) -> Any:
    return F.eigh(x, UPLO=UPLO)


def _eigvalsh_rule(F: Any, g: Any, x: Any, v: Any, *, UPLO: str) -> Any:
    if v is None:                                                # recorded: v has a gradient of its own
        _, v = F.eigh(x, UPLO=UPLO)
    return F.matmul(v * row_of(F, g), turned(F, v))


_cholesky = op("cholesky", lambda F, x: F.cholesky(x), _cholesky_rule)
_qr = op("qr", lambda F, x, *, mode: F.qr(x, mode), joint=_qr_rule, outputs=2)
_eigh = op("eigh", lambda F, x, *, UPLO: F.eigh(x, UPLO), joint=_eigh_rule, outputs=2)
_eigvalsh_op = op("eigvalsh", _eigvalsh, _eigvalsh_rule, aux=("v",))


# --------------------------------------------------------------------------------------------------------- functions
def cholesky(A: Tensor, *, upper: bool = False) -> Tensor:
    """L, lower triangular with L L^T = A; with `upper` its transpose. Of A, symmetric, only that triangle is read.

    Raises LinAlgError where A is not positive-definite.

    >>> ta.linalg.cholesky(ta.tensor([[4., 2.], [2., 5.]]))
    tensor([[2., 0.],
            [1., 2.]])
    """
    matrices(A, "cholesky", "only square matrices have a Cholesky factor")
    return turned(recording, _cholesky.call(turned(recording, A))) if upper else _cholesky.call(A)


def cholesky_inverse(L: Tensor, upper: bool = False) -> Tensor:
    """The inverse of the matrix of which L (L^T, if `upper`) is the Cholesky factor. Raises LinAlgError where that has a 0 on the diagonal."""
    matrices(L, "cholesky_inverse", "a Cholesky factor is square", "solve_triangular")
    lower = turned(recording, L) if upper else L
    unit = recording.expand(recording.cast(diagonal_mask(recording, L), dtype=L.dtype), shape=L.shape)
    half = triangular.call(lower, unit, upper=False, regular="cholesky_inverse")
    return wide_matmul.call(turned(recording, half), half)


def qr(A: Tensor, mode: str = "reduced") -> QR:
    """Q with orthonormal columns and an upper triangular R whose product is A; "complete": a square Q; "r": R alone, and an empty Q.

    Gradients: not for "r", and for "complete" only where Q is square anyway; the first columns must be independent.

    >>> ta.linalg.qr(ta.tensor([[0., 2.], [1., 0.]])).R.abs()
    tensor([[1., 0.],
            [0., 2.]])
    """
    if mode not in ("reduced", "complete", "r"):
        raise ArgumentError("qr", f"mode={mode!r}", "there is no such mode", 'use "reduced", "complete" or "r"')
    return QR(*_qr(matrices(A, "qr"), mode=mode))


def _triangle(UPLO: str, name: str) -> str:
    if str(UPLO).upper() not in ("L", "U"):
        raise ArgumentError(name, f"UPLO={UPLO!r}", "it is the triangle that is read", 'use "L" or "U"')
    return UPLO.upper()


def eigh(A: Tensor, UPLO: str = "L") -> Eigh:
    """The eigenvalues, ascending, and the eigenvectors (columns) of symmetric matrices, of which only the triangle `UPLO` is read.

    An eigenvector's sign is any; of equal eigenvalues so is the basis, and gradients of such vectors are infinite.

    >>> ta.linalg.eigh(ta.tensor([[2., 1.], [1., 2.]])).eigenvalues
    tensor([1., 3.])
    """
    return Eigh(*_eigh(matrices(A, "eigh", "only square matrices have eigenvalues"), UPLO=_triangle(UPLO, "eigh")))


def eigvalsh(A: Tensor, UPLO: str = "L") -> Tensor:
    """The eigenvalues of symmetric matrices, ascending; the gradient is finite for equal ones too."""
    return _eigvalsh_op.call(matrices(A, "eigvalsh", "only square matrices have eigenvalues"), UPLO=_triangle(UPLO, "eigvalsh"))


def svd(A: Tensor, full_matrices: bool = True, *, driver: str | None = None) -> SVD:
    """U, S, Vh with A = U diag(S) Vh, singular values largest first; U and Vh square, or just as large as needed.

    Signs are any; gradients of the vectors of equal singular values are infinite, and those that make U and Vh square have none:
    a GraphError if one is asked for. `driver` is for PyTorch's CUDA and not looked at.

    >>> ta.linalg.svd(ta.tensor([[0., 3.], [4., 0.]])).S
    tensor([4., 3.])
    """
    return SVD(*singular_vectors(matrices(A, "svd"), full_matrices=bool(full_matrices)))


def older_svd(input: Tensor, some: bool = True, compute_uv: bool = True) -> Svd:
    """`svd` as PyTorch's first was: V, not its transpose; without `compute_uv` zeros for both."""
    if compute_uv:
        u, s, vh = svd(input, not some)
        return Svd(u, s, turned(recording, vh))
    s = svdvals(input)
    u, v = (full((*input.shape[:-2], n, n), 0, dtype=input.dtype, device=input.device) for n in input.shape[-2:])
    return Svd(u, s, v)
