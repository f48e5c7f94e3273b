"""How exact an activation is, and against what: the truth from mpmath, the unit of error, and the points to look at.

Shared by the tests and by `tests/benchmarks/accuracy.py`.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from mpmath import mp, mpf

import tinygrad_act as ta
from tests.activations.reference import CONDITIONED, FORMULAS, VARIANTS
from tinygrad_act.activations import catalogue
from tinygrad_act.graph import grad

LIMITS = (4, 4, 8)                       # of units, for the value and the first and second derivative
SCALE = 345                              # digits after which a number is 0 in float64


# ------------------------------------------------------------------------------------------------ the truth
def frozen(settings: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted(settings.items()))


@functools.cache
def truth(name: str, x: float, settings: tuple[tuple[str, Any], ...] = ()) -> tuple[Any, ...]:
    """(f, f', f'', f''') at x, which is no kink, good to 20 digits each; below 1e-345 they may come out as 0.

    Central differences with a step so small that only rounding counts, and more digits until that does not either.
    """
    f, kwargs = FORMULAS[name], {k: _exact(v) for k, v in settings}
    step = 15 - min(0, math.floor(math.log10(abs(x)))) if x else 175      # h^2 is what the first is wrong by
    digits = 4 * step + 45
    while True:
        with mp.workdps(digits):
            h, at = mpf(10) ** -step, mpf(x)
            low2, low, mid, high, high2 = (mpf(f(at + k * h, **kwargs)) for k in (-2, -1, 0, 1, 2))
            size = max(abs(v) for v in (low2, low, mid, high, high2)) * mpf(10) ** (3 - digits)
            ys = (mid, (high - low) / (2 * h), (high - 2 * mid + low) / (h * h),
                  (high2 - 2 * high + 2 * low - low2) / (2 * h * h * h))
            noise = (size, size / h, 4 * size / (h * h), 8 * size / (h * h * h))
            ys = tuple(y if abs(y) > n else mpf(0) for y, n in zip(ys, noise, strict=True))
            # the third derivative only scales the unit of the second, where a few digits of it are enough
            doubt = [n > abs(y) * mpf(10) ** -20 and n > mpf(10) ** -SCALE
                     for y, n in zip(ys[:3], noise, strict=False)]
        if not any(doubt) or digits > 4 * step + 2 * SCALE:
            return ys
        digits *= 2


def _exact(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(v if isinstance(v, str) else mpf(v) for v in value)
    return mpf(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


def units(result: float, true: Any, following: Any, x: float, dtype: Any, also: Any = 0) -> float:
    """|error| / (ulp(true value) + |next derivative| * ulp(x) + also); infinity for NaN, and for a sign or a tail lost.

    Where the true value overflows the result must too.
    """
    info = np.finfo(dtype)
    if abs(true) > mpf(float(info.max)):
        return 0.0 if (math.isinf(result) and (result > 0) == (true > 0)) or abs(result) == info.max else math.inf
    if not math.isfinite(result):
        return math.inf
    with mp.workdps(40):
        error = abs(mpf(result) - true)
        unit = mpf(float(np.spacing(np.abs(np.asarray(float(true), dtype)))))
        unit += abs(following) * mpf(float(np.spacing(np.abs(np.asarray(x, dtype))))) + also
        score = error / unit
    lost = result * true <= 0 and score > max(LIMITS)          # a wrong sign, or a 0 that should not be: no small error
    return math.inf if lost else float(score)


# -------------------------------------------------------------------------------------------------- cases
class Case:
    """An activation with the settings and the values of further inputs to test it at."""

    def __init__(self, name: str, **chosen: Any) -> None:
        self.record = catalogue[name]
        self.name = name
        self.values = {**self.record.settings, **self.record.initial, **chosen}
        self.default = not chosen
        self.key = frozen(self.values)
        self.label = name + (f"[{', '.join(f'{k}={v}' for k, v in chosen.items())}]" if chosen else "")

    def __repr__(self) -> str:
        return self.label

    @property
    def further(self) -> list[str]:
        """The names of the inputs after x."""
        return list(self.record.op.inputs[1:])

    def settings(self) -> dict[str, Any]:
        return {k: v for k, v in self.values.items() if k not in self.further}

    def kinks(self) -> dict[float, float]:
        return self.record.kinks(**self.values)

    def call(self, x: Any, op: Any = None, further: Sequence[Any] | None = None) -> Any:
        """The activation of the Tensor x, at this case's settings."""
        if further is None:
            further = [tensor(self.values[name], x.dtype) for name in self.further]
        return (op or self.record.op)(x, *further, **self.settings())

    def truth(self, x: float) -> tuple[Any, ...]:
        return truth(self.name, x, self.key)


