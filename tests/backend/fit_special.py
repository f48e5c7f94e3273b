"""Prints the coefficients of `tinygrad_act/numerics/special.py`: Chebyshev fits at 60 digits, by mpmath.

Run it as a program; `test_special.py` holds the module to its output.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mpmath import chebyfit, erf, erfc, erfinv, exp, fac2, log, mp, mpf, pi, sqrt, taylor

LOW, HIGH, SHIFT, POLE = mpf(0.375), mpf(28), mpf(0.5), mpf(3.5)


def erfcx(x: Any) -> Any:
    return exp(x * x) * erfc(x)


def series(x: Any) -> Any:
    """erfcx(x) for large x, where exp(x * x) is past all bounds."""
    return sum((-1) ** k * fac2(2 * k - 1) / (2 * x * x) ** k for k in range(25)) / (x * sqrt(pi))


def fitted(f: Callable[[Any], Any], interval: list[Any], terms: int) -> Any:
    """mpmath's Chebyshev fit, highest power first, whatever the version."""
    try:
        return chebyfit(f, interval, terms, asc=True)[::-1]
    except TypeError:                                # before mpmath 1.4
        return chebyfit(f, interval, terms)


def unit(f: Callable[[Any], Any], low: Any, high: Any, terms: int) -> list[float]:
    """The fit of f on [low, high], in u that runs from -1 to 1 there, highest power first."""
    middle, half = (high + low) / 2, (high - low) / 2
    return [float(c) for c in fitted(lambda u: f(middle + half * u), [-1, 1], terms)]


def tables() -> dict[str, list[float]]:
    mp.dps = 60
    near = lambda z: erf(sqrt(z)) / sqrt(z) - 1 if z else 2 / sqrt(pi) - 1
    inverse = lambda z: erfinv(sqrt(z)) / sqrt(z) - 1 if z else sqrt(pi) / 2 - 1
    rest = lambda t: (1 / t - POLE + SHIFT) * erfcx(1 / t - POLE) * sqrt(pi) - 1

    def guess(r: Any) -> Any:
        """erfcinv(exp(-r * r)), by Newton's method on log erfc."""
        x = r * mpf(0.9)
        for _ in range(60):
            x += (log(erfc(x)) + r * r) * erfcx(x) * sqrt(pi) / 2
        return x

    return {
        "NEAR": [float(c) for c in fitted(near, [0, mpf(0.25)], 10)],
        "REST": unit(rest, 1 / (HIGH + POLE), 1 / (LOW + POLE), 24),
        "INVERSE": [float(c) for c in fitted(inverse, [0, mpf(0.25)], 15)],
        "GUESS": unit(lambda t: guess(1 / t - 1) * t, 1 / mpf(7.1), 1 / mpf(1.83), 9),
        "SINGLE": unit(lambda t: erfcx(1 / t - 2), 1 / mpf(12.5), 1 / mpf(2), 14),
        "SCALED": unit(lambda t: 1 / sqrt(pi) if not t else (erfcx if t > 0.005 else series)(1 / t - 2) / t,
                       mpf(0), 1 / mpf(2), 13),
        "EXPM1": [float(c) for c in taylor(lambda r: exp(-r), 0, 6)][:0:-1],
    }


if __name__ == "__main__":
    for name, coefficients in tables().items():
        print(f"{name} = (" + ", ".join(map(repr, coefficients)) + ")")      # noqa: T201
