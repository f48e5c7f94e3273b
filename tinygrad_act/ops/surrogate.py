"""Surrogate gradients: slopes for steps, which have none, so that what contains them can be trained.

Each spreads the jump of a step over its surroundings: a bump whose area is the jump's height. `straight_through` passes the
gradient as if the step were not there (Bengio, Leonard, Courville 2013, arXiv:1308.3432). Chosen by `study.rules` or
`study.using`; the ops' own rule stays 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from .choice import choice


def arctan(F: Any, u: Any) -> Any:
    """1 / (1 + (pi u)^2) (Fang et al. 2021, arXiv:2007.05785)."""
    v = math.pi * u
    return 1 / (1 + v * v)


def sigmoid(F: Any, u: Any) -> Any:
    """The derivative of sigmoid(4 u) (Zenke and Ganguli 2018, arXiv:1705.11146, with another bump)."""
    z = F.exp(-F.abs(4 * u))
    d = 1 + z
    return 4 * z / (d * d)


def triangle(F: Any, u: Any) -> Any:
    """max(0, 1 - |u|) (Bellec et al. 2018, arXiv:1803.09574)."""
    return F.maximum(1 - F.abs(u), 0)


Bump = Callable[[Any, Any], Any]
BUMPS: dict[str, tuple[Bump, float]] = {             # of area 1; how much narrower where steps lie 1 apart
    "arctan": (arctan, 4), "sigmoid": (sigmoid, 4), "triangle": (triangle, 2)}


def names_of(bump: str, default: str) -> tuple[str, ...]:
    """A bump's name, and `surrogate` for the one that is taken unless another is named."""
    return (bump, "surrogate") if bump == default else (bump,)


def straight_through(F: Any, g: Any) -> Any:
    """The gradient as it came."""
    return g


def one_step(op: str, height: float) -> None:
    """Surrogates for a jump of that height at 0."""
    choice(op, "straight_through", of="x")(straight_through)
    for name, (bump, _) in BUMPS.items():
        choice(op, *names_of(name, "arctan"), of="x")(spread(bump, height))


def spread(bump: Bump, height: float) -> Callable[..., Any]:
    """The rule with this bump as the slope."""
    def rule(F: Any, g: Any, x: Any) -> Any:
        return g * (height * bump(F, x))
    return named(rule, bump)


def stairs(op: str, place: Bump) -> None:
    """Surrogates for jumps of 1 that lie 1 apart; `place(F, x)` is how far x is from the nearest."""
    choice(op, *names_of("straight_through", "straight_through"), of="x")(straight_through)
    for name, (bump, narrow) in BUMPS.items():
        choice(op, name, of="x")(spread_each(bump, narrow, place))


def spread_each(bump: Bump, narrow: float, place: Bump) -> Callable[..., Any]:
    """The rule with this bump around each jump."""
    def rule(F: Any, g: Any, x: Any) -> Any:
        return g * (narrow * bump(F, narrow * place(F, x)))
    return named(rule, bump)


def spread_decimals(bump: Bump, narrow: float) -> Callable[..., Any]:
    """The same for jumps that lie 10^-decimals apart."""
    def rule(F: Any, g: Any, x: Any, *, decimals: int) -> Any:
        return g * (narrow * bump(F, narrow * from_half(F, x * 10.0**decimals)))
    return named(rule, bump)


def named(rule: Callable[..., Any], bump: Bump) -> Callable[..., Any]:
    rule.__name__, rule.__doc__ = bump.__name__, bump.__doc__
    return rule


def from_half(F: Any, x: Any) -> Any:
    """The distance from the nearest half, where `round` jumps."""
    return x - F.floor(x) - 0.5


one_step("heaviside", 1)
one_step("sign", 2)


@choice("sign", "clipped_straight_through", of="x")
def clipped_straight_through(F: Any, g: Any, x: Any) -> Any:
    """The gradient where |x| <= 1, as for hard tanh (Hubara et al. 2016, arXiv:1602.02830)."""
    return F.where(F.abs(x) <= 1, g, 0)


stairs("round", from_half)
stairs("floor", lambda F, x: x - F.round(x))
stairs("ceil", lambda F, x: x - F.round(x))
for _op in ("trunc", "round_decimals"):
    choice(_op, "straight_through", "surrogate", of="x")(straight_through)
for _name, (_bump, _narrow) in BUMPS.items():
    choice("round_decimals", _name, of="x")(spread_decimals(_bump, _narrow))
