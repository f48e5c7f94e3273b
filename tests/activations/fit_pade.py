"""The starting coefficients of `pau` in `tinygrad_act/activations/pade.py`: least squares, on NumPy alone.

    python -m tests.activations.fit_pade            # prints the table; a test keeps it

Each function is c x plus an even part, or odd. So is its best rational approximation on an interval around 0, with an
even denominator 1 + b2 x^2 + b4 x^4: odd or even coefficients are all there is to fit. The interval is [-3, 3] as in the
paper, for gelu [-6, 6], where b4 comes out positive and nothing bends further out. The error times the denominator is linear in them;
solving that again and again, weighted by the last denominator, gives the least squares of the error itself (Sanathanan
and Koerner 1963). The coefficients are rounded to multiples of 2^-16, which float32 holds exactly.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

# name: (end of the interval, c, 0 for an even part or 1 for an odd function, the function)
FUNCTIONS: dict[str, tuple[float, float, int, Callable[[float], float]]] = {
    "leaky_relu": (3, 0.505, 0, lambda x: x if x > 0 else 0.01 * x),
    "relu": (3, 0.5, 0, lambda x: max(x, 0.0)),
    "gelu": (6, 0.5, 0, lambda x: 0.5 * x * math.erfc(-x / math.sqrt(2))),
    "tanh": (3, 0.0, 1, math.tanh),
}


def grid(name: str) -> np.ndarray:
    return np.linspace(-FUNCTIONS[name][0], FUNCTIONS[name][0], 2001)


def fit(name: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """(numerator a0 .. a5, denominator b1 .. b4) of the function of that name."""
    _, c, parity, function = FUNCTIONS[name]
    x = grid(name)
    rest = np.array(list(map(function, x))) - c * x
    weight = np.ones_like(x)
    for _ in range(60):                                  # (a + a' x^2 + a'' x^4) x^parity - rest (b2 x^2 + b4 x^4) = rest
        columns = [x ** (2 * k + parity) for k in range(3)] + [-rest * x**2, -rest * x**4]
        solution = np.linalg.lstsq(np.stack(columns, 1) * weight[:, None], rest * weight, rcond=None)[0]
        weight = 1 / np.abs(1 + solution[3] * x**2 + solution[4] * x**4)
    part, b2, b4 = solution[:3], *(float(v) for v in rounded(solution[3:]))
    numerator = np.zeros(6)
    numerator[parity::2] += rounded(part)
    numerator[1::2] += c * np.array([1, b2, b4])         # c x times the denominator
    return tuple(rounded(numerator).tolist()), (0.0, b2, 0.0, b4)


def rounded(values: np.ndarray) -> np.ndarray:
    return np.round(np.asarray(values) * 2**16) / 2**16


def error(name: str) -> tuple[float, float]:
    """(root mean square, largest) error on the interval."""
    (a, b), x = fit(name), grid(name)
    s = sum(v * x ** (k + 1) for k, v in enumerate(b))
    miss = sum(v * x**k for k, v in enumerate(a)) / (1 + np.abs(s)) - list(map(FUNCTIONS[name][3], x))
    return float(np.sqrt((miss * miss).mean())), float(np.abs(miss).max())


if __name__ == "__main__":
    for name in FUNCTIONS:
        a, b = fit(name)
        rms, most = error(name)
        print(f'    "{name}": ({a},\n        {b}),      # error: {rms:.1e} rms, {most:.1e} at most')  # noqa: T201
