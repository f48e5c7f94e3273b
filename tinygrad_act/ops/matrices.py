"""PyTorch's older spellings of linear algebra, as functions and Tensor methods. What they call is imported with the first call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..tensor import Tensor
from .registry import public

if TYPE_CHECKING:
    from .matrix_results import QR, SlogDet, Svd


@public()
def det(input: Tensor) -> Tensor:
    """The determinants of square matrices: see `linalg.det`."""
    from .determinant import det
    return det(input)


@public()
def slogdet(input: Tensor) -> SlogDet:
    """The signs and the logarithms of the sizes of determinants: see `linalg.slogdet`."""
    from .determinant import slogdet
    return slogdet(input)


@public()
def logdet(input: Tensor) -> Tensor:
    """The logarithms of determinants: NaN where one is negative, -inf where it is 0.

    >>> ta.tensor([[2., 0.], [0., 2.]]).logdet()
    tensor(1.3863)
    """
    from .determinant import logdet
    return logdet(input)


@public()
def cholesky(input: Tensor, upper: bool = False) -> Tensor:
    """The lower triangular L with L L^T = `input`, or its transpose: see `linalg.cholesky`."""
    from .decompose import cholesky
    return cholesky(input, upper=upper)


@public()
def cholesky_solve(input: Tensor, L: Tensor, upper: bool = False) -> Tensor:
    """X with L L^T X = `input` (L^T L X, if `upper`).

    >>> ta.tensor([[8.], [18.]]).cholesky_solve(ta.tensor([[2., 0.], [0., 3.]]))
    tensor([[2.],
            [2.]])
    """
    from .solve import cholesky_solve
    return cholesky_solve(input, L, upper)


@public()
def cholesky_inverse(input: Tensor, upper: bool = False) -> Tensor:
    """The inverse of the matrix whose Cholesky factor is `input`; LinAlgError where that has a 0 on the diagonal."""
    from .decompose import cholesky_inverse
    return cholesky_inverse(input, upper)


@public()
def qr(input: Tensor, some: bool = True) -> QR:
    """Q and R, Q square if not `some`: see `linalg.qr`."""
    from .decompose import qr
    return qr(input, "reduced" if some else "complete")


@public()
def svd(input: Tensor, some: bool = True, compute_uv: bool = True) -> Svd:
    """U, S, V with U * S @ V.mT = `input`, square U and V if not `some`; without `compute_uv` zeros for these.

    `linalg.svd` gives the transpose of V.
    """
    from .decompose import older_svd
    return older_svd(input, some, compute_uv)


@public()
def pinverse(input: Tensor, rcond: float = 1e-15) -> Tensor:
    """The pseudoinverse, for which singular values up to `rcond` times the largest are 0: see `linalg.pinv`."""
    from .pseudoinverse import pinv
    return pinv(input, rcond)


@public()
def matrix_exp(input: Tensor) -> Tensor:
    """The exponential of square matrices: see `linalg.matrix_exp`."""
    from .matrix_function import matrix_exp
    return matrix_exp(input)
