"""Determinants and factorisations against PyTorch: values, gradients and gradients of gradients."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act.autograd import gradcheck
from tinygrad_act.errors import ArgumentError, DTypeError, GraphError, LinAlgError, ShapeError
from tinygrad_act.graph import grad

from .against_torch import array, check, read, refuses, torch
from .matrices import ANY, SQUARE, both, inf, of, symmetric

pytestmark = pytest.mark.filterwarnings("ignore:torch.(cholesky|qr) is deprecated")


def definite(x: Any) -> Any:
    """Symmetric and positive-definite, of any square x; for both libraries."""
    return x @ x.mT + x.mT @ x


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


def gradient(f: Callable[[Any], Any], x: np.ndarray) -> np.ndarray:
    leaf = ta.tensor(x, requires_grad=True)
    return read(grad(f(leaf), leaf)[0])


def along(x: np.ndarray, g: np.ndarray, f: Callable[[Any], Any] = ta.det) -> np.ndarray:
    """The second derivative towards g."""
    leaf = ta.tensor(x, requires_grad=True)
    (first,) = grad(f(leaf).sum(), leaf, create_graph=True)
    return read(grad((first * ta.tensor(g)).sum(), leaf)[0])


def test_the_derivatives_of_a_determinant_whose_parts_are_far_apart() -> None:
    d = np.array([1e200, 1e-200, 1e200, 1e-200])
    np.testing.assert_allclose(gradient(ta.det, np.diag(d)), np.diag(1 / d), rtol=1e-12)
    d = np.array([1e100, 1e-100, 1e100, 1e-100])
    others = np.array([[0 if i == j else math.prod(np.delete(d, sorted((i, j)))[::-1]) for j in range(4)] for i in range(4)])
    np.testing.assert_allclose(along(np.diag(d), np.eye(4)), np.diag(others.sum(-1)), rtol=1e-12)
    x = array(4, 4) * np.array([[1e-9], [1.0], [1e5], [1e9]])
    np.testing.assert_allclose(gradient(ta.det, x), np.linalg.det(x) * np.linalg.inv(x).T, rtol=1e-12)
    np.testing.assert_allclose(along(np.diag([1.0, 1e-17]), np.ones((2, 2))), [[1, -1], [-1, 1]], atol=1e-12)
    noise = np.random.default_rng(0).normal(size=(300, 300))
    large = (noise / math.exp(np.linalg.slogdet(noise)[1] / 300)).astype("float32")
    exact = np.linalg.det(large.astype("float64")) * np.linalg.inv(large.astype("float64")).T
    assert np.abs(gradient(ta.det, large) - exact).max() < 1e-2 * np.abs(exact).max()
    falling = np.diag(np.append(np.exp2(np.linspace(300, -300, 12)), 0.0))       # singular, and half of the product overflows
    assert gradient(ta.det, falling)[-1, -1] == pytest.approx(1.0)


def test_each_determinant_of_a_batch_is_differentiated_by_itself() -> None:
    x = np.stack([np.eye(3), np.zeros((3, 3)), np.full((3, 3), math.nan), np.diag([1.0, 2.0, 0.0]), np.diag([1.0, 2.0, 3.0])])
    sound = [0, 1, 3, 4]
    for f in (gradient, lambda f, x: along(x, np.ones_like(x), f)):
        found = f(lambda x: ta.det(x).sum(), x)
        assert np.isnan(found[2]).all()
        np.testing.assert_allclose(found[sound], f(lambda x: ta.det(x).sum(), x[sound]))
    assert np.isnan(gradient(ta.det, x[2])).all()


def test_the_hessian_of_a_determinant_is_recorded_at_a_singular_matrix_and_no_further() -> None:
    x = ta.tensor(np.diag([1.0, 2.0, 0.0]), requires_grad=True)
    (first,) = grad(ta.det(x), x, create_graph=True)
    (second,) = grad(first[0, 0], x, create_graph=True)
    np.testing.assert_allclose(read(second), np.diag([0.0, 0.0, 2.0]), atol=1e-12)
    with pytest.raises(LinAlgError, match="^inv: "):
        grad(second.sum(), x)


def test_a_singular_matrix_spoils_only_its_own_logarithm() -> None:
    x = np.stack([np.ones((2, 2)), np.diag([1.0, 2.0])])
    for f in (lambda x: ta.slogdet(x).logabsdet, ta.logdet):
        for loss in (lambda x, f=f: f(x)[1], lambda x, f=f: f(x).sum()):
            found = gradient(loss, x)
            assert not np.isfinite(found[0]).any()
            np.testing.assert_allclose(found[1], np.diag([1.0, 0.5]))
        assert not np.isfinite(gradient(f, np.ones((2, 2)))).any()


# ---------------------------------------------------------------------------------------------------- factorisations
@pytest.mark.parametrize("shape", SQUARE)
def test_cholesky(shape: tuple[int, ...]) -> None:
    for upper in (False, True):
        check(*(of(f, definite) for f in both("cholesky")), array(*shape), upper=upper)
        check(lambda x, u=upper: definite(x).cholesky(u), None, array(*shape))
    x = np.tril(array(3, 3)) + 4 * np.eye(3)
    for upper in (False, True):                                  # one triangle is read
        check(*both("cholesky"), x, upper=upper, order=0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_matrix_with_nan_where_it_is_read_has_no_cholesky_factor(dtype: str) -> None:
    for x in ([[2.0, math.nan], [math.nan, 2.0]], [[math.nan, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, math.nan]], [[[1.0]], [[math.nan]]]):
        for upper in (False, True):
            refuses(*both("cholesky"), np.array(x, dtype), upper=upper, says="^cholesky: .* is not positive-definite")
            with pytest.raises(LinAlgError):
                ta.tensor(x, dtype=dtype).cholesky(upper)
    x = np.array([[2.0, math.nan], [1.0, 2.0]], dtype)
    check(*both("cholesky"), x, order=0)
    check(*both("cholesky"), x.T, upper=True, order=0)


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


@pytest.mark.parametrize("watched", [lambda: ta.autocast("cpu", enabled=False), ta.autograd.detect_anomaly])
def test_halves_are_refused_unless_they_will_be_cast(watched: Callable[[], Any]) -> None:
    x, L = ta.eye(2).half(), ta.linalg
    for name, f in [("det", L.det), ("inv", L.inv), ("logdet", ta.logdet), ("lstsq", lambda x: L.lstsq(x, x)), ("cond", lambda x: L.cond(x, 1)),
                    ("cholesky_inverse", ta.cholesky_inverse), ("cholesky_solve", lambda x: x.cholesky_solve(x)), ("matrix_rank", L.matrix_rank)]:
        with watched(), pytest.raises(DTypeError, match=rf"^{name}: .*convert it first, with x.float"):
            f(x)


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


def test_the_size_of_what_comes_in_does_not_cost_the_gradient_of_an_exponential_digits() -> None:
    x, g = array(4, 4), array(4, 4, seed=1)

    def slope(scale: float) -> tuple[np.ndarray, np.ndarray]:
        leaf, seed = (ta.tensor(a, requires_grad=True) for a in (x, g * scale))
        (first,) = grad(ta.matrix_exp(leaf), leaf, seed, create_graph=True)
        return read(first.detach()), read(grad((first * ta.tensor(g)).sum(), leaf)[0])
    exact = slope(1.0)
    for scale in (1e-30, 1e10, 1e200, 0.0):
        for found, wanted in zip(slope(scale), exact, strict=True):
            np.testing.assert_allclose(found, wanted * scale, rtol=1e-12)
    check(*both("matrix_exp"), array(2, 3, 3), order=3)


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


@pytest.mark.parametrize("name", ["cholesky", "cholesky_inverse", "qr"])
def test_the_first_call_of_a_program_finds_all_that_its_gradients_need(name: str) -> None:
    code = f"""
