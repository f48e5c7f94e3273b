"""The graph: what one use of an op leaves behind (Node) and the one backward sweep over it (walk).

Edges point from a node to the nodes of its inputs, or to leaf Tensors, never to intermediate Tensors: an array that
no rule named is freed as soon as the user lets go of it. A node is made after those it points to, so the order of
creation is a topological order, and the sweep is a reachability walk and one sort. Nothing here recurses.
"""

from __future__ import annotations

import operator
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from . import backend
from .backend import namespaces
from .changes import changes, tick
from .errors import ArgumentError, DeviceError, GraphError, ShapeError
from .grad_mode import mode
from .tensor import Tensor, wrap

watchers: list[Any] = []                # recording contexts that are listening; empty while training


class Recording:
    """The vocabulary F over Tensors: every op, by name. Backward rules run on it when `create_graph=True`."""

    plain = ""                           # as Namespace.plain: what needs no executor


recording: Any = Recording()


class Watcher:
    """What a recording context (anomaly detection, the study tools) may override; put it into `watchers`."""

    def instead(self, op: Any) -> Any:
        """Before each op on Tensors: the op to run in its place."""
        return op

    def casts(self, name: str) -> bool:
        """Does it give the op of this name inputs of one dtype (autocast)? Then they may differ."""
        return False

    def forward(self, op: Any, inputs: Sequence[Any], output: Any, params: dict[str, Any]) -> None:
        """After each op on Tensors. `output` is a Tensor, or a tuple of them."""

    def backward(self, node: Node, g: Any, grads: Sequence[Any]) -> None:
        """After each node's rules have run; arrays, or Tensors under create_graph."""


def casts(name: str) -> bool:
    """Will the inputs of the op of this name be cast to one dtype? Asked before dtypes that differ are refused."""
    return any(watcher.casts(name) for watcher in watchers)


# ------------------------------------------------------------------------------------------------------- Node
class Freed:
    """Stands in a node for saved arrays that a backward pass has let go."""

    def __repr__(self) -> str:
        return "freed"


FREED: Any = Freed()


class Node:
    """One use of an op. `edges` has a Node, a leaf Tensor or None (needs no gradient) per input."""

    __slots__ = ("__weakref__", "edges", "hooks", "op", "params", "plan", "saved", "shapes", "time")

    op: Any
    edges: tuple[Any, ...]
    saved: tuple[Any, ...]                 # what the plan keeps: arrays, and shapes
    plan: Any
    params: Any
    shapes: Any                            # the inputs' shapes, where the op broadcast them
    hooks: list[Any] | None
    time: int

    def name(self) -> str:
        """As PyTorch calls it: `mulBackward`."""
        return f"{self.op.name}Backward"

    @property
    def next_functions(self) -> tuple[tuple[Any, int], ...]:
        """PyTorch's spelling of the edges."""
        return tuple((edge, 0) for edge in self.edges)

    def __repr__(self) -> str:
        return f"<{self.op.name}Backward>"


def new_node(op: Any, edges: tuple[Any, ...], saved: tuple[Any, ...], plan: Any = None, params: Any = None, shapes: Any = None) -> Node:
    """A new Node. (Not `Node.__init__`, which takes twice as long to call.)"""
    n = Node()
    n.op = op
    n.edges = edges
    n.saved = saved
    n.plan = plan
    n.params = params
    n.shapes = shapes
    n.hooks = None
    n.time = tick()
    return n


class Pick:
    """The pseudo-op behind each result of an op with several: passes its gradient on to its place."""

    name = "pick"
    elementwise = False


PICK = Pick()


# ----------------------------------------------------------------------------------------------- the sweep
def reachable(roots: Sequence[Any], targets: set[Any] | None = None, since: int = 0) -> list[Node]:
    """The nodes behind `roots` made after `since`, last first; with `targets`, only those that lead to one of them."""
    stack = [r for r in roots if type(r) is Node]
    seen = set(stack)
    order = []
    while stack:
        node = stack.pop()
        order.append(node)
        for edge in node.edges:
            if type(edge) is Node and edge not in seen and edge.time > since:
                seen.add(edge)
                stack.append(edge)
    order.sort(key=operator.attrgetter("time"))
    if targets is not None:
        leads = set(targets)
        behind, order = order, []
        for node in behind:
            if any(e in leads for e in node.edges):
                leads.add(node)
                order.append(node)
        targets |= leads
    order.reverse()
    return order