def cases() -> list[Case]:
    """Every activation of one number: at its defaults, and at the variants of `reference.py`."""
    names = [n for n in sorted(catalogue) if not catalogue[n].axis]
    return [Case(n, **chosen) for n in names for chosen in ({}, *VARIANTS.get(n, ()))]


def tensor(values: Any, dtype: Any = None, requires_grad: bool = False) -> Any:
    return ta.tensor(np.asarray(values, np.float64), dtype=dtype or ta.float64, requires_grad=requires_grad)


def numpy(t: Any) -> Any:
    return ta.backend.to_host(t.array)


def derivatives(case: Case, xs: Any, dtype: Any, order: int = 2, op: Any = None) -> list[Any]:
    """[f, f', f'', ...] of the library at the numbers xs, by `create_graph` from the second on."""
    x = tensor(xs, dtype, requires_grad=True)
    y = case.call(x, op)
    found = [numpy(y)]
    for k in range(1, order + 1):
        if not y.requires_grad:
            found.append(np.zeros(x.shape, x.dtype))
            continue
        one = tensor(np.ones(x.shape), dtype)
        got = grad(y, x, one, create_graph=k < order, retain_graph=True, allow_unused=True)[0]
        y = tensor(np.zeros(x.shape), dtype) if got is None else got
        found.append(numpy(y))
    return found


def in_torch(case: Case, torch: Any) -> Any:
    """PyTorch's function of x alone at the defaults, its parameters as here; None if it has none."""
    if not case.default or not (case.record.torch or case.name in ELSEWHERE):
        return None
    theirs = getattr(torch.nn.functional, case.record.torch) if case.record.torch else ELSEWHERE[case.name](torch)

    def function(x: Any, *parameters: Any) -> Any:
        parameters = parameters or tuple(torch.tensor(case.values[n], dtype=x.dtype) for n in case.record.learnable)
        return theirs(x, *parameters, *[v for k, v in case.settings().items() if _required(theirs, k)])
    return function


ELSEWHERE: dict[str, Callable[[Any], Any]] = {              # what PyTorch has under another name, or not as an activation
    "normal_cdf": lambda torch: torch.special.ndtr, "arctan": lambda torch: torch.atan, "sinc": lambda torch: torch.sinc,
    "exponential": lambda torch: torch.exp,
    "gelu_tanh": lambda torch: functools.partial(torch.nn.functional.gelu, approximate="tanh")}


def _required(function: Any, name: str) -> bool:
    try:
        parameter = inspect.signature(function).parameters.get(name)
    except ValueError:
        return False
    return parameter is not None and parameter.default is inspect.Parameter.empty


def torch_derivatives(function: Any, xs: Any, dtype: Any, torch: Any) -> list[Any]:
    """[f, f', f''] of PyTorch's function at xs; without those it does not implement."""
    x = torch.tensor(xs, dtype=dtype, requires_grad=True)
    y = function(x)
    found = [y.detach().numpy()]
    for _ in range(2):
        try:
            got = torch.autograd.grad(y.sum(), x, create_graph=True, allow_unused=True)[0] if y.requires_grad else None
        except RuntimeError as error:
            if "not implemented" not in str(error):
                raise
            break
        y = torch.zeros_like(x) if got is None else got
        found.append(y.detach().numpy())
    return found


@functools.cache
def _moved(name: str, x: float, key: tuple[tuple[str, Any], ...], parameter: str, place: int) -> tuple[Any, ...]:
    """What (f, f', f'') lose or gain, relative to the change, where one number of a parameter changes a little."""
    values = dict(key)
    whole = values[parameter] if isinstance(values[parameter], tuple) else (values[parameter],)
    moved = [mpf(v) * (1 + mpf(10) ** -12 * (i == place)) for i, v in enumerate(whole)]
    values[parameter] = tuple(moved) if isinstance(values[parameter], tuple) else moved[0]
    with mp.workdps(40):
        return tuple((b - a) * mpf(10) ** 12 for a, b in zip(truth(name, x, key)[:3], truth(name, x, frozen(values)), strict=False))


