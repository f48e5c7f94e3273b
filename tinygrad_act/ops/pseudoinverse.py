"""What is said of matrices by their singular values: rank, condition, pseudoinverse, least squares."""

from __future__ import annotations

import math
from typing import Any

from .. import dtypes
from ..backend.namespace import broadcast_shape
from ..errors import ArgumentError, DTypeError, LinAlgError, ShapeError
from ..graph import recording
from ..tensor import Tensor
from .create import full
from .decompose import eigvalsh
from .factor import inv, matrices, spectral_norm, svdvals
from .join import stack
from .linalg import column, turned
from .matrix_results import Lstsq
from .norms import norm
from .reduce import only_floats
from .registry import op
from .solve import is_vector

Bound = float | Tensor | None


def _pinv_rule(F: Any, g: Any, x: Any, y: Any) -> Any:
    """Golub and Pereyra, "The differentiation of pseudo-inverses ..." (1973), (4.12). It holds where the rank stays as it is."""
    yt, gt = turned(F, y), turned(F, g)
    beyond = F.matmul(gt, F.matmul(y, yt))                       # what x cannot reach, and what it does not see
    before = F.matmul(yt, F.matmul(y, gt))
    return beyond - F.matmul(x, F.matmul(y, beyond)) + before - F.matmul(F.matmul(before, y), x) - F.matmul(yt, F.matmul(g, yt))


_pinv = op("pinv", lambda F, x, *, atol, rtol, hermitian: F.pinv(x, atol, rtol, hermitian), _pinv_rule)


def _bounds(A: Tensor, atol: Bound, rtol: Bound) -> tuple[Any, Any]:
    """From which sizes on a singular value is not 0: absolute, and relative to the largest. Not given, rounding's where atol is 0."""
    rounding = float(dtypes.finfo(dtypes.float32 if dtypes.is_half(A.dtype) else A.dtype).eps) * max(A.shape[-2:])
    if rtol is None:
        rtol = recording.where(atol > 0, 0.0, rounding) if isinstance(atol, Tensor) else 0.0 if atol else rounding
    return 0.0 if atol is None else atol, rtol


def pinv(A: Tensor, rcond: Bound = None, hermitian: bool = False, *, atol: Bound = None, rtol: Bound = None) -> Tensor:
    """The pseudoinverse: the inverse on the space that A reaches, and 0 beyond it.

    Singular values up to max(atol, rtol * the largest) count as 0; `rcond` is the older name of rtol. `hermitian`: A is symmetric, and
    its eigenvalues are taken.

    >>> ta.linalg.pinv(ta.tensor([[2., 0.], [0., 0.]]))
    tensor([[0.5000, 0.0000],
            [0.0000, 0.0000]])
    """
    matrices(A, "pinv", "only square matrices are symmetric (hermitian=True)" if hermitian else "")
    bounds = _bounds(A, atol, rcond if rtol is None else rtol)
    absolute, relative = (t.array if isinstance(t, Tensor) else t for t in bounds)
    return _pinv.call(A, atol=absolute, rtol=relative, hermitian=bool(hermitian))


def matrix_rank(A: Tensor, tol: Bound = None, hermitian: bool = False, *, atol: Bound = None, rtol: Bound = None) -> Tensor:
    """How many singular values (of symmetric matrices, with `hermitian`, eigenvalues) count: see `pinv`. `tol` is absolute.

    >>> ta.linalg.matrix_rank(ta.tensor([[1., 2.], [2., 4.]]))
    tensor(1)
    """
    matrices(A, "matrix_rank", "only square matrices are symmetric (hermitian=True)" if hermitian else "")
    absolute, relative = (tol, 0.0) if tol is not None else _bounds(A, atol, rtol)
    s = (eigvalsh(A).abs() if hermitian else svdvals(A)).detach()
    if not s.shape[-1]:
        return full(s.shape[:-1], 0, dtype=dtypes.int64, device=A.device)
    bound = recording.maximum(relative * s.amax(-1), absolute)
    return (s > column(recording, bound)).sum(-1)  # type: ignore[no-any-return]


