"""Functions of matrices that are series, and matrices of powers."""

from __future__ import annotations

from typing import Any

from ..errors import ArgumentError
from ..graph import recording
from ..tensor import Tensor
from .factor import matrices
from .join import cat
from .linalg import column, turned
from .reduce import operand
from .registry import op


def _exp_rule(F: Any, g: Any, x: Any) -> Any:
    """The derivative of exp at x^T towards g is a corner of the exponential of [[x^T, g], [0, x^T]] (Al-Mohy and Higham, 2009).

    It is linear in g, which is made small first: its size would be halved away with that of x, and x's digits with it.
    """
    n, xt, size = x.shape[-1], turned(F, x), F.magnitude(g)
    g = g / size
    whole = F.matrix_exp(F.cat((F.cat((xt, g), dim=-1), F.cat((F.zeros_like(xt), xt), dim=-1)), dim=-2))
    upper, _ = F.split_sizes(whole, sizes=(n, n), dim=-2)
    return F.split_sizes(upper, sizes=(n, n), dim=-1)[1] * size


op("magnitude", lambda F, x: F.magnitude(x))                     # no rule: a constant in whatever it scales
_exp = op("matrix_exp", lambda F, x: F.matrix_exp(x), _exp_rule)


def matrix_exp(A: Tensor) -> Tensor:
    """The sum of A^k / k! over all k, for square matrices.

    >>> ta.linalg.matrix_exp(ta.tensor([[0., 1.], [0., 0.]]))
    tensor([[1., 1.],
            [0., 1.]])
    """
    return _exp.call(matrices(A, "matrix_exp", "only square matrices have an exponential"))


def vander(x: Tensor, N: int | None = None) -> Tensor:
    """Rows 1, x, x², ...: N powers of each element along the last axis, by default as many as there are elements.

    >>> ta.linalg.vander(ta.tensor([2., 3.]), 3)
    tensor([[1., 2., 4.],
            [1., 3., 9.]])
    """
    if N is not None and type(N) is not int:
        raise ArgumentError("vander", f"N={N!r}", "it is how many powers are taken", "pass an int")
    if N is not None and N <= 1:
        raise ArgumentError("vander", f"N={N}", "at least 2 powers are taken", "leave N out for as many as there are elements")
    if not operand(x, "vander").ndim:
        x = recording.reshape(x, shape=(1,))
    one = column(recording, x)
    powers = recording.expand(one, shape=(*x.shape, max(N or x.shape[-1], 1) - 1))
    return cat((recording.ones_like(one), recording.cumprod(powers, dim=-1)), -1)
