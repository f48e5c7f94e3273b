"""From any matrix to an orthogonal one and back, by products of reflections."""

from __future__ import annotations

from ... import _functions as ops
from ...ops.factor import inv
from ...tensor import Tensor


def identity(n: int, like: Tensor) -> Tensor:
    """As large, and of the dtype and on the device of `like`."""
    return ops.eye(n, dtype=like.dtype, device=like.device)


def reflections(X: Tensor) -> Tensor:
    """The first columns of H₁ H₂ ..., with Hⱼ = I - 2 v vᵀ / ‖v‖² for column v of X, which has 1 on the diagonal and 0 above.

    The product is I - V T Vᵀ, with T⁻¹ the upper triangle of Vᵀ V with its diagonal halved (Schreiber and Van Loan, 1989).
    """
    top = ops.eye(*X.shape[-2:], dtype=X.dtype, device=X.device)
    V = ops.tril(X, -1) + top
    gram = V.mT @ V
    T = inv(ops.triu(gram) - identity(X.shape[-1], X) * (0.5 * gram))
    return top - V @ (T @ (V.mT @ top))


def reflectors(Q: Tensor) -> Tensor:
    """The X whose `reflections`, times the signs S on its diagonal, are Q: Q - S is V times an upper triangle (Ballard et al., 2014)."""
    X = ops.clone(Q)
    for j in range(Q.shape[-1]):
        sign = 1 - 2 * (X[..., j:j + 1, j:j + 1] >= 0).to(X.dtype)
        v = X[..., j + 1:, j:j + 1] / (X[..., j:j + 1, j:j + 1] - sign)
        X[..., j + 1:, j + 1:] -= v @ X[..., j:j + 1, j + 1:]
        X[..., j + 1:, j:j + 1], X[..., j:j + 1, j:j + 1] = v, sign
    return ops.tril(X)
