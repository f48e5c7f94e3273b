"""Where the graph was cut: what a recording context can see of values that go on without their gradient."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...backend import namespaces
from ...grad_mode import mode
from ...graph import Node
from ...tensor import Tensor


@dataclass
class Break:
    """A value that needed a gradient went on without one.

    `kind` is "no_grad", "inference_mode", "not_differentiable" (op has no gradient: argmax, a comparison, a cast to
    integers) or "detached"; `op` and `line` are those of the op that made the result, or that took the detached one in;
    `sources` the nodes and leaves that went in.
    """

    kind: str
    op: str
    line: str
    sources: tuple[Any, ...]


class Flow:
    """Follows values past the cuts: which constants of the graph came of something that needed a gradient, and how."""

    def __init__(self) -> None:
        self.owners: dict[int, tuple[Any, Any]] = {}             # id of memory -> (weak reference, the node or leaf that it holds)
        self.lost: dict[int, tuple[Any, list[Break]]] = {}       # id of a Tensor without a gradient -> (weak reference, why)
        self.into: dict[Node, list[Break]] = {}                  # recorded op -> the cuts before its constants

    def see(self, op: Any, inputs: Sequence[Any], outputs: Sequence[Any], line: str) -> None:
        """After each op."""
        tensors = [x for x in inputs if isinstance(x, Tensor)]
        needing = [x for x in tensors if x.requires_grad]
        cuts = [cut for x in tensors if not x.requires_grad for cut in self._cuts(x, op.name, line)]
        for x in needing:
            if x.node is None:
                self._own(x, x)
        if needing and not all(getattr(y, "requires_grad", True) for y in outputs):
            kind = "inference_mode" if mode.inference else "not_differentiable" if mode.grad else "no_grad"
            made = [*cuts, Break(kind, op.name, line, tuple(x.node or x for x in needing))]
        else:
            made = cuts
        for y in outputs:
            if not isinstance(y, Tensor):
                continue
            if y.requires_grad:
                self._own(y, y.node)
                if cuts:
                    self.into.setdefault(y.node, []).extend(cuts)
            elif made:
                self.lost[id(y)] = weakref.ref(y), made

    def of(self, t: Tensor) -> list[Break]:
        """The cuts behind a Tensor that needs no gradient; empty if it came of nothing that did."""
        found = self.lost.get(id(t))
        return found[1] if found is not None and found[0]() is t else []

    def _cuts(self, x: Tensor, op: str, line: str) -> list[Break]:
        if known := self.of(x):
            return known
        owner = namespaces[type(x.array)].owner(x.array)
        found = self.owners.get(id(owner))
        if found is None or found[0]() is not owner:
            return []
        return [Break("detached", op, line, (found[1],))]

    def _own(self, x: Tensor, source: Any) -> None:
        owner = namespaces[type(x.array)].owner(x.array)
        self.owners[id(owner)] = weakref.ref(owner), source
