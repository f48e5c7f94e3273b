"""Pooling against PyTorch: windows of every kind, ties, NaN, infinities, indices, dtypes, layouts, empty batches, misuse."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act.errors import ArgumentError, DTypeError, IndexingError, ShapeError

from .against_torch import array, check, refuses, torch

ours, theirs = ta.nn.functional, torch.nn.functional
nan, inf = math.nan, math.inf

# kernel, stride, padding, dilation of an axis
WINDOWS = [(2, None, 0, 1), (3, 1, 1, 1), (3, 2, 1, 1), (2, 3, 0, 1), (3, 2, 1, 2), (1, 1, 0, 1), (4, 4, 2, 1), (5, 2, 2, 1)]
SHAPES = {1: (2, 3, 9), 2: (2, 2, 7, 6), 3: (1, 2, 6, 5, 7)}


@pytest.fixture(autouse=True, params=["few numbers", "many"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few numbers are looked up in tables; here also they go the way of many."""
    if request.param == "many":
        monkeypatch.setattr(type(ta.backend.namespace(ta.ones(1).array)), "few", 0)


def both(name: str, *inputs: Any, order: int = 2, **keywords: Any) -> Any:
    return check(getattr(ours, name), getattr(theirs, name), *inputs, order=order, **keywords)


@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize(("kernel", "stride", "padding", "dilation"), WINDOWS)
@pytest.mark.parametrize("n", [1, 2, 3])
def test_maximum_of_windows(n: int, kernel: int, stride: int | None, padding: int, dilation: int, ceil_mode: bool) -> None:
    x = array(*SHAPES[n])
    if (SHAPES[n][-1] if n == 1 else min(SHAPES[n][-n:])) + 2 * padding < dilation * (kernel - 1) + 1:
        return
    for indices in (False, True):
        both(f"max_pool{n}d", x, kernel, stride, padding, dilation, ceil_mode, indices, order=2 if n < 3 else 1)


@pytest.mark.parametrize("ceil_mode", [False, True])
@pytest.mark.parametrize("include", [False, True])
@pytest.mark.parametrize(("kernel", "stride", "padding"), [w[:3] for w in WINDOWS if w[3] == 1])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_average_of_windows(n: int, kernel: int, stride: int | None, padding: int, include: bool, ceil_mode: bool) -> None:
    x = array(*SHAPES[n])
    both(f"avg_pool{n}d", x, kernel, stride, padding, ceil_mode, include)
    if n > 1:
        both(f"avg_pool{n}d", x, kernel, stride, padding, ceil_mode, include, divisor_override=-3, order=1)


@pytest.mark.parametrize("kernel", [(2, 3), [3, 2], (1, 4)])
def test_windows_that_are_not_square(kernel: Any) -> None:
    x = array(2, 3, 6, 8)
    both("max_pool2d", x, kernel, (2, 1), (0, 1), (1, 1))
    both("avg_pool2d", x, kernel, stride=(1, 2))
    both("lp_pool2d", array(2, 3, 6, 8, low=0.5), 3, kernel, (2, 1))
    both("max_pool2d", x, kernel, ())
    both("max_pool2d", x, (2,))


SIZES = list(itertools.product([1, 2, 3, 5, 7, 8, 12], [1, 2, 3, 4, 7, 9]))


@pytest.mark.parametrize(("n", "out"), SIZES)
def test_adaptive_parts_of_an_axis(n: int, out: int) -> None:
    x = array(2, 3, n)
    both("adaptive_avg_pool1d", x, out)
    both("adaptive_max_pool1d", x, out, return_indices=True)


@pytest.mark.parametrize("out", [1, 3, (2, 3), (None, 2), (5, None), (4, 9)])
def test_adaptive_parts_of_images_and_volumes(out: Any) -> None:
    both("adaptive_avg_pool2d", array(2, 3, 6, 7), out)
    both("adaptive_max_pool2d", array(2, 3, 6, 7), out, True)
    both("adaptive_avg_pool2d", array(3, 6, 7), out)
    volume: Any = out if isinstance(out, int) else (2, *out)
    both("adaptive_avg_pool3d", array(2, 2, 4, 6, 7), volume, order=1)
    both("adaptive_max_pool3d", array(2, 2, 4, 6, 7), volume, order=1)


@pytest.mark.parametrize("p", [1, 2, 3, 2.5, inf, -inf, -1])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_norm_of_windows(n: int, p: float) -> None:
    x = array(*SHAPES[n], low=0.5)
    both(f"lp_pool{n}d", x, p, 3, 2, order=2 if n < 3 else 1)
    both(f"lp_pool{n}d", x, p, 2, ceil_mode=True, order=1)


