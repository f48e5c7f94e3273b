"""One backward sweep, kept: the gradient at every node and what it passes on, without touching any `.grad` or hook."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from .. import backend
from ..backend import namespaces
from ..grad_mode import no_grad
from ..graph import PICK, Node, make_seeds, need_grad, reachable, walk
from ..tensor import Tensor
from .labels import Labels


class Chain:
    """The sweep from `loss` to `targets` (all leaves, unless given): `nodes` newest first, and for each of them
    `gradient[node]` and `parts[node]`, one gradient per edge, None where it leads to no target.

    The graph is kept. Hooks are not run: these are the gradients that the rules make.
    """

    def __init__(self, loss: Tensor, targets: Sequence[Tensor] | None = None, gradient: Any = None, op: str = "study") -> None:
        seeds = make_seeds((loss,), () if gradient is None else (gradient,), op, False)
        for t in targets or ():
            need_grad(t, op)
        keys = None if targets is None else {t.node or t for t in targets}
        self.loss = loss
        self.root: Any = loss.node or loss
        self.seed = next(iter(seeds.values()))
        self.nodes: list[Node] = []
        self.gradient: dict[Node, Any] = {}
        self.parts: dict[Node, Sequence[Any]] = {}
        self.total: dict[Any, Any] = {}
        behind = reachable([self.root])
        self.hooked = [n for n in behind if n.hooks]
        with without_hooks(behind), no_grad():
            for node, g, grads in walk(seeds, self.total, targets=keys, retain_graph=True):
                self.nodes.append(node)
                self.gradient[node], self.parts[node] = g, tuple(grads)
        self.consumers: dict[Any, list[tuple[Node, int]]] = {}
        for node in self.nodes:
            for i, (edge, part) in enumerate(zip(node.edges, self.parts[node], strict=False)):
                if edge is not None and part is not None:
                    self.consumers.setdefault(edge, []).append((node, i))

    def labels(self, names: Any = None, tape: Any = None) -> Labels:
        """Names for what the sweep came by."""
        results = [t for t in self.total if isinstance(t, Node)]
        return Labels(dict.fromkeys([*self.nodes, *results]), names, tape)

    def of(self, t: Tensor) -> Any:
        """The gradient of a target or a leaf as an array; None if nothing came."""
        return self.total.get(t.node or t)


@contextmanager
def without_hooks(nodes: Sequence[Node]) -> Iterator[None]:
    """Inside, the hooks of these nodes do not run."""
    taken = [(n, n.hooks) for n in nodes if n.hooks]
    for n, _ in taken:
        n.hooks = None
    try:
        yield
    finally:
        for n, hooks in taken:
            n.hooks = hooks


def pull(node: Node, g: Any, i: int) -> Any:
    """The gradient for edge `i` of the node if `g` comes in; None if its rule has none to give."""
    if node.op is PICK:
        slots = [None] * len(node.edges[0].shapes)
        slots[node.params["index"]] = g
        return slots
    with no_grad():
        return node.op.vjp(node, g, False, {node.edges[i]})[i]


def one_hot(like: Any, index: int) -> Any:
    """An array like this one, 1 at the flat index and 0 elsewhere."""
    F = namespaces[type(like)]
    count = F.reshape(F.arange(max(math.prod(like.shape), 1), like), like.shape)
    return F.cast(count == index, like.dtype)


def slopes(node: Node, i: int, g: Any) -> Any:
    """The local derivative of an elementwise op by input i, in the shape of g; None where the rule does not go by elements."""
    F = namespaces[type(g)]
    one = F.ones_like(g if backend.is_array(g) else F.asarray(g))
    for at, rule, pick, names in node.plan.calls:
        if at not in (i, None):
            continue
        given = node.saved if pick is None else pick(node.saved)
        needs = tuple(k == i for k in range(len(node.edges)))
        params = {k: needs if k == "needs" else node.params[k] for k in names}
        local = rule(F, one, *given, **params) if one.dtype.char in F.plain else F.run(rule, [one, *given], params)
        if at is None:
            local = local[i]
        return local if local is not None and local.shape == one.shape else None
    return None


def plus(a: Any, b: Any) -> Any:
    """The sum of two gradients, of which either may be None, or a list for an op with several results."""
    if a is None or b is None:
        return b if a is None else a
    if isinstance(a, (list, tuple)):
        return [plus(x, y) for x, y in zip(a, b, strict=True)]
    return a + b
