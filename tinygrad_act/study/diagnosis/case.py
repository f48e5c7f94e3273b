"""What `why` knows of its case: the tensor, the graph of the loss, a tape, and one sweep over them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ... import backend
from ...backend import namespaces
from ...errors import TinygradActError
from ...grad_mode import no_grad
from ...graph import FREED, PICK, Node, reachable
from ...tensor import Tensor, wrap
from ..chain import Chain
from ..explaining.statements import constants, numbers
from ..labels import Labels, pairs_of
from ..tape import Tape
from ..values import largest, shape_text
from .causes import REMEDIES, Cause, Reason


class History:
    """A backward pass that is over, as a tape with gradients=True saw it: what a Chain offers of it."""

    def __init__(self, tape: Tape, target: Any, root: Any) -> None:
        order = sorted(tape.sweeps, key=lambda node: tape.sweeps[node].order)
        if root is not None and root in tape.sweeps:
            behind = set(reachable([root]))
            order = [n for n in order if n in behind]
        leads: set[Any] = {target}
        for node in reversed(order):
            if any(e in leads for e in node.edges):
                leads.add(node)
        self.nodes = [n for n in order if n in leads and n is not target]
        self.root = self.nodes[0] if self.nodes else root
        self.gradient = {n: tape.sweeps[n].gradient for n in self.nodes}
        self.parts = {n: tuple(g if e in leads else None for e, g in zip(n.edges, tape.sweeps[n].gradients, strict=False))
                      for n in self.nodes}
        self.hooked = [n for n in self.nodes if n.hooks]
        self.total: dict[Any, Any] = {}
        self.consumers: dict[Any, list[tuple[Node, int]]] = {}
        for node in self.nodes:
            for i, (edge, part) in enumerate(zip(node.edges, self.parts[node], strict=False)):
                if edge is not None and part is not None:
                    self.consumers.setdefault(edge, []).append((node, i))


class Case:
    """The tensor asked about, and where it stands in the graph of the loss."""

    def __init__(self, tensor: Tensor, loss: Tensor | None, model: Any, tape: Tape | None) -> None:
        self.tensor, self.loss, self.model, self.tape = tensor, loss, model, tape
        self.key: Any = tensor.node or tensor
        self.nodes: list[Node] = reachable([loss.node]) if loss is not None and loss.node is not None else []
        if not self.nodes and tape is not None:
            self.nodes = sorted(tape.sweeps or tape.results, key=lambda n: -n.time)
        self.names = pairs_of(model)
        self.labels = Labels(self.nodes, model, tape)
        self.connected = loss is tensor or self.key in self.nodes or any(e is self.key for n in self.nodes for e in n.edges)
        self.freed = any(n.saved is FREED for n in self.nodes)
        self.error: TinygradActError | None = None
        self.chain = self._sweep()

    @property
    def name(self) -> str:
        """What to call the tensor."""
        found = next((n for n, t in self.names.items() if t is self.tensor), None)
        if found:
            return found
        if self.tensor.node is not None:
            return f"{self.labels(self.tensor)} ({shape_text(self.tensor.shape)})"
        return f"the tensor of shape {self.tensor.shape}"

    def _sweep(self) -> Any:
        """The gradients between the loss and the tensor; None if they cannot be had."""
        if self.loss is not None and self.loss.node is not None and self.connected and not self.freed and self.tensor.requires_grad:
            try:
                return Chain(self.loss, [self.tensor], None if self.loss.numel() == 1 else _ones(self.loss), "why")
            except TinygradActError as error:            # changed in place, say
                self.error = error
        if self.tape is not None and self.tape.sweeps:
            history = History(self.tape, self.key, self.loss.node if self.loss is not None else None)
            return history if history.nodes else None
        return None

    def reason(self, cause: Cause, text: str, **evidence: Any) -> Reason:
        """The answer, with the remedy."""
        remedy = REMEDIES.get(cause, "")
        if self.tape is not None:                        # no advice to do what was done
            remedy = re.sub(r"; run forward inside study\.Tape\(\) and pass tape= [^.]*\.", ".", remedy)
        return Reason(cause, f"{text} {remedy}".strip(), {k.replace("_", " "): v for k, v in evidence.items()})

    def where(self, node: Node) -> str:
        """`tanh_2 (layer 3, file.py:12 in forward)`."""
        parts = [f"layer {layer}" if (layer := self.labels.layer(node)) else "", self.labels.line(node)]
        inside = ", ".join(filter(None, parts))
        return self.labels(node) + (f" ({inside})" if inside else "")

    def hint(self) -> str:
        """What a tape would add, where there was none."""
        if self.tape is not None:
            return ""
        return "Run forward inside study.Tape(model) and pass tape= to be told the line."

    # ------------------------------------------------------------------------------------------------ values
    def values(self) -> Iterator[tuple[Node, Any, list[Any]]]:
        """(node, its value, those of its inputs), oldest first, as far as they are known: kept by nodes or the tape, or
        computed again from what is."""
        known = self._kept()
        for node in reversed(self.nodes):
            inputs = [known.get(e) if isinstance(e, Node) else e.array if isinstance(e, Tensor) else c
                      for e, c in zip(node.edges, self._constants(node), strict=True)]
            if node not in known and node.op is not PICK:
                known[node] = _again(node, inputs)
            elif node.op is PICK and node not in known:
                made = known.get(node.edges[0])
                known[node] = made[node.params["index"]] if isinstance(made, tuple) else None
            yield node, known[node], inputs

    def _constants(self, node: Node) -> list[Any]:
        arrays = constants(node, self.labels)
        return [a if a is not None else n for a, n in zip(arrays, numbers(node, self.labels), strict=True)]

    def _kept(self) -> dict[Any, Any]:
        """The values that some node kept for its rule, or the tape."""
        known: dict[Any, Any] = {}
        for node in self.nodes:
            result = self.tape.results.get(node) if self.tape else None
            if result is not None and result.value is not None:
                known[node] = result.value
            if node.plan is None or node.saved is FREED or node.op.variadic:
                continue
            for value, (i, attribute) in zip(node.saved, node.plan.sources, strict=True):
                if attribute or not backend.is_array(value):
                    continue
                if i < len(node.edges):
                    if isinstance(node.edges[i], Node):
                        known.setdefault(node.edges[i], value)
                elif i == len(node.op.inputs):
                    known.setdefault(node, value)
        if self.loss is not None and self.loss.node is not None:
            known.setdefault(self.loss.node, self.loss.array)
        return known

    def spine(self) -> list[tuple[Node, int, float, float]]:
        """The strongest way from the loss to the tensor: (node, input, largest gradient in, largest passed on)."""
        way: list[tuple[Node, int, float, float]] = []
        at, chain = self.key, self.chain
        while chain is not None and at in chain.consumers:
            node, i = max(chain.consumers[at], key=lambda use: largest(chain.parts[use[0]][use[1]]))
            way.append((node, i, largest(chain.gradient[node]), largest(chain.parts[node][i])))
            at = node
        return way[::-1]


def _ones(loss: Tensor) -> Any:
    return wrap(namespaces[type(loss.array)].ones_like(loss.array))


def _again(node: Node, inputs: list[Any]) -> Any:
    """The node's value computed from those of its inputs; None where one is missing, or the op draws numbers."""
    if any(x is None for x in inputs) or getattr(node.op, "forward", None) is None or not node.op.inputs or "generator" in node.op.defaults:
        return None
    array = next((x for x in inputs if backend.is_array(x)), None)
    if array is None:
        return None
    F = namespaces[type(array)]
    try:
        with no_grad():
            if node.op.elementwise and array.dtype.char not in F.plain:
                y = F.run(node.op.forward, inputs, dict(node.params or {}))
            else:
                y = node.op.forward(F, *inputs, **(node.params or {}))
    except (TinygradActError, ValueError, TypeError, IndexError, ArithmeticError, AttributeError):
        return None
    y = y[0] if node.op.aux else y
    return tuple(y) if isinstance(y, list) else y
