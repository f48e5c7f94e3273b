"""Reductions against PyTorch: all axes or some, kept or not, ties, zeros, NaN, empty axes, halves, ints."""

from __future__ import annotations

import math

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act.errors import ArgumentError, DTypeError, IndexingError, ShapeError
from tinygrad_act.graph import grad

from .against_torch import array, check, refuses, torch

DIMS = [None, 0, -1, 1, (0, 2), (-1, 0, 1), ()]
SEVERAL = ["sum", "mean", "amax", "amin", "var", "std", "norm", "nansum", "nanmean", "logsumexp", "count_nonzero", "all", "any"]
ONE = ["prod", "argmax", "argmin", "max", "min", "median", "nanmedian"]
nan, inf = math.nan, math.inf


@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize(("name", "dim"), [(name, dim) for name in SEVERAL for dim in DIMS if dim or name != "logsumexp"])
def test_over_any_axes(name: str, dim: object, keepdim: bool) -> None:
    more = {"keepdim": keepdim} if dim is not None and name != "count_nonzero" else {}
    order = 0 if name in ("var", "std") and dim == () else 2          # PyTorch's gradient there is infinite
    theirs = torch.linalg.vector_norm if name == "norm" else None
    check(name, theirs, array(2, 3, 4), order=order, **({} if dim is None else {"dim": dim}), **more)


@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize("dim", [None, 0, 1, -1])
@pytest.mark.parametrize("name", ONE)
def test_over_one_axis(name: str, dim: int | None, keepdim: bool) -> None:
    check(name, None, array(2, 3, 4), **({"dim": dim, "keepdim": keepdim} if dim is not None else {}))


@pytest.mark.parametrize("name", [n for n in (*SEVERAL, *ONE) if n not in ("var", "std", "norm")])
def test_of_a_single_number_without_axes(name: str) -> None:
    x = array()
    check(name, None, x, 0)
    check(name, None, x, -1)
    if name != "logsumexp":
        check(name, None, x, order=1)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
@pytest.mark.parametrize("name", ["sum", "mean", "prod", "amax", "var", "std", "norm", "logsumexp", "max", "median"])
def test_narrow_floats(name: str, dtype: str) -> None:
    check(name, None, array(3, 5, dtype=dtype), 1, order=1, atol=2e-2 if dtype[0] == "b" else None)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize(("dim", "shape"), [(1, (17, 1, 8)), ((1, 2), (17, 1, 1)), ((0, -1), (1, 40, 1)), (0, (1, 40, 8)), (None, (1, 1, 1))])
def test_equal_elements_have_no_spread_and_no_gradient(dim: object, shape: tuple[int, ...], dtype: str) -> None:
    x = ta.tensor(np.broadcast_to(array(*shape), (17, 40, 8)).copy(), dtype=getattr(ta, dtype), requires_grad=True)
    for name in ("std", "var"):
        for correction in (0, 1):
            y = getattr(x, name)(dim, correction=correction, keepdim=True)
            weights = ta.ones_like(y) * 0.7
            (g,) = grad((y * weights).sum(), (x,), create_graph=True)
            assert not y.any() and not g.any() and y.dtype == x.dtype == g.dtype
            assert not getattr(ta, f"{name}_mean")(x, dim, correction=correction)[0].any()


def test_some_equal_elements_beside_others() -> None:
    x = array(6, 40, 3)
    x[::2] = x[::2, :1]
    for name in ("std", "var"):
        for correction in (0, 1, 2.5):
            check(name, None, x, 1, correction=correction, order=1)
    x = array(5, 7)
    x[0], x[1, 2], x[2, 2] = nan, nan, inf
    check("std", None, x, 1, order=1)
    check("var", None, x, 1, order=1)