def walk(seeds: dict[Any, Any], pending: dict[Any, Any], *, targets: set[Any] | None = None,
         retain_graph: bool = False, create_graph: bool = False, since: int = 0
         ) -> Iterator[tuple[Node, Any, Sequence[Any]]]:
    """The one traversal: from `seeds` (Node or leaf -> gradient) back, a node at a time.

    Yields (node, its gradient, the gradient for each edge) before these are added up in `pending`, which at the end
    holds the gradients of leaves and of targets. `targets` prunes the sweep to what leads to them, and it stops at nodes
    not made after `since`.
    """
    wanted = None if targets is None else set(targets)
    order = reachable(list(seeds), wanted, since)
    check_saved(order)
    pending.update(seeds)
    own: set[Any] = set()                # whose pending sum is ours, made here, so may be added to in place
    kept: Any = targets or ()
    whole = wanted is None and not create_graph
    for node in order:
        g = pending.pop(node, None)
        if g is None:
            continue
        if node.hooks:
            g = run_hooks(node.hooks, g)
        if node in kept:
            pending[node] = g
        plan = node.plan
        if plan is None and node.op is PICK:
            put(g, node.params["index"], node.edges[0], pending)
            yield node, g, (g,)
            continue
        grads = plan.quick(node, g) if whole and plan is not None and plan.quick else node.op.vjp(node, g, create_graph, wanted)
        yield node, g, grads
        for edge, gx in zip(node.edges, grads):  # noqa: B905  (`strict` takes as long as the rest of the line)
            if gx is None or edge is None or (wanted is not None and edge not in wanted):
                continue
            before = pending.get(edge)
            if before is None:
                pending[edge] = gx
            elif create_graph or edge not in own:
                pending[edge] = before + gx
                own.add(edge)
            else:
                before += gx
                pending[edge] = before
        if not retain_graph and (plan is None or plan.arrays) and node.saved:
            node.saved = FREED
    for node in targets.difference(order) if targets else ():     # asked for, and nothing behind them is
        if type(node) is Node and node.hooks and node.time > since and node in pending:
            pending[node] = run_hooks(node.hooks, pending[node])


def put(g: Any, i: int, node: Node, pending: dict[Any, Any]) -> None:
    """Add g to the gradient of result i, in the list of those of all results of a node."""
    parts = pending.get(node)
    if parts is None:
        parts = pending[node] = [None] * len(node.shapes)
    parts[i] = g if parts[i] is None else parts[i] + g


def run_hooks(hooks: Sequence[Callable[[Tensor], Any]], g: Any) -> Any:
    """The gradient after each hook has seen it (a copy of it, to keep if it likes) and perhaps returned another."""
    recorded = isinstance(g, Tensor)
    for hook in list(hooks):
        handle = g if recorded else wrap(namespaces[type(g)].copy(g))
        new = hook(handle)
        if new is not None and new is not handle:
            if not isinstance(new, Tensor) or new.shape != handle.shape or type(new.array) is not type(handle.array):
                raise ArgumentError("hook", f"{getattr(new, 'shape', type(new).__name__)} returned for a gradient of shape "
                                    f"{handle.shape}", "a hook returns None or a Tensor like the one it was given")
            g = new if recorded else namespaces[type(new.array)].copy(new.array)
    return g


def check_saved(order: Sequence[Node]) -> None:
    """No array that is still needed was freed, or changed in place since it was saved."""
    last = changes.last
    for node in order:
        if node.saved is FREED:
            raise GraphError(node.op.name, "a second backward pass", "the arrays its rule needs were freed by the first",
                             "call the first with retain_graph=True, or compute the result again")
        if node.time < last:
            changes.check(node)


def backward(tensors: Any, grad_tensors: Any = None, retain_graph: bool | None = None, create_graph: bool = False,
             inputs: Any = None) -> None:
    """Add to `.grad` of the leaves (or of `inputs`) the gradient of `tensors`, each seeded by its `grad_tensors`.

    A scalar is seeded by 1. The graph is freed unless `retain_graph`, which defaults to `create_graph`. Hooks, too, run in the mode
    that create_graph asks for, those of leaves as well.
    """
    seeds = make_seeds(as_tuple(tensors), as_tuple(grad_tensors), "backward", create_graph)
    chosen = None if inputs is None else list(as_tuple(inputs))
    if chosen == []:
        raise ArgumentError("backward", "inputs=[]", "there is nothing to differentiate", "leave inputs out for all leaves")
    for t in chosen or ():
        need_grad(t, "backward")
    before, mode.grad = mode.grad, create_graph
    try:
        pending = sweep(seeds, None if chosen is None else {t.node or t for t in chosen}, retain_graph, create_graph)
        given = {id(_array(g)) for g in seeds.values()}
        for t in list(pending) if chosen is None else chosen:
            g = pending.get(t.node or t)
            if g is not None:
                accumulate(t, g, given)
    finally:
        mode.grad = before


def grad(outputs: Any, inputs: Any, grad_outputs: Any = None, retain_graph: bool | None = None,
         create_graph: bool = False, allow_unused: bool | None = None, materialize_grads: bool = False
         ) -> tuple[Tensor | None, ...]:
    """The gradients of `outputs` (one or several, summed) with respect to each of `inputs`; no `.grad` is touched.

    >>> import tinygrad_act as ta
    >>> x = ta.tensor(3.0, requires_grad=True)
    >>> (g,) = ta.autograd.grad(x * x * x, x, create_graph=True)
    >>> g, ta.autograd.grad(g, x)[0]
    (tensor(27., grad_fn=<addBackward>), tensor(18.))
    """
    chosen = as_tuple(inputs)
    for t in chosen:
        need_grad(t, "grad")
    seeds = make_seeds(as_tuple(outputs), as_tuple(grad_outputs), "grad", create_graph)
    before, mode.grad = mode.grad, create_graph
    try:
        pending = sweep(seeds, {t.node or t for t in chosen}, retain_graph, create_graph)
        found = [pending.get(t.node or t) for t in chosen]
        found = [run_hooks(t.hooks, g) if g is not None and t.hooks and t.node is None else g for t, g in zip(chosen, found, strict=True)]
    finally:
        mode.grad = before
    results: list[Tensor | None] = []
    for t, g in zip(chosen, found, strict=True):
        if g is not None:
            results.append(g if isinstance(g, Tensor) else wrap(_as_array(g)))
        elif materialize_grads:
            results.append(wrap(namespaces[type(t.array)].zeros_like(t.array)))
        elif allow_unused:
            results.append(None)
        else:
            raise GraphError("grad", f"an input of shape {t.shape}", "the outputs do not depend on it",
                             "pass allow_unused=True to get None for it")
    return tuple(results)


