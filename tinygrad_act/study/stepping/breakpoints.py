"""Where a Stepper stops: at an op, a module, a tensor, or where a condition holds."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ...errors import ArgumentError
from ...graph import Node
from ...tensor import Tensor
from ..values import finite, norm

if TYPE_CHECKING:
    from .stepper import Stepper, Stop

Condition = Callable[["Stop"], bool]


def norm_above(limit: float) -> Condition:
    """True at a stop where a gradient, the incoming one or one that is passed on, has a norm over `limit` (or NaN).

    >>> x = ta.tensor([1e3, 1.0], requires_grad=True)
    >>> ta.study.Stepper((x * x).sum()).run(until=ta.study.norm_above(100)).name
    'mul'
    """
    def above(stop: Stop) -> bool:
        return any(not norm(g) <= limit for g in (stop.gradient, *stop.gradients) if g is not None)
    return above


def norm_below(limit: float) -> Condition:
    """True at a stop where a gradient has a norm under `limit`: where it vanishes.

    >>> x = ta.tensor([30.0], requires_grad=True)
    >>> ta.study.Stepper(x.sigmoid().sum()).run(until=ta.study.norm_below(1e-6)).name
    'sigmoid'
    """
    def below(stop: Stop) -> bool:
        return any(norm(g) < limit for g in (stop.gradient, *stop.gradients) if g is not None)
    return below


def not_finite() -> Condition:
    """True at a stop where a gradient has a NaN or an infinity.

    >>> x = ta.tensor([0.0, 4.0], requires_grad=True)
    >>> ta.study.Stepper(x.sqrt().sum()).run(until=ta.study.not_finite()).name
    'sqrt'
    """
    def bad(stop: Stop) -> bool:
        return any(not finite(g) for g in (stop.gradient, *stop.gradients) if g is not None)
    return bad


def condition(stepper: Stepper, until: Any) -> Condition:
    """What `until=` means: a function of the stop as it is, else a test that names the op, module, tensor or number."""
    if isinstance(until, Tensor):
        return _at(stepper, until.node or until, f"the tensor of shape {until.shape}")
    if isinstance(until, Node):
        return _at(stepper, until, repr(until))
    if isinstance(until, str):
        return _named(stepper, until)
    if isinstance(until, int) and not isinstance(until, bool):
        if not stepper.position < until <= stepper.total:
            raise ArgumentError("Stepper", f"until={until}", f"it stands at {stepper.position} of {stepper.total} stops",
                                "give the number of a later one; back() returns to an earlier one")
        return lambda stop: stop.number == until
    if callable(until):
        return until  # type: ignore[no-any-return]
    raise ArgumentError("Stepper", f"until={until!r}", "it is none of the things to stop at",
                        "give the name of an op, of a module or of a leaf, a Tensor, the number of a stop, or a function of the stop")


def _at(stepper: Stepper, key: Any, what: str) -> Condition:
    """At the node itself; at a leaf: where something is added to its gradient."""
    if isinstance(key, Tensor):
        if not any(key is leaf for leaf in stepper.leaves):
            raise ArgumentError("Stepper", what, "the backward pass never comes to it", "study.why(tensor, loss) says why")
        return lambda stop: any(key is edge for edge in stop.node.edges)
    if key not in stepper.known:
        raise ArgumentError("Stepper", what, "the backward pass never comes to it", "study.why(tensor, loss) says why")
    return lambda stop: stop.node is key


def _named(stepper: Stepper, name: str) -> Condition:
    """An op's name, a label (`linear_2`), a leaf's name, or a module's (with all inside it)."""
    nodes, labels = stepper.known, stepper.labels
    if any(node.op.name == name for node in nodes):
        return lambda stop: stop.node.op.name == name
    for x in (*nodes, *stepper.leaves):
        if labels(x) == name:
            return _at(stepper, x, name)
    inside = {node for node in nodes if any(m == name or m.startswith(f"{name}.") for m in stepper.modules(node))}
    if inside:
        return lambda stop: stop.node in inside
    known = {labels(x) for x in (*nodes, *stepper.leaves)} | {node.op.name for node in nodes}
    known |= {m for node in nodes for m in stepper.modules(node)}
    near = difflib.get_close_matches(name, known, 3) or sorted(known)[:8]
    remedy = f"near it: {', '.join(near)}"
    if stepper.labels.tape is None:
        remedy += "; to stop at a module, run forward inside study.Tape(model) and pass that as tape="
    raise ArgumentError("Stepper", repr(name), "no op, leaf or module of this graph has that name", remedy)


