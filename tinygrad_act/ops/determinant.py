"""Determinants, and the cofactors that are their gradient."""

from __future__ import annotations

import math
from typing import Any

from ..graph import recording
from ..tensor import Tensor
from .factor import diagonal_mask, matrices
from .linalg import column, turned
from .matrix_results import SlogDet
from .registry import op

SQUARE = "only square matrices have a determinant"


def _cofactors_rule(F: Any, g: Any, x: Any, y: Any, u: Any, s: Any, vh: Any, sign: Any) -> Any:
    """In the frame of U and V, det has second derivatives between elements ii and jj, and (negative) ij and ji: the products of
    the singular values other than i and j. Recorded, by derivatives of the inverse; only then must x have one.
    """
    if u is None:
        inverse = turned(F, F.inv(x))
        return F.sum(g * y, dim=(-2, -1), keepdim=True) * inverse - F.matmul(y, F.matmul(turned(F, g), inverse))
    g = F.matmul(turned(F, u), F.matmul(g, turned(F, vh)))
    _, pairs = F.others(s)
    along = F.matmul(pairs, column(F, F.diagonal(g, 0, -2, -1)))
    inner = F.where(diagonal_mask(F, g), along, -turned(F, g) * pairs)
    return F.matmul(u, F.matmul(inner * column(F, column(F, sign)), vh))


def _slogdet_rule(F: Any, g: Any, x: Any) -> Any:
    """Giles, "Collected matrix derivative results" (2008), 2.2.4."""
    return (column(F, column(F, g[1])) * turned(F, F.inv(x)),)


op("cofactor", lambda F, x: F.cofactors(x), _cofactors_rule, aux=("u", "s", "vh", "sign"))
_det = op("det", lambda F, x: F.det(x), lambda F, g, x: column(F, column(F, g)) * F.cofactor(x))
_slogdet = op("slogdet", lambda F, x: F.slogdet(x), joint=_slogdet_rule, outputs=2)


def det(A: Tensor) -> Tensor:
    """The determinants of square matrices. First and second derivatives hold for singular ones too.

    >>> ta.linalg.det(ta.tensor([[1., 2.], [3., 4.]]))
    tensor(-2.)
    """
    return _det.call(matrices(A, "det", SQUARE))


def slogdet(A: Tensor) -> SlogDet:
    """The signs of the determinants and the logarithms of their sizes, which neither overflow nor underflow; 0 and -inf for a
    singular matrix, which has no gradient: there is an error when it is asked for.

    >>> ta.linalg.slogdet(ta.tensor([[0., 2.], [2., 0.]])).logabsdet
    tensor(1.3863)
    """
    return SlogDet(*_slogdet(matrices(A, "slogdet", SQUARE)))


def logdet(input: Tensor) -> Tensor:
    """The logarithms of the determinants: NaN where one is negative, -inf where it is 0."""
    sign, size = _slogdet(matrices(input, "logdet", SQUARE))
    return recording.where(sign < 0, math.nan, size)  # type: ignore[no-any-return]
