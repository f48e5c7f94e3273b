"""What runs along an axis in C is what NumPy and numerics/scan.py make of it, and more exact."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act.backend import compiler, scans
from tinygrad_act.backend.numpy import F

pytestmark = pytest.mark.skipif(compiler.compiler() is None, reason="there is no C compiler")
DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])
# rows fewer, as many and more than C takes at a time; columns likewise; one number a lane, and one lane
SHAPES = pytest.mark.parametrize(("shape", "dim"), [((5, 40), 1), ((8, 33), 1), ((21, 17), -1), ((300, 1), 1), ((130,), 0), ((40, 5), 0), ((33, 16), 0),
                                                    ((9, 50), 0), ((3, 11, 37), 1), ((2, 4, 5, 6), 2), ((1, 1, 200), 2), ((200, 1, 1), 0)])
NAMES = pytest.mark.parametrize("name", ["cumsum", "cumprod", "logcumsumexp", "linear_scan", "cummax", "cummin"])
RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def on_the_cpu() -> Iterator[None]:
    with ta.backend.use("numpy"):
        yield


def run(name: str, x: Any, a: Any, dim: int) -> tuple[Any, ...]:
    if name == "linear_scan":
        return (F.linear_scan(a, x, dim % x.ndim),)
    if name in ("cummax", "cummin"):
        return F.running_extremes(x, dim % x.ndim, name == "cummax")  # type: ignore[no-any-return]
    return (getattr(F, name)(x, dim % x.ndim),)


def agree(name: str, x: Any, a: Any, dim: int) -> None:
    found = run(name, x, a, dim)
    with ta.backend.config(kernels="tiles"):
        wanted = run(name, x, a, dim)
    near = 0 if name in ("cummax", "cummin") else {"float32": 2e-5, "float64": 1e-13}.get(x.dtype.name, 0)
    for y, w in zip(found, wanted, strict=True):
        assert y.dtype == w.dtype
        np.testing.assert_allclose(y, w, near, near)
        np.testing.assert_array_equal(np.signbit(y[y == 0]), np.signbit(w[y == 0]))


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the functions of C that ran."""
    ran: list[str] = []
    ranges = scans.pool.ranges
    monkeypatch.setattr(scans.pool, "ranges", lambda function, *more: (ran.append(function.__name__), ranges(function, *more)))
    return ran


@DTYPES
@NAMES
@SHAPES
def test_as_the_definition(name: str, shape: Any, dim: int, dtype: str, counted: list[str]) -> None:
    x, a = (1 + 0.3 * RNG.standard_normal((2, *shape))).astype(dtype)
    agree(name, x, a, dim)
    assert counted == ([] if name == "logcumsumexp" else [name])


@DTYPES
@NAMES
def test_arrays_that_lie_otherwise(name: str, dtype: str) -> None:
    x, a = (1 + 0.3 * RNG.standard_normal((2, 12, 30, 8))).astype(dtype)
    for turn in (lambda v: v[:, ::-1], lambda v: v[::-1], lambda v: v[:, :, ::2], lambda v: v.transpose(2, 0, 1), lambda v: v[::-1, ::-1],
                 np.asfortranarray, lambda v: np.broadcast_to(v[:1], v.shape)):
        for dim in range(3):
            agree(name, turn(x), turn(a), dim)
            agree(name, turn(x), np.array(turn(a)), dim)


@DTYPES
@NAMES
def test_what_is_not_finite_and_what_is_equal(name: str, dtype: str) -> None:
    x = RNG.integers(-2, 3, (40, 30)).astype(dtype)
    x[3, 4], x[5, 6], x[6, 20], x[7, 0], x[8, 3:5], x[9] = np.nan, np.inf, -np.inf, np.nan, (np.nan, np.inf), np.nan
    x[10:14] = RNG.choice([0.0, -0.0], (4, 30))
    for dim in (0, 1):
        agree(name, x, np.ones_like(x), dim)
        agree(name, x[:, ::-1], np.ones_like(x), dim)


def test_what_was_before_the_first_does_not_matter() -> None:
    a, b = np.full((20, 30), 0.5, "float32"), np.ones((20, 30), "float32")
    a[:, 0] = np.nan
    assert np.isfinite(F.linear_scan(a, b, 1)).all()


@pytest.mark.parametrize("name", ["cumsum", "cumprod", "cummax", "cummin"])
def test_what_c_does_not_take(name: str, counted: list[str]) -> None:
    for dtype in ("int64", "int8", "bool", "float16", ">f4"):
        agree(name, RNG.integers(0, 2, (20, 30)).astype(dtype), 0, 1)
    for shape in ((0, 300), (300, 0), (3, 4)):
        agree(name, np.zeros(shape, "float32"), 0, 1)
        agree(name, np.zeros(shape, "float32"), 0, 0)
    assert counted == []


def test_sums_are_as_exact_as_they_can_be() -> None:
    x = RNG.random((3, 50_000)).astype("float32")
    exact = np.cumsum(x.astype("float64"), 1)
    np.testing.assert_array_equal(F.cumsum(x, 1), exact.astype("float32"))
    np.testing.assert_array_equal(F.cumsum(np.array(x.T), 0), exact.astype("float32").T)
    y = F.logcumsumexp(x, 1)
    np.testing.assert_allclose(y, np.logaddexp.accumulate(x.astype("float64"), 1), 6e-8)


@NAMES
def test_threads_change_nothing(name: str) -> None:
    x, a = (1 + 0.1 * RNG.standard_normal((2, 300, 170))).astype("float32")
    before, found = ta.get_num_threads(), []
    try:
        for count in (1, 3):
            ta.set_num_threads(count)
            found.append([y for dim in (0, 1) for y in run(name, x, a, dim)])
    finally:
        ta.set_num_threads(before)
    for one, several in zip(*found, strict=True):
        np.testing.assert_array_equal(one, several)


@pytest.mark.parametrize("name", ["cumsum", "cumprod", "cummax"])
def test_gradients_and_their_gradients(name: str) -> None:
    numbers = 1 + 0.3 * RNG.standard_normal((12, 12))
    numbers[2, 3] = numbers[5, 5] = 0

    def both(dim: int) -> list[Any]:
        x = ta.tensor(numbers, requires_grad=True)
        y = getattr(x, name)(dim)
        y = y if name != "cummax" else y.values
        g = ta.autograd.grad((y * y).sum(), x, create_graph=True)[0]
        return [y, g, ta.autograd.grad((g * g).sum(), x)[0]]

    for dim in (0, 1):
        found = [t.detach().numpy() for t in both(dim)]
        with ta.backend.config(kernels="off"):
            wanted = [t.detach().numpy() for t in both(dim)]
        for y, w in zip(found, wanted, strict=True):
            np.testing.assert_allclose(y, w, 1e-10, 1e-10)


def test_a_gradient_lies_as_its_tensor() -> None:
    for name in ("cumsum", "cumprod"):
        for dim in (0, 1):
            x = ta.ones(20, 30, requires_grad=True)
            getattr(x, name)(dim).sum().backward()
            assert x.grad is not None and x.grad.array.flags.c_contiguous
