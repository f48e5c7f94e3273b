"""What checkpointing each module would save: what only its nodes keep, less the inputs that a checkpoint keeps instead."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ... import backend, dtypes
from ...backend import namespaces
from ...graph import PICK, Node
from ...tensor import Tensor
from ..tape import Tape

Call = tuple[tuple[str, int], ...]               # the modules that were running, and which call of each


@dataclass
class Saving:
    """Of a module, over all its calls: bytes between forward and backward. `seconds`: its forward pass, which runs again."""

    name: str
    calls: int
    kept: int                                    # by its nodes alone; with a checkpoint computed again
    instead: int                                 # inputs that nothing keeps now, and the checkpoint would
    seconds: float

    @property
    def saved(self) -> int:
        """What would be free; below 0, a checkpoint costs memory."""
        return self.kept - self.instead


def made(edge: Any) -> Any:
    """The node behind an edge: of a pick, the op's."""
    return edge.edges[0] if isinstance(edge, Node) and edge.op is PICK else edge


class Holdings:
    """Who keeps which memory, and who made it."""

    def __init__(self, order: Sequence[Node], parameters: set[int], given: Sequence[Tensor]) -> None:
        self.holders: dict[int, set[Node]] = {}
        self.makers: dict[int, Any] = {}         # a node, or None for what came from outside
        self.bytes: dict[int, int] = {}
        self.of: dict[Node, list[int]] = {}      # what each node keeps
        self.known: dict[Any, int] = {}          # edge -> the memory of its value, where someone keeps it
        outside = {id(namespaces[type(t.array)].owner(t.array)) for t in given}
        for node in order:
            self.of[node] = []
            for array, edge in kept_with_edges(node):
                held = namespaces[type(array)].owner(array)
                key = id(held)
                if key in parameters:
                    continue
                self.of[node].append(key)
                self.holders.setdefault(key, set()).add(node)
                self.bytes[key] = held.nbytes
                if edge is not None:
                    self.known[edge] = key
                maker = made(edge) if edge is not None else None if key in outside else node
                self.makers[key] = self.makers.get(key, maker) if edge is None else maker


def kept_with_edges(node: Node) -> list[tuple[Any, Any]]:
    """(array, the edge it is the value of) of what a node keeps: the node itself for its result, None for a constant."""
    found: list[tuple[Any, Any]] = []
    sources, op = getattr(node.plan, "sources", None), node.op
    inputs = len(getattr(op, "inputs", ()))
    for i, value in enumerate(node.saved):
        place = sources[i][0] if sources else -1
        parts = value if isinstance(value, tuple) else (value,)
        for j, part in enumerate(parts):
            if not backend.is_array(part):
                continue
            if 0 <= place < inputs:
                edge = node.edges[j if op.variadic else place] if len(node.edges) > (j if op.variadic else place) else None
            else:
                edge = node if place == inputs else None
            found.append((part, edge))
    return found


def savings(order: Sequence[Node], tape: Tape, parameters: set[int]) -> list[Saving]:
    """For each module that the tape saw, most saving first."""
    groups: dict[Call, set[Node]] = {}
    for node in order:
        result = tape.results.get(node)
        if result is None or not result.module or node.op is PICK:
            continue
        path = tuple(zip(result.module, result.calls, strict=True))
        for depth in range(1, len(path) + 1):
            groups.setdefault(path[:depth], set()).add(node)
    if not groups:
        return []
    holdings = Holdings(order, parameters, tape.given)
    totals: dict[str, Saving] = {}
    for path, nodes in groups.items():
        name = path[-1][0]
        total = totals.setdefault(name, Saving(name, 0, 0, 0, 0.0))
        total.calls += 1
        total.kept += sum(holdings.bytes[key] for key in {k for node in nodes for k in holdings.of[node]}
                          if holdings.holders[key] <= nodes and holdings.makers[key] in nodes)
        total.instead += sum(size_of(edge, tape) for edge in {e for node in nodes for e in node.edges if isinstance(e, Node)}
                             if made(edge) not in nodes and edge not in holdings.known)
        total.seconds += sum(tape.results[node].seconds for node in nodes)
    return sorted(totals.values(), key=lambda saving: -saving.saved)


def size_of(edge: Node, tape: Tape) -> int:
    """Bytes of a node's result."""
    result = tape.results.get(edge)
    return math.prod(result.shape) * dtypes.as_dtype(result.dtype).itemsize if result else 0
