"""What is not sorted whole (topk, kthvalue, median of many numbers) is what the stable order says: ties, NaN, element types, replay."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act.numerics.choosing import LONG, MANY, Choosing

from .against_torch import array, check, read

KINDS = ("spread", "ties", "relu", "some nan", "much nan", "infinite", "sorted", "reversed", "equal")
LAYOUTS = [((64, 100), 1), ((70, 3, 40), 0), ((4, 300, 7), 1), ((1, 5000), -1), ((5000,), 0), ((9, 1000), 1)]


def values(kind: str, shape: tuple[int, ...], dim: int, dtype: str = "float32") -> np.ndarray:
    x = array(*shape, low=-60, high=60)
    lot = np.random.default_rng(1).random(shape)
    if "nan" in kind:
        x[lot < (0.002 if kind == "some nan" else 0.6)] = np.nan
    elif kind == "infinite":
        x[lot < 0.1], x[lot > 0.9] = np.inf, -np.inf
    else:
        x = {"spread": x, "ties": np.round(x / 20), "relu": np.maximum(x - 50, 0), "sorted": np.sort(x, dim), "reversed": -np.sort(x, dim),
             "equal": np.ones(shape)}[kind]
    return (x > 0) if dtype == "bool" else (x.astype("int8") if dtype[0] in "iu" else x).astype(ta.dtypes.as_dtype(dtype))


def order(x: np.ndarray, dim: int, descending: bool) -> np.ndarray:
    """The whole stable order, by NumPy."""
    x = np.moveaxis(x.astype("float64"), dim, -1)
    found = x.shape[-1] - 1 - np.argsort(x[..., ::-1], kind="stable")[..., ::-1] if descending else np.argsort(x, kind="stable")
    return np.moveaxis(found, -1, dim)


def of_ours(x: np.ndarray) -> Any:
    return ta.as_tensor(x)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("shape", "dim"), LAYOUTS)
def test_as_the_whole_order_says(shape: tuple[int, ...], dim: int, kind: str) -> None:
    x = values(kind, shape, dim)
    n, t = shape[dim], of_ours(x)
    for largest in (True, False):
        whole = order(x, dim, largest)
        for k in (0, 1, 2, 5, n // 9, n // 4, n // 2, n - 1, n):
            found = t.topk(k, dim, largest)
            places = np.take(whole, range(k), dim)
            np.testing.assert_array_equal(read(found.indices), places)
            np.testing.assert_array_equal(read(found.values), np.take_along_axis(x, places, dim))
    for k in (1, 2, n // 3, n // 2, n):
        np.testing.assert_array_equal(read(t.kthvalue(k, dim, True).indices), np.take(order(x, dim, False), [k - 1], dim))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("shape", "dim"), LAYOUTS)
def test_medians(shape: tuple[int, ...], dim: int, kind: str) -> None:
    x = values(kind, shape, dim)
    for name in ("median", "nanmedian"):
        check(lambda t, name=name: getattr(t, name)(dim).values, None, x, order=0)
        check(name, None, x, order=1)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int8", "int64", "float16", "bfloat16", "float64"])
@pytest.mark.parametrize("kind", ["spread", "ties"])
def test_element_types(kind: str, dtype: str) -> None:
    x = values(kind, (20, 400), 1, dtype)
    t = of_ours(x)
    for k in (3, 100, 390):
        for largest in (True, False):
            found = t.topk(k, 1, largest)
            assert found.values.dtype == x.dtype and found.indices.dtype == ta.int64
            np.testing.assert_array_equal(read(found.indices), order(x, 1, largest)[:, :k])
        np.testing.assert_array_equal(read(t.kthvalue(k).indices), order(x, 1, False)[:, k - 1])


@pytest.mark.parametrize("largest", [True, False])
@pytest.mark.parametrize(("shape", "dim"), [((16, 512), 1), ((300, 20), 0), ((2, 500, 5), 1)])
def test_gradients(shape: tuple[int, ...], dim: int, largest: bool) -> None:
    x = array(*shape)
    check("topk", None, x, 7, dim, largest, True)
    check(lambda x: x.topk(7, dim, largest, sorted=False).values.sort(dim).values, None, x)
    check("kthvalue", None, x, 9, dim)
    check("median", None, x, dim)


@pytest.mark.parametrize("size", [(0, 500), (500, 0), (0,)])
def test_empty(size: tuple[int, ...]) -> None:
    check("topk", None, array(*size), 0)
    check("topk", None, array(*size), 0, 0, False)


def test_of_a_single_number_there_is_but_one() -> None:
    for k in (0, 1):
        check("topk", None, array(), k)


def test_few_numbers_are_sorted_and_many_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    if ta.backend.current() != "numpy":
        pytest.skip("numbers are not looked at there")
    rows: list[tuple[int, ...]] = []
    choose = Choosing._candidates
    monkeypatch.setattr(Choosing, "_candidates", lambda self, x, k, largest: rows.append(x.shape) or choose(self, x, k, largest))
    with ta.backend.config(kernels="tiles"):                 # C, where it can be had, takes the last axis
        of_ours(array(4, 100)).topk(3)
        of_ours(array(MANY, LONG - 1)).topk(3)
        of_ours(array(64, 100)).topk(60)
        assert rows == []
        of_ours(array(64, 100)).topk(3)
        of_ours(array(100, 64)).topk(3, 0)
    assert rows == [(64, 100), (64, 100)]


def test_replayed() -> None:
    """Also where what is looked at is another each time: ties and NaN in some of the steps."""
    def chosen(x: Any) -> list[Any]:
        y = x.topk(5, 1).values.sum() + x.kthvalue(40, 0).values.sum() + x.median() + (x.nanmedian(1).values * 2).sum()
        y.backward()
        return [t.detach() for t in x.topk(6, 0, False)]

    eager, replayed = [], []
    weights = of_ours(array(90, dtype="float32")).requires_grad_()

    def step(x: Any) -> Any:
        weights.grad = None
        return chosen(x * weights)

    compiled = ta.compile(step)
    for kind in ("spread", "spread", "ties", "spread", "some nan", "relu", "equal", "spread"):
        x = of_ours(values(kind, (80, 90), 1))
        for run, found in ((step, eager), (compiled, replayed)):
            found.append([read(t).tobytes() for t in (*run(x), weights.grad)])
    assert replayed == eager
    assert compiled.counts["replayed"] >= 5, compiled.report()
