"""Images read at positions in C are what the rules make of them, wherever the positions are, and the same bits by any number of threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act.backend import compiler, direct, sampling
from tinygrad_act.backend.numpy import F
from tinygrad_act.ops import grid_sample

pytestmark = pytest.mark.skipif(compiler.compiler() is None, reason="there is no C compiler")
DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])
BORDERS = pytest.mark.parametrize("border", sampling.BORDERS)
CORNERS = pytest.mark.parametrize("corners", [False, True])
# (N, C, H, W), the result's sizes: images of one element, one row, many channels; fewer and more samples than C takes at a time
SIZES = [((2, 3, 5, 4), (9, 11)), ((3, 1, 28, 28), (28, 28)), ((1, 17, 1, 9), (20, 15)), ((2, 2, 1, 1), (8, 8)), ((5, 4, 33, 31), (31, 37)), ((1, 2, 3, 9), (64, 1))]


def numbers(shape: Any, sizes: Any, dtype: str) -> tuple[Any, Any, Any]:
    """An image, where it is read, a gradient."""
    rng = np.random.default_rng(1)
    grid = rng.uniform(-2.5, 2.5, (shape[0], *sizes, 2))
    return tuple(a.astype(dtype) for a in (rng.standard_normal(shape), grid, rng.standard_normal((*shape[:2], *sizes))))  # type: ignore[return-value]


def three(x: Any, grid: Any, g: Any, border: str, corners: bool, mode: str = "bilinear") -> list[Any]:
    """The result and both gradients."""
    settings: Any = {"mode": mode, "border": border, "corners": corners}
    return [grid_sample._forward(F, x, grid, **settings), grid_sample._for_grid(F, g, x, grid, **settings),
            grid_sample._for_x(F, g, x.shape, grid, **settings)]


def agree(x: Any, grid: Any, g: Any, border: str, corners: bool) -> None:
    """C and the rules, to the bit; what goes to an element is added up in another order."""
    found = three(x, grid, g, border, corners)
    with ta.backend.config(kernels="tiles"):
        wanted = three(x, grid, g, border, corners)
    near = {"float32": 1e-4, "float64": 1e-12}[x.dtype.name]
    for a, b, rough in zip(found, wanted, (0, 0, near), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rough, rough)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the functions of C that ran."""
    ran: list[str] = []
    ranges = sampling.pool.ranges
    monkeypatch.setattr(sampling.pool, "ranges", lambda function, *more: (ran.append(function.__name__), ranges(function, *more)))
    return ran


@DTYPES
@BORDERS
@CORNERS
@pytest.mark.parametrize(("shape", "sizes"), SIZES)
def test_as_the_rules_say(shape: Any, sizes: Any, corners: bool, border: str, dtype: str, counted: list[str]) -> None:
    agree(*numbers(shape, sizes, dtype), border, corners)
    assert counted == ["grid_sample", "grid_sample_grid", "grid_sample_input"]


@DTYPES
@BORDERS
@CORNERS
def test_on_the_elements_and_at_the_edges(corners: bool, border: str, dtype: str) -> None:
    x, _, g = numbers((2, 3, 11, 11), (11, 11), dtype)
    line = np.linspace(-1, 1, 11) if corners else (np.arange(11) * 2 - 10) / 11
    grid = np.stack(np.meshgrid(line, line), -1)[None].repeat(2, 0)
    grid[1] *= [1.1, 3]
    agree(x, grid.astype(dtype), g, border, corners)


@DTYPES
@BORDERS
@CORNERS
def test_odd_positions_and_numbers(corners: bool, border: str, dtype: str) -> None:
    x, grid, g = numbers((2, 3, 6, 5), (9, 13), dtype)
    grid[0, :4, :6] = np.array([np.inf, -np.inf, np.nan, 1e30, -1e12, 0])[:, None]
    grid[1, 0, :, 0] = [np.nan, np.inf, -np.inf, 1e30, -1e30, 3e9, -3e9, 0, 1, -1, 1.5, -1.5, 2]
    x[0, 0, 0, 0], x[1, 2, 3, 3] = np.inf, np.nan
    agree(x, grid, g, border, corners)


@DTYPES
def test_arrays_that_lie_otherwise(dtype: str) -> None:
    x, grid, g = numbers((4, 6, 9, 8), (12, 10), dtype)
    agree(np.asfortranarray(x), grid[:, ::-1], g.transpose(1, 0, 2, 3).copy().transpose(1, 0, 2, 3), "zeros", False)
    agree(x[::2, ::3, 1:], np.asfortranarray(grid[1::2]), np.broadcast_to(g[:1, :1], (2, 2, 12, 10)), "border", True)


@BORDERS
def test_threads_change_nothing(border: str) -> None:
    given = numbers((7, 5, 40, 30), (50, 31), "float32")
    before = ta.get_num_threads()
    try:
        ta.set_num_threads(1)
        alone = three(*given, border, False)
        ta.set_num_threads(3)
        for one, several in zip(alone, three(*given, border, False), strict=True):
            np.testing.assert_array_equal(one, several)
    finally:
        ta.set_num_threads(before)


def test_when_it_runs(counted: list[str]) -> None:
    x, grid, g = numbers((2, 3, 9, 8), (12, 10), "float32")
    for mode in ("nearest", "bicubic"):
        three(x, grid, g, "zeros", False, mode)
    three(x.astype("float16"), grid.astype("float16"), g.astype("float16"), "zeros", False)
    three(x[:, :, None], np.concatenate([grid, grid[..., :1]], -1)[:, None], g[:, :, None], "zeros", False)
    three(x[:0], grid[:0], g[:0], "zeros", False)
    three(x[:, :0], grid, g[:, :0], "zeros", False)
    with ta.backend.config(kernels="tiles"):
        three(x, grid, g, "zeros", False)
    assert direct.library("sampling", "fd", grid, x) is not None
    assert counted == []


def test_softmax_has_its_own() -> None:
    """Both are rules with C beside them, by their names."""
    x = ta.randn(50, 40)
    np.testing.assert_allclose(ta.backend.to_host(ta.softmax(x, -1).sum(-1).array), 1, 1e-5)
    assert {"softmax", "grid_sample"} <= F.beside
