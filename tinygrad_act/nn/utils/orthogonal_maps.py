"""From any matrix to an orthogonal one and back: exp of a skew-symmetric matrix, products of reflections, QR."""

from __future__ import annotations

from ... import _functions as ops
from ...backend import namespace
from ...grad_mode import no_grad
from ...ops.factor import inv
from ...tensor import Tensor, wrap

# The diagonal Padé approximant of exp of degree 9, and up to which norm it is good in float64 (Higham, Functions of Matrices, 10.3).
PADE = (17643225600.0, 8821612800.0, 2075673600.0, 302702400.0, 30270240.0, 2162160.0, 110880.0, 3960.0, 90.0, 1.0)
REACH = 1.78


def skew_exp(A: Tensor) -> Tensor:
    """exp of skew-symmetric matrices. The approximant p(A) p(-A)⁻¹ is orthogonal, whatever it is off by."""
    with no_grad():
        # As a whole number from 0 on, a replayed step finds it the same from step to step.
        steps = ops.ceil(ops.log2(A.abs().sum(-1).amax() / REACH)) if A.array.size else ops.zeros(())
        halvings = int(ops.nan_to_num(steps).clamp(0, 60).item())
    A = A * 0.5 ** halvings
    A2 = A @ A
    unit = identity(A.shape[-1], A)
    even, odd, power = unit * PADE[0], unit * PADE[1], A2
    for k in range(2, 10, 2):
        even, odd = even + power * PADE[k], odd + power * PADE[k + 1]
        power = power @ A2 if k < 8 else power
    odd = A @ odd
    Q = inv((even - odd) * (1 / PADE[0])) @ ((even + odd) * (1 / PADE[0]))
    for _ in range(halvings):
        Q = Q @ Q
    return Q


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


def orthonormal(A: Tensor) -> Tensor:
    """Q of A = Q R, with R's diagonal not negative."""
    F = namespace(A.array)
    q, r = F.qr(A.array)
    signs = ops.sign(ops.diagonal(wrap(r), 0, -2, -1))
    return wrap(q) * (signs + (signs == 0)).unsqueeze(-2)
