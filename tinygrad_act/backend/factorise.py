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
ROWS = 32                                # of a triangle, that are substituted one by one
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

    def inv_or_inf(self, x: Any) -> Any:
        """The inverses, and for the matrices that have none matrices of inf."""
        try:
            with self.checked():
                return self.xp.linalg.inv(x)
        except np.linalg.LinAlgError:                    # which of them it does not say; the sign does
            singular = (self.slogdet(x)[0] == 0)[..., None, None]
            return self.xp.where(singular, math.inf, self.inv(self.xp.where(singular, self.xp.eye(x.shape[-1], dtype=x.dtype), x)))

    def det(self, x: Any) -> Any:
        return self.xp.linalg.det(x)

    def cofactor(self, x: Any) -> Any:
        """d det(x) / dx: det(x) inv(x)^T where that can be computed, else by singular values; NaN where x is not finite.

        Of x = U S V^T it is det(U V^T) U S' V^T, each element of S' the product of the other singular values (Higham, "What is the
        adjugate of a matrix?", 2020). Right for a singular x too.
        """
        det = self.det(x)[..., None, None]
        y = det * self.xp.swapaxes(self.inv_or_inf(x), -1, -2)
        return self.mended(y, self.xp.absolute(det) >= np.finfo(x.dtype).tiny, self.cofactor_by_svd, x)

    def cofactor_by_svd(self, x: Any) -> Any:
        u, s, vh, sign = self.signed_svd(x)
        return self.xp.matmul(u * (self.others(s) * sign)[..., None, :], vh)

    def cofactor_slope(self, g: Any, x: Any) -> Any:
        """The gradient of the cofactors: by the inverse where that loses less than a third of the digits, else by singular values."""
        inverse, det = self.xp.swapaxes(self.inv_or_inf(x), -1, -2), self.det(x)[..., None, None]
        y = det * inverse
        slope = self.xp.sum(g * y, axis=(-2, -1), keepdims=True) * inverse - self.xp.matmul(y, self.xp.matmul(self.xp.swapaxes(g, -1, -2), inverse))
        if not x.size:
            return slope
        condition = self.norm1(x) * self.norm1(inverse)
        sound = (self.xp.absolute(det) >= np.finfo(x.dtype).tiny) & (condition < np.finfo(x.dtype).eps ** (-1 / 3))
        return self.mended(slope, sound, self.slope_by_svd, x, g)

    def slope_by_svd(self, x: Any, g: Any) -> Any:
        """In the frame of U and V, det has second derivatives between elements ii and jj, and (negative) ij and ji: the products of
        the singular values other than i and j.
        """
        u, s, vh, sign = self.signed_svd(x)
        ut, v = self.xp.swapaxes(u, -1, -2), self.xp.swapaxes(vh, -1, -2)
        g, pairs = self.xp.matmul(ut, self.xp.matmul(g, v)), self.pairs(s)
        along = self.xp.matmul(pairs, self.xp.diagonal(g, 0, -2, -1)[..., None])
        inner = self.xp.where(self.xp.eye(s.shape[-1], dtype=bool), along, -self.xp.swapaxes(g, -1, -2) * pairs)
        return self.xp.matmul(u, self.xp.matmul(inner * sign[..., None], vh))

    def mended(self, y: Any, sound: Any, function: Callable[..., Any], x: Any, *more: Any) -> Any:
        """y, with the results of the function for the matrices that are not sound, or overflowed; NaN for an x that is not finite."""
        if not x.size:
            return y
        finite = self.xp.all(self.xp.isfinite(x), axis=(-2, -1), keepdims=True)
        sound = sound & self.xp.all(self.xp.isfinite(y), axis=(-2, -1), keepdims=True)
        y = self.xp.where(finite, y, math.nan).reshape(-1, *x.shape[-2:])
        rest = self.xp.flatnonzero(finite & ~sound)
        if rest.size:
            y[rest] = function(*[a.reshape(y.shape)[rest] for a in (x, *more)])
        return y.reshape(x.shape)

    def signed_svd(self, x: Any) -> Any:
        """u, s, vh, and det(u vh), an axis of 1 behind it."""
        u, s, vh = self.svd(x)
        return u, s, vh, self.xp.rint(self.det(u) * self.det(vh))[..., None]

    def mixed(self, n: int) -> tuple[Any, Any]:
        """An order of n sorted values, largest and smallest in turns, in which running products stay in range; and the way back."""
        k = self.xp.arange(n)
        return self.xp.where(k % 2 == 0, k // 2, n - 1 - k // 2), self.xp.where(2 * k < n, 2 * k, 2 * (n - k) - 1)

    def running(self, s: Any) -> tuple[Any, Any, Any]:
        """Of each element the products of all before it and of all after it; and the elements before."""
        xp, k = self.xp, self.xp.arange(s.shape[-1])
        left, right = xp.roll(s, 1, -1), xp.roll(xp.flip(s, -1), 1, -1)
        return xp.cumprod(xp.where(k == 0, 1, left), -1), xp.flip(xp.cumprod(xp.where(k == 0, 1, right), -1), -1), left

    def others(self, s: Any) -> Any:
        """Of each element the product of all the others: by running products, as a quotient fails at 0."""
        order, back = self.mixed(s.shape[-1])
        before, after, _ = self.running(s[..., order])
        return (before * after)[..., back]

    def pairs(self, s: Any) -> Any:
        """The same of each two; 0 on the diagonal."""
        xp, k = self.xp, self.xp.arange(s.shape[-1])
        order, back = self.mixed(s.shape[-1])
        before, after, left = self.running(s[..., order])
        between = xp.cumprod(xp.where(k - 1 > k[:, None], left[..., None, :], 1), -1)
        pairs = xp.where(k > k[:, None], before[..., :, None] * between * after[..., None, :], 0)
        return (pairs + xp.swapaxes(pairs, -1, -2))[..., back[:, None], back]

    def norm1(self, x: Any) -> Any:
        """The largest sum of sizes down a column, for each matrix."""
        return self.xp.max(self.xp.sum(self.xp.absolute(x), axis=-2, keepdims=True), axis=-1, keepdims=True)

    def magnitude(self, x: Any) -> Any:
        """For each matrix a power of 2 not less than its norm1; 1 where that is 0 or not finite."""
        if not x.size:
            return self.xp.ones((*x.shape[:-2], 1, 1), x.dtype)
        size = self.norm1(x)
        y = self.xp.exp2(self.xp.ceil(self.xp.log2(self.xp.where(size > 0, size, 1))))
        return self.xp.where(self.xp.isfinite(y), y, 1)

    def slogdet(self, x: Any) -> Any:
        """The sign of the determinants and the logarithms of their sizes."""
        return tuple(self.xp.linalg.slogdet(x))

    def cholesky(self, x: Any) -> Any:
        """The lower triangular matrices whose products with their transposes are x, of which only the lower triangle is read."""
        return self.attempt("cholesky", "a matrix is not positive-definite", "it must be symmetric with all eigenvalues above 0: add a "
                            "small multiple of the identity if rounding has cost it that", self.factor, x)

    def factor(self, x: Any) -> Any:
        """The library's, and its complaint if a pivot is NaN, too: OpenBLAS goes on with it."""
        y = self.xp.linalg.cholesky(x)
        if self.xp.any(self.xp.isnan(self.xp.diagonal(y, 0, -2, -1))).item():
            raise np.linalg.LinAlgError
        return y

    def solve(self, a: Any, b: Any, name: str = "solve") -> Any:
        """y with a @ y = b. The axes before the last two broadcast."""
        return self.attempt(name, SINGULAR, "linalg.lstsq and linalg.pinv take any matrix", self.solved, self.xp.linalg.solve, a, b)

    def solved(self, function: Callable[..., Any], a: Any, b: Any) -> Any:
        """function(a, b) with equal batches; one matrix with many right-hand sides is factored once: their batch becomes columns."""
        if a.ndim == b.ndim == 2:
            return function(a, b)
        batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        if len(batch) and math.prod(a.shape[:-2]) == 1:
            n, k, places = a.shape[-1], b.shape[-1], math.prod(batch)
            columns = self.xp.moveaxis(b.reshape(places, n, k), 0, 1).reshape(n, places * k)
            return self.xp.moveaxis(function(a.reshape(n, n), columns).reshape(n, places, k), 1, 0).reshape(*batch, n, k)
        return function(*[x if x.shape[:-2] == batch else self.xp.broadcast_to(x, (*batch, *x.shape[-2:])) for x in (a, b)])

    def solve_triangular(self, a: Any, b: Any, upper: bool, regular: str = "") -> Any:
        """The same, with that triangle of a and zeros for the rest: by substitution, so a 0 on the diagonal divides as any number.

        `regular` is a function for which it is an error.
        """
        if regular and self.xp.any(self.xp.diagonal(a, 0, -2, -1) == 0).item():
            raise LinAlgError(regular, str(tuple(a.shape)), "a factor has a 0 on its diagonal: its matrix is singular", "linalg.pinv takes any matrix")

        def function(a: Any, b: Any) -> Any:
            y = self.xp.array(b, order="C")
            self.substitute(a, y, upper)
            return y
        return self.solved(function, a, b)

    def substitute(self, a: Any, y: Any, upper: bool) -> None:
        """Put the solution in y's place: halves, with a product between them, down to a few rows, which go one by one."""
        n = a.shape[-1]
        if n > ROWS:
            parts = slice(0, n // 2), slice(n // 2, n)
            first, then = parts[::-1] if upper else parts
            self.substitute(a[..., first, first], y[..., first, :], upper)
            y[..., then, :] -= self.xp.matmul(a[..., then, first], y[..., first, :])
            self.substitute(a[..., then, then], y[..., then, :], upper)
            return
        for i in reversed(range(n)) if upper else range(n):
            rest = slice(0, i) if upper else slice(i + 1, n)
            y[..., i, :] /= a[..., i, i, None]
            y[..., rest, :] -= a[..., rest, i, None] * y[..., i, None, :]

    def pinv(self, x: Any, atol: Any, rtol: Any, hermitian: bool) -> Any:
        """The pseudoinverse: singular values up to max(atol, rtol * the largest) count as 0."""
        return self.pinv_and_rank(x, atol, rtol, hermitian)[0]

    def pinv_and_rank(self, x: Any, atol: Any, rtol: Any, hermitian: bool = False) -> Any:
        """The same, how many singular values are not 0, and what they are."""
        if hermitian:
            w, u = self.eigh(x)
            s, vh = self.xp.absolute(w), self.xp.swapaxes(u, -1, -2) * self.xp.sign(w)[..., None]
        else:
            u, s, vh = self.svd(x)
        if not s.shape[-1]:
            return self.xp.zeros((*x.shape[:-2], x.shape[-1], x.shape[-2]), x.dtype), self.xp.zeros(x.shape[:-2], np.int64), s
        keep = s > self.xp.maximum(rtol * self.xp.max(s, axis=-1), atol)[..., None]
        inverse = self.xp.where(keep, 1 / self.xp.where(keep, s, 1), 0)
        y = self.xp.matmul(self.xp.swapaxes(vh, -1, -2) * inverse[..., None, :].astype(x.dtype), self.xp.swapaxes(u, -1, -2))
        return y, self.xp.sum(keep, axis=-1, dtype=np.int64), s

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
