"""Normalisation in C gives what its definition over NumPy gives, whatever lies where, and the same bits by any number of threads."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act.backend import compiler, direct
from tinygrad_act.backend.namespace import Namespace
from tinygrad_act.backend.numpy import F

pytestmark = pytest.mark.skipif(compiler.compiler() is None, reason="there is no C compiler")
DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])
MEANS = pytest.mark.parametrize("mean", [0.0, 1000.0])
# (N, G, K, L): rows, short rows, groups of channels of many and of few pixels, channels of samples
SAMPLES = [(37, 1, 53, 1), (5, 1, 1300, 1), (60, 1, 3, 1), (9, 4, 6, 1), (3, 2, 4, 49), (6, 3, 5, 9), (4, 6, 1, 70), (2, 1, 1, 3000), (600, 1, 301, 1)]
# (N, C, 1, L): channels of one, few and many pixels
CHANNELS = [(37, 53, 1, 1), (70, 130, 1, 1), (19, 11, 1, 9), (40, 5, 1, 23), (6, 7, 1, 24), (3, 4, 1, 700), (300, 9, 1, 81)]


def numbers(dtype: str, view: Any, mean: float) -> list[Any]:
    """x, its gradient, a weight and a bias."""
    rng, count = np.random.default_rng(1), view[1] * view[2]
    x, g = rng.standard_normal((2, *view)).astype(dtype)
    w, b = rng.uniform(-2, 2, (2, count)).astype(dtype)
    return [(x.reshape(view[0], count, view[3]) + mean).astype(dtype), g.reshape(view[0], count, view[3]), w, b]


def close(found: Any, wanted: Any, dtype: str, scale: float = 1.0) -> None:
    for a, b in zip(found, wanted, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            assert a.shape == b.shape
            near = (3e-5 if dtype == "float32" else 1e-11) * scale
            np.testing.assert_allclose(a, b, near, near * max(1.0, math.sqrt(np.square(b.astype(float)).mean())))


@pytest.mark.parametrize("eps", [1, np.float32(0.5), np.float16(0.5), True])
def test_eps_may_be_any_number(eps: Any) -> None:
    x, _, w, b = numbers("float32", SAMPLES[0], 0.0)
    close(F.normalise(x, w, b, SAMPLES[0], True, eps), Namespace.normalise(F, x, w, b, SAMPLES[0], True, float(eps)), "float32")


@DTYPES
@MEANS
@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("view", SAMPLES)
def test_groups_of_each_sample(view: Any, centred: bool, affine: bool, mean: float, dtype: str) -> None:
    x, g, w, b = numbers(dtype, view, mean)
    if not affine:
        w = b = 1.0
    given = x, w, b if centred and affine else 0.0, view, centred, 1e-5
    assert direct.library("normalise", "fd", x) is not None
    y, middle, scale = F.normalise(*given)
    assert y.dtype == dtype
    close((y, middle, scale), Namespace.normalise(F, *given), dtype)
    back = g, x, w, middle, scale, view, False
    found, wanted = F.normalise_grad(*back), Namespace.normalise_grad(F, *back)
    close(found if affine else found[:1], wanted if affine else wanted[:1], dtype, 3)


@DTYPES
@MEANS
@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("view", CHANNELS)
def test_channels_of_the_batch(view: Any, last: bool, affine: bool, mean: float, dtype: str) -> None:
    x, g, w, b = numbers(dtype, view, mean)
    if last:
        x = np.ascontiguousarray(x.transpose(0, 2, 1)).transpose(0, 2, 1)
    if not affine:
        w, b = 1.0, 0.0
    middle, variance = F.moments(x, view, True)
    close((middle, variance), Namespace.moments(F, x, view, True), dtype)
    scale = 1 / np.sqrt(variance + 1e-5)
    given = x, middle, scale, w, b, view, True
    y = F.standardise(*given)
    assert y.strides == Namespace.standardise(F, *given).strides
    close([y], [Namespace.standardise(F, *given)], dtype)
    back = g, x, w, middle, scale, view, True
    close(F.normalise_grad(*back), Namespace.normalise_grad(F, *back), dtype, 3)


@DTYPES
def test_running_statistics_of_the_arrays_dtype(dtype: str) -> None:
    view = (37, 53, 1, 1)
    x, _, w, b = numbers(dtype, view, 0.0)
    given = x, b, np.abs(w), w, b, view, True
    close([F.standardise(*given)], [Namespace.standardise(F, *given)], dtype)


@pytest.mark.parametrize(("view", "batch"), [((600, 1, 301, 1), False), ((16, 8, 4, 301), False), ((300, 9, 1, 81), True), ((1000, 300, 1, 1), True)])
def test_threads_change_nothing(view: Any, batch: bool) -> None:
    x, g, w, b = numbers("float32", view, 0.0)

    def run() -> list[Any]:
        middle, variance = F.moments(x, view, batch)
        scale = 1 / np.sqrt(variance + 1e-5)
        results = [F.standardise(x, middle, scale, w, b, view, True), middle, variance] if batch else [*F.normalise(x, w, b, view, True, 1e-5)]
        return [*results, *F.normalise_grad(g, x, w, middle, scale, view, batch)]

    before = ta.get_num_threads()
    try:
        ta.set_num_threads(1)
        alone = run()
        ta.set_num_threads(3)
        for one, three in zip(alone, run(), strict=True):
            np.testing.assert_array_equal(one, three)
    finally:
        ta.set_num_threads(before)


def test_infinities_make_nan_of_their_group_only() -> None:
    x = numbers("float32", (8, 1, 64, 1), 0.0)[0]
    x[3, 5] = np.inf
    y, _, _ = F.normalise(x, 1.0, 0.0, (8, 1, 64, 1), True, 1e-5)
    assert np.isnan(y).all(axis=(1, 2)).tolist() == [i == 3 for i in range(8)]


def test_when_it_runs() -> None:
    x = np.ones((64, 64), "float32")
    assert direct.library("normalise", "fd", x, 1.0, x.astype("float64")) is None
    assert direct.library("normalise", "fd", x.astype("float16")) is None
    assert direct.library("normalise", "fd", x[0]) is None
    with ta.backend.config(kernels="tiles"):
        assert direct.library("normalise", "fd", x) is None
