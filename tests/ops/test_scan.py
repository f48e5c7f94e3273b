"""Running sums, products and extremes against PyTorch, and the recurrence that differentiates them."""

from __future__ import annotations

import math

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act.errors import ArgumentError, DTypeError, IndexingError, ShapeError
from tinygrad_act.graph import recording

from .against_torch import array, check, read, torch

nan, inf = math.nan, math.inf
RUNNING = ["cumsum", "cumprod", "logcumsumexp", "cummax", "cummin"]


@pytest.mark.parametrize("dim", [0, 1, -1])
@pytest.mark.parametrize("name", RUNNING)
def test_along_an_axis(name: str, dim: int) -> None:
    check(name, None, array(3, 5, 2), dim)
    check(name, None, array(3, 1, 2), dim)


@pytest.mark.parametrize("name", RUNNING)
def test_of_one_number_and_of_none(name: str) -> None:
    check(name, None, array(), 0)
    check(name, None, array(0), 0)
    check(name, None, array(2, 0, 3), 1)
    check(name, None, array(2, 0, 3), -1)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
@pytest.mark.parametrize("name", RUNNING)
def test_narrow_floats(name: str, dtype: str) -> None:
    check(name, None, array(7, dtype=dtype), 0, order=1, rtol={"bfloat16": 4e-2, "float16": 6e-3}.get(dtype), atol=2e-2)


@pytest.mark.parametrize("dtype", ["uint8", "int32", "int64", "bool"])
@pytest.mark.parametrize("name", ["cumsum", "cumprod", "cummax", "cummin"])
def test_ints_and_bools(name: str, dtype: str) -> None:
    check(name, None, np.array([[3, 1, 0, 5], [1, 1, 2, 0]]).astype(dtype), 1)


@pytest.mark.parametrize("name", ["cumsum", "cumprod"])
def test_dtype_is_the_one_computed_in(name: str) -> None:
    assert getattr(ta, name)(ta.tensor([1, 2]), 0, dtype=ta.float64).dtype == ta.float64
    check(lambda x: getattr(ta, name)(x, 0, dtype="uint8"), lambda x: getattr(torch, name)(x, 0, dtype=torch.uint8), np.array([100, 3]))
    assert getattr(ta.tensor([1.5, 2.0]), name)(axis=0, dtype="int32").tolist() == ([1, 3] if name == "cumsum" else [1, 2])


@pytest.mark.parametrize("values", [[1.0, 2.0, 3.0], [1.0, 0.0, 3.0], [2.0, 0.0, 3.0, 0.0, 5.0], [0.0, 0.0], [4.0]])
def test_running_products_differentiate_exactly_where_factors_are_zero(values: list[float]) -> None:
    check("cumprod", None, np.array(values), 0)
    check("cumprod", None, np.array([values, values[::-1]]), -1)


@pytest.mark.parametrize("values", [[-inf, -inf, 1.0, 2.0, -inf], [0.0, inf, 1.0, 2.0, -inf], [-1000.0, 1000.0, 999.0],
                                    [1000.0, -1000.0, 0.0], [1.0, nan, 2.0]])
def test_logcumsumexp_where_exp_leaves_the_range(values: list[float]) -> None:
    check("logcumsumexp", None, np.array(values), 0, order=1)


@pytest.mark.parametrize("name", ["cummax", "cummin"])
@pytest.mark.parametrize("values", [[1.0, 3.0, 3.0, nan, 2.0, nan, 5.0], [2.0, 2.0, 1.0, 1.0, 2.0]])
def test_running_extremes_point_to_the_last_of_equal_elements(name: str, values: list[float]) -> None:
    check(name, None, np.array(values), 0, order=1)


@pytest.mark.parametrize("n", [0, 1, 2, 5])
@pytest.mark.parametrize("dim", [0, -1])
def test_differences(n: int, dim: int) -> None:
    check("diff", None, array(3, 4), n, dim)
    check("diff", None, array(3, 4), n, dim, prepend=array(3, 4, seed=1), append=array(3, 4, seed=2))


def test_differences_of_bools_and_ints() -> None:
    check("diff", None, np.array([True, False, False, True]))
    check("diff", None, np.array([1, 4, 9]))
    check("diff", None, array(3, 0))


@pytest.mark.parametrize("n", [0, 1, 2, 3, 8, 13])
def test_the_recurrence_is_the_one_it_says(n: int) -> None:
    a, b = array(2, n), array(2, n, seed=1)
    h, expected = np.zeros(2), []
    for i in range(n):
        h = a[:, i] * h + b[:, i]
        expected.append(h)
    got = recording.linear_scan(ta.tensor(a), ta.tensor(b), dim=1)
    np.testing.assert_allclose(read(got), np.array(expected).T.reshape(2, n), rtol=1e-12, atol=1e-12)

    def by_hand(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        rows = [torch.zeros_like(b[:, :1])]
        for i in range(n):
            rows.append(a[:, i:i + 1] * rows[-1] + b[:, i:i + 1])
        return torch.cat(rows, 1)[:, 1:]
    if n > 1:
        check(lambda a, b: recording.linear_scan(a, b, dim=1), by_hand, a, b)


def test_a_long_scan_is_as_exact_as_a_short_one() -> None:
    x = np.full(4096, 0.999)
    t = ta.tensor(x, requires_grad=True)
    t.cumprod(0)[-1].backward()
    np.testing.assert_allclose(read(t.grad), 0.999**4095, rtol=1e-10)


@pytest.mark.parametrize(("call", "error", "says"), [
    (lambda x: x.cumsum(2), IndexingError, "cumsum: dim=2"),
    (lambda x: x.int().logcumsumexp(0), DTypeError, "float"),
    (lambda x: ta.cumsum([1.0], 0), ArgumentError, "ta.tensor"),
    (lambda x: x.sum().diff(), ShapeError, "0-d"),
    (lambda x: x.diff(-1), ArgumentError, "n=-1"),
])
def test_misuse_is_explained(call: object, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        call(ta.tensor([[1.0, 2.0], [3.0, 4.0]]))  # type: ignore[operator]