def test_norm_of_windows_with_nothing_in_them_has_gradient_0() -> None:
    both("lp_pool1d", np.zeros((1, 1, 4)), 2, 2, order=1)


# ------------------------------------------------------------------------------------- ties, NaN, infinities
ODD = [[nan, 1, nan, 0], [5, nan, 7, nan], [nan, nan, 2, 3], [nan] * 4, [-inf] * 4, [inf, inf, 1, inf], [3, 3, 1, 3],
       [0.0, -0.0, 0.0, -0.0], [1, 2, 2, 1], [-inf, nan, inf, nan]]


@pytest.mark.parametrize("values", ODD, ids=str)
def test_the_first_maximum_counts_and_the_last_nan(values: list[float]) -> None:
    x = np.array(values)
    for shape, kernel in (((1, 1, 2, 2), 2), ((1, 1, 1, 4), (1, 4)), ((1, 1, 4, 1), (4, 1)), ((1, 1, 2, 2), (1, 2)), ((1, 1, 2, 2), (2, 1))):
        both("max_pool2d", x.reshape(shape), kernel, return_indices=True)
    long = np.concatenate([x, np.full(8, -inf), x[::-1]])                   # by argmax
    both("max_pool1d", long.reshape(1, 1, 16), 16, return_indices=True)
    both("max_pool2d", long.reshape(1, 1, 4, 4), 4, return_indices=True)
    both("adaptive_max_pool2d", long.reshape(1, 1, 4, 4), 3, return_indices=True)
    both("max_pool2d", long.reshape(1, 1, 4, 4), 3, 1, 1, return_indices=True)


def test_ties_in_long_and_overlapping_windows() -> None:
    x = np.random.default_rng(3).integers(0, 3, (2, 3, 12, 12)).astype("float64")
    for kernel, stride, padding in ((12, None, 0), (4, None, 0), (4, 2, 1), (3, 1, 1), ((12, 3), None, 0), ((2, 12), None, 0), (5, 3, 2)):
        both("max_pool2d", x, kernel, stride, padding, return_indices=True)


def test_infinite_gradients_stay_where_they_are() -> None:
    x = ta.tensor([[1.0, 2.0, 4.0, 3.0]], requires_grad=True)
    ours.max_pool1d(x, 2).backward(ta.tensor([[inf, nan]]))
    assert x.grad is not None
    np.testing.assert_array_equal(ta.backend.to_host(x.grad.array), [[0, inf, nan, 0]])


def test_nan_stays_in_its_windows() -> None:
    x = array(1, 1, 6, 6)
    x[0, 0, 2, 3] = nan
    both("avg_pool2d", x, 2, order=0)
    both("avg_pool2d", x, 3, 1, 1, order=0)
    both("adaptive_avg_pool2d", x, 4, order=0)


# ------------------------------------------------------------------------------------------- dtypes, layouts
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_every_float_comes_out_as_it_went_in(dtype: str) -> None:
    x = array(2, 3, 6, 6, dtype=dtype)
    both("max_pool2d", x, 2, order=1)
    both("max_pool2d", x, 3, 1, 1, return_indices=True, order=1)
    both("avg_pool2d", x, 3, 2, 1, order=1)
    both("adaptive_avg_pool2d", x, 4, order=1)
    both("adaptive_avg_pool2d", x, 1, order=1)
    both("adaptive_max_pool2d", x, 4, order=1)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int32", "int64"])
def test_integers_have_maxima(dtype: str) -> None:
    x = np.arange(-18, 18).reshape(1, 1, 6, 6).astype(dtype)
    both("max_pool2d", x, 3, 2, 1, return_indices=True)
    both("max_pool2d", x, 6)


@pytest.mark.parametrize("f", [lambda F, x: F.max_pool2d(x, 2), lambda F, x: F.max_pool2d(x, 3, 1, 1), lambda F, x: F.avg_pool2d(x, 3, 2, 1),
                               lambda F, x: F.adaptive_avg_pool2d(x, 3), lambda F, x: F.max_pool2d(x, 4), lambda F, x: F.avg_pool2d(x, 8)])
def test_any_order_of_axes_in_memory(f: Any) -> None:
    x = array(2, 8, 8, 3)
    check(lambda t: f(ours, t.permute(0, 3, 1, 2)), lambda t: f(theirs, t.permute(0, 3, 1, 2)), x)
    check(lambda t: f(ours, t.permute(3, 0, 2, 1)[:, :, ::2, 1:]), lambda t: f(theirs, t.permute(3, 0, 2, 1)[:, :, ::2, 1:]),
          array(2, 9, 16, 3))


