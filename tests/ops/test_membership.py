"""Sets, places in sorted sequences, choices against PyTorch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta

from .against_torch import array, check, read, refuses, torch

nan = math.nan


@pytest.mark.parametrize("more", [{}, {"return_inverse": True}, {"return_counts": True}, {"return_inverse": True, "return_counts": True}])
@pytest.mark.parametrize("values", [[1, 1, 2, 2, 3, 1, 1], [[1, 1], [1, 1], [2, 1], [1, 1]], [], 3, [True, True, False], [2, 1], [5]])
def test_unique_consecutive(values: Any, more: dict[str, bool]) -> None:
    x = np.array(values, dtype=None if np.array(values).dtype == bool else "int64")
    check("unique_consecutive", None, x, **more)
    for dim in range(-x.ndim, x.ndim):
        check("unique_consecutive", None, x, dim=dim, **more)


def test_unique_consecutive_of_floats() -> None:
    for x in (np.array([0.5, 0.5, nan, nan, -0.0, 0.0]), array(4, dtype="float16")):
        check(lambda t: t.detach().unique_consecutive(True, True), None, x, order=0)
    check("unique_consecutive", None, np.zeros((0, 2), int), True, True, 0)
    refuses("unique_consecutive", None, np.zeros((0, 2), int), dim=1, says="unique_consecutive")
    refuses("unique_consecutive", None, np.zeros(3, int), dim=1, says="unique_consecutive")


@pytest.mark.parametrize("invert", [False, True])
def test_isin(invert: bool) -> None:
    x = np.array([[1, 2, 3], [4, 5, 1]])
    for among in (np.array([1, 5, 9]), np.array([[3], [3]]), np.array([], "int64"), np.array(4), 2, 2.0, 2.5):
        check("isin", None, x, among, invert=invert)
    check("isin", None, 3, x, invert=invert)
    check("isin", None, x, x.astype("uint8"), assume_unique=True, invert=invert)
    floats = array(40, low=0, high=3).round(1)
    for dtype in ("float64", "float32", "float16", "bfloat16"):
        for among in (floats[:9], np.array([nan, 0.5, nan]), np.array([])):
            pair = floats.astype(ta.dtypes.as_dtype(dtype)), among.astype(ta.dtypes.as_dtype(dtype))
            check(lambda a, b: _isin(a, b, invert), None, *pair, order=0)
    check("isin", None, np.array([1, 2]), np.array([1.5, 2.0]), invert=invert, order=0)
    check("isin", None, np.array([], "int64"), np.array([1]), invert=invert)


def _isin(a: Any, b: Any, invert: bool) -> Any:
    library = ta if isinstance(a, ta.Tensor) else torch
    return library.isin(a.detach(), b.detach(), invert=invert)


@pytest.mark.parametrize("invert", [False, True])
def test_a_number_that_the_dtype_does_not_have_is_not_in_it(invert: bool) -> None:
    for other in (300, -1):
        check("isin", None, np.array([1, 45, 254], "uint8"), other, invert=invert)
        check("isin", None, other, np.array([1, 45, 254], "uint8"), invert=invert)


def test_isin_takes_a_tensor() -> None:
    refuses("isin", None, 2, 3, says="isin")


@pytest.mark.parametrize("right", [False, True])
def test_bucketize(right: bool) -> None:
    edges = np.array([1, 3, 5])
    for x in (np.array([[3, 6, 9], [0, 1, 5]]), np.array(4), 3):
        check("bucketize", None, x, edges, right=right)
        check("bucketize", None, x, edges, right=right, out_int32=True)
    check("bucketize", None, np.array([1, 2]), np.array([], "int64"), right=right)
    refuses("bucketize", None, np.array([1]), np.array([[1]]), says="bucketize")


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
@pytest.mark.parametrize("right", [False, True])
def test_nan_comes_last(dtype: str, right: bool) -> None:
    x = np.array([1.0, 0.0, nan, 0.0, 2.0, 1.0, nan, 0.0]).astype(ta.dtypes.as_dtype(dtype))
    check(_detached("unique", return_inverse=True, return_counts=True), None, x, order=0)
    edges = np.array([[0.0, 1.0, 2.0]]).astype(x.dtype)
    check(_detached("searchsorted", right=right), None, edges, x[None], order=0)
    check(_detached("searchsorted", right=right), None, edges[0], x, order=0)


@pytest.mark.parametrize("right", [False, True])
def test_rows_that_end_in_nan_are_ordered_as_one_sequence_is(right: bool) -> None:
    rows, values = np.array([[1.0, 2.0, nan], [5.0, nan, nan]]), np.array([[1.0, 3.0, 0.5, nan], [5.0, 1.5, 7.0, nan]])
    found = ta.searchsorted(ta.tensor(rows), ta.tensor(values), right=right)
    assert found.tolist() == [ta.searchsorted(ta.tensor(r), ta.tensor(v), right=right).tolist() for r, v in zip(rows, values, strict=True)]
    check(_detached("searchsorted", right=right), None, rows[:1, :2], values[:1], order=0)


def _detached(name: str, **more: Any) -> Any:
    return lambda *inputs: getattr(ta if isinstance(inputs[0], ta.Tensor) else torch, name)(*[x.detach() for x in inputs], **more)


def test_a_number_has_no_slices() -> None:
    refuses("unique", None, np.array(1.0), dim=0, says="unique")


def test_searchsorted_refused() -> None:
    for more in ({"side": "middle"}, {"side": "left", "right": True}, {"sorter": np.array([0, 1])}, {"sorter": np.array([0.0])}):
        refuses("searchsorted", None, np.array([1]), np.array([1]), says="searchsorted", **more)
    refuses("searchsorted", None, np.array(1), np.array([1]), says="searchsorted")


def test_bincount_refuses_fewer_than_no_bins() -> None:
    refuses("bincount", None, np.array([1]), minlength=-1, says="bincount")


@pytest.mark.parametrize("with_replacement", [False, True])
@pytest.mark.parametrize("r", [0, 1, 2, 3, 5])
def test_combinations(r: int, with_replacement: bool) -> None:
    check("combinations", None, array(4), r, with_replacement)
    check("combinations", None, np.arange(3), r, with_replacement)
    check("combinations", None, array(0), r, with_replacement)


def test_combinations_refused() -> None:
    refuses("combinations", None, array(4), -1, says="combinations")
    refuses("combinations", None, array(4, 1), says="combinations")


@pytest.mark.parametrize("shape", [(2, 3, 4), (24,), 24, (), [4, 6]])
def test_unravel_index(shape: Any) -> None:
    for places in (np.arange(24).reshape(2, 12), np.array(7), np.array([-1, -5]), np.array([3], "uint8"), np.array([], "int64")):
        check("unravel_index", None, places, shape)


def test_unravel_index_refused() -> None:
    refuses("unravel_index", None, array(3), (2, 3), says="unravel_index")
    refuses("unravel_index", None, np.array([True]), (2, 3), says="unravel_index")
    refuses("unravel_index", None, np.array([1]), (2, -3), says="unravel_index")


def test_msort() -> None:
    for x in (array(), array(5), array(4, 3), array(4, 3, 2), array(0, 3)):
        check("msort", None, x)
    check("msort", None, np.array([[3, 1], [2, 5]]))


def test_replayed() -> None:
    """What has one shape whatever the numbers are."""
    def step(x: Any) -> Any:
        return ta.isin(x, x[:2]), ta.bucketize(x, x.msort()), *ta.unravel_index(x.argsort(), (3, 4)), ta.combinations(x, 2)

    compiled = ta.compile(step)
    for seed in range(5):
        x = ta.as_tensor(array(12, seed=seed))
        assert [read(t).tobytes() for t in compiled(x)] == [read(t).tobytes() for t in step(x)]
    assert compiled.counts["replayed"] == 3, compiled.report()
