"""One line of PyTorch, run by both libraries and compared: value, gradient, gradient of the gradient.

    compare("x.reshape(3, -1)")          # x, y, v, s, e are inputs of several shapes, t is the library
    refused("x.reshape(4, 2)")           # both raise, ours one of our errors
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta

INPUTS = {"x": (2, 3), "y": (2, 3, 4), "v": (5,), "s": (), "e": (0, 3)}


def lines(text: str) -> list[str]:
    """A table of expressions: one a line."""
    return [line.strip() for line in text.strip().splitlines() if line.strip()]


def _run(how: str, expression: str, **options: Any) -> None:
    against = pytest.importorskip("tests.ops.against_torch", exc_type=ImportError) if how else None
    names = [n for n in INPUTS if re.search(rf"(?<![\w.\"']){n}(?![\w(=\"'])", expression)]

    def function(library: Any) -> Callable[..., Any]:
        scope = {"t": library, "np": np}
        return eval(f"lambda {', '.join(names)}: {expression}", scope)  # type: ignore[no-any-return]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)          # PyTorch's, about spellings it wants to retire
        getattr(against, how)(function(ta), function(against.torch), *[against.array(*INPUTS[n]) for n in names], **options)


def compare(expression: str, **options: Any) -> None:
    _run("check", expression, **options)


def refused(expression: str, says: str = "") -> None:
    _run("refuses", expression, says=says)


def held(works: list[str], raises: list[str]) -> tuple[Callable[[str], None], Callable[[str], None]]:
    """The two tests of a module: what works gives what PyTorch gives, and what PyTorch refuses is refused."""
    @pytest.mark.parametrize("expression", works)
    def as_pytorch(expression: str) -> None:
        compare(expression)

    @pytest.mark.parametrize("expression", raises)
    def refused_as_by_pytorch(expression: str) -> None:
        refused(expression)

    return as_pytorch, refused_as_by_pytorch