@pytest.mark.parametrize("f", [lambda F, x: F.max_pool2d(x, 2), lambda F, x: F.max_pool2d(x, 3, 2, 1), lambda F, x: F.max_pool2d(x, 6, 1),
                               lambda F, x: F.avg_pool2d(x, 3, 2, 1), lambda F, x: F.adaptive_avg_pool2d(x, 5)])
def test_blocks_join_without_a_seam(f: Any) -> None:
    x = array(40, 30, 12, 12)                                               # several times what one block holds
    check(lambda t: f(ours, t), lambda t: f(theirs, t), x, order=1)


def test_more_numbers_in_a_window_than_a_byte_has() -> None:
    both("max_pool2d", array(2, 1, 20, 20), 17, 3, return_indices=True)
    both("max_pool1d", array(2, 1, 700), 300, 200, return_indices=True)


# Sizes of windows around what a byte holds, and two: kernel by kernel, and the image's shape.
COUNTS = [((15, 17), (1, 2, 31, 35)), ((16, 16), (1, 2, 32, 32)), ((8, 32), (1, 2, 17, 65)), ((1, 256), (2, 2, 3, 256)), ((256, 1), (1, 1, 512, 2)),
          ((257, 1), (1, 1, 257, 3)), ((255, 257), (1, 1, 255, 258)), ((256, 256), (1, 1, 256, 257)), ((1, 65537), (1, 1, 2, 65537))]


