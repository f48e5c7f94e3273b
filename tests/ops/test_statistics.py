"""Quantiles, histograms, covariance, distances and areas against PyTorch, with gradients and gradients of gradients."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act.errors import ArgumentError

from .against_torch import array, check, read, refuses, torch

nan, inf = math.nan, math.inf
INTERPOLATIONS = ["linear", "lower", "higher", "midpoint", "nearest"]
HOLES = np.array([[nan, 1.0, 3.0, 2.0], [4.0, 0.5, 2.5, 1.0], [nan, nan, nan, nan], [nan, 7.0, nan, nan]])

pytestmark = pytest.mark.filterwarnings("ignore:cov\\(\\)", "ignore:std\\(\\)")


# ------------------------------------------------------------------------------------------------------------ quantiles
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("name", ["quantile", "nanquantile"])
def test_quantiles(name: str, interpolation: str) -> None:
    for dim in (None, 0, 1, -1):
        for keepdim in (False, True):
            for q in (0.0, 0.3, 0.5, 1, np.array(0.7), np.array([0.0, 0.25, 0.3, 1.0])):
                check(name, None, array(3, 4, 5), q, dim, keepdim, interpolation=interpolation)


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("name", ["quantile", "nanquantile"])
def test_quantiles_beside_nan(name: str, interpolation: str) -> None:
    for q in (0.5, 0.1, 1.0):
        for dim in (0, 1, None):
            check(name, None, HOLES, q, dim, interpolation=interpolation, order=0)
    check(lambda x: getattr(x, name)(0.4, 1, interpolation=interpolation), None, HOLES[:2], order=1)


def test_quantiles_of_other_shapes_and_dtypes() -> None:
    check("quantile", None, array(), 0.5)
    check("quantile", None, array(), 0.5, 0, True)
    check("quantile", None, array(4, dtype="float32"), np.array([0.2, 0.9], "float32"), 0, order=1)
    check("quantile", None, array(3, 4), np.array([]), 1)
    ties = np.array([1.0, 2.0, 2.0, 2.0, 3.0])
    check("quantile", None, ties, 0.6)


@pytest.mark.parametrize(("inputs", "more"), [
    ((array(3), 1.5), {}), ((array(3), -0.1), {}), ((array(3), nan), {}), ((array(3), np.array([[0.5]])), {}), ((array(0), 0.5), {}),
    ((array(3), np.array(0.5, "float32")), {}), ((np.array([1, 2]), 0.5), {}), ((array(3, dtype="float16"), 0.5), {}),
    ((array(3), 0.5), {"interpolation": "cubic"}), ((array(3), 0.5, 1), {}),
])
def test_quantiles_refused(inputs: tuple[Any, ...], more: dict[str, Any]) -> None:
    refuses("quantile", None, *inputs, says="quantile", **more)
    refuses("nanquantile", None, *inputs, says="nanquantile", **more)


def test_numpys_spelling_of_dim() -> None:
    x = ta.tensor([[1.0, 2.0], [3.0, 5.0]])
    assert ta.quantile(x, 0.5, axis=1, keepdims=True).tolist() == [[1.5], [4.0]]


# ----------------------------------------------------------------------------------------------------------- histograms
def detached(name: str, *inputs: Any, **more: Any) -> None:
    check(lambda x, *rest: getattr(x.detach(), name)(*rest, **more), None, *inputs, order=0)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_histograms(dtype: str) -> None:
    x = array(40, 5, dtype=dtype)
    for bins in (1, 7, 100):
        detached("histc", x, bins)
        detached("histc", x, bins, -1, 1.5)
        detached("histogram", x, bins)
        detached("histogram", x, bins, range=(-1.0, 1.5))
        detached("histogram", x, bins, range=(-1.0, 1.5), density=True)
        check(lambda x, w, bins=bins: x.detach().histogram(bins, weight=w.detach(), density=True), None, x, array(40, 5, low=0, dtype=dtype), order=0)
    edges = np.array([-1.5, -1.0, 0.25, 2.0], dtype)
    check(lambda x, e: x.detach().histogram(e.detach()), None, x, edges, order=0)
    check(lambda x, e: x.detach().histogram(e.detach(), density=True), None, x, edges, order=0)


def test_where_elements_meet_the_edges_of_bins() -> None:
    x = np.array([0.0, 1.0, 1.0, 2.0, 3.0, 3.0, 4.0, 5.0, -1.0])
    detached("histc", x, 4, 0, 4)
    detached("histogram", x, 4, range=(0.0, 4.0))
    tenths = np.arange(11) / 10
    detached("histogram", tenths, 10, range=(0.0, 1.0))
    detached("histogram", tenths.astype("float32"), 10, range=(0.0, 1.0))


def test_histograms_of_what_is_equal_empty_or_not_a_number() -> None:
    for x in (np.ones(3), np.zeros(0)):
        detached("histc", x, 4)
        detached("histogram", x, 4)
    detached("histc", np.ones(3), 4, 2, 2)
    detached("histc", array(3, dtype="float32") * 0 + 1e30, 3)
    detached("histogram", array(5), 4, range=(2.0, 2.0))
    detached("histc", np.array([nan, 1.0, -inf, inf]), 4, 0, 2)
    detached("histc", array(6, dtype="float16"), 3)
    detached("histc", array(6, dtype="bfloat16"), 3)


@pytest.mark.parametrize(("name", "inputs", "more"), [
    ("histc", (array(3), 0), {}), ("histc", (array(3), 4, 3, 1), {}), ("histc", (np.array([nan, 1.0]), 4), {}), ("histc", (np.array([1, 2]), 4), {}),
    ("histogram", (array(3), 0), {}), ("histogram", (array(3), 4), {"range": (3.0, 1.0)}), ("histogram", (np.array([1, 2]), 4), {}),
    ("histogram", (array(3), np.array([1.0])), {}), ("histogram", (array(3), np.array([1, 2])), {}), ("histogram", (array(3), 4), {"weight": array(2)}),
    ("histogram", (array(3), 4), {"range": (1.0,)}), ("histogram", (array(3), 4), {"weight": array(3, dtype="float32")}),
    ("histogram", (array(3, dtype="float16"), 4), {}), ("histogram", (array(3), np.array([0.0, 1.0])), {"range": (0.0, 1.0)}),
])
def test_histograms_refused(name: str, inputs: tuple[Any, ...], more: dict[str, Any]) -> None:
    refuses(name, None, *inputs, says=name, **more)


@pytest.mark.parametrize("name", ["histc", "histogram"])
def test_a_range_wider_than_the_dtype_is_refused(name: str) -> None:
    with pytest.raises(ArgumentError, match="no numbers as large"):
        getattr(ta.tensor([3e38, -3e38]), name)(3)


def test_a_histogram_has_names() -> None:
    found = ta.tensor([1.0, 2.0, 1.0]).histogram(2)
    assert found.hist.tolist() == [2, 1] and found.bin_edges.tolist() == [1, 1.5, 2]
    assert repr(found).startswith("histogram(\nhist=tensor(")


# ----------------------------------------------------------------------------------------------------------- covariance
@pytest.mark.parametrize("correction", [0, 1, 2])
@pytest.mark.parametrize("shape", [(3, 6), (1, 5), (5,)])
def test_cov(shape: tuple[int, ...], correction: int) -> None:
    n = shape[-1]
    counts, weights = np.arange(1, n + 1), array(n, low=0.5)
    check("cov", None, array(*shape), correction=correction)
    check("cov", None, array(*shape), correction=correction, fweights=counts)
    check("cov", None, array(*shape), correction=correction, aweights=weights)
    check("cov", None, array(*shape), correction=correction, fweights=counts, aweights=weights)


def test_cov_and_corrcoef_of_single_numbers_ints_and_halves() -> None:
    for name in ("cov", "corrcoef"):
        check(name, None, array(3, 6))
        check(name, None, array(), order=0)
        check(name, None, np.array([[1, 2, 4], [3, 0, 1]]))
        check(name, None, array(2, 5, dtype="float32"), order=1)
        check(name, None, array(2, 0), order=0)
    check("cov", None, array(2, 5, dtype="float16"), order=1, atol=2e-2)
    check("cov", None, array(4), correction=4, order=0)
    check("cov", None, array(4), correction=5, order=0)
    check("corrcoef", None, np.ones((2, 3)), order=0)


def test_correlations_are_between_minus_one_and_one() -> None:
    x = array(4, 9, dtype="float32")
    c = read(ta.as_tensor(np.concatenate([x, -3 * x, x * 1e-3])).corrcoef())
    assert np.abs(c).max() <= 1
    np.testing.assert_allclose(c[0, [0, 4, 8]], [1, -1, 1], rtol=1e-6)


@pytest.mark.parametrize(("inputs", "more"), [
    ((array(2, 3, 4),), {}), ((np.array([True, False]),), {}), ((array(4),), {"fweights": array(4)}), ((array(4),), {"aweights": np.arange(4)}),
    ((array(4),), {"fweights": np.arange(3)}), ((array(4),), {"aweights": array(4, 1)}), ((array(4),), {"fweights": -np.arange(4)}),
    ((array(4),), {"aweights": -array(4, low=1)}),
])
def test_cov_refused(inputs: tuple[Any, ...], more: dict[str, Any]) -> None:
    refuses("cov", None, *inputs, says="cov", **more)


# ------------------------------------------------------------------------------------------------- distances and areas
@pytest.mark.parametrize("p", [0, 0.5, 1, 2, 3, inf, -inf])
def test_dist(p: float) -> None:
    order = 0 if p == 0 else 1 if abs(p) == inf or p < 1 else 2         # PyTorch has no gradient for 0
    check("dist", None, array(3, 4), array(3, 4, seed=1), p, order=order)
    check("dist", None, array(3, 4), array(4, seed=1), p, order=order)


def test_dist_of_equal_empty_and_mixed() -> None:
    check("dist", None, array(3), array(3), order=1)
    check("dist", None, array(0), array(0), order=0)
    check("dist", None, array(3, dtype="float32"), array(3), order=0)
    refuses("dist", None, array(3), array(4))
    refuses("dist", None, np.arange(3), np.arange(3))


@pytest.mark.parametrize("name", ["trapezoid", "trapz", "cumulative_trapezoid"])
def test_areas(name: str) -> None:
    for dim in (0, 1, -1):
        y = array(3, 4, 5)
        check(name, None, y, dim=dim)
        check(name, None, y, dx=0.5, dim=dim)
        check(name, None, y, array(y.shape[dim]), dim=dim)
        check(name, None, y, array(3, 4, 5, seed=1), dim=dim)
        check(name, None, y, array(4, 5), dim=-1)
    for n in (0, 1, 2):
        check(name, None, array(n))
        check(name, None, array(n), array(n, seed=1))
    check(name, None, np.arange(4))
    check(name, None, np.arange(4), np.array([0, 1, 3, 4]))
    check(name, None, array(4, dtype="float32"), dx=2, order=1)


@pytest.mark.parametrize("name", ["trapezoid", "cumulative_trapezoid"])
def test_areas_refused(name: str) -> None:
    refuses(name, None, array(4), array(3), says=name)
    refuses(name, None, array(4), array(4), dx=1)
    refuses(name, None, np.array([True, False]), says=name)
    refuses(name, None, array(), says=name)
    refuses(name, None, array(4), dim=1, says=name)
    refuses(name, None, array(3), array(2, 3), says=name)


def test_replayed() -> None:
    weights = ta.asarray(array(6), requires_grad=True)

    def step(x: Any) -> Any:
        weights.grad = None
        x = x * weights
        y = x.quantile(0.3, 0).sum() + x.nanquantile(0.5) + x.cov().sum() + x.T.corrcoef().sum() + x.dist(weights) + ta.trapezoid(x).sum()
        y.backward()
        return y.detach(), x.detach().histc(5, -2, 2), x.detach().histogram(5, range=(-2.0, 2.0)).hist

    compiled = ta.compile(step)
    eager, replayed = [], []
    for seed in range(6):
        x = ta.as_tensor(array(8, 6, seed=seed))
        for run, found in ((step, eager), (compiled, replayed)):
            found.append([read(t).tobytes() for t in (*run(x), weights.grad)])
    assert replayed == eager
    assert compiled.counts["replayed"] == 4, compiled.report()


def test_torch_has_these_methods() -> None:
    for name in ("quantile", "nanquantile", "histc", "histogram", "cov", "corrcoef", "dist"):
        assert hasattr(torch.Tensor, name) and hasattr(ta.Tensor, name)