def sweep(seeds: dict[Any, Any], targets: set[Any] | None, retain_graph: bool | None, create_graph: bool,
          since: int = 0) -> dict[Any, Any]:
    """Drain `walk`, telling the watchers. Who calls it is in the mode that create_graph asks for."""
    pending: dict[Any, Any] = {}
    steps = walk(seeds, pending, targets=targets, create_graph=create_graph, since=since,
                 retain_graph=create_graph if retain_graph is None else retain_graph)
    if not watchers:
        deque(steps, maxlen=0)               # drains it
    for step in steps:
        for watcher in watchers:
            watcher.backward(*step)
        del step                             # or its gradients would live while the next rules run
    return pending


def make_seeds(tensors: Sequence[Tensor], gradients: Sequence[Any], op: str, create_graph: bool) -> dict[Any, Any]:
    """Where the sweep starts, and with what: 1 for a scalar, else the gradient given for it."""
    gradients = gradients or (None,) * len(tensors)
    if len(gradients) != len(tensors):
        raise ArgumentError(op, f"{len(tensors)} tensors and {len(gradients)} gradients", "there must be one for each")
    seeds: dict[Any, Any] = {}
    for t, g in zip(tensors, gradients, strict=True):
        need_grad(t, op)
        if g is not None:
            g = fitted(g, t, op)
        elif t.array.size == 1:
            g = wrap(namespaces[type(t.array)].ones_like(t.array))
        else:
            raise GraphError(op, f"a tensor of shape {t.shape}", "only a scalar has a gradient of its own",
                             "reduce it (.sum(), .mean()) or pass gradient= of its shape")
        key = t.node or t
        seed = g if create_graph else g.array
        seeds[key] = seed if key not in seeds else seeds[key] + seed
    return seeds


def fitted(g: Any, t: Tensor, op: str) -> Any:
    """A gradient that was given for t, as a Tensor of its dtype."""
    if not isinstance(g, Tensor):
        g = wrap(backend.asarray(g, t.dtype, t.device))
    if g.shape != t.shape:
        raise ShapeError(op, f"a gradient of shape {g.shape} for a tensor of shape {t.shape}", "they must be equal")
    if type(g.array) is not type(t.array):
        raise DeviceError(op, f"a gradient on {g.device} for a tensor on {t.device}", "they must be on one device",
                          "move it with .to(device)")
    return g if g.dtype == t.dtype else recording.cast(g, dtype=t.dtype)


def need_grad(t: Any, op: str) -> None:
    """Raise unless t is a Tensor that a gradient can reach."""
    if not isinstance(t, Tensor):
        raise ArgumentError(op, type(t).__name__, "only Tensors have gradients")
    if not t._requires_grad:
        raise GraphError(op, f"a tensor of shape {t.shape}", "it does not require a gradient: no input of the ops that "
                         "made it did, or they ran under no_grad", "set requires_grad=True on a leaf it depends on")


def accumulate(t: Tensor, g: Any, given: set[int]) -> None:
    """Add g to `t.grad`. `given` has the ids of arrays that somebody else may hold: those are copied, not kept."""
    if t.hooks and t.node is None:
        g = run_hooks(t.hooks, g)
    before = t._grad
    if isinstance(g, Tensor):                                    # create_graph: the sum is recorded too
        t._grad = recording.clone(g) if before is None else before + g       # other leaves may have been given g too
    else:
        if type(g) is not type(t.array):
            g = _as_array(g)
        if before is None:
            if id(g) in given or g.base is not None or g is t.array:
                g = namespaces[type(g)].copy(g)
            given.add(id(g))
            t._grad = wrap(g)
        elif before._requires_grad:
            t._grad = wrap(before.array + g)
        else:
            before.array[...] = before.array + g
            changes.mark(before.array, "backward")
    for hook in t.post_hooks:
        hook(t)


def _array(x: Any) -> Any:
    return x.array if isinstance(x, Tensor) else x


def _as_array(g: Any) -> Any:
    return g if backend.is_array(g) else namespaces[type(g)].asarray(g)


def as_tuple(x: Any) -> tuple[Any, ...]:
    """One or several as a tuple; None as an empty one."""
    return () if x is None else tuple(x) if isinstance(x, (tuple, list)) else (x,)
