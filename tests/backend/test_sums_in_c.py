"""Sums over the last axes and the first ones in C: more exact than NumPy's, by any number of threads the same bits; triangles and windows."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act.backend import compiler
from tinygrad_act.backend.numpy import F

DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])
RNG = np.random.default_rng(0)
SHAPES = [(5000,), (2049,), (40, 200), (40, 129), (3, 1000), (300, 128), (300, 7), (7, 11, 130), (2, 3, 5, 400), (1, 4000), (4000, 1), (300, 70), (50, 20, 40)]


@pytest.fixture(autouse=True)
def on_the_cpu() -> Iterator[None]:
    with ta.backend.use("numpy"):
        yield


@DTYPES
@pytest.mark.parametrize("kernels", ["auto", "tiles"])
@pytest.mark.parametrize("shape", SHAPES)
def test_over_all_kinds_of_axes(shape: Any, kernels: str, dtype: str) -> None:
    x = RNG.standard_normal(shape).astype(dtype)
    near = {"float32": 2e-4, "float64": 1e-12}[dtype]
    all_dims = [None, *range(-len(shape), len(shape)), *[tuple(range(a, b)) for a in range(len(shape)) for b in range(a + 1, len(shape) + 1)], (-1, 0)[:len(shape)]]
    with ta.backend.config(kernels=kernels):
        for given in (x, np.asfortranarray(x), x[::-1], np.broadcast_to(x[:1], shape)):
            for dim in all_dims:
                for keepdim in (False, True):
                    wanted = np.sum(given.astype("float64"), axis=dim, keepdims=keepdim)
                    for found, factor in ((F.sum(given, dim, keepdim), 1), (F.mean(given, dim, keepdim), given.size / max(wanted.size, 1))):
                        assert found.shape == wanted.shape and found.dtype == dtype
                        np.testing.assert_allclose(found, wanted / factor, near, near)


def test_empty_and_whole_numbers() -> None:
    for shape in ((0, 5000), (5000, 0), (0,)):
        for dim in (None, 0, -1):
            np.testing.assert_array_equal(F.sum(np.zeros(shape, "float32"), dim), np.sum(np.zeros(shape, "float32"), axis=dim))
    for kind in ("int8", "bool", "int64"):
        x = RNG.integers(0, 2, (50, 100)).astype(kind)
        assert F.sum(x).dtype == "int64" and F.sum(x) == x.astype("int64").sum()
    half = RNG.random((50, 100)).astype("float16")
    assert F.sum(half).dtype == "float16"


@pytest.mark.parametrize("dim", [2, -3, (0, 5), (1, 1)])
def test_axes_that_are_not_there(dim: Any) -> None:
    with pytest.raises(ValueError, match=r"out of bounds|duplicate"):
        F.sum(np.ones((60, 70), "float32"), dim)


@pytest.mark.skipif(compiler.compiler() is None, reason="there is no C compiler")
@DTYPES
def test_more_exact_than_numpys(dtype: str) -> None:
    ours = theirs = 0.0
    for n in (2049, 5000, 70_001, 262_144):
        for numbers in (RNG.standard_normal(n), RNG.random(n), RNG.standard_normal(n) * 10.0 ** RNG.integers(-6, 6, n)):
            x = numbers.astype(dtype)
            size = np.abs(x).sum(dtype="float64")
            exact = math.fsum(x.tolist())
            ours, theirs = ours + abs(float(F.sum(x)) - exact) / size, theirs + abs(float(np.add.reduce(x)) - exact) / size
    assert ours < theirs
    x = RNG.standard_normal((1000, 256)).astype(dtype)
    for dim, rows in ((1, x), (0, x.T)):
        exact_rows = np.array([math.fsum(row) for row in rows.tolist()])
        assert np.abs(F.sum(x, dim) - exact_rows).sum() < np.abs(np.add.reduce(x, dim) - exact_rows).sum()


@DTYPES
def test_what_is_not_finite(dtype: str) -> None:
    x = np.ones((8, 300), dtype)
    x[0, 5], x[1, 7], x[2, 3], x[2, 299], x[3, 298] = np.inf, -np.inf, np.inf, -np.inf, np.nan
    np.testing.assert_array_equal(F.sum(x, 1), [np.inf, -np.inf, np.nan, np.nan, 300, 300, 300, 300])
    assert np.isnan(F.sum(x)) and F.sum(x[:1].repeat(10, 0)) == np.inf
    top = np.full((2, 3000), np.finfo(dtype).max, dtype)
    np.testing.assert_array_equal(F.sum(top, 1), [np.inf, np.inf])


def test_threads_change_nothing() -> None:
    x, before, found = RNG.standard_normal((900, 300)).astype("float32"), ta.get_num_threads(), []
    try:
        for count in (1, 2, 3):
            ta.set_num_threads(count)
            found.append([F.sum(x), *F.sum(x, 0), *F.sum(x, 1)])
    finally:
        ta.set_num_threads(before)
    assert found[0] == found[1] == found[2]


def test_compiled_steps_add_up_the_same() -> None:
    def step(x: Any) -> Any:
        return x.sum(), x.sum(1), x.sum(0, keepdim=True), x.mean((0, 1)), x.mean(-1)
    replayed = ta.compile(step)
    for seed in range(4):
        x = ta.tensor(np.random.default_rng(seed).standard_normal((90, 250)).astype("float32"))
        for found, wanted in zip(replayed(x), step(x), strict=True):
            np.testing.assert_array_equal(found.numpy(), wanted.numpy())


# --------------------------------------------------------------------------------------------------- views and masks
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int64", "bool", ">f4"])
@pytest.mark.parametrize("diagonal", [-300, -2, -1, 0, 1, 3, 300])
@pytest.mark.parametrize("shape", [(5, 7), (7, 5), (3, 6, 6), (1, 1), (0, 4), (2, 300, 300)])
def test_triangles(shape: Any, diagonal: int, dtype: str) -> None:
    x = RNG.integers(0, 9, shape).astype(dtype)
    if dtype[0] == "f" and x.size > 8:
        x.reshape(-1)[::4], x.reshape(-1)[1::4] = np.nan, -0.0
    for given in (x, np.asfortranarray(x), x[..., ::-1]):
        for function, wanted in ((F.tril, np.tril), (F.triu, np.triu)):
            found = function(given, diagonal)
            assert found.dtype.char == x.dtype.char and found.flags.writeable
            np.testing.assert_array_equal(found, wanted(given, diagonal))
            np.testing.assert_array_equal(np.signbit(found.astype("float64")), np.signbit(wanted(given, diagonal).astype("float64")))


def test_a_triangle_that_was_changed_is_no_other() -> None:
    first = F.tril(np.ones((6, 6), "float32"))
    first += 1
    np.testing.assert_array_equal(F.tril(np.ones((6, 6), "float32")), np.tril(np.ones((6, 6))))


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8", "bool"])
def test_windows_are_numpys(dtype: str) -> None:
    x = RNG.integers(0, 9, (6, 9, 4)).astype(dtype)
    fixed = x.copy()
    fixed.flags.writeable = False
    for given in (x, x[:, ::-1], np.asfortranarray(x), fixed):
        for dim in (0, 1, -1):
            for size in (0, 1, 3, 4):
                for step in (1, 2, 5):
                    found = F.windows(given, dim, size, step)
                    wanted = np.lib.stride_tricks.sliding_window_view(given, size, axis=dim)[(slice(None),) * (dim % 3) + (slice(None, None, step),)]
                    np.testing.assert_array_equal(found, wanted)
                    assert np.may_share_memory(found, given) or not found.size
                    assert found.flags.writeable == given.flags.writeable
    with pytest.raises(ValueError, match="window"):
        F.windows(x, 0, 7, 1)
