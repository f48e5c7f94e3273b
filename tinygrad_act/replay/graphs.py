"""Graphs: a program on a GPU, its launches captured in CUDA graphs.

What Python must do at each replay (put the arguments in their place, draw random numbers, look at a number, call an optimizer's step)
divides the lines into pieces; each piece between is captured when it first runs, and launched as one from then on. All its arrays
keep their places: the `.grad`s of a replay are written again by the next. Results are copied.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from .. import backend
from ..backend.capture import capture
from .log import Log


def possible(log: Log) -> bool:
    """Are all arrays on a GPU, in places that a graph can be sure of? (A gradient that is there before the step may move.)"""
    modules = {backend._owners[v.kind] for v in log.values}
    used = {v.origin for c in log.calls for v in c.inputs()}
    return modules == {"cupy"} and "gradient" not in used


class Graphs:
    """Called with the arguments, does the step; `failed` says of which pieces the capture failed, which run line by line."""

    def __init__(self, program: Any) -> None:
        self.names = program.names
        self.pieces: list[tuple[bool, Any]] = []
        self.failed: dict[int, str] = {}
        last = program.lines[-1].replace("return", "result =", 1)
        pairs = zip(program.hosted, [*program.lines[:-1], last], strict=True)
        for host, lines in groupby(pairs, key=lambda pair: pair[0]):
            self.pieces.append((host, compile("\n".join(line for _, line in lines), "<replay>", "exec")))
        self.launches: dict[int, Any] = {}

    def __call__(self, tensors: Sequence[Any]) -> tuple[Any, ...]:
        self.names["tensors"] = tensors
        for i, (host, code) in enumerate(self.pieces):
            if host or i in self.failed:
                exec(code, self.names)
            elif i in self.launches:
                self.launches[i]()
            else:
                self.first(i, code)
        result: tuple[Any, ...] = self.names["result"]
        return result

    def first(self, i: int, code: Any) -> None:
        """Capture a piece, and launch it; if that fails, run it."""
        try:
            self.launches[i] = capture(lambda: exec(code, self.names))
        except Exception as error:               # something in it waits for the GPU
            self.failed[i] = str(error)
            exec(code, self.names)
        else:
            self.launches[i]()