def test_a_deviation_is_no_less_exact_for_that() -> None:
    first_far_off = np.concatenate([np.full((4, 1), 1e8), array(4, 999)], 1)
    for x in (array(4, 1000) + 1e4, first_far_off, array(4, 1000) * 1e-15, np.linspace(1, 1.001, 100).reshape(4, 25)):
        single = x.astype("float32")
        expected = single.astype("float64").std(1, ddof=1)
        np.testing.assert_allclose(ta.backend.to_host(ta.tensor(single).std(1).array), expected, rtol=3e-6)


@pytest.mark.parametrize("shape", [(700, 4, 3), (40, 128), (3000, 1), (5, 1000)])
@pytest.mark.parametrize("name", ["sum", "mean"])
def test_many_short_rows_have_the_sums_of_one(name: str, shape: tuple[int, ...]) -> None:
    x = ta.randn(*shape, requires_grad=True)
    with ta.no_grad():
        x[1, ..., 0], x[2, ..., -1] = float("nan"), float("inf")
    exact = getattr(x.detach().double(), name)(-1)
    for y in (getattr(x, name)(-1), getattr(x, name)(-1, keepdim=True).squeeze(-1), getattr(x.transpose(0, -1), name)(0).transpose(0, -1)):
        assert ta.allclose(y.double(), exact if y.shape == exact.shape else exact.transpose(0, -1), rtol=1e-5, atol=1e-5, equal_nan=True)
    y.sum().backward()
    assert x.grad.std().item() < 1e-6


def test_halves_are_summed_in_float32() -> None:
    x = np.ones(5000, "float16")
    assert ta.tensor(x).sum().item() == 5000
    assert ta.tensor(x).mean().item() == 1
    assert ta.tensor(x).norm().item() == pytest.approx(70.7, rel=1e-3)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int32", "int64", "bool"])
@pytest.mark.parametrize("name", ["sum", "prod", "amax", "amin", "max", "min", "all", "any", "count_nonzero", "nansum"])
def test_ints_and_bools(name: str, dtype: str) -> None:
    x = (array(3, 4) * 3).astype("int8").astype(dtype)
    check(name, None, x)
    if name not in ("max", "min"):
        check(name, None, x, 1)


@pytest.mark.parametrize("name", ["sum", "mean", "prod", "nansum"])
def test_dtype_is_the_one_computed_in(name: str) -> None:
    assert getattr(ta, name)(ta.tensor([1, 2]), dtype=ta.float64).dtype == ta.float64
    x = ta.tensor([1.0, 2.0], requires_grad=True)
    getattr(x, name)(dtype="float64").backward()
    assert x.grad.dtype == ta.float32
    if name != "mean":
        check(lambda x: getattr(ta, name)(x, dtype="uint8"), lambda x: getattr(torch, name)(x, dtype=torch.uint8), np.array([100, 3, 2]))


@pytest.mark.parametrize("values", [[2.0, 3.0, 4.0], [2.0, 0.0, 4.0], [0.0, 3.0, 0.0], [0.0, 0.0, 0.0], [5.0]])
def test_a_product_differentiates_exactly_where_factors_are_zero(values: list[float]) -> None:
    check("prod", None, np.array(values), order=2)
    check("prod", None, np.array([values, values[::-1]]), 1, order=2)


@pytest.mark.parametrize("name", ["amax", "amin", "max", "min", "median", "nanmedian"])
@pytest.mark.parametrize("values", [[1.0, 2.0, 2.0], [3.0, 3.0, 3.0], [1.0, nan, 2.0, nan], [1.0, 1.0, 5.0, 5.0]])
def test_equal_elements_share_the_gradient(name: str, values: list[float]) -> None:
    check(name, None, np.array(values))


@pytest.mark.parametrize("name", ["max", "min"])
def test_along_an_axis_the_first_of_equal_elements_has_the_gradient(name: str) -> None:
    check(name, None, np.array([[1.0, 2.0, 2.0, 1.0], [nan, 1.0, nan, 0.0]]), 1)


