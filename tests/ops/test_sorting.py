"""Sorting and choosing against PyTorch: order, ties, NaN, and gradients that go back to where elements stood."""

from __future__ import annotations

import math

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act.errors import ArgumentError, DTypeError, IndexingError, ShapeError

from .against_torch import array, check, refuses

nan = math.nan
TIES = np.array([[3.0, 1.0, 3.0, nan, 1.0], [0.0, nan, -1.0, 0.0, nan]])


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("dim", [0, 1, -1])
def test_sort(dim: int, descending: bool) -> None:
    check("sort", None, array(3, 4), dim, descending)
    check("argsort", None, array(3, 4), dim, descending)
    check("sort", None, TIES, dim=dim, descending=descending, stable=True, order=1)
    check("argsort", None, TIES, dim=dim, descending=descending, stable=True)


@pytest.mark.parametrize("largest", [False, True])
@pytest.mark.parametrize("k", [0, 1, 3])
def test_topk(k: int, largest: bool) -> None:
    check("topk", None, array(3, 4), k, largest=largest)
    check("topk", None, array(4, 3), k, 0, largest, True)
    check(lambda x: x.topk(min(k, 2), largest=largest).values, None, np.array([3.0, nan, 2.0]), order=1)


@pytest.mark.parametrize("k", [1, 2, 4])
def test_kthvalue(k: int) -> None:
    check("kthvalue", None, array(3, 4), k)
    check("kthvalue", None, array(4, 3), k, 0, True)


def test_mode_is_the_smallest_of_the_most_frequent() -> None:
    x = np.array([[3, 1, 2, 3, 1], [5, 5, 0, 5, 0], [4, 3, 2, 1, 0]])
    for values in (x, x.astype("float64")):
        check("mode", None, values)
        check("mode", None, values.T.copy(), 0, True)


@pytest.mark.parametrize("name", ["sort", "argsort", "topk", "kthvalue", "mode"])
def test_of_a_single_number_without_axes(name: str) -> None:
    check(name, None, array(), **({"k": 1} if name in ("topk", "kthvalue") else {}))


@pytest.mark.parametrize("dtype", ["uint8", "int64", "bool", "float16", "bfloat16", "float32"])
def test_element_types(dtype: str) -> None:
    x = (array(2, 6) * 3).astype("int8").astype(ta.dtypes.as_dtype(dtype))
    check("sort", None, x, stable=True, dim=1, order=1)
    if dtype != "bool":
        check(lambda t: t.topk(2).values, None, x, order=1)


def test_empty() -> None:
    check("sort", None, array(2, 0))
    check("sort", None, array(0, 2))
    check("topk", None, array(2, 0), 0)


def test_results_are_named() -> None:
    found = ta.tensor([2.0, 3.0, 1.0]).sort()
    assert found.values.tolist() == [1, 2, 3] and found.indices.tolist() == [2, 0, 1]
    assert type(found).__name__ == "sort"
    values, indices = ta.tensor([2.0, 3.0, 1.0]).topk(1)
    assert (values.tolist(), indices.tolist()) == ([3.0], [1])


@pytest.mark.parametrize("values", [[3, 1, 2, 3], [[1, 2], [0, 1], [1, 2]], [], [True, False, True], [0.5, nan, 0.5, nan]])
@pytest.mark.parametrize("more", [{}, {"return_inverse": True}, {"return_counts": True},
                                  {"return_inverse": True, "return_counts": True}])
def test_unique(values: list[object], more: dict[str, bool]) -> None:
    x = np.array(values)
    x = x.astype("int64") if x.dtype.kind == "i" else x
    if x.dtype.kind == "f":
        check(lambda t: t.detach().unique(**more), None, x, order=0)
    else:
        check("unique", None, x, **more)
    if x.ndim == 2:
        for dim in (0, 1, -1):
            check("unique", None, x, dim=dim, **more)


def test_bincount() -> None:
    x = np.array([0, 2, 2, 5])
    check("bincount", None, x)
    check("bincount", None, x, minlength=8)
    check(lambda x, w: x.bincount(w.detach()), None, x, array(4), order=0)
    check(lambda x, w: x.bincount(w.detach(), 9), None, x, array(4, dtype="float32"), order=0)
    check("bincount", None, x, np.array([1, 2, 3, 4]))
    check("bincount", None, np.array([], dtype="int64"))


@pytest.mark.parametrize("right", [False, True])
def test_searchsorted(right: bool) -> None:
    check("searchsorted", None, np.array([1, 3, 5]), np.array([[3, 6], [0, 5]]), right=right)
    check("searchsorted", None, np.array([[1, 3, 5], [2, 2, 2]]), np.array([[3, 6], [2, 1]]), right=right)
    check("searchsorted", None, np.array([1, 3, 5]), 3, right=right, out_int32=True)
    check("searchsorted", None, np.array([[5, 1, 3]]), np.array([[3, 6]]), right=right, sorter=np.array([[1, 2, 0]]))


@pytest.mark.parametrize(("name", "inputs", "more"), [
    ("topk", (array(3), 5), {}), ("kthvalue", (array(3), 0), {}), ("kthvalue", (array(3), 4), {}), ("sort", (array(3), 1), {}),
    ("mode", (array(2, 0),), {}), ("bincount", (np.array([-1]),), {}), ("bincount", (np.array([[1]]),), {}),
    ("median", (np.array([True]),), {}), ("searchsorted", (np.array([[1]]), np.array([[1], [2]])), {}),
])
def test_misuse_is_refused(name: str, inputs: tuple[object, ...], more: dict[str, object]) -> None:
    refuses(name, None, *inputs, says=name, **more)


def test_errors_are_of_our_classes() -> None:
    x = ta.tensor([1.0, 2.0])
    for error, call in ((IndexingError, lambda: x.topk(3)), (ArgumentError, lambda: ta.sort([1])), (ArgumentError, lambda: x.topk(1.5)),
                        (DTypeError, lambda: x.bool().median()), (ShapeError, lambda: x[:0].max())):
        with pytest.raises(error):
            call()
