"""Convolutions in C give what their definition over NumPy gives, whatever the sizes, and the same bits by any number of threads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act.backend import compiler, convolve, volumes
from tinygrad_act.backend.namespace import Namespace
from tinygrad_act.backend.numpy import F

pytestmark = pytest.mark.skipif(compiler.compiler() is None, reason="there is no C compiler")


@pytest.fixture(autouse=True)
def worked_out_anew() -> Iterator[None]:
    yield
    forget()


def forget() -> None:
    """What the module has worked out, when a test has changed what that depends on."""
    convolve.products.cache_clear()
    convolve.sums.cache_clear()


DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])
# (images' shape, results, kernel, stride, padding, dilation, groups)
CASES = {"same": ((6, 5, 16, 16), 11, (3, 3), (1, 1), (1, 1), (1, 1), 1), "valid": ((5, 3, 13, 12), 6, (5, 4), (1, 1), (0, 0), (1, 1), 1),
         "strides": ((7, 6, 15, 20), 9, (3, 3), (2, 3), (1, 2), (1, 1), 1), "apart": ((3, 4, 17, 19), 7, (3, 2), (3, 2), (2, 3), (2, 2), 1),
         "dilated": ((2, 8, 21, 18), 16, (3, 3), (1, 1), (2, 1), (2, 3), 1), "points": ((4, 17, 9, 9), 10, (1, 1), (1, 1), (0, 0), (1, 1), 1),
         "points left out": ((4, 6, 9, 12), 10, (1, 1), (2, 3), (0, 0), (1, 1), 1), "groups": ((3, 12, 10, 9), 6, (3, 3), (1, 1), (1, 1), (1, 1), 3),
         "small images": ((50, 9, 3, 2), 8, (3, 3), (1, 1), (1, 1), (1, 1), 1), "one result": ((2, 5, 30, 31), 1, (3, 3), (1, 1), (1, 1), (1, 1), 1),
         "one channel": ((3, 1, 28, 28), 6, (5, 5), (1, 1), (2, 2), (1, 1), 1), "many taps": ((1, 6, 40, 40), 3, (11, 7), (1, 1), (5, 3), (1, 1), 1),
         "a line": ((4, 6, 90), 7, (5,), (1,), (2,), (1,), 1), "a line's strides": ((4, 6, 90), 7, (4,), (3,), (1,), (2,), 1),
         "padding alone": ((8, 4, 2, 3), 4, (2, 2), (1, 1), (4, 5), (1, 1), 1),
         "by results": ((5, 12, 14, 13), 41, (5, 4), (2, 2), (2, 2), (1, 1), 1), "few columns": ((9, 14, 5, 6), 27, (3, 3), (1, 1), (1, 1), (1, 1), 1),
         "groups by results": ((3, 30, 9, 8), 48, (4, 4), (3, 2), (1, 2), (1, 2), 2)}

# Over three axes: see volumes.py.
VOLUMES = {"same volumes": ((3, 4, 6, 9, 8), 7, (3, 3, 3), (1, 1, 1), (1, 1, 1), (1, 1, 1), 1),
           "volumes' strides": ((2, 5, 11, 10, 9), 6, (3, 2, 4), (2, 3, 1), (0, 1, 2), (1, 1, 1), 1),
           "volumes apart": ((2, 3, 13, 9, 12), 5, (4, 3, 2), (3, 1, 2), (5, 2, 1), (2, 1, 3), 1),
           "volumes' points": ((2, 8, 5, 6, 7), 9, (1, 1, 1), (2, 1, 1), (0, 0, 0), (1, 1, 1), 1),
           "groups of volumes": ((2, 12, 7, 8, 9), 6, (2, 3, 3), (1, 1, 1), (1, 1, 1), (1, 1, 1), 3),
           "one plane": ((4, 6, 1, 12, 13), 5, (3, 3, 3), (1, 1, 1), (1, 1, 1), (1, 1, 1), 1),
           "planes of padding alone": ((3, 4, 2, 6, 7), 4, (2, 2, 2), (1, 1, 1), (4, 0, 1), (1, 1, 1), 1)}


def maps(f: Any, case: str, dtype: str, odd: float | None = None) -> list[Any]:
    """The three maps of a case, the first two also with a bias."""
    shape, results, kernel, stride, padding, dilation, groups = (CASES | VOLUMES)[case]
    rng, settings = np.random.default_rng(0), {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    size = tuple([(n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in zip(shape[2:], kernel, stride, padding, dilation, strict=True)])
    x, w, g = (rng.standard_normal(s).astype(dtype) for s in (shape, (results, shape[1] // groups, *kernel), (shape[0], results, *size)))
    if odd is not None:
        for a in (x, g):
            a[-1, -1, a.shape[2] // 2, a.shape[3] // 2] = odd
    b, c = rng.standard_normal(results).astype(dtype), rng.standard_normal(shape[1]).astype(dtype)
    return [f("convolution")(x, w, size=size, **settings), f("convolution")(x, w, b, size=size, **settings),
            f("convolution_input")(g, w, size=shape[2:], **settings), f("convolution_input")(g, w, c, size=shape[2:], **settings),
            f("convolution_weight")(g, x, size=kernel, **settings)]


def in_c(name: str) -> Any:
    return getattr(F, name)


def defined(name: str) -> Any:
    return lambda *args, **settings: getattr(Namespace, name)(F, *args, **settings)


def close(found: Any, wanted: Any, dtype: str) -> None:
    near = 2e-5 if dtype == "float32" else 1e-13
    for a, b in zip(found, wanted, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, near, near * max(1.0, np.sqrt(np.square(b[np.isfinite(b)].astype(float)).mean())))


@DTYPES
@pytest.mark.parametrize("case", CASES | VOLUMES)
def test_the_three_maps(case: str, dtype: str) -> None:
    close(maps(in_c, case, dtype), maps(defined, case, dtype), dtype)


@DTYPES
@pytest.mark.parametrize("case", CASES)
def test_vectors_of_results_and_of_columns_give_the_same(case: str, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for by_results in (0, 1):
        monkeypatch.setattr(convolve.Map, "chosen", lambda m, by_results=by_results: m._replace(by_results=by_results))
        forget()
        found.append(maps(in_c, case, dtype))
    close(*found, dtype)
    for a, b in zip(found[0][:4], found[1], strict=False):                   # but for the kernel's gradient, to the last bit
        np.testing.assert_array_equal(a, b)


def test_vectors_are_of_results_where_rows_are_short_or_strided_and_results_many() -> None:
    chosen = {}
    for case, (shape, results, kernel, stride, padding, dilation, groups) in CASES.items():
        size = [(n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in zip(shape[2:], kernel, stride, padding, dilation, strict=True)]
        y, w = (shape[0], results, *size), (results, shape[1] // groups, *kernel)
        chosen[case] = convolve._map(shape, y, w, groups, stride=stride, padding=padding, dilation=dilation).by_results
    assert {case for case in CASES if chosen[case]} == {"by results", "few columns", "groups by results"}


@DTYPES
@pytest.mark.parametrize("case", ["same", "strides", "valid", "a line", "small images", "by results", "few columns"])
@pytest.mark.parametrize("span", [1 << 12, 1 << 15])
def test_the_same_in_smaller_parts(span: int, case: str, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convolve, "SPAN", span)
    monkeypatch.setattr(convolve, "SHORT", 40)
    monkeypatch.setattr(convolve, "LONG", 50)
    forget()
    close(maps(in_c, case, dtype), maps(defined, case, dtype), dtype)


@DTYPES
@pytest.mark.parametrize("room", [1, 500, 5000])
@pytest.mark.parametrize("case", VOLUMES)
def test_volumes_some_at_a_time_and_in_c_at_all(case: str, room: int, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted, parts = maps(in_c, case, dtype), []
    monkeypatch.setattr(volumes, "BESIDE", room)
    monkeypatch.setattr(volumes, "_parts", lambda *args, of=volumes._parts: [parts.append(part) or part for part in of(*args)])
    close(maps(in_c, case, dtype), wanted, dtype)
    (count, *_), size = VOLUMES[case][0], wanted[0].shape[2]
    assert len(parts) == 5 * count * size if room == 1 else 5 <= len(parts) <= 5 * count * size


@pytest.mark.parametrize("odd", [np.nan, np.inf])
@pytest.mark.parametrize("case", ["same", "strides", "dilated", "points"])
def test_nan_and_infinity_reach_what_sees_them_and_no_more(case: str, odd: float) -> None:
    y, _, x, _, _ = maps(in_c, case, "float32", odd)
    shape, results, kernel, *_, groups = CASES[case]
    settings = dict(zip(("stride", "padding", "dilation", "groups"), CASES[case][3:], strict=True))
    w = np.ones((results, shape[1] // groups, *kernel))
    for found, name, size, like in ((y, "convolution", y.shape[2:], x), (x, "convolution_input", shape[2:], y)):
        there = np.zeros(like.shape)
        there[-1, -1, like.shape[2] // 2, like.shape[3] // 2] = 1
        np.testing.assert_array_equal(~np.isfinite(found), defined(name)(there, w, size=size, **settings) != 0)


@pytest.mark.parametrize("odd", [np.nan, np.inf])
def test_what_is_no_number_reaches_the_kernels_elements_that_meet_it(odd: float) -> None:
    rng, settings = np.random.default_rng(0), {"stride": (1, 1), "padding": (1, 1), "dilation": (1, 1), "groups": 1}
    x, g = rng.standard_normal((2, 4, 5, 5)).astype("float32"), rng.standard_normal((2, 3, 5, 5)).astype("float32")
    x[1, 2, 0, 4] = odd                                  # the last tap down and the first across never meet the corner
    finite = np.isfinite(F.convolution_weight(g, x, size=(3, 3), **settings))
    assert finite[:, [0, 1, 3]].all()
    np.testing.assert_array_equal(finite[:, 2], [[[True, False, False], [True, False, False], [True, True, True]]] * 3)


@pytest.mark.parametrize("case", ["same", "groups", "strides", "by results", "same volumes", "volumes apart"])
def test_the_same_bits_by_any_number_of_threads(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convolve, "LONG", 50)
    forget()
    found, before = [], ta.get_num_threads()
    every = VOLUMES if case in VOLUMES else CASES
    shape, *rest = every[case]
    monkeypatch.setitem(every, case, ((60, *shape[1:]), *rest))
    for count in (1, 2, 3):
        ta.set_num_threads(count)
        found.append(maps(in_c, case, "float32"))
    ta.set_num_threads(before)
    for other in found[1:]:
        for a, b in zip(other, found[0], strict=True):
            np.testing.assert_array_equal(a, b)


def test_it_is_c_that_is_tested_and_can_be_switched_off() -> None:
    x = np.ones((4, 8, 16, 16), "float32")
    w = np.ones((8, 8, 3, 3), "float32")
    assert convolve._library(x, w, None, w.shape, (16, 16), 1) is not None
    with ta.backend.config(kernels="tiles"):
        assert convolve._library(x, w, None, w.shape, (16, 16), 1) is None
