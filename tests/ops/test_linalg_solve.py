"""Systems of equations, pseudoinverses and least squares against PyTorch: values, gradients and gradients of gradients."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act.errors import LinAlgError
from tinygrad_act.graph import grad

from .against_torch import array, check, read, refuses, torch
from .matrices import ANY, both, inf, of, symmetric

pytestmark = pytest.mark.filterwarnings("ignore:torch.(cholesky|qr) is deprecated")


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


def test_one_matrix_with_many_right_hand_sides_is_factored_once(monkeypatch: pytest.MonkeyPatch) -> None:
    F = ta.backend.namespaces[type(ta.ones(1).array)]
    shapes, plain = [], F.solved

    def noted(function: Any, a: Any, b: Any) -> Any:
        return plain(lambda a, b: shapes.append((a.shape, b.shape)) or function(a, b), a, b)
    monkeypatch.setattr(F, "solved", noted)
    for batch in ((), (1,), (1, 1, 1)):
        x, b = (ta.tensor(array(*shape), requires_grad=True) for shape in ((*batch, 4, 4), (5, 2, 4, 3)))
        y = ta.linalg.solve(x, b)
        assert y.shape == ((1, 5, 2, 4, 3) if len(batch) == 3 else (5, 2, 4, 3))
        y.sum().backward()
        assert x.grad.shape == x.shape and b.grad.shape == b.shape
        assert shapes == [((4, 4), (4, 30))] * 2
        shapes.clear()
    for f in both("solve"), both("solve_triangular"):
        keywords = {"upper": True} if f[0] is ta.linalg.solve_triangular else {}
        for shapes_of in ((3, 3), (5, 2, 3, 2)), ((1, 1, 3, 3), (2, 3, 2)), ((3, 3), (0, 3, 2)):
            check(*f, array(*shapes_of[0], low=0.5), array(*shapes_of[1], seed=1), **keywords)
    with pytest.raises(LinAlgError, match=r"^solve: \(2, 2\) and \(3, 2, 1\): "):
        ta.linalg.solve(ta.ones(2, 2), ta.ones(3, 2, 1))


@pytest.mark.parametrize("upper", [False, True])
def test_substitution(upper: bool) -> None:
    for n in (31, 32, 33, 100):
        a, b = array(2, n, n) / n + 2 * np.eye(n), array(2, n, 2, seed=1)
        check(*both("solve_triangular"), a, b, upper=upper)
        check(*both("solve_triangular"), a[0].astype("float32"), b.astype("float32"), upper=upper, order=1, rtol=1e-3, atol=1e-4)
    for x in ([[1.0, 2.0], [2.0, 0.0]], [[0.0, 2.0], [2.0, 1.0]], [[math.nan, 2.0], [2.0, 1.0]], [[1.0, inf], [inf, 2.0]], [[0.0, 0.0], [0.0, 0.0]]):
        check(*both("solve_triangular"), np.array(x), np.array([[1.0, 2.0], [1.0, 3.0]]), upper=upper, order=0)
    x = np.eye(4)
    x[1, 1] = 0
    y = read(ta.ones(4, 1, dtype=ta.float64).cholesky_solve(ta.tensor(x), upper))
    assert not np.isfinite(y[1]).any()


@pytest.mark.parametrize("upper", [False, True])
@pytest.mark.parametrize("x", [np.zeros((2, 2)), np.diag([1.0, 0.0]), np.stack([np.eye(2), np.zeros((2, 2))])])
def test_a_cholesky_factor_with_a_zero_on_its_diagonal_has_no_inverse(x: np.ndarray, upper: bool) -> None:
    refuses("cholesky_inverse", None, x, upper, says=r"^cholesky_inverse: \(.*2, 2\): a factor has a 0 on its diagonal")
    with pytest.raises(LinAlgError):
        ta.cholesky_inverse(ta.tensor(x), upper)
    check("cholesky_inverse", None, np.array([[1.0, 2.0], [2.0, math.nan]]), upper, order=0)


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


@pytest.mark.parametrize("p", [None, 2, -2, "fro", "nuc", 1, -1, inf, -inf])
def test_the_condition_of_a_matrix_without_elements_is_zero(p: Any) -> None:
    for shape in ((0, 0), (2, 0, 0), (0, 2, 2), *([(0, 3), (3, 0), (2, 0, 3)] if p in (None, 2, -2) else [])):
        check(*both("cond"), np.zeros(shape), p, order=0)
    for wrong in (3, "x", [1]):
        refuses(*both("cond"), np.zeros((0, 0)), wrong, says="^cond: p=.* no such matrix norm")


def test_the_condition_of_a_singular_matrix_is_infinite_in_a_recorded_program_too() -> None:
    regular, singular = ta.eye(2) * 2, ta.tensor([[1.0, 1.0], [1.0, 1.0]])
    for first, second in ((regular, singular), (singular, regular)):
        for p in (1, "fro", "nuc"):
            f = ta.compile(lambda x, p=p: ta.linalg.cond(x, p))
            for x in (first, second, first):
                np.testing.assert_allclose(read(f(x)), read(ta.linalg.cond(x, p)), rtol=1e-5)
    x = singular.clone().requires_grad_()
    y = ta.linalg.cond(x, 1)
    assert y.requires_grad and y.item() == inf
    check(*both("cond"), np.stack([np.zeros((2, 2)), np.eye(2)]), 1, order=0)
    leaf = ta.tensor(np.stack([np.ones((2, 2)), np.diag([1.0, 2.0])]), requires_grad=True)
    assert np.isfinite(read(grad(ta.linalg.cond(leaf, "fro")[1], leaf)[0])[1]).all()


@pytest.mark.parametrize("driver", [None, "gels", "gelsy", "gelss", "gelsd"])
def test_least_squares(driver: str | None) -> None:
    for a, b in [((4, 2), (4, 3)), ((4, 2), (4,)), ((2, 4), (2, 1)), ((3, 4, 2), (3, 4, 2)), ((3, 4, 2), (3, 4)), ((3, 3), (3, 1))]:
        check(*both("lstsq"), array(*a), array(*b, seed=1), driver=driver)


@pytest.mark.parametrize("driver", [None, "gels", "gelsy", "gelss", "gelsd"])
def test_all_drivers_but_gels_look_at_rcond(driver: str | None) -> None:
    a = np.array([[1.0, 0.0], [0.0, 0.1], [0.0, 0.0]])
    for rcond in (None, 0.5, 0.05):
        found = check(*both("lstsq"), a, np.ones((3, 1)), rcond, driver=driver, order=0)
        np.testing.assert_allclose(read(found.solution), [[1.0], [0.0 if rcond == 0.5 and driver != "gels" else 10.0]])


def test_least_squares_take_one_decomposition(monkeypatch: pytest.MonkeyPatch) -> None:
    F = ta.backend.namespaces[type(ta.ones(1).array)]
    taken, plain = [], F.svd
    monkeypatch.setattr(F, "svd", lambda *args: taken.append(1) or plain(*args))
    ta.linalg.lstsq(ta.tensor(array(4, 2)), ta.tensor(array(4, 1)), driver="gelsd")
    assert taken == [1]


def test_least_squares_and_inverses_stay_float32_under_autocast() -> None:
    a, b = ta.tensor(array(8, 3, dtype="float32")), ta.tensor(array(8, 2, dtype="float32", seed=1))
    factor = ta.linalg.cholesky(a.mT @ a)
    exact = factor.cholesky_inverse()
    solution, residuals = ta.linalg.lstsq(a, b, driver="gels")[:2]
    with ta.autocast("cpu", ta.float16):
        within = ta.linalg.lstsq(a, b, driver="gels")
        for x, y in ((within[0], solution), (within[1], residuals), (factor.cholesky_inverse(), exact)):
            assert x.dtype == ta.float32
            np.testing.assert_array_equal(read(x), read(y))
        assert factor.half().cholesky_inverse().dtype == b[:3].cholesky_solve(factor.half()).dtype == ta.float32
        for given in ((a.half(), b), (a, b.half()), (a.half(), b.half())):
            y = ta.linalg.lstsq(*given, driver="gels")
            assert y.solution.dtype == y.residuals.dtype == ta.float32
            np.testing.assert_allclose(read(y.solution), read(solution), atol=1e-2)
        assert ta.linalg.cond(a[:3].half(), 1).dtype == ta.linalg.cond(a.half()).dtype == ta.float32
