"""Inverses and singular values of matrices, the last two axes; those before them are a batch."""

from __future__ import annotations

from typing import Any

from .. import dtypes
from ..backend import namespaces
from ..errors import DTypeError, GraphError, ShapeError
from ..graph import casts
from ..tensor import Tensor, wrap
from .linalg import column, row_of, turned
from .reduce import only_floats
from .registry import op, public


def matrices(x: Any, op: str, square: str = "", runs: str = "") -> Tensor:
    """x, which must be matrices of float32 or float64; `square` is what to say of those that are not square.

    `runs` is the op that takes them, if it has another name: autocast may make them float32 for it.
    """
    if dtypes.is_half(only_floats(x, op).dtype) and not casts(runs or op):
        raise DTypeError(op, f"a tensor of {x.dtype}", "matrices are factored in float32 and float64 only", "convert it first, with x.float()")
    if x.ndim < 2 or (square and x.shape[-1] != x.shape[-2]):
        raise ShapeError(op, str(x.shape), "it takes matrices, tensors of two axes or more" if x.ndim < 2 else square)
    return x  # type: ignore[no-any-return]


def diagonal_mask(F: Any, x: Any) -> Any:
    """True where x's last two axes have equal indices."""
    return F.reshape(F.arange(x.shape[-2], x), (-1, 1)) == F.arange(x.shape[-1], x)


def quotient(F: Any, a: Any, b: Any) -> Any:
    """a / b, and 0 where both are: a gradient that does not ask about equal eigenvalues is finite in spite of them."""
    nothing = F.logical_and(a == 0, b == 0)
    return F.where(nothing, 0, a / F.where(nothing, 1, b))


def _determined(F: Any, x: Any, g: Any, k: int, dim: int) -> tuple[Any, Any]:
    """The first k vectors along `dim` of u or vh, and their gradient; an error if the others, which can be any, have one."""
    rest = x.shape[dim] - k
    if not rest:
        return x, g
    (x, _), (g, other) = F.split_sizes(x, sizes=(k, rest), dim=dim), F.split_sizes(g, sizes=(k, rest), dim=dim)
    if F.any(other != 0).item():
        raise GraphError("svd", "a gradient for singular vectors beyond the smaller size", "the matrix does not say which they are, only "
                         "the space that they span", "use full_matrices=False (some=True), or only the first ones")
    return x, g


def _svd_rule(F: Any, g: Any, y: Any) -> Any:
    """Townsend, "Differentiating the singular value decomposition" (2016). Infinite where singular values are equal."""
    (of_u, of_s, of_vh), (u, s, vh) = g, y
    u, of_u = _determined(F, u, of_u, s.shape[-1], -1)
    vh, of_vh = _determined(F, vh, of_vh, s.shape[-1], -2)
    ut, v = turned(F, u), turned(F, vh)
    in_u, in_v = F.matmul(ut, of_u), F.matmul(vh, turned(F, of_vh))
    diagonal = diagonal_mask(F, in_u)
    gaps = F.where(diagonal, 1, (row_of(F, s) - column(F, s)) * (row_of(F, s) + column(F, s)))
    core = quotient(F, in_u - turned(F, in_u), gaps) * row_of(F, s) + column(F, s) * quotient(F, in_v - turned(F, in_v), gaps)
    gx = F.matmul(u, F.matmul(core + F.where(diagonal, row_of(F, of_s), 0), vh))
    if u.shape[-2] > s.shape[-1]:                                # what turns u out of the plane it spans
        gx = gx + F.matmul(quotient(F, of_u - F.matmul(u, in_u), row_of(F, s)), vh)
    if v.shape[-2] > s.shape[-1]:
        gx = gx + F.matmul(u, quotient(F, of_vh - F.matmul(F.matmul(of_vh, v), vh), column(F, s)))
    return (gx,)


def _svdvals_rule(F: Any, g: Any, x: Any, u: Any, vh: Any) -> Any:
    if u is None:                                                # recorded: u and vh have gradients of their own
        u, _, vh = F.svd(x)
    return F.matmul(u * row_of(F, g), vh)


def _svdvals(F: Any, x: Any) -> Any:
    u, s, vh = F.svd(x)
    return s, u, vh


singular_vectors = op("svd", lambda F, x, *, full_matrices=False: F.svd(x, full_matrices), joint=_svd_rule, outputs=3)
_singular = op("svdvals", _svdvals, _svdvals_rule, aux=("u", "vh"))


def _inv_rule(F: Any, g: Any, y: Any) -> Any:
    return -F.matmul(turned(F, y), F.matmul(g, turned(F, y)))


_inverse = op("inv", lambda F, x: F.inv(x), _inv_rule)
inv_or_inf = op("inv_or_inf", lambda F, x: F.inv_or_inf(x), _inv_rule)


@public("inverse")
def inv(input: Tensor) -> Tensor:
    """The inverse matrices. Raises an error where one has none.

    >>> ta.linalg.inv(ta.tensor([[2., 0.], [0., 4.]]))
    tensor([[0.5000, 0.0000],
            [0.0000, 0.2500]])
    """
    return _inverse.call(matrices(input, "inv", "only square matrices have an inverse"))


def svdvals(A: Tensor) -> Tensor:
    """The singular values, largest first.

    >>> ta.linalg.svdvals(ta.tensor([[0., 3.], [4., 0.]]))
    tensor([4., 3.])
    """
    return _singular.call(matrices(A, "svdvals"))


def orthonormal(A: Tensor) -> Tensor:
    """Q of A = Q R, with R's diagonal not negative: or Q would depend on how it was computed."""
    F = namespaces[type(A.array)]
    q, r = F.qr(A.array)
    signs = F.sign(F.diagonal(r, 0, -2, -1))
    return wrap(q * (signs + (signs == 0))[..., None, :])
