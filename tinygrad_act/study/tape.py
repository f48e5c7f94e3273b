"""Tape: a recording context that remembers what the graph does not keep, such as the shape of every result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ..errors import user_line
from ..graph import Node, Watcher, watchers
from ..tensor import Tensor


class Result(NamedTuple):
    """What a node produced, from what, and the user's line that called the op."""

    shape: tuple[int, ...]
    dtype: str
    line: str = ""
    inputs: tuple[Tensor | None, ...] = ()       # those that need no gradient, to which the graph has no edge


class Tape(Watcher):
    """Inside the `with` block, every recorded op leaves its result's shape, dtype and line, by node.

    >>> x = ta.ones(2, 3, requires_grad=True)
    >>> with ta.study.Tape() as tape:
    ...     y = x.tanh().sum()
    >>> [(node.op.name, result.shape) for node, result in tape.results.items()]
    [('tanh', (2, 3)), ('sum', ())]
    """

    def __init__(self) -> None:
        self.results: dict[Node, Result] = {}

    def __enter__(self) -> Tape:
        watchers.append(self)
        return self

    def __exit__(self, *exc: object) -> None:
        watchers.remove(self)

    def forward(self, op: Any, inputs: Sequence[Any], output: Any, params: dict[str, Any]) -> None:
        line = user_line()
        constants = tuple(x if isinstance(x, Tensor) and not x.requires_grad else None for x in inputs)
        for out in output if isinstance(output, tuple) else (output,):
            if isinstance(out, Tensor) and out.node is not None:
                self.results[out.node] = Result(out.shape, str(out.dtype), line, constants)
