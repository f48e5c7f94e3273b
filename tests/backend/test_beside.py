"""C beside functions of the vocabulary gives what the function itself gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act.backend import beside, compiler, entropy
from tinygrad_act.backend.namespace import Namespace
from tinygrad_act.backend.numpy import F
from tinygrad_act.numerics.windows import Windows, output_size
from tinygrad_act.ops import loss

pytestmark = pytest.mark.skipif(compiler.compiler() is None, reason="there is no C compiler")
DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])
# sizes, kernel, stride, padding, ceil_mode
WINDOWS = [((32, 40), (2, 2), (2, 2), (0, 0), False), ((33, 41), (2, 2), (2, 2), (0, 0), False), ((31, 35), (3, 3), (2, 2), (1, 1), False),
           ((31, 36), (3, 2), (1, 3), (1, 0), True), ((30, 700), (2, 3), (1, 1), (1, 1), False), ((24, 24), (5, 4), (4, 5), (2, 2), True),
           ((9000,), (3,), (2,), (1,), False), ((9000,), (2,), (2,), (0,), False)]


def numbers(*shape: int, dtype: str = "float32") -> Any:
    x = np.random.default_rng(0).integers(-9, 9, shape).astype(dtype) / 4          # so that there are ties
    x.reshape(-1)[::37] = -np.inf
    return x


@DTYPES
@pytest.mark.parametrize(("sizes", "kernel", "stride", "padding", "ceil"), WINDOWS)
@pytest.mark.parametrize("nan", [False, True])
def test_max_pooling(sizes: Any, kernel: Any, stride: Any, padding: Any, ceil: bool, nan: bool, dtype: str) -> None:
    windows = tuple(Windows(n, output_size(n, k, s, p, 1, ceil), k, s, p) for n, k, s, p in zip(sizes, kernel, stride, padding, strict=True))
    x = numbers(2, 5, *sizes, dtype=dtype)
    if nan:
        x[np.random.default_rng(1).random(x.shape) < 0.1] = np.nan
    assert beside._shape(windows) is not None and beside.library("pool", x) is not None
    (y, which), (wanted, numbers_wanted) = F.max_pool(x, windows), Namespace.max_pool(F, x, windows)
    np.testing.assert_array_equal(y, wanted)
    np.testing.assert_array_equal(which, numbers_wanted)
    g = numbers(*y.shape, dtype=dtype)
    g[np.isinf(g)] = 1
    np.testing.assert_array_equal(F.max_scatter(g, which, windows), Namespace.max_scatter(F, g, which, windows))


@DTYPES
@pytest.mark.parametrize(("sizes", "kernel", "stride", "padding", "ceil"), WINDOWS)
@pytest.mark.parametrize(("divisor", "padded"), [(None, True), (None, False), (7, True)])
def test_average_pooling(sizes: Any, kernel: Any, stride: Any, padding: Any, ceil: bool, divisor: Any, padded: bool, dtype: str) -> None:
    windows = tuple(Windows(n, output_size(n, k, s, p, 1, ceil), k, s, p) for n, k, s, p in zip(sizes, kernel, stride, padding, strict=True))
    x, exact = np.random.default_rng(0).standard_normal((2, 5, *sizes)).astype(dtype), {"rtol": 1e-12, "atol": 1e-12} if dtype == "float64" else {"rtol": 1e-6, "atol": 1e-6}
    y = F.avg_pool(x, windows, divisor, padded)
    np.testing.assert_allclose(y, Namespace.avg_pool(F, x, windows, divisor, padded), **exact)       # type: ignore[arg-type]
    np.testing.assert_allclose(F.avg_spread(y, windows, divisor, padded), Namespace.avg_spread(F, y, windows, divisor, padded), **exact)       # type: ignore[arg-type]
    np.testing.assert_allclose(F.avg_pool(x, windows, 2.5, padded), Namespace.avg_pool(F, x, windows, 2.5, padded), **exact)       # type: ignore[arg-type]


@DTYPES
@pytest.mark.parametrize(("sizes", "kernel", "stride", "padding", "dilation"), [
    ((20, 30), (3, 3), (1, 1), (1, 1), (1, 1)), ((21, 30), (3, 5), (2, 1), (0, 2), (1, 2)), ((20, 31), (2, 3), (1, 3), (1, 4), (3, 1)),
    ((20, 31), (3, 3), (1, 1), (1, 4), (1, 1)), ((9, 47), (3, 3), (1, 1), (0, 0), (2, 2)), ((21, 20), (3, 3), (2, 2), (1, 1), (1, 1)),
    ((22, 37), (5, 5), (2, 2), (2, 2), (1, 1)), ((20, 30), (3, 3), (2, 2), (2, 2), (2, 3)), ((20, 30), (2, 3), (3, 4), (3, 6), (3, 2)), ((4, 3), (5, 7), (1, 2), (5, 7), (1, 1)), ((16, 8), (3, 3), (1, 1), (1, 1), (1, 1)),
    ((600,), (7,), (1,), (3,), (1,)), ((600,), (4,), (3,), (0,), (2,))])
def test_convolutions_of_each_channel_by_itself(sizes: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, dtype: str) -> None:
    rng = np.random.default_rng(3)
    size = tuple((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in zip(sizes, kernel, stride, padding, dilation, strict=True))
    x, w, g, b = (rng.standard_normal(shape).astype(dtype) for shape in ((5, 19, *sizes), (19, 1, *kernel), (5, 19, *size), (19,)))
    settings: Any = {"stride": stride, "padding": padding, "dilation": dilation, "groups": 19}
    assert beside.library("depthwise", x, w) is not None
    rough: Any = {"rtol": 1e-4, "atol": 1e-4} if dtype == "float32" else {"rtol": 1e-12, "atol": 1e-12}
    for bias in (None, b):
        np.testing.assert_allclose(F.convolution(x, w, bias, size=size, **settings),
                                   Namespace.convolution(F, x, w, bias, size=size, **settings), **rough)
        np.testing.assert_allclose(F.convolution_input(g, w, bias, size=sizes, **settings),
                                   Namespace.convolution_input(F, g, w, bias, size=sizes, **settings), **rough)
    np.testing.assert_allclose(F.convolution_weight(g, x, size=kernel, **settings),
                               Namespace.convolution_weight(F, g, x, size=kernel, **settings), **rough)


@DTYPES
@pytest.mark.parametrize("there", ["x", "xx", "x1", "xx1", "x1x"])
def test_blends(there: str, dtype: str) -> None:
    x, rng = numbers(70, 130, dtype=dtype), np.random.default_rng(2)
    x[np.isinf(x)] = 0
    terms = [None if t == "1" else x * (i + 1) for i, t in enumerate(there)]
    factors = [(rng.random((70, 2)).astype(dtype), rng.random((2, 130)).astype(dtype)) for _ in there]
    y, wanted = np.empty_like(x), np.empty_like(x)
    F.blend(y, terms, factors)
    Namespace.blend(F, wanted, terms, factors)
    np.testing.assert_allclose(y, wanted, rtol=1e-5 if dtype == "float32" else 1e-14, atol=1e-5 if dtype == "float32" else 1e-13)


def test_it_can_be_switched_off() -> None:
    x = numbers(4, 64, 64)
    with ta.backend.config(kernels="tiles"):
        assert beside.library("pool", x) is None
    assert beside.library("pool", x[:1, :1, :2]) is None and beside.library("pool", x[:, ::2]) is None


# ------------------------------------------------------------------------------------------------ shares
ROWS = [((30, 7), -1), ((20, 16), 1), ((9, 100), 1), ((3, 5000), -1), ((700,), 0), ((300, 1), 1), ((4, 21, 130), 1), ((2, 5, 3, 65), 1), ((700, 3), 0)]


def rows(shape: Any) -> Any:
    """Rows of numbers of all sizes; some have ties, infinities, nothing but -inf, or NaN."""
    x = np.random.default_rng(1).standard_normal(shape).astype("float32") * np.logspace(-1, 2, shape[-1], dtype="float32")
    x.reshape(-1)[3::11] = 2.0
    x.reshape(-1)[5::13] = -np.inf
    return x


@pytest.mark.parametrize(("shape", "dim"), ROWS)
@pytest.mark.parametrize("odd", [None, np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmaxes(name: str, shape: Any, dim: int, odd: Any) -> None:
    op, x, exact = ta.activations.catalogue[name].op, rows(shape), {"rtol": 4e-6, "atol": 2e-6}
    if odd is not None:
        x.reshape(-1)[0] = odd
    if odd == -np.inf:
        np.moveaxis(x, dim, -1)[..., :] = odd
    y, wanted = op.forward(F, x, dim=dim), op.forward.__wrapped__(F, x, dim=dim)
    np.testing.assert_allclose(y, wanted, **exact)
    g, back = np.random.default_rng(2).standard_normal(shape).astype("float32"), op.rules[0].function
    np.testing.assert_allclose(back(F, g, wanted, dim=dim), back.__wrapped__(F, g, wanted, dim=dim), rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_a_row_gives_the_same_bits_wherever_it_stands(name: str) -> None:
    forward, x = ta.activations.catalogue[name].op.forward, rows((40, 101))
    whole = forward(F, x, dim=1)
    for start in (1, 3, 17):
        np.testing.assert_array_equal(forward(F, x[start:start + 5], dim=1), whole[start:start + 5])


@pytest.mark.parametrize("shape", [(2000, 9), (300, 64), (257, 700), (3, 9000), (5, 70, 9, 8), (2, 21, 400), (3, 6000, 1),
                                   (40, 9), (3, 2000), (130, 1), (1, 700), (17, 16), (50, 3, 1)])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("threads", [1, 3])
def test_cross_entropy(shape: Any, reduction: str, threads: int) -> None:
    rng, rule, back = np.random.default_rng(3), loss._cross_entropy, loss._for_logits
    x, target = (4 * rng.standard_normal(shape)).astype("f"), rng.integers(0, shape[1], (shape[0], *shape[2:]))
    x.reshape(-1)[:3] = 300, 300, -300
    settings = {"dim": 1, "ignore_index": -100, "reduction": reduction, "label_smoothing": 0.0, "every": True}
    with ta.backend.config(threads=threads):
        y, *kept = rule(F, x, target, 1.0, **settings)
        g = np.asarray(rng.standard_normal(np.shape(y)), "f")
        gx = back(F, g, x, target, 1.0, *kept, **settings)
    assert kept[1] is None if x.size < entropy.MANY else kept[2] == 0.0                  # the slopes and no totals, or no powers
    wide, *parts = rule.__wrapped__(F, x.astype("d"), target, 1.0, **settings)
    np.testing.assert_allclose(y, wide, rtol=2e-6, atol=1e-6)
    wanted = back.__wrapped__(F, g.astype("d"), x.astype("d"), target, 1.0, *parts, **settings)
    np.testing.assert_allclose(gx, wanted, rtol=1e-5, atol=1e-6 * abs(wanted).max())
    assert gx.dtype == y.dtype == x.dtype


@pytest.mark.parametrize("count", [200, 20])
@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_cross_entropy_of_what_is_no_number_stays_in_its_row(odd: float, count: int) -> None:
    x, target = rows((count, 100)), np.arange(count) % 100
    x[7, 3], x[9] = odd, odd
    settings = {"dim": 1, "ignore_index": -100, "reduction": "none", "label_smoothing": 0.0, "every": True}
    y, *kept = loss._cross_entropy(F, x, target, 1.0, **settings)
    wanted = loss._cross_entropy.__wrapped__(F, x, target, 1.0, **settings)[0]
    np.testing.assert_allclose(y, wanted, rtol=4e-6, atol=2e-6)
    gx = loss._for_logits(F, np.ones(count, "f"), x, target, 1.0, *kept, **settings)
    assert np.isfinite(np.delete(gx, [7, 9], 0)).all() and np.isnan(gx[9]).all() and np.isfinite(gx[7]).all() == (odd == -np.inf)


@pytest.mark.parametrize("count", [200, 20])
def test_a_small_cross_entropy_is_exact_beside_large_logits(count: int) -> None:
    x = np.zeros((count, 100), "f")
    x[:, 0] = np.linspace(10, 60, count)
    y = loss._cross_entropy(F, x, np.zeros(count, np.int64), 1.0, dim=1, ignore_index=-100, reduction="none", label_smoothing=0.0, every=True)[0]
    np.testing.assert_allclose(y, np.log1p(99 * np.exp(-x[:, 0].astype("d"))), rtol=2e-6)


@DTYPES
def test_what_is_no_number_reaches_those_of_a_channels_kernel_that_meet_it(dtype: str) -> None:
    rng, settings = np.random.default_rng(0), {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1), "groups": 40}
    x, g = rng.standard_normal((9, 40, 9, 9)).astype(dtype), rng.standard_normal((9, 40, 7, 7)).astype(dtype)
    assert beside.library("depthwise", x, g[:, :, :1, :1].repeat(9, 2).repeat(9, 3)) is not None
    x[3, 5, 0, 8] = np.inf                               # only the last tap of the first row sees the corner
    finite = np.isfinite(F.convolution_weight(g, x, size=(3, 3), **settings))
    assert not finite[5, 0, 0, 2] and finite.sum() == finite.size - 1


# ------------------------------------------------------------------------------------------------- rows added up
@DTYPES
@pytest.mark.parametrize("weighed", [False, True])
@pytest.mark.parametrize(("n", "width", "count"), [(500, 7, 40), (90, 128, 1000), (4000, 1, 3), (2000, 100, 999)])
def test_rows_added_up(n: int, width: int, count: int, weighed: bool, dtype: str) -> None:
    rng = np.random.default_rng(6)
    v, index, factor = rng.standard_normal((n, width)).astype(dtype), rng.integers(0, count, n), rng.random(n).astype(dtype)
    for parts, some in ((v, index), (np.asfortranarray(v), np.sort(index)[::-1])):
        found = F.add_rows(parts, some, count, 2, factor if weighed else None)
        wanted = np.zeros((count, width))
        np.add.at(wanted, some, parts * (factor if weighed else np.ones(n))[:, None])
        wanted[2] = 0
        np.testing.assert_allclose(found, wanted, **({"rtol": 1e-4, "atol": 1e-4} if dtype == "float32" else {"rtol": 1e-12, "atol": 1e-12}))
