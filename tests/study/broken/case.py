"""What a broken network is: the table of them, each with the cause that `why` must name, without a tape and with one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import tinygrad_act as ta


class Broken(NamedTuple):
    """What a case hands to `why`, and words that the answer must have."""

    tensor: ta.Tensor
    loss: ta.Tensor | None = None
    model: Any = None
    words: tuple[str, ...] = ()
    backward: bool = True


CASES: dict[str, tuple[str, str, Callable[[], Broken]]] = {}


def broken(cause: str, taped: str = "") -> Callable[[Callable[[], Broken]], Callable[[], Broken]]:
    """Enter a case: the cause that is found without a tape, and the one with it, if that is another."""
    def enter(make: Callable[[], Broken]) -> Callable[[], Broken]:
        CASES[make.__name__] = (cause, taped or cause, make)
        return make
    return enter


def batch() -> ta.Tensor:
    return ta.randn(6, 3)
