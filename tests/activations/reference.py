"""What each activation is, by its definition, in mpmath: one line each, independent of the rules they test.

`FORMULAS[name](x, **settings)` takes an mpf and the settings and further inputs by keyword (all of them are passed;
a vector parameter comes as a tuple of mpf). `ACROSS[name](row, **settings)` takes and returns a list of mpf, for those
that work across an axis. `VARIANTS[name]` lists further settings to test beside the defaults.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mpmath import mp, mpf


def sigma(x: Any) -> Any:
    return 1 / (1 + mp.exp(-x))


def clip(x: Any, low: Any, high: Any) -> Any:
    return min(max(x, low), high)


def relu(x: Any) -> Any:
    return max(x, mpf(0))


def shares(row: Any) -> Any:
    return [mp.exp(x) / mp.fsum(map(mp.exp, row)) for x in row]


def bisected(row: Any, power: int) -> Any:
    """max(0, x - tau) ** power, with the tau for which they add up to 1."""
    low, high = min(row) - 2, max(row)
    for _ in range(300):
        tau = (low + high) / 2
        low, high = (tau, high) if sum(max(x - tau, 0) ** power for x in row) > 1 else (low, tau)
    return [max(x - tau, mpf(0)) ** power for x in row]


FORMULAS: dict[str, Callable[..., Any]] = {
    # ------------------------------------------------------------------------------------------ rectifiers
    "relu": relu,
    "relu6": lambda x: clip(x, 0, 6),
    "leaky_relu": lambda x, negative_slope: x if x > 0 else negative_slope * x,
    "prelu": lambda x, weight: x if x > 0 else weight * x,
    "rrelu": lambda x, slope: x if x > 0 else slope * x,
    "threshold": lambda x, threshold, value: x if x > threshold else mpf(value),
    "thresholded_relu": lambda x, theta: x if x > theta else mpf(0),
    "clipped_relu": lambda x, max_value: clip(x, 0, max_value),
    "squared_relu": lambda x: relu(x) ** 2,
    "star_relu": lambda x, scale, bias: scale * relu(x) ** 2 + bias,
    "elu": lambda x, alpha: x if x > 0 else alpha * mp.expm1(x),
    "celu": lambda x, alpha: x if x > 0 else alpha * mp.expm1(x / alpha),
    "selu": lambda x: mpf("1.0507009873554804934193349852946")
    * (x if x > 0 else mpf("1.6732632423543772848170429916717") * mp.expm1(x)),
    "isrlu": lambda x, alpha: x if x > 0 else x / mp.sqrt(1 + alpha * x * x),
    "srelu": lambda x, t_left, a_left, t_right, a_right:
        t_right + a_right * (x - t_right) if x >= t_right else x if x > t_left else t_left + a_left * (x - t_left),
    "apl": lambda x, weight, hinge: relu(x) + sum(a * relu(b - x) for a, b in zip(weight, hinge, strict=True)),
    # -------------------------------------------------------------------------------------------- sigmoids
    "sigmoid": sigma,
    "log_sigmoid": lambda x: -mp.log1p(mp.exp(-x)),
    "hard_sigmoid": lambda x: clip(x + 3, 0, 6) / 6,
    "hard_sigmoid_onnx": lambda x, alpha, beta: clip(alpha * x + beta, 0, 1),
    "sparse_sigmoid": lambda x: clip((x + 1) / 2, 0, 1),
    "tanh": mp.tanh,
    "hard_tanh": lambda x, min_val, max_val: clip(x, min_val, max_val),
    "softsign": lambda x: x / (1 + abs(x)),
    "tanh_shrink": lambda x: x - mp.tanh(x),
    "normal_cdf": lambda x: mp.erfc(-x / mp.sqrt(2)) / 2,
    "arctan": mp.atan,
    "isru": lambda x, alpha: x / mp.sqrt(1 + alpha * x * x),
}

ACROSS: dict[str, Callable[..., Any]] = {
    "crelu": lambda row: [relu(x) for x in row] + [relu(-x) for x in row],
    "softmax": shares,
    "softmin": lambda row: shares([-x for x in row]),
    "log_softmax": lambda row: [x - mp.log(mp.fsum(map(mp.exp, row))) for x in row],
    "sparsemax": lambda row: bisected(row, 1),
    "entmax15": lambda row: bisected([x / 2 for x in row], 2),
    "hardmax": lambda row: [mpf(x == max(row)) for x in row],
    "gumbel_softmax": lambda row, tau: shares([x / tau for x in row]),
    "maxout": lambda row, k: [max(row[i:i + k]) for i in range(0, len(row), k)],
    "squash": lambda row: [x * mp.norm(row) / (1 + mp.norm(row) ** 2) for x in row],
}

VARIANTS: dict[str, list[dict[str, Any]]] = {
    "leaky_relu": [{"negative_slope": 1.5}, {"negative_slope": -0.5}],
    "prelu": [{"weight": -1.25}],
    "threshold": [{"threshold": -1.0, "value": -1.0}, {"threshold": -2.5, "value": 3.0}],
    "thresholded_relu": [{"theta": 0.25}],
    "clipped_relu": [{"max_value": 1.5}],
    "star_relu": [{"scale": -2.0, "bias": 0.5}],
    "elu": [{"alpha": 1.5}, {"alpha": 0.25}],
    "celu": [{"alpha": 1.5}, {"alpha": 0.25}, {"alpha": -2.0}],
    "isrlu": [{"alpha": 2.5}],
    "srelu": [{"t_left": -1.5, "a_left": -0.25, "t_right": 2.0, "a_right": 1.75}],
    "apl": [{"weight": (-0.5, -1.25, -2.0), "hinge": (-1.0, 0.0, 1.5)}],
    "hard_sigmoid_onnx": [{"alpha": 0.5, "beta": 0.25}],
    "hard_tanh": [{"min_val": -2.0, "max_val": 0.5}],
    "isru": [{"alpha": 2.5}],
}
