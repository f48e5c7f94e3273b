"""Both passes as they were: what each node made, the gradient that came to it, what it passed on, and where that was added up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ... import backend
from ...backend import namespaces
from ...errors import ArgumentError, GraphError
from ...graph import FREED, PICK, Node, reachable
from ...tensor import Tensor, wrap
from ..chain import Chain, plus
from ..tape import Result, Tape

MOST_PARTS = 48                                  # of a sum that is shown as it grows


class Passes:
    """The forward and the backward pass of a loss.

    nodes                  behind the loss, in the order in which they were made
    order                  those that the backward pass visited, in its order
    gradient, parts        by node: what came in (a list, for several results), what went out, one for each edge
    arrivals               by node or leaf: (node, index of its edge) of each part that came there, in order
    results, notes         what is known of each node's result; what a reader must be told
    """

    def __init__(self, loss: Tensor, tape: Tape | None, gradient: Any) -> None:
        if loss.node is None:
            raise GraphError("player", f"a tensor of shape {loss.shape}", "it was made by no recorded op, so there is nothing to play",
                             "give it an input that requires a gradient, outside no_grad")
        self.loss = loss
        found = reachable([loss.node])
        self.nodes: list[Node] = found[::-1]
        self.notes: list[str] = []
        self.gradient: dict[Node, Any] = {}
        self.parts: dict[Node, Sequence[Any]] = {}
        if tape is not None and loss.node in tape.sweeps and gradient is None:
            sweeps = {n: tape.sweeps[n] for n in found if n in tape.sweeps}
            self.order = sorted(sweeps, key=lambda n: sweeps[n].order)
            for node, done in sweeps.items():
                self.gradient[node], self.parts[node] = plain(done.gradient), [plain(g) for g in done.gradients]
        else:
            self.compute(gradient)
        self.results: dict[Any, Result] = dict(tape.results) if tape else {}
        for node, g in self.gradient.items():
            if node not in self.results and not isinstance(g, list):
                self.results[node] = Result(tuple(g.shape), str(g.dtype))
        self.values: dict[Any, Any] = self.find_values()
        self.arrivals: dict[Any, list[tuple[Node, int]]] = {}
        for node in self.order:
            if node.op is not PICK:
                for i, (edge, part) in enumerate(zip(node.edges, self.parts[node], strict=False)):
                    if edge is not None and part is not None:
                        self.arrivals.setdefault(edge, []).append((node, i))

    def compute(self, gradient: Any) -> None:
        """Run a sweep for the page alone: no hook runs, no `.grad` changes, nothing is freed."""
        if any(node.saved is FREED for node in self.nodes):
            raise GraphError("player", f"a tensor of shape {self.loss.shape}", "a backward pass has freed what its graph kept",
                             "make the page before backward, call backward(retain_graph=True), or run both passes inside "
                             "study.Tape(model, values=True, gradients=True) and give it as tape=")
        if gradient is None and self.loss.numel() != 1:
            if not self.loss.numel():
                raise ArgumentError("player", f"a tensor of shape {self.loss.shape}", "it is empty", "play a loss")
            self.notes.append("The backward pass starts with 1 at every number of the result: the gradients are those of their sum.")
            gradient = wrap(namespaces[type(self.loss.array)].ones_like(self.loss.array))
        chain = Chain(self.loss, None, gradient, "player")
        self.order, self.gradient, self.parts = chain.nodes, chain.gradient, chain.parts
        if chain.hooked:
            self.notes.append(f"{len(chain.hooked):,} results have hooks, which were not run: these are the gradients that the rules make.")

    def find_values(self) -> dict[Any, Any]:
        """The array of each result: what the tape kept, else what some rule keeps of it."""
        found: dict[Any, Any] = {node: value for node in self.nodes
                                 if node in self.results and (value := self.results[node].value) is not None}
        found.setdefault(self.loss.node, self.loss.array)
        for node in self.nodes:
            if node.saved is FREED or node.plan is None:
                continue
            variadic = getattr(node.op, "variadic", False)
            count = 1 if variadic else len(node.op.inputs)
            for value, (i, attribute) in zip(node.saved, node.plan.sources, strict=True):
                if attribute or i > count:
                    continue
                if i == count:
                    self.note_value(found, node, value)
                elif variadic:
                    for edge, part in zip(node.edges, value, strict=False):
                        self.note_value(found, edge, part)
                elif i < len(node.edges):
                    self.note_value(found, node.edges[i], value)
        unknown = sum(node not in found for node in self.nodes if node.op is not PICK and not self.picked(node))
        if unknown:
            self.notes.append(f"{unknown:,} of {len(self.nodes):,} values were kept by no rule and are not known. Make the loss inside "
                              "`with study.Tape(model, values=True) as tape:` and give tape=, or give the function and its inputs.")
        return found

    def note_value(self, found: dict[Any, Any], source: Any, value: Any) -> None:
        """A rule's kept array, if it can be the result of `source`: a rule may read a cast of it."""
        if isinstance(source, Node) and source not in found and backend.is_array(value):
            known = self.results.get(source)
            if known is not None and known.shape == tuple(value.shape) and known.dtype == str(value.dtype):
                found[source] = value

    def picked(self, node: Node) -> bool:
        """Has the op several results?"""
        return isinstance(self.gradient.get(node), list)

    def value(self, x: Any) -> Any:
        """The array of a leaf or of a node's result; None where it is not known. Of several results, a list."""
        if isinstance(x, Tensor):
            return x.array
        value = self.values.get(x)
        if isinstance(x, Node) and x.op is PICK and value is None:
            whole = self.values.get(x.edges[0])
            value = whole[x.params["index"]] if isinstance(whole, (tuple, list)) else None
        return list(value) if isinstance(value, tuple) else value

    def sums(self, edge: Any) -> list[Any]:
        """What the gradient at `edge` had become after each part that came there; where there are many, only the last."""
        came = self.arrivals.get(edge, ())
        found: list[Any] = []
        for node, i in came:
            part = self.parts[node][i]
            found.append(plus(found[-1], part) if found else part)
            if len(came) > MOST_PARTS:
                found = found[-1:]
        return found


def plain(g: Any) -> Any:
    """Arrays of what may be Tensors, as under create_graph."""
    if isinstance(g, (list, tuple)):
        return [plain(part) for part in g]
    return g.array if isinstance(g, Tensor) else g
