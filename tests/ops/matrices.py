"""Matrices for the tests of linear algebra, and how the functions of both libraries are called on them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import tinygrad_act as ta

from .against_torch import torch

inf = math.inf
SQUARE = [(1, 1), (2, 2), (4, 4), (3, 2, 2), (2, 1, 3, 3), (0, 0), (2, 0, 0), (0, 3, 3)]
ANY = [*SQUARE, (4, 2), (2, 4), (2, 5, 3), (2, 3, 5), (3, 1), (1, 3), (0, 3), (3, 0), (2, 0, 3)]


def both(name: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    return getattr(ta.linalg, name), getattr(torch.linalg, name)


def of(f: Callable[..., Any], prepare: Callable[[Any], Any], then: Callable[[Any], Any] = lambda y: y) -> Callable[..., Any]:
    return lambda x, *rest, **keywords: then(f(prepare(x), *rest, **keywords))


def symmetric(x: Any) -> Any:
    return x + x.mT
