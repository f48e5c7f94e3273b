"""Reading and writing at an index along an axis, choosing the first few of a row, and nll_loss, in C: what NumPy makes of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act.backend import choosing, compiler, entropy, gather
from tinygrad_act.backend.numpy import F

pytestmark = pytest.mark.skipif(compiler.compiler() is None, reason="there is no C compiler")
DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])
RNG = np.random.default_rng(0)
SHAPES = pytest.mark.parametrize(("shape", "dim", "count"), [((20, 30), 1, 30), ((20, 30), 1, 1), ((20, 30), 0, 7), ((300,), 0, 500), ((4, 9, 11), 1, 20),
                                                             ((4, 9, 11), -1, 3), ((3, 1, 200), 1, 2), ((200, 1), 0, 5)])


@pytest.fixture(autouse=True)
def on_the_cpu() -> Iterator[None]:
    with ta.backend.use("numpy"):
        yield


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the functions of C that ran."""
    ran: list[str] = []
    ranges = gather.pool.ranges
    monkeypatch.setattr(gather.pool, "ranges", lambda function, *more: (ran.append(function.__name__), ranges(function, *more)))
    return ran


def three(x: Any, dim: int, index: Any, src: Any) -> list[Any]:
    return [F.gather(x, dim, index), F.scatter(x, dim, index, src), F.scatter_add(x, dim, index, src)]


def agree(x: Any, dim: int, index: Any, src: Any) -> None:
    """To the bit: numbers are added up in the index's order."""
    before = x.copy()
    found = three(x, dim, index, src)
    with ta.backend.config(kernels="tiles"):
        wanted = three(x, dim, index, src)
    for y, w in zip(found, wanted, strict=True):
        assert y.dtype == w.dtype
        np.testing.assert_array_equal(y, w)
    np.testing.assert_array_equal(x, before)


def numbers(shape: Any, dim: int, count: int, dtype: str) -> tuple[Any, Any, Any]:
    sizes = list(shape)
    sizes[dim] = count
    x, src = RNG.standard_normal(shape).astype(dtype), RNG.standard_normal([n + 2 for n in sizes]).astype(dtype)
    x.reshape(-1)[3] = np.nan
    return x, RNG.integers(0, shape[dim], sizes), src


@DTYPES
@SHAPES
def test_as_numpy(shape: Any, dim: int, count: int, dtype: str, counted: list[str]) -> None:
    x, index, src = numbers(shape, dim, count, dtype)
    agree(x, dim, index, src)
    assert counted == ["gather", "scatter", "scatter_add"]
    agree(x, dim, index, np.array(src[tuple([slice(n) for n in index.shape])]))


@DTYPES
def test_arrays_that_lie_otherwise(dtype: str) -> None:
    x, index, src = numbers((12, 14, 10), 1, 14, dtype)
    agree(np.asfortranarray(x), 1, np.asfortranarray(index), src)
    agree(x[::2, :, ::-1], 1, index[::2, :, ::-1], src[1:])
    agree(x, 1, np.broadcast_to(index[:1, :, :1], index.shape), np.broadcast_to(src[:1], src.shape))
    agree(x, 0, np.broadcast_to(RNG.integers(0, 12, (30, 1, 1)), (30, 14, 10)), RNG.standard_normal((30, 14, 10)).astype(dtype))


def test_what_c_does_not_take(counted: list[str]) -> None:
    x, index, src = numbers((20, 30), 1, 30, "float32")
    agree(x, 1, index[:7], src)                              # smaller along another axis
    agree(x, 1, index.astype("int32"), src)
    agree(x[:3, :3], 1, index[:3, :3] % 3, src)
    agree(x, 1, index[:, :0], src)
    agree(np.nan_to_num(x).astype("float16"), 1, index, src.astype("float16"))
    agree(np.nan_to_num(x).astype("int64"), 1, index, src.astype("int64"))
    assert counted == []


