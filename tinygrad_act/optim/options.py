"""What the options of an optimizer may be, under the names they have everywhere, and how a step reads them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..errors import ArgumentError
from ..tensor import Tensor

Limit = tuple[Callable[[Any], bool], str]

AT_LEAST_0: Limit = (lambda v: v >= 0, "it is a number, at least 0")
SHARE: Limit = (lambda v: 0 <= v <= 1, "it is a number from 0 to 1")
BETAS: Limit = (lambda v: len(v) == 2 and all(0 <= b < 1 for b in v), "they are two numbers, each at least 0 and below 1")

# Of options that mean the same in every optimizer that has them.
LIMITS: dict[str, Limit] = {
    **dict.fromkeys(("lr", "eps", "weight_decay", "momentum", "momentum_decay", "lr_decay", "alpha", "lambd",
                     "initial_accumulator_value"), AT_LEAST_0),
    "betas": BETAS, "rho": SHARE,
    "etas": (lambda v: 0 < v[0] < 1 < v[1], "the first is between 0 and 1, the second above 1"),
    "step_sizes": (lambda v: 0 <= v[0] <= v[1], "they are the smallest and the largest step"),
}
# Accepted for PyTorch's sake: what they choose there are ways of computing the same.
NO_EFFECT = {"foreach", "fused", "capturable", "differentiable"}


def check(name: str, options: Mapping[str, Any], limits: Mapping[str, Limit]) -> None:
    """Raise ArgumentError for the first option that is not what it may be."""
    for option, value in options.items():
        if option not in limits:
            continue
        for v in value if isinstance(value, (tuple, list)) else (value,):
            if isinstance(v, Tensor) and v.array.size != 1:
                raise ArgumentError(name, f"{option} of shape {v.shape}", "as a Tensor it has one element")
        fits, says = limits[option]
        try:
            good = fits(plain(value))
        except (TypeError, ValueError, IndexError):          # no number, or too few of them
            good = False
        if not good:
            raise ArgumentError(name, f"{option}={value!r}", f"the value is out of its range: {says}")
    if options.get("fused") and options.get("foreach"):
        raise ArgumentError(name, "fused=True, foreach=True", "they are two ways to do one thing", "choose one")
    if options.get("differentiable"):
        raise ArgumentError(name, "differentiable=True", "a step works on arrays, which no graph records",
                            "to differentiate through a step write it with tensors: x = x - lr * grad")


PLAIN = frozenset((float, int, bool, str, type(None)))


def plain(value: Any) -> Any:
    """Python's numbers for what says a number: a NumPy one would promote the arrays, a Tensor would record."""
    if type(value) in PLAIN:
        return value
    if isinstance(value, (tuple, list)):
        return tuple([plain(v) for v in value])
    return float(value.item() if isinstance(value, Tensor) else value)
