"""Filling a tensor with random numbers in place: `x.uniform_()`, `x.normal_()` and their kin."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from .. import dtypes
from ..backend import namespaces
from ..errors import ArgumentError, DTypeError
from ..graph import recording
from ..tensor import Tensor, wrap
from .inplace import assign
from .random import Generator, _digits, bernoulli, gaussian, integers, uniform
from .registry import public


def _wide(x: Tensor, op: str, whole: bool = False) -> Any:
    """The dtype to compute in: at least float32; integer tensors only where the numbers are whole."""
    if not dtypes.is_floating(x.dtype):
        if not whole:
            raise DTypeError(op, f"a tensor of {x.dtype}", "these numbers are floating ones", "convert it with .float() first")
        return dtypes.float64
    return dtypes.float32 if dtypes.is_half(x.dtype) else x.dtype


def _keep(x: Tensor, values: Any, op: str) -> Tensor:
    """x filled with an array of numbers."""
    return assign(x, wrap(namespaces[type(values)].cast(values, x.dtype)), op)


def _need(holds: bool, op: str, got: str, cause: str) -> None:
    if not holds:
        raise ArgumentError(op, got, cause)


@public(function=False)
def uniform_(self: Tensor, *bounds: float, generator: Generator | None = None, **named: float) -> Tensor:
    """Filled from the uniform distribution on [from, to), by default [0, 1)."""
    low, high = (*bounds, named.get("from", 0.0) if not bounds else named.get("to", 1.0), named.get("to", 1.0))[:2]
    _need(low <= high, "uniform_", f"from {low} to {high}", "the range ends before it begins")
    _wide(self, "uniform_")
    return _keep(self, uniform(self.shape, self.dtype, self.device, generator, "uniform_") * (high - low) + low, "uniform_")


@public(function=False)
def normal_(self: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Filled from the normal distribution."""
    _need(std >= 0, "normal_", f"std={std}", "a deviation cannot be negative")
    noise = gaussian(self.shape, _wide(self, "normal_"), self.device, generator, "normal_")
    return _keep(self, noise * std + mean, "normal_")


@public(function=False)
def log_normal_(self: Tensor, mean: float = 1.0, std: float = 2.0, *, generator: Generator | None = None) -> Tensor:
    """Filled with exp of normally distributed numbers."""
    _need(std > 0, "log_normal_", f"std={std}", "a deviation must be positive")
    noise = gaussian(self.shape, _wide(self, "log_normal_"), self.device, generator, "log_normal_")
    return _keep(self, namespaces[type(noise)].exp(noise * std + mean), "log_normal_")


@public(function=False)
def bernoulli_(self: Tensor, p: Any = 0.5, *, generator: Generator | None = None) -> Tensor:
    """Filled with 1 with probability `p` (a number, or a tensor that broadcasts), else 0."""
    if isinstance(p, Tensor):
        if p.shape != self.shape:
            p = recording.expand(p, shape=self.shape)
        drawn = bernoulli(p, generator=generator).array
    else:
        _need(0 <= p <= 1, "bernoulli_", f"p={p}", "a probability is from 0 to 1")
        drawn = uniform(self.shape, dtypes.float64, self.device, generator, "bernoulli_") < p
    return _keep(self, drawn, "bernoulli_")


@public(function=False)
def random_(self: Tensor, *bounds: int, generator: Generator | None = None, **named: int) -> Tensor:
    """Filled with integers: from 0 to what the dtype holds exactly, `random_(to)`, or `random_(from, to)`."""
    given = [*bounds]
    low = named.get("from", given.pop(0) if len(given) > 1 else 0)
    high = named.get("to", given[0] if given else None)
    if high is None:
        kind, bits = self.dtype.kind, 8 * self.dtype.itemsize
        high = 2 if kind == "b" else 2 ** (bits - (kind == "i")) if kind in "iu" else 2 ** _digits(self.dtype) + 1
    return _keep(self, integers(low, high, self.shape, dtypes.int64, self.device, generator, "random_"), "random_")


def _from_uniform(name: str, formula: Callable[..., Any], default: float | None, legal: Callable[[float], bool], doc: str,
                  parameter: str, whole: bool = False) -> None:
    """A method whose numbers are a function of uniform ones in (0, 1]."""
    def fill(self: Tensor, value: Any = default, *, generator: Generator | None = None, **named: Any) -> Tensor:
        value = named.get(parameter, value)
        _need(value is not None and legal(value), name, f"{parameter}={value}", f"{parameter} is out of its range")
        u = 1 - uniform(self.shape, _wide(self, name, whole), self.device, generator, name)
        return _keep(self, formula(namespaces[type(u)], u, value), name)
    fill.__name__, fill.__doc__ = name, doc
    public(name, function=False)(fill)


_from_uniform("exponential_", lambda F, u, rate: -F.log(u) / rate, 1.0, lambda rate: rate > 0,
              "Filled from the exponential distribution of rate `lambd`.", "lambd")
_from_uniform("geometric_", lambda F, u, p: F.maximum(F.ceil(F.log(u) / math.log1p(-p)), 1), None, lambda p: 0 < p < 1,
              "Filled with the number of trials up to the first success, each of probability `p`.", "p", whole=True)


@public(function=False)
def cauchy_(self: Tensor, median: float = 0.0, sigma: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Filled from the Cauchy distribution."""
    _need(sigma > 0, "cauchy_", f"sigma={sigma}", "the width must be positive")
    u = uniform(self.shape, _wide(self, "cauchy_"), self.device, generator, "cauchy_")
    return _keep(self, median + sigma * namespaces[type(u)].tan(math.pi * (u - 0.5)), "cauchy_")
