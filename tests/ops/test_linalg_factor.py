"""Determinants, systems of equations and factorisations against PyTorch: values, gradients and gradients of gradients."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act.autograd import gradcheck
from tinygrad_act.errors import ArgumentError, DTypeError, GraphError, LinAlgError, ShapeError
from tinygrad_act.graph import grad

from .against_torch import array, check, read, refuses, torch

inf = math.inf
SQUARE = [(1, 1), (2, 2), (4, 4), (3, 2, 2), (2, 1, 3, 3), (0, 0), (2, 0, 0), (0, 3, 3)]
ANY = [*SQUARE, (4, 2), (2, 4), (2, 5, 3), (2, 3, 5), (3, 1), (1, 3), (0, 3), (3, 0), (2, 0, 3)]
pytestmark = pytest.mark.filterwarnings("ignore:torch.(cholesky|qr) is deprecated")


def both(name: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    return getattr(ta.linalg, name), getattr(torch.linalg, name)


def of(f: Callable[..., Any], prepare: Callable[[Any], Any], then: Callable[[Any], Any] = lambda y: y) -> Callable[..., Any]:
    return lambda x, *rest, **keywords: then(f(prepare(x), *rest, **keywords))


def definite(x: Any) -> Any:
    """Symmetric and positive-definite, of any square x; for both libraries."""
    return x @ x.mT + x.mT @ x


def symmetric(x: Any) -> Any:
    return x + x.mT


# ----------------------------------------------------------------------------------------------------- determinants
@pytest.mark.parametrize("shape", SQUARE)
def test_determinants(shape: tuple[int, ...]) -> None:
    x = array(*shape)
    check("det", None, x)
    check(*both("det"), x)
    check("slogdet", None, x)
    check("logdet", None, x @ np.swapaxes(x, -1, -2))
    check(*both("det"), array(*shape, dtype="float32"), order=1, rtol=1e-4, atol=1e-4)


def minors(x: Any) -> Any:
    """The determinant by Laplace's expansion: a polynomial, with derivatives of all orders."""
    if x.shape[-1] == 1:
        return x[..., 0, 0]
    rest = [torch.cat((x[..., 1:, :j], x[..., 1:, j + 1:]), -1) for j in range(x.shape[-1])]
    return sum((-1) ** j * x[..., 0, j] * minors(part) for j, part in enumerate(rest))


