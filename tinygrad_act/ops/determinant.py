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


def _slope_rule(F: Any, g: Any, h: Any, x: Any, *, needs: tuple[bool, ...]) -> Any:
    """Of the second derivative towards h: it is symmetric; and for x by the inverse, which must be there only now."""
    for_x = None
    if needs[1]:
        inverse = turned(F, F.inv(x))
        along_g, along_h = F.matmul(inverse, turned(F, g)), F.matmul(inverse, turned(F, h))
        in_g, in_h, both = _trace(F, along_g), _trace(F, along_h), _trace(F, F.matmul(along_g, along_h))
        inner = F.matmul(along_g, along_h) + F.matmul(along_h, along_g) - in_h * along_g - in_g * along_h
        for_x = column(F, column(F, F.det(x))) * ((in_g * in_h - both) * inverse + F.matmul(inner, inverse))
    return F.cofactor_slope(g, x) if needs[0] else None, for_x


def _trace(F: Any, x: Any) -> Any:
    return F.sum(F.where(diagonal_mask(F, x), x, 0), dim=(-2, -1), keepdim=True)


def _slogdet_rule(F: Any, g: Any, x: Any) -> Any:
    """Giles, "Collected matrix derivative results" (2008), 2.2.4. A singular matrix spoils only its own gradient."""
    return (column(F, column(F, g[1])) * turned(F, F.inv_or_inf(x)),)


op("cofactor_slope", lambda F, h, x: F.cofactor_slope(h, x), joint=_slope_rule)
op("cofactor", lambda F, x: F.cofactor(x), lambda F, g, x: F.cofactor_slope(g, x))
_det = op("det", lambda F, x: F.det(x), lambda F, g, x: column(F, column(F, g)) * F.cofactor(x))
_slogdet = op("slogdet", lambda F, x: F.slogdet(x), joint=_slogdet_rule, outputs=2)


def det(A: Tensor) -> Tensor:
    """The determinants of square matrices. First and second derivatives hold for singular ones too, with create_graph as without; from the
    third on a LinAlgError says that there is no inverse. Of a matrix that is not finite the gradient is NaN.

    >>> ta.linalg.det(ta.tensor([[1., 2.], [3., 4.]]))
    tensor(-2.)
    """
    return _det.call(matrices(A, "det", SQUARE))


def slogdet(A: Tensor) -> SlogDet:
    """The signs of the determinants and the logarithms of their sizes, which neither overflow nor underflow; 0 and -inf for a
    singular matrix, whose gradient is infinite (NaN where the loss does not take it); those of the others in the batch stay right.

    >>> ta.linalg.slogdet(ta.tensor([[0., 2.], [2., 0.]])).logabsdet
    tensor(1.3863)
    """
    return SlogDet(*_slogdet(matrices(A, "slogdet", SQUARE)))


def logdet(input: Tensor) -> Tensor:
    """The logarithms of the determinants: NaN where one is negative, -inf where it is 0.

    The gradient is 0 where a determinant is negative, and as slogdet's, infinite or NaN, where it is 0.
    """
    sign, size = _slogdet(matrices(input, "logdet", SQUARE, "slogdet"))
    return recording.where(sign < 0, math.nan, size)  # type: ignore[no-any-return]
