"""The named tuples that factorisations return, with PyTorch's names for their parts."""

from __future__ import annotations

from typing import NamedTuple

from ..tensor import Tensor
from .results import printed


@printed
class SlogDet(NamedTuple):
    """What `slogdet` returns: a determinant is sign * exp(logabsdet)."""

    sign: Tensor
    logabsdet: Tensor


@printed
class QR(NamedTuple):
    """What `qr` returns: orthonormal columns and a triangle, whose product is the matrix."""

    Q: Tensor
    R: Tensor


@printed
class Eigh(NamedTuple):
    """What `linalg.eigh` returns: the eigenvalues, ascending, and the eigenvectors as columns."""

    eigenvalues: Tensor
    eigenvectors: Tensor


@printed
class SVD(NamedTuple):
    """What `linalg.svd` returns: U * S @ Vh is the matrix."""

    U: Tensor
    S: Tensor
    Vh: Tensor


@printed
class Svd(NamedTuple):
    """What `svd` returns, the older spelling: U * S @ V.mT is the matrix."""

    U: Tensor
    S: Tensor
    V: Tensor


@printed
class Lstsq(NamedTuple):
    """What `linalg.lstsq` returns; what the driver does not find is empty."""

    solution: Tensor
    residuals: Tensor
    rank: Tensor
    singular_values: Tensor
