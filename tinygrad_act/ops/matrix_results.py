"""The named tuples that factorisations return, with PyTorch's names for their parts."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..tensor import Tensor


def _listed(result: Any) -> str:
    """A line for each part, as PyTorch prints its return types."""
    parts = ",\n".join(f"{name}={part!r}" for name, part in zip(result._fields, result, strict=True))
    return f"{type(result).__name__.lower()}(\n{parts})"


class SlogDet(NamedTuple):
    """What `slogdet` returns: a determinant is sign * exp(logabsdet)."""

    sign: Tensor
    logabsdet: Tensor

    def __repr__(self) -> str:
        return _listed(self)


class QR(NamedTuple):
    """What `qr` returns: orthonormal columns and a triangle, whose product is the matrix."""

    Q: Tensor
    R: Tensor

    def __repr__(self) -> str:
        return _listed(self)


class Eigh(NamedTuple):
    """What `linalg.eigh` returns: the eigenvalues, ascending, and the eigenvectors as columns."""

    eigenvalues: Tensor
    eigenvectors: Tensor

    def __repr__(self) -> str:
        return _listed(self)


class SVD(NamedTuple):
    """What `linalg.svd` returns: U * S @ Vh is the matrix."""

    U: Tensor
    S: Tensor
    Vh: Tensor

    def __repr__(self) -> str:
        return _listed(self)


class Svd(NamedTuple):
    """What `svd` returns, the older spelling: U * S @ V.mT is the matrix."""

    U: Tensor
    S: Tensor
    V: Tensor

    def __repr__(self) -> str:
        return _listed(self)


class Lstsq(NamedTuple):
    """What `linalg.lstsq` returns; what the driver does not find is empty."""

    solution: Tensor
    residuals: Tensor
    rank: Tensor
    singular_values: Tensor

    def __repr__(self) -> str:
        return _listed(self)
