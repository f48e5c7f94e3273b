"""Inverses and singular values of matrices, the last two axes; those before them are a batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import ArgumentError, ShapeError
from ..tensor import Tensor
from .axes import movedim
from .linalg import column, row_of, turned
from .reduce import amax, amin, only_floats, sum
from .registry import op, public
from .shape import reshape


def diagonal_mask(F: Any, x: Any) -> Any:
    """True where x's last two axes have equal indices."""
    return F.reshape(F.arange(x.shape[-2], x), (-1, 1)) == F.arange(x.shape[-1], x)


def _svd_rule(F: Any, g: Any, y: Any) -> Any:
    """Townsend, "Differentiating the singular value decomposition" (2016). Infinite where singular values are equal."""
    (of_u, of_s, of_vh), (u, s, vh) = g, y
    ut, v = turned(F, u), turned(F, vh)
    in_u, in_v = F.matmul(ut, of_u), F.matmul(vh, turned(F, of_vh))
    diagonal = diagonal_mask(F, in_u)
    gaps = F.where(diagonal, 1, (row_of(F, s) - column(F, s)) * (row_of(F, s) + column(F, s)))
    core = (in_u - turned(F, in_u)) / gaps * row_of(F, s) + column(F, s) * ((in_v - turned(F, in_v)) / gaps)
    gx = F.matmul(u, F.matmul(core + F.where(diagonal, row_of(F, of_s), 0), vh))
    if u.shape[-2] > s.shape[-1]:                                # what turns u out of the plane it spans
        gx = gx + F.matmul((of_u - F.matmul(u, in_u)) / row_of(F, s), vh)
    if v.shape[-2] > s.shape[-1]:
        gx = gx + F.matmul(u / row_of(F, s), of_vh - F.matmul(F.matmul(of_vh, v), vh))
    return (gx,)


def _svdvals_rule(F: Any, g: Any, x: Any, u: Any, vh: Any) -> Any:
    if u is None:                                                # recorded: u and vh have gradients of their own
        u, _, vh = F.svd(x)
    return F.matmul(u * row_of(F, g), vh)


def _svdvals(F: Any, x: Any) -> Any:
    u, s, vh = F.svd(x)
    return s, u, vh


_svd = op("svd", lambda F, x: F.svd(x), joint=_svd_rule, outputs=3)
_singular = op("svdvals", _svdvals, _svdvals_rule, aux=("u", "vh"))
_inverse = op("inv", lambda F, x: F.inv(x), lambda F, g, y: -F.matmul(turned(F, y), F.matmul(g, turned(F, y))))


@public("inverse")
def inv(input: Tensor) -> Tensor:
    """The inverse matrices. Raises an error where one has none.

    >>> ta.linalg.inv(ta.tensor([[2., 0.], [0., 4.]]))
    tensor([[0.5000, 0.0000],
            [0.0000, 0.2500]])
    """
    if only_floats(input, "inv").ndim < 2 or input.shape[-1] != input.shape[-2]:
        raise ShapeError("inv", str(input.shape), "only square matrices have an inverse")
    return _inverse.call(input)


def svdvals(A: Tensor) -> Tensor:
    """The singular values, largest first.

    >>> ta.linalg.svdvals(ta.tensor([[0., 3.], [4., 0.]]))
    tensor([4., 3.])
    """
    if only_floats(A, "svdvals").ndim < 2:
        raise ShapeError("svdvals", str(A.shape), "it takes matrices")
    return _singular.call(A)


SPECTRAL: dict[Any, Callable[..., Tensor]] = {"nuc": sum, 2: amax, -2: amin}


def spectral_norm(x: Tensor, p: Any, dims: tuple[int, ...], keepdim: bool, name: str) -> Tensor:
    """The sum ("nuc"), the largest (2) or the smallest (-2) of the singular values over two dims, counted from the front."""
    if len(dims) != 2:
        raise ArgumentError(name, f"dim={dims}", "a norm of matrices takes two dims", "name the two")
    y = SPECTRAL[p](svdvals(movedim(x, dims, (-2, -1))), -1)
    return reshape(y, tuple([1 if d in dims else n for d, n in enumerate(x.shape)])) if keepdim else y