import tinygrad_act as ta
x = ta.tensor([[2.0, 0.5], [0.5, 3.0]], requires_grad=True)
y = ta.{name}(x)
(g,) = ta.autograd.grad((y if isinstance(y, ta.Tensor) else y.R).sum(), x, create_graph=True)
ta.autograd.grad(g.sum(), x)"""
    subprocess.run([sys.executable, "-c", code], check=True)


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
            (LinAlgError, r"^cholesky: \(2, 2\): a matrix is not positive-definite; it must be symmetric", lambda: L.cholesky(-x)),
            (LinAlgError, "^svd: .*NaN", lambda: L.svd(x * math.nan)),
            (ShapeError, "needs 2 rows", lambda: L.solve(x, ta.ones(3, 2))), (ShapeError, "needs 2 columns", lambda: L.solve(x, ta.ones(2, 3), left=False)),
            (ShapeError, "do not broadcast", lambda: L.solve(ta.eye(2).expand(3, 2, 2), ta.ones(2, 2, 2))),
            (DTypeError, "float32 and float64", lambda: L.solve(x, x.double())), (ArgumentError, "mode='full'", lambda: L.qr(x, "full")),
            (ArgumentError, "UPLO='X'", lambda: L.eigh(x, "X")), (ArgumentError, "p=3", lambda: L.cond(ta.eye(2), 3)),
            (ShapeError, "left=False takes matrices", lambda: L.solve(x, none, left=False)),
            (ShapeError, "^matrix_exp: .*only square matrices have an exponential", lambda: L.matrix_exp(square)),
            (DTypeError, "^cholesky_solve: ", lambda: x.double().cholesky_solve(x)), (ShapeError, "^cholesky_inverse: ", lambda: ta.cholesky_inverse(square)),
            (ShapeError, "^cholesky_solve: .*needs 2 rows", lambda: ta.ones(3, 1).cholesky_solve(x)),
            (ArgumentError, "^vander: N=2.0", lambda: L.vander(none, 2.0)), (ArgumentError, "^pinv: rtol='a'", lambda: L.pinv(x, rtol="a")),
            (ArgumentError, "^matrix_rank: tol='a'", lambda: L.matrix_rank(x, "a")), (ArgumentError, "^lstsq: rcond='a'", lambda: L.lstsq(x, x, "a")),
            (ShapeError, r"^lstsq: .*batches \(3,\) and \(2,\) do not broadcast", lambda: L.lstsq(ta.ones(3, 2, 2), ta.ones(2, 2, 1))),
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
