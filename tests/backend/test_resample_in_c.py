"""Images enlarged and reduced in C: the bits that numerics/resampling.py makes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act.backend import compiler, resampling
from tinygrad_act.backend.numpy import F
from tinygrad_act.numerics.resampling import interpolation, linear_map

pytestmark = pytest.mark.skipif(compiler.compiler() is None, reason="there is no C compiler")
RNG = np.random.default_rng(0)


def both(x: Any, maps: Any, g: Any) -> list[Any]:
    return [F.resample(x, maps), F.unresample(g, maps)]


def agree(x: Any, maps: Any) -> None:
    g = RNG.standard_normal((*x.shape[:-len(maps)], *[m.out for m in maps])).astype(x.dtype)
    found = both(x, maps, g)
    with ta.backend.config(kernels="tiles"):
        wanted = both(x, maps, g)
    for y, w in zip(found, wanted, strict=True):
        assert y.dtype == w.dtype
        np.testing.assert_array_equal(y, w)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "linear", "cubic"])
@pytest.mark.parametrize("corners", [False, True])
@pytest.mark.parametrize("sizes", [((32, 32), (7, 7)), ((16, 9), (32, 18)), ((5, 7), (31, 17)), ((30, 1), (1, 30)), ((1, 1), (13, 14)), ((40, 41), (39, 42))])
def test_as_the_definition(sizes: Any, corners: bool, mode: str, dtype: str) -> None:
    maps = [interpolation(mode, n, out, None, corners and mode in ("linear", "cubic"), False) for n, out in zip(*sizes, strict=True)]
    x = RNG.standard_normal((2, 3, *sizes[0])).astype(dtype)
    x[0, 0, 0, 0], x[1, 1, -1, -1] = np.nan, np.inf
    for given in (x, np.asfortranarray(x), x[:, :, ::-1], x[:, :2][:, ::2], np.broadcast_to(x[:1], x.shape)):
        agree(given, maps)


def test_antialiased_lines_and_volumes() -> None:
    agree(RNG.standard_normal((2, 3, 60, 50)).astype("float32"), [interpolation("cubic", n, out, None, False, True) for n, out in ((60, 11), (50, 13))])
    agree(RNG.standard_normal((4, 3, 90)).astype("float32"), [interpolation("linear", 90, 31, None, False, False)])
    agree(RNG.standard_normal((2, 2, 6, 7, 8)).astype("float32"), [interpolation("linear", n, 9, None, False, False) for n in (6, 7, 8)])
    agree(np.zeros((0, 3, 40, 40), "float32"), [interpolation("linear", 40, 9, None, False, False)] * 2)


def test_outputs_of_nothing_and_in_any_order() -> None:
    m = linear_map(50, 9, [(7, 3, 0.5), (7, 1, -1.0), (2, 49, 1.0), (8, 0, 2.0), (8, 0, 1.0)])
    agree(RNG.standard_normal((11, 50)).astype("float32"), [m])
    assert F.resample(np.ones((11, 50), "float32"), [m])[0].tolist() == [0, 0, 1, 0, 0, 0, 0, -0.5, 3]


def test_few_tables_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resampling, "KEPT", 3)
    x = RNG.standard_normal((4, 40, 40)).astype("float32")
    for out in (*range(1, 12), *range(1, 12)):
        agree(x, [interpolation("linear", 40, out, None, False, False)] * 2)
    assert len(resampling._tables) <= 3


def test_threads_change_nothing() -> None:
    x, before, found = RNG.standard_normal((8, 16, 40, 40)).astype("float32"), ta.get_num_threads(), []
    maps = [interpolation("linear", 40, 70, None, False, False)] * 2
    try:
        for count in (1, 3):
            ta.set_num_threads(count)
            found.append(F.resample(x, maps))
    finally:
        ta.set_num_threads(before)
    np.testing.assert_array_equal(*found)
