"""erf, erfc, erfcx and erfinv against mpmath: the whole range, in units of the last place of the true value."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tinygrad_act.numerics import special

mpmath = pytest.importorskip("mpmath")

SPECIALS = [0.0, -0.0, np.inf, -np.inf, np.nan]
RANGES = {                                                                     # where the formulas change, and the tails
    "erf": [(-0.5, 0.5), (0.45, 0.55), (-1.2, -0.5), (1, 6), (6, 30), (-1e-300, 1e-300)],
    "erfc": [(-0.4, 0.4), (0.35, 0.6), (-0.6, -0.35), (0.6, 3), (3, 26), (26, 27.3), (-6, -1), (-1e-300, 1e-300)],
    "erfcx": [(0, 0.4), (0.35, 0.6), (0.6, 3), (3, 26), (26, 100), (1e3, 1e4), (-0.4, 0), (-3, -0.4), (-8, -3), (0, 1e-300)],
    "erfinv": [(-0.5, 0.5), (0.45, 0.55), (-0.95, -0.5), (0.95, 1), (-1e-300, 1e-300)],
}
LIMITS = {"erfcx": 2.5}                                                        # in float64; 1 for the others


def erfcx(x: Any) -> Any:
    if x > 12:                                                                 # the asymptotic series
        return sum((-1) ** k * mpmath.fac2(2 * k - 1) / (2 * x * x) ** k for k in range(25)) / (x * mpmath.sqrt(mpmath.pi))
    with mpmath.workdps(180):
        return mpmath.exp(x * x) * mpmath.erfc(x)


FUNCTIONS = {"erfcx": erfcx}                                                   # mpmath has the others


def inputs(name: str, dtype: Any) -> Any:
    """Points all over the ranges, and for erfinv ever nearer to 1."""
    random = np.random.default_rng(5)
    xs = [random.uniform(low, high, 150) for low, high in RANGES[name]]
    if name == "erfinv":
        xs.append(1 - 10.0 ** random.uniform(-15.9 if dtype == np.float64 else -7.2, 0, 150))
    if dtype == np.float32:
        xs.append(random.uniform(8, 10.1, 150) if name != "erfinv" else [1e-42])
    x = np.concatenate(xs).astype(dtype)
    return x[np.abs(x) < 1] if name == "erfinv" else x


def error_in_ulps(name: str, x: Any, y: Any) -> float:
    f, info = FUNCTIONS.get(name) or getattr(mpmath, name), np.finfo(x.dtype)
    worst = 0.0
    with mpmath.workdps(40):
        for a, b in zip(x.tolist(), y.tolist(), strict=True):
            true = f(mpmath.mpf(a))
            exponent = max(int(mpmath.floor(mpmath.log(abs(true), 2))) if true else info.minexp, info.minexp)
            worst = max(worst, float(abs(b - true) / mpmath.mpf(2) ** (exponent - info.nmant)))
    return worst


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", RANGES)
def test_error_is_below_one_unit_in_the_last_place(name: str, dtype: Any) -> None:
    x = inputs(name, dtype)
    y = getattr(special, name)(x)
    assert y.dtype == dtype
    assert error_in_ulps(name, x, y) < (LIMITS.get(name, 1) if dtype == np.float64 else 0.6)


@pytest.mark.parametrize(("name", "values"), [
    ("erf", [0.0, -0.0, 1.0, -1.0, np.nan]), ("erfc", [1.0, 1.0, 0.0, 2.0, np.nan]),
    ("erfcx", [1.0, 1.0, 0.0, np.inf, np.nan]), ("erfinv", [0.0, -0.0, np.nan, np.nan, np.nan])])
def test_signed_zeros_infinities_and_nan(name: str, values: list[float]) -> None:
    for dtype in (np.float64, np.float32):
        y = getattr(special, name)(np.array(SPECIALS, dtype))
        np.testing.assert_array_equal(y, np.array(values, dtype))
        np.testing.assert_array_equal(np.signbit(y[:2]), np.signbit(values[:2]))
    np.testing.assert_array_equal(special.erfinv(np.array([1.0, -1.0, 1.5, -2.0])), [np.inf, -np.inf, np.nan, np.nan])


@pytest.mark.parametrize("name", RANGES)
def test_shapes_dtypes_and_silence(name: str) -> None:
    f = getattr(special, name)
    for shape in [(), (0,), (3, 0), (2, 3, 4)]:
        for dtype in (np.float64, np.float32, np.float16):
            y = f(np.full(shape, 0.3, dtype))
            assert np.shape(y) == shape
            assert y.dtype == dtype
    assert f(np.array([0, 1])).dtype == np.float64
    x = np.linspace(-1, 1, 20_001).reshape(3, -1)                             # several blocks, not contiguous
    np.testing.assert_array_equal(f(x.T), f(x).T)
    with np.errstate(all="raise"):
        f(np.array([*SPECIALS, 1e308, -1e308, 5e-324, 27.2, 2.0]))


def test_the_coefficients_are_those_that_the_fit_gives() -> None:
    fit = runpy.run_path(str(Path(__file__).with_name("fit_special.py")))
    for name, coefficients in fit["tables"]().items():
        np.testing.assert_allclose(getattr(special, name), coefficients, rtol=1e-12)
