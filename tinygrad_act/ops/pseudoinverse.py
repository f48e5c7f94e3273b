"""What is said of matrices by their singular values: rank, condition, pseudoinverse, least squares."""

from __future__ import annotations

import math
import numbers
from typing import Any

from .. import dtypes
from ..errors import ArgumentError
from ..graph import recording
from ..tensor import Tensor
from .create import full
from .decompose import eigvalsh
from .factor import inv_or_inf, matrices, svdvals
from .linalg import column, turned, wide_matmul
from .matrix_results import Lstsq
from .norms import known, matrix_norm
from .reduce import only_floats
from .registry import op
from .solve import fitting, is_vector

Bound = float | Tensor | None


def _pinv_rule(F: Any, g: Any, x: Any, y: Any) -> Any:
    """Golub and Pereyra, "The differentiation of pseudo-inverses ..." (1973), (4.12). It holds where the rank stays as it is."""
    yt, gt = turned(F, y), turned(F, g)
    beyond = F.matmul(gt, F.matmul(y, yt))                       # what x cannot reach, and what it does not see
    before = F.matmul(yt, F.matmul(y, gt))
    return beyond - F.matmul(x, F.matmul(y, beyond)) + before - F.matmul(F.matmul(before, y), x) - F.matmul(yt, F.matmul(g, yt))


def _first_rule(F: Any, g: Any, x: Any, y: Any) -> Any:
    return (_pinv_rule(F, g[0], x, y[0]),)


_pinv = op("pinv", lambda F, x, *, atol, rtol, hermitian: F.pinv(x, atol, rtol, hermitian), _pinv_rule)
_pinv_and_rank = op("pinv_and_rank", lambda F, x, *, rtol: F.pinv_and_rank(x, 0.0, rtol), joint=_first_rule, outputs=3)   # the values detached


def _bound(value: Any, name: str, op: str) -> None:
    if not (value is None or isinstance(value, (Tensor, numbers.Real))):
        raise ArgumentError(op, f"{name}={value!r}", "it bounds what counts as 0", "pass a number, or a Tensor of one for each matrix")


def _bounds(A: Tensor, atol: Bound, rtol: Bound, op: str) -> tuple[Any, Any]:
    """From which sizes on a singular value is not 0: absolute, and relative to the largest. Not given, rounding's where atol is 0."""
    _bound(atol, "atol", op)
    _bound(rtol, "rtol", op)
    rounding = dtypes.finfo(dtypes.float32 if dtypes.is_half(A.dtype) else A.dtype).eps * max(A.shape[-2:])
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
    bounds = _bounds(A, atol, rcond if rtol is None else rtol, "pinv")
    absolute, relative = (t.array if isinstance(t, Tensor) else t for t in bounds)
    return _pinv.call(A, atol=absolute, rtol=relative, hermitian=bool(hermitian))


def matrix_rank(A: Tensor, tol: Bound = None, hermitian: bool = False, *, atol: Bound = None, rtol: Bound = None) -> Tensor:
    """How many singular values (of symmetric matrices, with `hermitian`, eigenvalues) count: see `pinv`. `tol` is absolute.

    >>> ta.linalg.matrix_rank(ta.tensor([[1., 2.], [2., 4.]]))
    tensor(1)
    """
    matrices(A, "matrix_rank", "only square matrices are symmetric (hermitian=True)" if hermitian else "", "eigvalsh" if hermitian else "svdvals")
    _bound(tol, "tol", "matrix_rank")
    absolute, relative = (tol, 0.0) if tol is not None else _bounds(A, atol, rtol, "matrix_rank")
    s = (eigvalsh(A).abs() if hermitian else svdvals(A)).detach()
    if not s.shape[-1]:
        return full(s.shape[:-1], 0, dtype=dtypes.int64, device=A.device)
    bound = recording.maximum(relative * s.amax(-1), absolute)
    return (s > column(recording, bound)).sum(-1)  # type: ignore[no-any-return]


def cond(A: Tensor, p: Any = None) -> Tensor:
    """The condition number: the norm of A times that of its inverse; of None (2) and -2 by singular values, of any matrix. Of a
    singular one it is infinite, of one without elements 0.

    >>> ta.linalg.cond(ta.tensor([[4., 0.], [0., 2.]]))
    tensor(2.)
    """
    known(2 if p is None else p, "cond", "p")
    spectral = p in (None, 2, -2)
    matrices(A, "cond", "" if spectral else f"of p={p!r} only square matrices have a condition number", "svdvals" if spectral else "inv_or_inf")
    if not A.numel():
        return svdvals(A).sum(-1)                                # 0 for each, as PyTorch has it
    if spectral:
        s = svdvals(A)
        return s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]
    if p == "nuc":
        s = svdvals(A)
        y = s.sum(-1) * recording.reciprocal(s).sum(-1)
    else:
        y = matrix_norm(A, p) * matrix_norm(inv_or_inf.call(A), p)
    return recording.where(recording.isnan(y), math.inf, y)  # type: ignore[no-any-return]   # 0 times inf, as PyTorch has it


DRIVERS = ("gels", "gelsy", "gelsd", "gelss")


def lstsq(A: Tensor, B: Tensor, rcond: float | None = None, *, driver: str | None = None) -> Lstsq:
    """The X for which the squares of A X - B have the least sum, and of these the smallest: the pseudoinverse of A times B.

    `driver` says, as in PyTorch, what else is found: "gelsy" (the default) the rank; "gelss" and "gelsd" the rank, the singular values
    and the residuals; "gels", which takes A to be of full rank, the residuals. All of them go by singular values here, of which those
    up to `rcond` times the largest count as 0; "gels" does not look at `rcond`, and takes those for 0 that may be rounding. Residuals
    are the sums of squares, if A has more rows than columns and full rank.

    >>> ta.linalg.lstsq(ta.tensor([[1., 0.], [0., 2.], [0., 0.]]), ta.tensor([[1.], [4.], [9.]])).solution
    tensor([[1.],
            [2.]])
    """
    matrices(A, "lstsq", runs="pinv_and_rank")
    driver = "gelsy" if driver is None else driver
    if driver not in DRIVERS:
        raise ArgumentError("lstsq", f"driver={driver!r}", "there is no such driver", f"use one of {', '.join(DRIVERS)}")
    vector = is_vector(A, only_floats(B, "lstsq"))
    right = column(recording, B) if vector else B
    fitting(A, right, True, "lstsq", "pinv_and_rank")
    m, n = A.shape[-2:]
    _bound(rcond, "rcond", "lstsq")
    inverse, rank, s = _pinv_and_rank(A, rtol=float(_bounds(A, None, None if driver == "gels" else rcond, "lstsq")[1]))
    X = wide_matmul.call(inverse, right)
    none = full((0,), 0, dtype=X.dtype, device=A.device)
    full_rank = driver == "gels" or (driver != "gelsy" and bool((rank == n).all().item()))
    residuals = ((wide_matmul.call(A, X) - right) ** 2).sum(-2) if m > n and full_rank else none
    return Lstsq(recording.reshape(X, shape=X.shape[:-1]) if vector else X, residuals, none.long() if driver == "gels" else rank,
                 s.detach() if driver in ("gelss", "gelsd") else none)
