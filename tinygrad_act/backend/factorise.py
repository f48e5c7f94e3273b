"""Factorisations of matrices (the last two axes), and what is solved by them: the part of F that calls LAPACK, or cuSOLVER."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import LinAlgError

# The numerator of the rational function of degree 13 that is nearest to exp at 0, and up to which norm of a matrix it is exact
# in float64: Higham, "The scaling and squaring method for the matrix exponential revisited" (2005), tables 2.3 and (2.2).
DEGREE = 13
PADE = [math.comb(DEGREE, k) * math.factorial(2 * DEGREE - k) / math.factorial(2 * DEGREE) for k in range(DEGREE + 1)]
REACH = 5.371920351148152
SINGULAR = "a matrix is singular, or so nearly that a pivot is 0"
NOWHERE = contextlib.nullcontext()


class Factorising:
    """Mixed into Namespace, whose `xp` it uses."""

    xp: Any

    def checked(self) -> Any:
        """A context in which the library says whether it succeeded."""
        return NOWHERE

    def attempt(self, name: str, cause: str, remedy: str, function: Callable[..., Any], *arrays: Any, **settings: Any) -> Any:
        """What a function of the library's returns; its complaint of the numbers as ours."""
        try:
            with self.checked():
                return function(*arrays, **settings)
        except np.linalg.LinAlgError as error:
            shapes = " and ".join(str(tuple(a.shape)) for a in arrays if hasattr(a, "shape"))
            raise LinAlgError(name, shapes, cause, remedy) from error

    def svd(self, x: Any, full_matrices: bool = False) -> Any:
        """(u, s, vh) with x = u * s @ vh, in the smaller shapes, or with square u and vh."""
        return tuple(self.attempt("svd", "the iteration for the singular values does not settle", "look for NaN or inf in the input",
                                  self.xp.linalg.svd, x, full_matrices=full_matrices))

    def eigh(self, x: Any, UPLO: str = "L") -> Any:
        """(w, v) with x = v * w @ v^T, of symmetric matrices, w ascending; only that triangle is read."""
        return tuple(self.attempt("eigh", "the iteration for the eigenvalues does not settle", "look for NaN or inf in the input",
                                  self.xp.linalg.eigh, x, UPLO=UPLO))

    def qr(self, x: Any, mode: str = "reduced") -> Any:
        """(q, r), of which q has orthonormal columns and r is triangular; no numbers for q if the mode is "r"."""
        y = self.xp.linalg.qr(x, mode=mode)
        return (self.xp.zeros((0,), x.dtype), y) if mode == "r" else tuple(y)

    def inv(self, x: Any) -> Any:
        return self.attempt("inv", SINGULAR, "linalg.pinv takes any matrix", self.xp.linalg.inv, x)

    def det(self, x: Any) -> Any:
        return self.xp.linalg.det(x)

    def cofactor(self, x: Any) -> Any:
        """d det(x) / dx, which is det(x) inv(x)^T where there is an inverse."""
        return self.cofactors(x)[0]

    def cofactors(self, x: Any) -> Any:
        """The same and how it was found: of x = U S V^T it is det(U V^T) U S' V^T, each element of S' the product of the other
        singular values (Higham, "What is the adjugate of a matrix?", 2020). Right for a singular x too.
        """
        u, s, vh = self.svd(x)
        sign = self.xp.rint(self.det(u) * self.det(vh))
        return self.xp.matmul(u * (self.others(s)[0] * sign[..., None])[..., None, :], vh), u, s, vh, sign

    def others(self, s: Any) -> tuple[Any, Any]:
        """Of each element, and of each two, the product of all the others: by running products, as a quotient fails at 0."""
        xp, k = self.xp, self.xp.arange(s.shape[-1])
        left, right = xp.roll(s, 1, -1), xp.roll(xp.flip(s, -1), 1, -1)              # the element before, and after
        before = xp.cumprod(xp.where(k == 0, 1, left), -1)
        after = xp.flip(xp.cumprod(xp.where(k == 0, 1, right), -1), -1)
        between = xp.cumprod(xp.where(k - 1 > k[:, None], left[..., None, :], 1), -1)
        pairs = xp.triu(before[..., :, None] * between * after[..., None, :], 1)
        return before * after, pairs + xp.swapaxes(pairs, -1, -2)

    def slogdet(self, x: Any) -> Any:
        """The sign of the determinants and the logarithms of their sizes."""
        return tuple(self.xp.linalg.slogdet(x))

    def cholesky(self, x: Any) -> Any:
        """The lower triangular matrices whose products with their transposes are x, of which only the lower triangle is read."""
        return self.attempt("cholesky", "a matrix is not positive-definite", "it must be symmetric with all eigenvalues above 0: add a "
                            "small multiple of the identity if rounding has cost it that", self.xp.linalg.cholesky, x)

    def solve(self, a: Any, b: Any, name: str = "solve") -> Any:
        """y with a @ y = b. The axes before the last two broadcast."""
        batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        a, b = (x if x.shape[:-2] == batch else self.xp.broadcast_to(x, (*batch, *x.shape[-2:])) for x in (a, b))
        return self.attempt(name, SINGULAR, "linalg.lstsq and linalg.pinv take any matrix", self.xp.linalg.solve, a, b)

    def solve_triangular(self, a: Any, b: Any, upper: bool) -> Any:
        """The same, with that triangle of a and zeros for the rest.

        Elimination finds nothing to do in an upper triangle, so `solve` goes through it from the last row to the first; a lower one
        is turned round for it, rows and columns.
        """
        if upper:
            return self.solve(self.xp.triu(a), b, "solve_triangular")
        turned = self.xp.flip(self.xp.tril(a), axis=(-2, -1))
        return self.xp.flip(self.solve(turned, self.xp.flip(b, axis=-2), "solve_triangular"), axis=-2)

    def pinv(self, x: Any, atol: Any, rtol: Any, hermitian: bool) -> Any:
        """The pseudoinverse: singular values up to max(atol, rtol * the largest) count as 0."""
        if hermitian:
            w, u = self.eigh(x)
            s, vh = self.xp.absolute(w), self.xp.swapaxes(u, -1, -2) * self.xp.sign(w)[..., None]
        else:
            u, s, vh = self.svd(x)
        if not s.shape[-1]:
            return self.xp.zeros((*x.shape[:-2], x.shape[-1], x.shape[-2]), x.dtype)
        keep = s > self.xp.maximum(rtol * self.xp.max(s, axis=-1), atol)[..., None]
        inverse = self.xp.where(keep, 1 / self.xp.where(keep, s, 1), 0)
        return self.xp.matmul(self.xp.swapaxes(vh, -1, -2) * inverse[..., None, :].astype(x.dtype), self.xp.swapaxes(u, -1, -2))

    def matrix_exp(self, x: Any) -> Any:
        """exp of matrices: each is halved until the rational function holds for it, and the result squared as often.

        Higham (2005), algorithm 2.3, with the degree 13 for all.
        """
        n = x.shape[-1]
        if not x.size:
            return self.xp.array(x)
        norms = self.xp.max(self.xp.sum(self.xp.absolute(x), axis=-2), axis=-1)
        steps = self.xp.ceil(self.xp.log2(self.xp.maximum(norms, REACH) / REACH))
        steps = self.xp.where(self.xp.isfinite(steps), steps, 0)[..., None, None].astype(x.dtype)
        a = x * self.xp.exp2(-steps)
        unit = self.xp.eye(n, dtype=x.dtype)
        square = self.xp.matmul(a, a)
        power, even, odd = square, unit * PADE[0], unit * PADE[1]
        for k in range(2, DEGREE, 2):
            even, odd = even + power * PADE[k], odd + power * PADE[k + 1]
            power = self.xp.matmul(power, square)
        odd = self.xp.matmul(a, odd)
        y = self.solve(even - odd, even + odd, "matrix_exp")
        for i in range(int(self.xp.max(steps).item())):
            y = self.xp.where(steps > i, self.xp.matmul(y, y), y)
        return y