def rounding(case: Case, x: float, dtype: Any) -> tuple[Any, ...]:
    """What rounding each parameter makes of f, f' and f'': part of the unit where parameters of both signs cancel. Four
    roundings of each, for as many it goes through in a sum of several terms.
    """
    total = [mpf(0)] * 3
    if case.name in CONDITIONED:
        for parameter in case.record.learnable:
            value = case.values[parameter]
            for place in range(len(value) if isinstance(value, tuple) else 1):
                change = _moved(case.name, x, case.key, parameter, place)
                total = [t + 4 * abs(c) * float(np.finfo(dtype).eps) for t, c in zip(total, change, strict=True)]
    return tuple(total)


# -------------------------------------------------------------------------------------------------- points
def points(case: Case, dense: int = 40) -> list[float]:
    """Numbers exact in float32, kinks left out: over |x| <= 100, around 0, kinks and roots, and at 1e4."""
    span = np.geomspace(1e-3, 100, dense)
    near = np.array([1e-45, 1.2e-38, 1e-30, 1e-20, 1e-12, 1e-8, 1e-6, 1e-5, 1e-4])
    some = np.concatenate([span, near, np.linspace(0.1, 24, dense // 2), [16.7, 20.5, 50.3, 87.9, 88.8, 102.0, 103.5, 1e4]])
    xs = np.concatenate([some, -some, [0.0]]).astype(np.float32)
    for centre in {*case.kinks(), *roots(case)}:
        c = np.float32(centre)
        around = [c, np.nextafter(c, np.float32(np.inf)), np.nextafter(c, np.float32(-np.inf))]
        around += [np.float32(centre + s * d) for s in (-1, 1) for d in (1e-6, 1e-4, 1e-2, 0.11)]
        xs = np.concatenate([xs, np.array(around, np.float32)])
    kinks = {v for k in case.kinks() for v in (k, float(np.float32(k)))}
    return [x for x in sorted({float(v) for v in xs}) if x not in kinks]


def roots(case: Case) -> list[float]:
    """Where f, f' or f'' changes sign within [-20, 20], by bisection in float64."""
    grid = np.concatenate([np.linspace(-20, -8, 97), np.linspace(-8, 8, 641)[1:-1], np.linspace(8, 20, 97)]) + 1 / 1024
    found: list[float] = []
    for order, values in enumerate(derivatives(case, grid, ta.float64)):
        with np.errstate(all="ignore"):
            at = np.nonzero(np.sign(values[:-1]) * np.sign(values[1:]) < 0)[0]
        if not len(at) or len(at) > 40:
            at = at[:: max(1, len(at) // 20)]
        low, high, sign = grid[at], grid[at + 1], np.sign(values[at])
        for _ in range(50 if len(at) else 0):
            middle = (low + high) / 2
            left = np.sign(derivatives(case, middle, ta.float64, order)[order]) == sign
            low, high = np.where(left, middle, low), np.where(left, high, middle)
        found += low.tolist()
    return found


def extremes() -> list[float]:
    """Numbers of float64 that float32 does not have."""
    some = [5e-324, 2.2e-308, 1e-300, 1e-200, 1e-100, 0.1, 1 / 3, 700.5, 709.5, 740.0, 745.5, 1e3]
    return some + [-v for v in some]


def worst(case: Case, dtype: Any, xs: Iterable[float]) -> list[tuple[float, float]]:
    """For f, f', f'': (the most units, where)."""
    xs = list(xs)
    return rank(derivatives(case, xs, dtype), case, dtype, xs)


def rank(found: Sequence[Any], case: Case, dtype: Any, xs: Sequence[float]) -> list[tuple[float, float]]:
    result = []
    for order, values in enumerate(found):
        scores = [units(float(v), t[order], t[order + 1], x, dtype, rounding(case, x, dtype)[order])
                  for x, v in zip(xs, values.tolist(), strict=True) for t in (case.truth(x),)]
        most = int(np.argmax(scores))
        result.append((scores[most], xs[most]))
    return result