def test_max_of_two_tensors_is_elementwise() -> None:
    check("max", None, array(3), array(2, 3, seed=1))
    check("min", None, array(3), array(2, 3, seed=1))
    check(lambda x, y: x.max(other=y), None, array(3), array(3, seed=1))


def test_results_along_an_axis_are_named() -> None:
    found = ta.tensor([[1.0, 9.0], [4.0, 2.0]]).max(dim=1)
    assert found.values.tolist() == [9, 4] and found.indices.tolist() == [1, 0]
    assert ta.aminmax(ta.tensor([3.0, 1.0])).max.item() == 3
    check("aminmax", None, array(3, 4), dim=0, keepdim=True)


@pytest.mark.parametrize("name", ["median", "nanmedian"])
@pytest.mark.parametrize("values", [[[3.0, nan, 1.0], [1.0, 2.0, 0.0]], [[nan, nan], [4.0, 3.0]], [[4.0, 1.0, 3.0, 2.0]]])
def test_the_median_is_the_lower_one_and_says_where(name: str, values: list[list[float]]) -> None:
    check(name, None, np.array(values), 1)
    check(name, None, np.array(values), 0, keepdim=True)
    check(name, None, np.array(values))


@pytest.mark.parametrize("name", ["var", "std"])
@pytest.mark.parametrize("more", [{"correction": 0}, {"correction": 2}, {"unbiased": False}, {"unbiased": True}, {"correction": 0.5}])
def test_spread_divides_by_what_it_is_told(name: str, more: dict[str, object]) -> None:
    check(name, None, array(4, 5), dim=1, **more)
    check(name, None, array(4, 5), dim=(0, 1), keepdim=True, **more)
    check(f"{name}_mean", None, array(4, 5), dim=0, **more)


@pytest.mark.parametrize("name", ["var", "std", "var_mean", "std_mean"])
def test_spread_takes_the_old_spellings(name: str) -> None:
    check(name, None, array(4), False)
    check(name, None, array(4, 3), 1, False)
    check(name, None, array(4, 3), 1, False, True)


@pytest.mark.parametrize(("values", "more"), [([1.0], {}), ([1.0, 2.0], {"correction": 5}), ([1.0, 2.0], {"correction": 2}),
                                              ([2.0, 2.0], {}), ([nan, 1.0], {})])
@pytest.mark.filterwarnings("ignore:.*degrees of freedom")
def test_spread_of_too_few_or_equal_elements(values: list[float], more: dict[str, object]) -> None:
    check("var", None, np.array(values), order=1, **more)
    check("std", None, np.array(values), order=1 if values == [2.0, 2.0] else 0, **more)


@pytest.mark.parametrize("p", [0, 0.5, 1, 1.5, 2, 3, 4.0, inf, -inf, -1, -2.5, "fro", None])
def test_norms_of_every_order(p: object) -> None:
    check("norm", None, array(3, 4), p, 1)
    check("norm", None, array(3, 4), p, dim=(0, 1), keepdim=True)
    check("norm", None, array(5), p, order=2)


@pytest.mark.parametrize("p", [0, 0.5, 1, 1.5, 2, 3, inf, -inf, -1])
@pytest.mark.parametrize("values", [[0.0, 0.0], [0.0, 2.0, -2.0]])
def test_norms_have_the_subgradient_of_pytorch_at_zero(p: float, values: list[float]) -> None:
    check("norm", None, np.array(values), p, order=1)


def test_the_norm_of_zero_has_finite_derivatives() -> None:
    x = ta.zeros(3, dtype=ta.float64, requires_grad=True)
    (g,) = grad(x.norm(), x, create_graph=True)
    (h,) = grad(g.sum(), x)
    assert g.tolist() == h.tolist() == [0, 0, 0]