def test_an_index_out_of_bounds_is_numpys_affair() -> None:
    x, index, src = numbers((20, 30), 1, 30, "float32")
    index[4, 4] = -3                                         # from the end
    agree(x, 1, index, src)
    index[4, 4] = 30
    for run in (lambda: F.gather(x, 1, index), lambda: F.scatter(x, 1, index, src)):
        with pytest.raises(IndexError):
            run()


def test_rows_from_the_end() -> None:
    x, src = RNG.standard_normal((2, 40, 16)).astype("float32")
    for index in (np.arange(-40, 0), RNG.integers(0, 40, 40), RNG.integers(0, 40, 40).astype("int32")):
        wanted = x.copy()
        np.add.at(wanted, index, src)
        np.testing.assert_allclose(F.index_add(x, 0, index, src), wanted, 1e-5, 1e-6)


# --------------------------------------------------------------------------------------------------- the first few
@DTYPES
@pytest.mark.parametrize("largest", [True, False])
@pytest.mark.parametrize("k", [1, 5, 63, 64, 65, 100])
def test_the_first_places(k: int, largest: bool, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[int] = []
    ranges = choosing.pool.ranges
    monkeypatch.setattr(choosing.pool, "ranges", lambda *given: (ran.append(1), ranges(*given)))
    x = np.stack([RNG.standard_normal((6, 100)), RNG.integers(0, 4, (6, 100)), np.tile(np.arange(100.0), (6, 1)), -np.tile(np.arange(100.0), (6, 1)),
                  RNG.choice([np.nan, np.inf, -np.inf, 0.0, -0.0], (6, 100))]).astype(dtype)
    for given in (x, x[:, ::-1], np.asfortranarray(x), x[:, :, ::-1]):
        np.testing.assert_array_equal(F.first_places(given, k, 2, largest), F.order(given, 2, largest)[..., :k])
    assert len(ran) == (4 if k <= choosing.MOST else 0)


# --------------------------------------------------------------------------------------------------- nll_loss
@DTYPES
@pytest.mark.parametrize("shape", [(32, 10), (1, 200), (6, 5, 7), (3, 4, 5, 6), (200,)])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_nll_loss(reduction: str, shape: Any, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[bool] = []
    for name in ("_nll", "_nll_backward"):
        function = getattr(entropy.Entropies, name)
        monkeypatch.setattr(entropy.Entropies, name, lambda *given, function=function, **more: (found := function(*given, **more), ran.append(found is not None))[0])
    numbers = RNG.standard_normal(shape).astype(dtype)
    classes = RNG.integers(0, shape[len(shape) > 1], shape[:1] * (len(shape) > 1) + shape[2:])

    def both(expanded: bool, **settings: Any) -> list[Any]:
        x = ta.tensor(numbers, requires_grad=True)
        y = ta.nn.functional.nll_loss(x, ta.tensor(classes), reduction=reduction, **settings)
        y.sum().backward() if expanded else y.backward(ta.tensor(np.arange(y.array.size).reshape(y.shape), dtype=x.dtype))
        assert x.grad is not None
        return [y.detach().numpy(), x.grad.numpy()]

    for expanded in (True, False):
        found = both(expanded)
        assert ran == [True, True]
        with ta.backend.config(kernels="tiles"):
            wanted = both(expanded)
        for y, w in zip(found, wanted, strict=True):
            assert y.dtype == w.dtype and y.shape == w.shape
            np.testing.assert_allclose(y, w, 3e-6 if dtype == "float32" else 1e-14)
        ran.clear()
    both(True, ignore_index=int(classes.reshape(-1)[0]))
    assert True not in ran


def test_nll_loss_twice_differentiated() -> None:
    x = ta.randn(40, 10, dtype=ta.float64, requires_grad=True)
    y = ta.nn.functional.nll_loss(x * x, ta.arange(40) % 10)
    g, = ta.autograd.grad(y, x, create_graph=True)
    gg, = ta.autograd.grad(g.sum(), x)
    wanted = np.zeros((40, 10))
    wanted[np.arange(40), np.arange(40) % 10] = -2 / 40
    np.testing.assert_allclose(gg.numpy(), wanted)