@pytest.mark.parametrize("rank", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("batch", [(), (2,)])
def test_a_singular_matrix_has_a_determinant_with_two_derivatives(rank: int, batch: tuple[int, ...]) -> None:
    check(ta.linalg.det, minors, array(*batch, 4, rank) @ array(*batch, rank, 4, seed=1))


@pytest.mark.parametrize("x", [np.zeros((1, 1)), np.zeros((2, 2)), np.eye(3), -np.eye(3), np.diag([1.0, 0.0, 2.0]), np.arange(9.0).reshape(3, 3)])
def test_determinants_of_equal_and_vanishing_singular_values(x: np.ndarray) -> None:
    check(ta.linalg.det, minors, x)


def test_the_third_derivative_of_a_determinant() -> None:
    check(ta.linalg.det, minors, array(3, 3), order=3)
    check(ta.linalg.det, minors, np.eye(3), order=3)


def test_logarithms_of_determinants_at_the_edges() -> None:
    check("slogdet", None, np.ones((2, 2)), order=0)
    check("logdet", None, np.stack([np.ones((2, 2)), np.diag([1.0, -1.0]), np.eye(2)]), order=0)
    large = ta.eye(400, dtype=ta.float64) * 1e3
    assert ta.det(large).item() == inf and ta.logdet(large).item() == pytest.approx(400 * math.log(1e3))
    x = ta.ones(2, 2, requires_grad=True)
    with pytest.raises(LinAlgError, match=r"^inv: \(2, 2\): a matrix is singular"):
        ta.slogdet(x).logabsdet.backward()


# ---------------------------------------------------------------------------------------------- systems of equations
PAIRS = [((2, 2), (2,)), ((2, 2), (2, 3)), ((3, 2, 2), (3, 2)), ((3, 2, 2), (2,)), ((3, 2, 2), (3, 2, 1)), ((3, 2, 2), (2, 4)), ((2, 2), (3, 2, 4)),
         ((1, 3, 2, 2), (4, 1, 2, 2)), ((1, 1), (1,)), ((0, 0), (0,)), ((0, 0), (0, 2)), ((2, 2), (2, 0)), ((0, 2, 2), (0, 2, 1)), ((2, 2, 2), (2, 2))]


@pytest.mark.parametrize("shapes", PAIRS)
def test_solve(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    a, b = array(*shapes[0]), array(*shapes[1], seed=1)
    check(*both("solve"), a, b)
    if b.ndim > 1 and shapes[0][-1] == shapes[1][-1] and shapes[1] != shapes[0][:-1]:
        check(*both("solve"), a, b, left=False)
    check(*both("solve"), a.astype("float32"), b.astype("float32"), order=1, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("unitriangular", [False, True])
@pytest.mark.parametrize("upper", [False, True])
@pytest.mark.parametrize("shapes", [((3, 3), (3, 2)), ((2, 3, 3), (3, 3)), ((3, 3), (2, 3, 1)), ((1, 1), (1, 1)), ((0, 0), (0, 2))])
def test_solve_triangular(shapes: tuple[tuple[int, ...], tuple[int, ...]], upper: bool, unitriangular: bool) -> None:
    a, b = array(*shapes[0], low=0.5), array(*shapes[1], seed=1)
    check(*both("solve_triangular"), a, b, upper=upper, unitriangular=unitriangular)
    check(*both("solve_triangular"), a, np.swapaxes(b, -1, -2), upper=upper, unitriangular=unitriangular, left=False)


@pytest.mark.parametrize("upper", [False, True])
def test_systems_by_cholesky_factors(upper: bool) -> None:
    triangle = "triu" if upper else "tril"
    factor, b = array(2, 3, 3, low=0.5), array(2, 3, 2, seed=1)
    check(lambda b, x: b.cholesky_solve(getattr(x, triangle)(), upper), None, b, factor)
    check(lambda x: getattr(x, triangle)().cholesky_inverse(upper), None, factor)


# ---------------------------------------------------------------------------------------------------- factorisations
@pytest.mark.parametrize("shape", SQUARE)
def test_cholesky(shape: tuple[int, ...]) -> None:
    for upper in (False, True):
        check(*(of(f, definite) for f in both("cholesky")), array(*shape), upper=upper)
        check(lambda x, u=upper: definite(x).cholesky(u), None, array(*shape))
    x = np.tril(array(3, 3)) + 4 * np.eye(3)
    for upper in (False, True):                                  # one triangle is read
        check(*both("cholesky"), x, upper=upper, order=0)


@pytest.mark.parametrize("shape", ANY)
def test_qr(shape: tuple[int, ...]) -> None:
    check("qr", None, array(*shape))
    check(*both("qr"), array(*shape), "reduced")
    tall = shape[-2] > shape[-1]
    check(*both("qr"), array(*shape), "complete", order=0 if tall else 2)
    check("qr", None, array(*shape), some=False, order=0)
    check(*both("qr"), array(*shape), "r", order=0)
    check(*both("qr"), array(*shape, dtype="float32"), order=1, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("shape", SQUARE)
def test_eigenvalues(shape: tuple[int, ...]) -> None:
    x = array(*shape)
    for UPLO in ("L", "U"):
        check(*(of(f, symmetric, lambda y: (y[0], y[1] ** 2)) for f in both("eigh")), x, UPLO)
        check(*both("eigvalsh"), x, UPLO)
    check(*(of(f, lambda x: x, lambda y: y[1] ** 2) for f in both("eigh")), x)


def test_equal_eigenvalues() -> None:
    check(*both("eigvalsh"), np.eye(3), order=1)
    check(lambda x: ta.linalg.eigh(x).eigenvalues, torch.linalg.eigvalsh, np.eye(3), order=1)      # nobody asks about the vectors
    check(lambda x: ta.linalg.svd(x).S, torch.linalg.svdvals, np.eye(3), order=1)
    check(lambda x: ta.linalg.svd(x, False).S, torch.linalg.svdvals, np.eye(3, 2), order=1)
    x = ta.eye(2, requires_grad=True)
    (found,) = grad(ta.linalg.eigh(x).eigenvectors[0].sum(), x)
    assert not np.isfinite(read(found)).all()


def parts(y: Any) -> Any:
    """What of a singular value decomposition does not depend on signs."""
    u, s, v = y
    k = s.shape[-1]
    return u[..., :k] ** 2, s, v[..., :k, :] ** 2, u[..., :k] @ v[..., :k, :]


@pytest.mark.parametrize("shape", ANY)
def test_singular_vectors(shape: tuple[int, ...]) -> None:
    x = array(*shape)
    for full in (False, True):
        check(*(of(f, lambda x: x, parts) for f in both("svd")), x, full)
        check(of(ta.svd, lambda x: x, lambda y: parts((y[0], y[1], y[2].mT))), of(torch.svd, lambda x: x, lambda y: parts((y[0], y[1], y[2].mT))), x, not full)
        u, s, vh = ta.linalg.svd(ta.tensor(x), full)
        wide, tall = shape[-1], shape[-2]
        k = min(wide, tall)
        assert u.shape[-2:] == ((tall, tall) if full else (tall, k)) and vh.shape[-2:] == ((wide, wide) if full else (k, wide))
        np.testing.assert_allclose(read(u[..., :k] * s.unsqueeze(-2) @ vh[..., :k, :]), x, atol=1e-12)
    check("svd", None, x, compute_uv=False, order=0)
    check(lambda x: x.svd(True, False)[1], None, x)


def test_vectors_that_are_not_determined_have_no_gradient() -> None:
    for shape in ((3, 2), (2, 3)):
        x = ta.tensor(array(*shape), requires_grad=True)
        u, _, vh = ta.linalg.svd(x)
        with pytest.raises(GraphError, match="svd: a gradient for singular vectors beyond"):
            (u.sum() + vh.sum()).backward()
    x = ta.tensor(array(3, 2), requires_grad=True)
    for mode in ("complete", "r"):
        with pytest.raises(GraphError, match=f'qr: mode="{mode}"'):
            ta.linalg.qr(x, mode).R.sum().backward()


# ------------------------------------------------------------------------------------------------ by singular values
@pytest.mark.parametrize("shape", ANY)
def test_pseudoinverses(shape: tuple[int, ...]) -> None:
    check("pinverse", None, array(*shape))
    check(*both("pinv"), array(*shape))
    check(*both("matrix_rank"), array(*shape), order=0)
    if shape[-1] == shape[-2]:
        check(*(of(f, symmetric) for f in both("pinv")), array(*shape), hermitian=True)


def test_pseudoinverses_of_singular_matrices() -> None:
    for hermitian in (False, True):                              # along a path on which the rank stays
        check(*(of(f, lambda x: x @ x.mT) for f in both("pinv")), array(2, 4, 2), hermitian=hermitian)
    check(*(of(f, lambda x: x[..., :2] @ x[..., 2:].mT) for f in both("pinv")), array(3, 4))
    check(*both("pinv"), np.zeros((2, 3)), order=1)


@pytest.mark.parametrize("bounds", [{"rtol": 0.3}, {"atol": 0.5}, {"atol": 0.5, "rtol": 0.4}, {"atol": 0.0}])
def test_what_counts_as_zero(bounds: dict[str, float]) -> None:
    x = np.stack([np.diag([3.0, 1.0, 0.4]), np.diag([0.6, 0.2, 0.1]), np.zeros((3, 3))])
    for name in ("pinv", "matrix_rank"):
        check(*both(name), x, order=int(name == "pinv"), **bounds)
        check(*both(name), x, order=0, hermitian=True, **bounds)
    check(*both("matrix_rank"), x, 0.5, order=0)
    mine, theirs = both("pinv")
    check(lambda x, a: mine(x, atol=a.detach()), lambda x, a: theirs(x, atol=a.detach()), x, np.array([0.5, 0.0, 1.0]), order=1)


@pytest.mark.parametrize("p", [None, 2, -2, "fro", "nuc", 1, -1, inf, -inf])
def test_condition_numbers(p: Any) -> None:
    if p in (None, 2, -2, "nuc"):
        check(*both("cond"), array(2, 3, 3), p)
    else:                                                        # PyTorch's own cannot be differentiated for these
        norm, inv = torch.linalg.matrix_norm, torch.linalg.inv
        check(ta.linalg.cond, lambda x, p: norm(x, p) * norm(inv(x), p), array(2, 3, 3), p)
    check(*both("cond"), np.stack([np.diag([1.0, 0.0]), np.diag([1.0, 2.0])]), p, order=0)
    check(*both("cond"), np.zeros((2, 2)) + np.diag([1.0, 0.0]), p, order=0)
    if p in (None, 2, -2):
        check(*both("cond"), array(4, 2), p)


@pytest.mark.parametrize("driver", [None, "gels", "gelsy", "gelss", "gelsd"])
def test_least_squares(driver: str | None) -> None:
    for a, b in [((4, 2), (4, 3)), ((4, 2), (4,)), ((2, 4), (2, 1)), ((3, 4, 2), (3, 4, 2)), ((3, 4, 2), (3, 4)), ((3, 3), (3, 1))]:
        check(*both("lstsq"), array(*a), array(*b, seed=1), driver=driver)


# --------------------------------------------------------------------------------------------------------- functions
@pytest.mark.parametrize("shape", SQUARE)
def test_exponentials(shape: tuple[int, ...]) -> None:
    check("matrix_exp", None, array(*shape))
    check(*both("matrix_exp"), array(*shape, dtype="float32"), order=1, rtol=1e-4, atol=1e-4)


def test_exponentials_of_all_sizes_in_a_batch() -> None:
    scales = np.array([0.0, 1e-9, 1e-2, 1.0, 8.0, 30.0])[:, None, None]
    x = array(6, 3, 3)
    x = (x - np.swapaxes(x, -1, -2)) * scales                    # skew: the exponential is a rotation
    check(*both("matrix_exp"), x, order=1, rtol=1e-8, atol=1e-8)
    y = read(ta.linalg.matrix_exp(ta.tensor(x)))
    np.testing.assert_allclose(y @ np.swapaxes(y, -1, -2), np.broadcast_to(np.eye(3), y.shape), atol=1e-12)
    assert np.isnan(read(ta.matrix_exp(ta.tensor([[math.nan, 0.0], [0.0, 1.0]])))).any()


def test_vandermonde_matrices() -> None:
    for shape in ((3,), (2, 3), (1,)):
        if shape != (1,):
            check(*both("vander"), array(*shape))
        check(*both("vander"), array(*shape), N=5)
    check(*both("vander"), np.arange(4), N=3)
    refuses(*both("vander"), array(3), N=1, says="at least 2 powers")


# ----------------------------------------------------------------------------------------------------- what they share
def test_numerical_differentiation_agrees() -> None:
    x, b = (ta.tensor(array(*s), requires_grad=True) for s in ((3, 3), (3, 2)))
    tall = ta.tensor(array(4, 2), requires_grad=True)
    L = ta.linalg
    for f, given in [(L.det, (x,)), (lambda x: L.slogdet(x).logabsdet, (x,)), (L.solve, (x, b)), (lambda x: L.cholesky(x @ x.mT), (x,)),
                     (lambda x: tuple(L.qr(x)), (x,)), (lambda x: tuple(L.qr(x)), (tall,)), (lambda x: tuple(L.qr(x.mT)), (tall,)),
                     (lambda x: L.eigh(x + x.mT).eigenvectors ** 2, (x,)), (L.pinv, (tall,)), (L.matrix_exp, (x,))]:
        assert gradcheck(f, given)


def test_misuse_is_explained() -> None:
    x, L = ta.ones(2, 2), ta.linalg
    square, none = ta.ones(2, 3), ta.ones(2)
    for name in ("det", "slogdet", "cholesky", "eigh", "eigvalsh", "matrix_exp", "qr", "svd", "pinv", "matrix_rank", "cond"):
        f = getattr(L, name)
        for wrong, error, says in [(none, ShapeError, "two axes or more"), (x.int(), DTypeError, "floating"), (x.half(), DTypeError, "float64 only"),
                                   ([[1.0]], ArgumentError, "must be a Tensor")]:
            with pytest.raises(error, match=f"^{name}: .*{says}"):
                f(wrong)
    for f in (L.det, L.slogdet, L.cholesky, L.eigh, L.eigvalsh, L.matrix_exp):
        with pytest.raises(ShapeError, match="only square"):
            f(square)
    for error, says, call in [
            (LinAlgError, r"^solve: \(2, 2\) and \(2, 1\): a matrix is singular, .*; linalg.lstsq and linalg.pinv take any", lambda: L.solve(x, none)),
            (LinAlgError, r"^inv: \(2, 2\): a matrix is singular", lambda: L.inv(x)),
            (LinAlgError, r"^solve_triangular: ", lambda: L.solve_triangular(x * 0, x, upper=True)),
            (LinAlgError, r"^cholesky: \(2, 2\): a matrix is not positive-definite; it must be symmetric", lambda: L.cholesky(-x)),
            (LinAlgError, "^svd: .*NaN", lambda: L.svd(x * math.nan)),
            (ShapeError, "needs 2 rows", lambda: L.solve(x, ta.ones(3, 2))), (ShapeError, "needs 2 columns", lambda: L.solve(x, ta.ones(2, 3), left=False)),
            (ShapeError, "do not broadcast", lambda: L.solve(ta.eye(2).expand(3, 2, 2), ta.ones(2, 2, 2))),
            (DTypeError, "float32 and float64", lambda: L.solve(x, x.double())), (ArgumentError, "mode='full'", lambda: L.qr(x, "full")),
            (ArgumentError, "UPLO='X'", lambda: L.eigh(x, "X")), (ArgumentError, "p=3", lambda: L.cond(ta.eye(2), 3)),
            (ArgumentError, "driver='lu'", lambda: L.lstsq(x, x, driver="lu")), (ShapeError, "2 rows", lambda: L.lstsq(x, ta.ones(3, 1)))]:
        with pytest.raises(error, match=says):
            call()
    assert issubclass(LinAlgError, RuntimeError) and ta.linalg.LinAlgError is LinAlgError


def test_results_have_pytorchs_names_and_are_printed_with_them() -> None:
    x = ta.tensor([[2.0, 0.0], [0.0, 2.0]])
    for f, names in [(ta.slogdet, ("sign", "logabsdet")), (ta.qr, ("Q", "R")), (ta.svd, ("U", "S", "V")), (ta.linalg.svd, ("U", "S", "Vh")),
                     (ta.linalg.eigh, ("eigenvalues", "eigenvectors"))]:
        assert f(x)._fields == names
    signs, sizes = found = ta.slogdet(x)
    assert repr(found) == f"slogdet(\nsign={signs!r},\nlogabsdet={sizes!r})"
