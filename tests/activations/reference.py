"""What each activation is, by its definition, in mpmath: one line each, independent of the rules they test.

`FORMULAS[name](x, **settings)` takes an mpf and the settings and further inputs by keyword (all of them are passed;
a vector parameter comes as a tuple of mpf). `ACROSS[name](row, **settings)` takes and returns a list of mpf, for those
that work across an axis. `VARIANTS[name]` lists further settings to test beside the defaults.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mpmath import mp, mpf

from tinygrad_act.activations import catalogue


def sigma(x: Any) -> Any:
    return 1 / (1 + mp.exp(-x))


def clip(x: Any, low: Any, high: Any) -> Any:
    return min(max(x, low), high)


def relu(x: Any) -> Any:
    return max(x, mpf(0))


def shares(row: Any) -> Any:
    return [mp.exp(x) / mp.fsum(map(mp.exp, row)) for x in row]


def softplus(x: Any) -> Any:
    return mp.log1p(mp.exp(x))


def rational(x: Any, numerator: Any, denominator: Any) -> Any:
    below = 1 + abs(sum(b * x**k for k, b in enumerate(denominator, 1)))
    return sum(a * x**j for j, a in enumerate(numerator)) / below


def acon(x: Any, p1: Any, p2: Any, beta: Any) -> Any:
    return (p1 - p2) * x * sigma(beta * (p1 - p2) * x) + p2 * x


def settings_of(name: str) -> dict[str, Any]:
    return {k: mpf(v) if isinstance(v, float) else v for k, v in catalogue[name].settings.items()}


def meta_acon(row: Any) -> Any:
    """The network that computes beta, with the initial matrices of the record."""
    given = catalogue["meta_acon"].initial
    product = lambda matrix, v, bias: [sum(mpf(w) * a for w, a in zip(line, v, strict=True)) + mpf(b)
                                       for line, b in zip(matrix, bias, strict=True)]
    z = product(given["w2"], product(given["w1"], row, given["b1"]), given["b2"])
    return [acon(x, mpf(given["p1"]), mpf(given["p2"]), sigma(b)) for x, b in zip(row, z, strict=True)]


def bisected(row: Any, power: int) -> Any:
    """max(0, x - tau) ** power, with the tau for which they add up to 1."""
    low, high = min(row) - 2, max(row)
    for _ in range(300):
        tau = (low + high) / 2
        low, high = (tau, high) if sum(max(x - tau, 0) ** power for x in row) > 1 else (low, tau)
    return [max(x - tau, mpf(0)) ** power for x in row]


def gelu(x: Any) -> Any:
    return x * mp.erfc(-x / mp.sqrt(2)) / 2


def mish(x: Any) -> Any:
    return x * mp.tanh(mp.log1p(mp.exp(x)))


GATES: dict[str, Callable[[Any], Any]] = {
    "glu": sigma, "reglu": relu, "geglu": gelu, "geglu_tanh": lambda x: FORMULAS["gelu_tanh"](x),
    "swiglu": lambda x: x * sigma(x), "bilinear_glu": lambda x: x, "mish_glu": mish}

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
    # -------------------------------------------------------------------------------------------- adaptive
    "pau": rational,
    "acon_c": acon,
    "xielu": lambda x, alpha_p, alpha_n, beta, eps: softplus(alpha_p) * x * x + beta * x if x > 0
        else (beta + softplus(alpha_n)) * (mp.expm1(min(x, eps)) - x) + beta * x,
    "dynamic_mixture": lambda x, weight, members: sum(s * FORMULAS[name](x, **settings_of(name))
                                                      for s, name in zip(shares(weight), members, strict=True)),
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
    # ---------------------------------------------------------------------------------------------- smooth
    "gelu": gelu,
    "gelu_tanh": lambda x: x * sigma(2 * mp.sqrt(2 / mp.pi) * (x + mpf("0.044715") * x**3)),
    "quick_gelu": lambda x: x * sigma(mpf("1.702") * x),
    "phish": lambda x: x * mp.tanh(gelu(x)),
    "silu": lambda x: x * sigma(x),
    "swish": lambda x, beta: x * sigma(beta * x),
    "hard_swish": lambda x: x * clip(x + 3, 0, 6) / 6,
    "mish": mish,
    "hard_mish": lambda x: x * clip(x + 2, 0, 2) / 2,
    "telu": lambda x: x * mp.tanh(mp.exp(min(x, 20))),
    "logish": lambda x: x * mp.log1p(sigma(x)),
    "smish": lambda x: x * mp.tanh(mp.log1p(sigma(x))),
    "serf": lambda x: x * mp.erf(mp.log1p(mp.exp(x))),
    "softplus": lambda x, beta, threshold: x if beta * x > threshold and threshold < 20 else mp.log1p(mp.exp(beta * x)) / beta,
    "squareplus": lambda x, b: (x + mp.sqrt(x * x + b)) / 2,
    "sparse_plus": lambda x: mpf(0) if x <= -1 else x if x >= 1 else (x + 1) ** 2 / 4,
    "laplace": lambda x, mu, sigma: mp.erfc((mu - x) / (sigma * mp.sqrt(2))) / 2,
    "exponential": mp.exp,
    "linear": lambda x: x,
    "snake": lambda x, alpha: x + mp.sin(alpha * x) ** 2 / alpha,
    "sinc": mp.sincpi,
    "gaussian": lambda x: mp.exp(-x * x),
    # ------------------------------------------------------------------------------------------- shrinking
    "hard_shrink": lambda x, lambd: x if abs(x) > lambd else mpf(0),
    "soft_shrink": lambda x, lambd: mp.sign(x) * relu(abs(x) - lambd),
    "shrink": lambda x, lambd, bias: x + bias if x < -lambd else x - bias if x > lambd else mpf(0),
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
    "meta_acon": meta_acon,
    **{name: lambda row, f=f: [a * f(b) for a, b in zip(row[:len(row) // 2], row[len(row) // 2:], strict=True)]
       for name, f in GATES.items()},
    "squash": lambda row: [x * mp.norm(row) / (1 + mp.norm(row) ** 2) for x in row],
}

# Here the terms of learned coefficients cancel: what rounding the coefficients does to the result is part of the unit.
CONDITIONED = {"pau", "acon_c", "xielu", "dynamic_mixture"}

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
    "swish": [{"beta": 2.0}, {"beta": -0.75}],
    "softplus": [{"beta": 2.0}, {"beta": 0.5, "threshold": 3.0}, {"beta": -1.5}],
    "squareplus": [{"b": 0.5}],
    "laplace": [{"mu": 0.25, "sigma": 2.0}],
    "snake": [{"alpha": 2.0}, {"alpha": -0.25}],
    "hard_shrink": [{"lambd": 1.25}, {"lambd": 0.0}],
    "soft_shrink": [{"lambd": 1.25}, {"lambd": 0.0}],
    "shrink": [{"lambd": 1.25, "bias": 1.25}, {"lambd": 0.25, "bias": 1.0}],
    "acon_c": [{"p1": 1.5, "p2": -0.25, "beta": 2.0}, {"p1": -0.5, "p2": 1.0, "beta": 0.5}],
    "xielu": [{"alpha_p": -1.0, "alpha_n": 2.0, "beta": 0.25, "eps": -0.5}],
    "dynamic_mixture": [{"weight": (0.5, -1.0), "members": ("softsign", "sigmoid")}],
}