@pytest.mark.parametrize("values", [[-inf, -inf], [-inf, 1.0, 2.0], [inf, 1.0], [1e4, 1e4 - 1], [nan, 0.0], [inf, -inf]])
def test_logsumexp_where_exp_leaves_the_range(values: list[float]) -> None:
    check("logsumexp", None, np.array(values), 0, order=1)


def test_logsumexp_of_several_axes_and_of_ints() -> None:
    check("logsumexp", None, array(2, 3, 4), (0, 2), True)
    check("logsumexp", None, np.arange(3), 0)


@pytest.mark.parametrize("shape", [(0,), (2, 0), (0, 3)])
@pytest.mark.parametrize("name", ["sum", "mean", "prod", "nansum", "all", "any", "count_nonzero", "norm", "logsumexp", "var"])
@pytest.mark.filterwarnings("ignore:.*degrees of freedom")
def test_empty_axes(name: str, shape: tuple[int, ...]) -> None:
    for dim in range(len(shape)):
        check(name, None, array(*shape), dim)
    if name != "logsumexp":
        check(name, None, array(*shape))


@pytest.mark.parametrize("name", ["amax", "amin", "max", "min", "argmax", "argmin", "median"])
def test_nothing_has_no_extreme(name: str) -> None:
    refuses(name, None, array(2, 0), dim=1, says=name)
    check(name, None, array(2, 0), dim=0)
    if name != "median":
        refuses(name, None, array(0), says=name)


@pytest.mark.parametrize("values", [[1.0, 5.0, 5.0], [nan, 7.0, nan], [3.0]])
def test_argmax_is_the_first_and_nan_is_largest(values: list[float]) -> None:
    for name in ("argmax", "argmin"):
        check(name, None, np.array(values))
        check(name, None, np.array([values]), keepdim=True)
        check(name, None, np.array([values]), 1, keepdim=True)


def test_numpy_names_of_the_arguments() -> None:
    x = ta.tensor([[1.0, 2.0], [3.0, 4.0]])
    for name in ("sum", "mean", "amax", "prod", "var", "norm", "argmax", "all", "logsumexp"):
        assert getattr(x, name)(axis=1, keepdims=True).tolist() == getattr(x, name)(dim=1, keepdim=True).tolist()


@pytest.mark.parametrize(("call", "error", "says"), [
    (lambda x: x.sum(3), IndexingError, "sum: dim=3 of a 2-d tensor"),
    (lambda x: x.sum((0, 0)), ArgumentError, "twice"),
    (lambda x: x.sum(1.5), ArgumentError, "dim"),
    (lambda x: x.prod((0, 1)), ArgumentError, "one dim"),
    (lambda x: x.int().mean(), DTypeError, r"mean: a tensor of int32.*x\.float\(\)"),
    (lambda x: x.int().var(), DTypeError, "var"),
    (lambda x: x.int().norm(), DTypeError, "norm"),
    (lambda x: x.norm("max"), ArgumentError, "nuc"),
    (lambda x: x[:0].amax(), ShapeError, "amax: \\(0, 2\\).*empty"),
    (lambda x: x.bool().argmax(), DTypeError, "bool"),
    (lambda x: x.var(unbiased=True, correction=0), ArgumentError, "give one"),
    (lambda x: ta.sum([1, 2]), ArgumentError, "ta.tensor"),
    (lambda x: ta.sum([1, 2], 0), ArgumentError, "ta.tensor"),
    (lambda x: x.norm(-1, dim=0)[0] if x.numel() == 0 else x[:0].norm(-1), ShapeError, "empty"),
])
def test_misuse_is_explained(call: object, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        call(ta.tensor([[1.0, 2.0], [3.0, 4.0]]))  # type: ignore[operator]


def test_one_node_each() -> None:
    x = ta.ones(2, 3, requires_grad=True)
    for name in ("sum", "mean", "prod", "var", "std", "norm", "amax", "max"):
        node = getattr(x, name)().grad_fn
        assert node.edges == (x,), name
    assert x.logsumexp(1).grad_fn.edges == (x,)