@pytest.mark.parametrize(("kernel", "shape"), COUNTS)
def test_windows_of_as_many_numbers_as_a_byte_has_and_one_more_or_less(kernel: tuple[int, int], shape: tuple[int, ...]) -> None:
    x = array(*shape)
    for indices in (False, True):
        both("max_pool2d", x, kernel, return_indices=indices)
        both("adaptive_max_pool2d", x, (2, 1), indices)
    if math.prod(kernel) < 300:
        both("max_pool2d", x, kernel, [max(1, k // 2) for k in kernel], [k // 2 for k in kernel], 1, True, True)
        both("max_pool3d", x[None], (1, *kernel), return_indices=True, order=1)


@pytest.mark.parametrize("kernel", [255, 256, 257, 65535, 65536, 65537])
def test_long_windows_along_one_axis(kernel: int) -> None:
    for shape in ((2, 1, kernel), (1, 1, 2 * kernel + (kernel < 300))):
        both("max_pool1d", array(*shape), kernel, return_indices=True, order=2 if kernel < 300 else 1)
        both("max_pool1d", array(*shape), kernel, kernel, kernel // 2, 1, True, True, order=1) if kernel < 300 else None
        both("adaptive_max_pool1d", array(*shape), 1, return_indices=True, order=1)
        both("adaptive_max_pool1d", array(*shape[:2], min(shape[2], 513)), 2, return_indices=True)
    if kernel == 256:
        both("max_pool3d", array(1, 2, 8, 8, 17), (4, 8, 8), return_indices=True)
        both("adaptive_max_pool3d", array(2, 2, 4, 8, 8), 1, True)


def test_what_the_graph_keeps_of_a_maximum_is_a_byte_a_window() -> None:
    y = ours.max_pool2d(ta.zeros(2, 3, 8, 8, requires_grad=True), 2)
    kept = y.node.saved
    assert [(a.shape, a.dtype) for a in kept] == [((2, 3, 4, 4), np.dtype("uint8"))]
    assert not [a for a in ours.avg_pool2d(ta.zeros(2, 3, 8, 8, requires_grad=True), 2).node.saved if hasattr(a, "nbytes")]


# --------------------------------------------------------------------------------------------- empty, undone
def test_empty_batches() -> None:
    for name, more in (("max_pool1d", (2,)), ("avg_pool1d", (3, 1, 1)), ("adaptive_avg_pool1d", (2,)), ("lp_pool1d", (2, 2))):
        both(name, np.zeros((0, 3, 6)), *more)
    for name, more in (("max_pool2d", (2,)), ("max_pool2d", (6,)), ("avg_pool2d", (3, 1, 1)), ("adaptive_avg_pool2d", (4,))):
        both(name, np.zeros((0, 3, 6, 6)), *more)
    both("max_pool3d", np.zeros((0, 2, 4, 4, 4)), 2, return_indices=True, order=0)
    both("adaptive_avg_pool2d", np.zeros((2, 0, 6, 6)), 4, order=0)           # PyTorch's gradients of nothing fail
    for name in ("adaptive_avg_pool2d", "adaptive_max_pool2d"):
        both(name, array(2, 3, 6, 7), (0, 2), order=0)
        x = ta.ones(2, 3, 6, 7, requires_grad=True)
        getattr(ours, name)(x, (0, 2)).sum().backward()
        assert x.grad is not None and x.grad.shape == x.shape


@pytest.mark.parametrize("n", [1, 2, 3])
def test_unpooling_puts_back(n: int) -> None:
    shape = (2, 3, *(6, 8, 4)[:n])
    _, indices = getattr(theirs, f"max_pool{n}d")(torch.tensor(array(*shape)), 2, return_indices=True)
    pooled = array(*indices.shape)
    both(f"max_unpool{n}d", pooled, indices.numpy(), 2)
    both(f"max_unpool{n}d", pooled[0], indices.numpy()[0], 2, 2)
    both(f"max_unpool{n}d", pooled, indices.numpy(), 2, output_size=[*shape[:-1], shape[-1] + 1])


def test_pooling_and_unpooling_in_one_graph() -> None:
    def f(F: Any, x: Any) -> Any:
        y, where = F.max_pool2d(x, 2, return_indices=True)
        return F.max_unpool2d(y * y, where, 2) * x
    check(lambda x: f(ours, x), lambda x: f(theirs, x), array(1, 2, 4, 6))


# --------------------------------------------------------------------------------------------------- misuse
X = np.zeros((1, 2, 5, 5))


@pytest.mark.parametrize(("name", "x", "more", "says"), [
    ("max_pool2d", X, (6,), "no window fits; here kernel_size can be at most \\(5, 5\\)"),
    ("avg_pool2d", X, (6,), "no window fits"),
    ("avg_pool3d", X, (3, 1, 1), "smaller than the windows of \\(3, 3, 3\\); here kernel_size can be at most \\(2, 5, 5\\)"),
    ("avg_pool3d", X, (3, 2, 0, True), "smaller than the windows"),
    ("lp_pool3d", X, (2, 3, 2, True), "smaller than the windows"),
    ("max_pool2d", X, (2, 2, 2), "padding may be at most half a window"),
    ("max_pool2d", X, (0,), "at least 1"),
    ("max_pool2d", X, (2, 0), "stride=\\(0, 0\\): it must be at least 1"),
    ("max_pool2d", X, (2, 1, -1), "at least 0"),
    ("max_pool2d", X, (2, 1, 0, 0), "dilation"),
    ("max_pool2d", X, ((2, 2, 2),), "it is an int, or 2 of them"),
    ("max_pool2d", X, ("two",), "kernel_size must be an int"),
    ("max_pool2d", X[0, 0], (2,), "it must be \\(N, C, H, W\\), or \\(C, H, W\\)"),
    ("max_pool2d", X[None], (2,), "it must be"),
    ("max_pool1d", X, (2,), "\\(N, C, L\\)"),
    ("max_pool2d", np.zeros((2, 0, 4, 4)), (2,), "only the batch may be empty"),
    ("max_pool2d", X.astype(bool), (2,), "takes numbers"),
    ("avg_pool2d", X.astype("int32"), (2,), "an average is a float"),
    ("avg_pool2d", X, (2, 2, 0, False, True, 0), "nothing is divided by 0"),
    ("adaptive_avg_pool2d", X, (-1,), "cannot be negative"),
    ("adaptive_avg_pool2d", X, ((1, 2, 3),), "or 2 of them"),
    ("adaptive_avg_pool2d", np.zeros((1, 2, 0, 4)), (2,), "empty"),
    ("adaptive_max_pool1d", X[0], (None,), "it is an int"),
    ("max_unpool2d", X, (X.astype("int32"), 2), "int64"),
    ("max_unpool2d", X, (np.zeros((1, 2, 5, 4), "int64"), 2), "an index for each"),
    ("max_unpool2d", X, (np.zeros(X.shape, "int64"), 2, 2, 0, (20, 20)), "within a stride"),
])
def test_misuse_is_refused(name: str, x: np.ndarray, more: tuple[Any, ...], says: str) -> None:
    refuses(getattr(ours, name), getattr(theirs, name), x, *more, says=says)


def test_misuse_that_pytorch_puts_differently() -> None:
    if ta.backend.namespace(ta.zeros(1).array).name == "numpy":              # elsewhere looking would mean waiting
        with pytest.raises(IndexingError, match="from 0 to 99"):
            ours.max_unpool2d(ta.zeros(1, 2, 5, 5), ta.full((1, 2, 5, 5), 100), 2)
    with pytest.raises(ArgumentError, match="must be a Tensor"):
        ours.max_pool2d([[1.0]], 2)
    with pytest.raises(ArgumentError, match="p of a p-norm"):
        ours.lp_pool1d(ta.ones(1, 4), 0, 2)
    assert all(issubclass(e, RuntimeError) for e in (ShapeError, DTypeError))
