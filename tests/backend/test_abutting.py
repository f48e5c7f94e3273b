"""Convolutions by one product of matrices, or over one axis less, are those of the definition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act.backend import abutting
from tinygrad_act.backend.namespace import Namespace
from tinygrad_act.backend.numpy import F

PLAIN: dict[str, Any] = {"dilation": (1, 1), "groups": 1, "padding": (0, 0)}
CASES: dict[str, tuple[Any, Any, dict[str, Any]]] = {            # images, kernel, settings
    "patches": ((3, 2, 8, 12), (5, 2, 4, 4), PLAIN | {"stride": (4, 4)}),
    "flat patches": ((3, 2, 3, 12), (5, 2, 1, 6), PLAIN | {"stride": (1, 6)}),
    "all of it": ((6, 4, 5, 3), (7, 4, 5, 3), PLAIN | {"stride": (2, 1)}),
    "one point": ((6, 4, 1, 1), (7, 4, 1, 1), PLAIN | {"stride": (1, 1), "dilation": (3, 2)}),
    "a line": ((3, 2, 20), (5, 2, 5), {"stride": (5,), "padding": (0,), "dilation": (1,), "groups": 1}),
    "a volume": ((2, 3, 4, 4, 4), (5, 3, 4, 4, 4), {"stride": (1, 1, 1), "padding": (0, 0, 0), "dilation": (1, 1, 1), "groups": 1}),
    "words": ((4, 1, 9, 20), (6, 1, 3, 20), PLAIN | {"stride": (1, 1)}),
    "words with a border": ((4, 2, 9, 20), (6, 2, 4, 20), PLAIN | {"stride": (2, 3), "padding": (2, 0), "dilation": (2, 1)}),
    "words as high as the image": ((4, 2, 3, 20), (6, 2, 3, 20), PLAIN | {"stride": (1, 1), "padding": (1, 0)}),
}
OTHERS: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "overlapping": ((3, 2, 8, 8), (5, 2, 4, 4), PLAIN | {"stride": (2, 2)}), "gaps": ((3, 2, 8, 8), (5, 2, 2, 2), PLAIN | {"stride": (4, 4)}),
    "a border": ((3, 2, 8, 8), (5, 2, 4, 4), PLAIN | {"stride": (4, 4), "padding": (2, 2)}), "left over": ((3, 2, 9, 9), (5, 2, 4, 4), PLAIN | {"stride": (4, 4)}),
    "groups": ((3, 4, 4, 4), (6, 2, 4, 4), PLAIN | {"stride": (4, 4), "groups": 2}), "points": ((3, 4, 6, 6), (6, 4, 1, 1), PLAIN | {"stride": (1, 1)}),
    "as wide and bordered": ((3, 1, 9, 6), (6, 1, 3, 6), PLAIN | {"stride": (1, 1), "padding": (0, 1)}),
}
DTYPES = {"float64": 1e-12, "float32": 1e-5, "float16": 4e-3, "bfloat16": 3e-2}


def sizes(x: Any, w: Any, settings: dict[str, Any]) -> tuple[int, ...]:
    each = zip(x[2:], w[2:], settings["stride"], settings["padding"], settings["dilation"], strict=True)
    return tuple((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in each)


def simpler(x: Any, w: Any, settings: dict[str, Any]) -> bool:
    return abutting._as_wide(x[2:], w[2:], **settings) or abutting._abut(x[2:], w[2:], sizes(x, w, settings), **settings)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES)
def test_the_three_maps(case: str, dtype: str) -> None:
    x_shape, w_shape, settings = CASES[case]
    size = sizes(x_shape, w_shape, settings)
    assert simpler(x_shape, w_shape, settings)
    if dtype == "bfloat16":
        pytest.importorskip("ml_dtypes")
    rng, of = np.random.default_rng(0), ta.dtypes.as_dtype(dtype)
    x, w, g, bias, more = (rng.standard_normal(s).astype(of) for s in (x_shape, w_shape, (x_shape[0], w_shape[0], *size), w_shape[:1], w_shape[1:2]))
    for name, given, its_size in (("convolution", (x, w), size), ("convolution", (x, w, bias), size), ("convolution_input", (g, w), x_shape[2:]),
                                  ("convolution_input", (g, w, more), x_shape[2:]), ("convolution_weight", (g, x), w_shape[2:])):
        found = getattr(F, name)(*given, size=its_size, **settings)
        wanted = getattr(Namespace, name)(F, *[a.astype("d") for a in given], size=its_size, **settings)
        assert found.dtype == of and found.shape == wanted.shape and found.flags.c_contiguous
        np.testing.assert_allclose(found.astype("d"), wanted, rtol=DTYPES[dtype], atol=DTYPES[dtype] * abs(wanted).max())


@pytest.mark.parametrize("case", OTHERS)
def test_what_is_not_simpler(case: str) -> None:
    assert not simpler(*OTHERS[case])


@pytest.mark.parametrize("case", CASES)
def test_of_no_images(case: str) -> None:
    x_shape, w_shape, settings = CASES[case]
    size = sizes(x_shape, w_shape, settings)
    x, w, g = np.zeros((0, *x_shape[1:]), "f"), np.ones(w_shape, "f"), np.zeros((0, w_shape[0], *size), "f")
    assert F.convolution(x, w, size=size, **settings).shape == g.shape
    assert F.convolution_input(g, w, size=x_shape[2:], **settings).shape == x.shape
    np.testing.assert_array_equal(F.convolution_weight(g, x, size=w_shape[2:], **settings), np.zeros(w_shape))


@pytest.mark.parametrize("case", ["patches", "all of it", "words"])
def test_gradients_of_gradients(case: str) -> None:
    x_shape, w_shape, settings = CASES[case]
    rng = np.random.default_rng(1)
    x, w = (ta.tensor(rng.standard_normal(s), requires_grad=True) for s in (x_shape, w_shape))
    assert ta.autograd.gradgradcheck(lambda x, w: ta.nn.functional.conv2d(x, w, stride=settings["stride"]).tanh(), (x, w))
