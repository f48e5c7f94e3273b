"""Substitution in C gives what its definition over NumPy gives, whatever lies where, and the same bits by any number of threads."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act.backend import compiler, substitution
from tinygrad_act.backend.numpy import F

pytestmark = pytest.mark.skipif(compiler.compiler() is None, reason="there is no C compiler")
DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])
UPPER = pytest.mark.parametrize("upper", [False, True])
NEAR = {"float32": 3e-6, "float64": 1e-14}
LAYOUTS = [lambda x: x, lambda x: np.asfortranarray(x), lambda x: np.repeat(np.repeat(x, 2, 0), 3, 1)[::2, ::3], lambda x: x[::-1, ::-1].copy()[::-1, ::-1]]


def triangle(n: int, dtype: str, upper: bool, batch: tuple[int, ...] = ()) -> Any:
    """Triangles that are easy to solve with, and NaN for the rest."""
    rng = np.random.default_rng(n)
    a = rng.standard_normal((*batch, n, n)) / math.sqrt(n) * 0.5
    a[..., np.arange(n), np.arange(n)] = rng.uniform(1, 2, (*batch, n))
    a[..., np.tril(np.ones((n, n), bool), -1) if upper else np.triu(np.ones((n, n), bool), 1)] = math.nan
    return a.astype(dtype)


def right_side(n: int, k: int, dtype: str, batch: tuple[int, ...] = ()) -> Any:
    return np.random.default_rng(n + k).standard_normal((*batch, n, k)).astype(dtype)


def by_rule(a: Any, b: Any, upper: bool) -> Any:
    with ta.backend.config(kernels="tiles"):
        assert substitution.library(a, b) is None
        return F.solve_triangular(a, b, upper)


def residual(a: Any, b: Any, y: Any) -> float:
    """How far a y is from b, against the sizes of a and y: the root of the mean square."""
    a, b, y = (np.nan_to_num(x).astype(np.longdouble) for x in (a, b, y))
    return float(np.sqrt(np.square(np.abs(a @ y - b) / (np.abs(a) @ np.abs(y))).mean()))


@DTYPES
@UPPER
@pytest.mark.parametrize("n", [1, 2, 4, 7, 8, 9, 15, 16, 17, 33, 60, 100, 256, 257, 600])
def test_solutions(n: int, upper: bool, dtype: str) -> None:
    a = triangle(n, dtype, upper)
    for k in (1, 2, 5, 16, 17, 31, 32, 33, 70):
        b = right_side(n, k, dtype)
        wanted = by_rule(a, b, upper)
        for layout in LAYOUTS:
            given = layout(a), layout(b)
            assert substitution.library(*given) is not None
            y = F.solve_triangular(*given, upper)
            assert y.dtype == dtype and y.flags.c_contiguous
            np.testing.assert_allclose(y, wanted, rtol=0, atol=NEAR[dtype] * np.abs(wanted).max())
            assert residual(a, b, y) <= max(1.1 * residual(a, b, wanted), 0.6 * float(np.finfo(dtype).eps))
        np.testing.assert_array_equal(b, right_side(n, k, dtype))


@DTYPES
@UPPER
@pytest.mark.parametrize(("places", "more"), [((3,), ()), ((2, 3), ()), ((), (4,)), ((3,), (2, 3)), ((2, 1), (1, 3)), ((1, 1), (2, 3)), ((0,), (0,))])
def test_batches(places: tuple[int, ...], more: tuple[int, ...], upper: bool, dtype: str) -> None:
    for n, k in ((5, 1), (20, 3), (33, 40)):
        a, b = triangle(n, dtype, upper, places), right_side(n, k, dtype, more)
        for given in (a, np.ascontiguousarray(np.swapaxes(a, -1, -2)).swapaxes(-1, -2)):
            y, wanted = F.solve_triangular(given, b, upper), by_rule(a, b, upper)
            np.testing.assert_allclose(y, wanted, rtol=0, atol=NEAR[dtype] * np.abs(wanted).max(initial=1))


@DTYPES
@UPPER
@pytest.mark.parametrize("value", [0.0, -0.0, math.inf, math.nan])
def test_what_is_zero_or_not_finite_on_the_diagonal(value: float, upper: bool, dtype: str) -> None:
    for n in (3, 20, 40):
        for at in (0, n // 2, n - 1):
            a = triangle(n, dtype, upper)
            a[at, at] = value
            for k in (1, 3, 20):
                b = right_side(n, k, dtype)
                np.testing.assert_array_equal(np.isfinite(F.solve_triangular(a, b, upper)), np.isfinite(by_rule(a, b, upper)))
                np.testing.assert_array_equal(np.isfinite(F.solve_triangular(np.asfortranarray(a), b, upper)), np.isfinite(by_rule(a, b, upper)))
    one = np.array([[0.0]], dtype)
    for b, wanted in ((2.0, math.inf), (-2.0, -math.inf), (0.0, math.nan)):
        np.testing.assert_array_equal(F.solve_triangular(one, np.array([[b]], dtype), upper), [[wanted]])


@DTYPES
def test_columns_and_threads_change_nothing(dtype: str) -> None:
    """However many columns are beside one, of several, and by however many threads."""
    a, b = triangle(200, dtype, False), right_side(200, 150, dtype)
    batch = triangle(100, dtype, True, (12,)), right_side(100, 20, dtype, (12,))
    before = ta.get_num_threads()
    try:
        ta.set_num_threads(1)
        alone, several = F.solve_triangular(a, b, False), F.solve_triangular(*batch, True)
        for some in (slice(0, 2), slice(3, 36), slice(100, 150)):
            np.testing.assert_array_equal(F.solve_triangular(a, b[:, some], False)[:], alone[:, some])
        ta.set_num_threads(3)
        np.testing.assert_array_equal(F.solve_triangular(a, b, False), alone)
        np.testing.assert_array_equal(F.solve_triangular(*batch, True), several)
    finally:
        ta.set_num_threads(before)


def test_subnormal_numbers_are_zeros_where_they_are_in_products_as_large() -> None:
    tiny = np.float32(1e-40)
    for n, k, kept in ((20, 1, True), (20, 20, True), (64, 9, False), (200, 1, False)):
        a, b = np.eye(n, dtype="float32"), np.full((n, k), tiny)
        assert (n ** 3 * k > 1 << 21) is not kept
        assert (F.solve_triangular(a, b, False) == (tiny if kept else 0)).all()
        a[1, 1] = tiny                                           # by which is divided, whatever the size
        assert F.solve_triangular(a, np.full((n, k), np.float32(1e-30)), False)[1, 0] == np.float32(1e-30) / tiny
        assert (np.ones(1, "float32") * tiny)[0] == tiny         # the thread is as it was


def test_when_it_runs() -> None:
    a, b = triangle(4, "float32", False), right_side(4, 1, "float32")
    assert substitution.library(a, b.astype("float64")) is None
    assert substitution.library(a.astype(">f4"), b.astype(">f4")) is None
    with ta.backend.config(kernels="off"):
        assert substitution.library(a, b) is None
    odd = np.zeros(4 * 4 * 4 + 1, np.uint8)[1:].view("float32").reshape(4, 4)
    odd[...] = a
    assert substitution.library(odd, b) is None
    np.testing.assert_allclose(F.solve_triangular(odd, b, False), F.solve_triangular(a, b, False), rtol=1e-5)
