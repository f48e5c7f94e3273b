"""The CPU: the vocabulary of `namespace.py` on NumPy, with the faster spellings that NumPy has."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from . import special
from .namespace import Namespace, _narrow, _wide, numel

Array = np.ndarray


def _dividing(function: Any) -> Any:
    """As PyTorch on the CPU: integers divided by 0 are an error (a GPU cannot tell without waiting)."""
    def divide(self: Any, a: Any, b: Any) -> Any:
        y = function(a, b)
        if y.dtype.kind in "iu" and not np.all(b):
            raise ZeroDivisionError("an integer is divided by 0")
        return y
    return divide


class NumpyNamespace(Namespace):
    name = "numpy"
    floor_divide, remainder, fmod = map(_dividing, (np.floor_divide, np.remainder, np.fmod))

    def sum(self, x: Any, dim: Any = None, keepdim: bool = False) -> Any:
        return _narrow(x, np.add.reduce(x, axis=dim, keepdims=keepdim, dtype=_wide(x)))

    def mean(self, x: Any, dim: Any = None, keepdim: bool = False) -> Any:
        return _narrow(x, np.add.reduce(x, axis=dim, keepdims=keepdim, dtype=_wide(x)) / numel(x.shape, dim))

    def amax(self, x: Any, dim: Any = None, keepdim: bool = False) -> Any:
        return np.maximum.reduce(x, axis=dim, keepdims=keepdim)

    def amin(self, x: Any, dim: Any = None, keepdim: bool = False) -> Any:
        return np.minimum.reduce(x, axis=dim, keepdims=keepdim)

    def within(self, index: Any, low: int, high: int) -> bool:
        return index.size == 0 or bool(index.min() >= low and index.max() <= high)

    def cumsum(self, x: Any, dim: int) -> Any:
        return _narrow(x, np.add.accumulate(x, axis=dim, dtype=_wide(x)))

    def cummax(self, x: Any, dim: int) -> Any:
        return np.maximum.accumulate(x, axis=dim)

    def cummin(self, x: Any, dim: int) -> Any:
        return np.minimum.accumulate(x, axis=dim)


F = NumpyNamespace(np, special)


def from_host(array: np.ndarray, index: int | None = None) -> np.ndarray:
    """NumPy is the host: nothing to do."""
    return array


def to_host(array: np.ndarray) -> np.ndarray:
    return array


def is_available() -> bool:
    return True


def device_index(array: np.ndarray) -> int | None:
    return None


def generator(seed: int, index: int | None = None) -> np.random.Generator:
    return np.random.default_rng(seed)


def generator_state(generator: np.random.Generator) -> bytes:
    """Where a generator stands, as text."""
    return json.dumps(generator.bit_generator.state).encode()


def set_generator_state(generator: np.random.Generator, state: bytes) -> None:
    generator.bit_generator.state = json.loads(state)