def cond(A: Tensor, p: Any = None) -> Tensor:
    """The condition number: the norm of A times that of its inverse; of None (2) and -2 by singular values, of any matrix.

    >>> ta.linalg.cond(ta.tensor([[4., 0.], [0., 2.]]))
    tensor(2.)
    """
    matrices(A, "cond")
    if p in (None, 2, -2):
        s = svdvals(A)
        if not s.shape[-1]:
            raise ShapeError("cond", str(A.shape), "a matrix without elements has no singular values")
        return s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]
    matrices(A, "cond", f"of p={p!r} only square matrices have a condition number")
    try:
        inverse = inv(A)
    except LinAlgError:                                          # one is singular: infinite for that, and not for the others
        if A.ndim == 2:
            return full((), math.inf, dtype=A.dtype, device=A.device)
        return stack([cond(matrix, p) for matrix in A])
    return _size(A, p) * _size(inverse, p)


def _size(A: Tensor, p: Any) -> Tensor:
    """A norm of matrices: see linalg.matrix_norm, a floor above."""
    if p == "nuc":
        return spectral_norm(A, p, (A.ndim - 2, A.ndim - 1), False, "cond")
    if p == "fro":
        return norm(A, 2, (-2, -1))
    if p not in (1, -1, math.inf, -math.inf):
        raise ArgumentError("cond", f"p={p!r}", "there is no such matrix norm", 'use "fro", "nuc", 1, -1, 2, -2, inf or -inf')
    sums = A.abs().sum(-2 if abs(p) == 1 else -1)
    return sums.amax(-1) if p > 0 else sums.amin(-1)


DRIVERS = ("gels", "gelsy", "gelsd", "gelss")


def lstsq(A: Tensor, B: Tensor, rcond: float | None = None, *, driver: str | None = None) -> Lstsq:
    """The X for which the squares of A X - B have the least sum, and of these the smallest: the pseudoinverse of A times B.

    `driver` says, as in PyTorch, what else is found: "gelsy" (the default) the rank; "gelss" and "gelsd" the rank, the singular values
    and the residuals; "gels", which takes A to be of full rank, the residuals. All of them go by singular values here, of which those
    up to `rcond` times the largest count as 0. Residuals are the sums of squares, if A has more rows than columns and full rank.

    >>> ta.linalg.lstsq(ta.tensor([[1., 0.], [0., 2.], [0., 0.]]), ta.tensor([[1.], [4.], [9.]])).solution
    tensor([[1.],
            [2.]])
    """
    matrices(A, "lstsq")
    driver = "gelsy" if driver is None else driver
    if driver not in DRIVERS:
        raise ArgumentError("lstsq", f"driver={driver!r}", "there is no such driver", f"use one of {', '.join(DRIVERS)}")
    if only_floats(B, "lstsq").dtype != A.dtype:
        raise DTypeError("lstsq", f"{A.dtype} and {B.dtype}", "the dtypes differ", "convert one, for example with .to(ta.float32)")
    vector = is_vector(A, B)
    right = column(recording, B) if vector else B
    if right.ndim < 2 or right.shape[-2] != A.shape[-2] or broadcast_shape(A.shape[:-2], right.shape[:-2]) is None:
        raise ShapeError("lstsq", f"{A.shape} and {B.shape}", f"the right-hand side needs {A.shape[-2]} rows, and a batch that broadcasts")
    m, n = A.shape[-2:]
    relative = None if rcond is None else float(rcond)
    X = pinv(A, relative) @ right
    none = full((0,), 0, dtype=X.dtype, device=A.device)
    rank = matrix_rank(A, rtol=relative)
    full_rank = driver == "gels" or (driver != "gelsy" and bool((rank == n).all().item()))
    residuals = ((A @ X - right) ** 2).sum(-2) if m > n and full_rank else none
    return Lstsq(recording.reshape(X, shape=X.shape[:-1]) if vector else X, residuals, none.long() if driver == "gels" else rank,
                 svdvals(A).detach() if driver in ("gelss", "gelsd") else none)
