"""Why a `.grad` is None."""

from __future__ import annotations

from typing import Any

from ... import dtypes
from ...backend import is_array, namespaces
from ...graph import FREED, Node
from ...tensor import Tensor
from ..values import shape_text
from .case import Case
from .causes import Cause, Reason
from .flow import Break

SAYS = {
    "no_grad": "was computed by {op} under no_grad, so it is a constant",
    "inference_mode": "was computed by {op} under inference_mode, so it is a constant",
    "not_differentiable": "was made by {op}, which has no derivative (its result is whole numbers, or true and false)",
    "detached": "was detached (detach(), .data or .numpy()) before {op} used it",
}


def absent(case: Case) -> Reason:
    """Why there is no gradient at all."""
    t = case.tensor
    if not dtypes.is_floating(t.dtype):
        return case.reason(Cause.NOT_FLOATING, f"{_first_capital(case.name)} has dtype {t.dtype}, and only floating tensors have gradients.")
    if not t.requires_grad:
        return _without_requires_grad(case)
    if case.loss is not None and case.loss.node is None and case.loss is not t:
        return _loss_without_graph(case)
    if t.node is not None and not t.retains_grad:
        return case.reason(Cause.NOT_RETAINED, f"{_first_capital(case.name)} is the result of {t.node.op.name}, not a leaf: backward passes "
                           "its gradient on and does not keep it.", made_by=case.where(t.node))
    if case.loss is None and (case.tape is None or not case.nodes):
        return case.reason(Cause.BACKWARD_NOT_CALLED, f"{_first_capital(case.name)} requires a gradient, and no backward pass that reached it was "
                           "run since its .grad was last set to None. Pass loss= to see whether the loss depends on it.")
    if not case.connected:
        return _not_connected(case)
    if case.chain is not None and case.chain.total and case.chain.total.get(case.key) is None:
        return _no_rule(case)
    if case.freed and t.node is not None:
        return case.reason(Cause.RETAINED_TOO_LATE, f"Backward has run, but retain_grad() was called on {case.name} after it.")
    if case.freed or (case.tape is not None and case.tape.sweeps):
        return case.reason(Cause.ZEROED, f"A backward pass ran over this graph and came to {case.name}, so its gradient was taken away since: "
                           "by zero_grad() (which sets it to None), or it was not kept (autograd.grad, backward(inputs=...)).")
    return case.reason(Cause.BACKWARD_NOT_CALLED, f"The loss depends on {case.name}, but no backward pass has run over its graph.")


def _is_parameter(t: Tensor) -> bool:
    from ...nn.parameter import Parameter  # here, as nn costs more than all of the study tools

    return isinstance(t, Parameter)


def _first_capital(text: str) -> str:
    return text[:1].upper() + text[1:] if text.startswith("the ") else text


def _without_requires_grad(case: Case) -> Reason:
    t, name = case.tensor, _first_capital(case.name)
    cuts = case.tape.flow.of(t) if case.tape else []
    if cuts:
        return _cut(case, cuts[0], name)
    if t.inference:
        return case.reason(Cause.INFERENCE_MODE, f"{name} was made under inference_mode.")
    if t.view_of is not None and t.view_of[1] is None:
        return case.reason(Cause.NO_GRAD, f"{name} is a view that was taken under no_grad.")
    if _is_parameter(t):
        return case.reason(Cause.FROZEN, f"{name} is a parameter with requires_grad=False: it is frozen.")
    if case.tape is not None and (source := _memory_of(case, t)) is not None:
        return case.reason(Cause.DETACHED, f"{name} looks at the memory of {case.labels(source)}, outside of the graph.")
    return case.reason(Cause.NO_REQUIRES_GRAD, f"{name} does not require a gradient: nobody asked for one, or it is a result that was "
                       f"detached, or computed under no_grad, or from tensors that need none. {case.hint()}".strip())


def _memory_of(case: Case, t: Tensor) -> Any:
    owner = namespaces[type(t.array)].owner(t.array)
    found = case.tape.flow.owners.get(id(owner)) if case.tape else None
    return found[1] if found and found[0]() is owner and found[1] is not t else None


def _cut(case: Case, cut: Break, what: str) -> Reason:
    """The answer where a tape saw the place."""
    source = ", ".join(case.labels(s) for s in cut.sources[:3])
    return case.reason(Cause(cut.kind), f"{what} {SAYS[cut.kind].format(op=cut.op)}, at {cut.line}.", op=cut.op, line=cut.line, came_from=source)


def _forward_of(case: Case) -> set[Any]:
    """What the tape saw computed from the tensor."""
    leads: set[Any] = {case.key}
    for node in sorted(case.tape.results, key=lambda n: n.time) if case.tape else ():
        if any(e in leads for e in node.edges if e is not None):
            leads.add(node)
    return leads


def _loss_without_graph(case: Case) -> Reason:
    loss = case.loss
    assert loss is not None
    cuts = case.tape.flow.of(loss) if case.tape else []
    mine = _forward_of(case) if cuts else set()
    if cuts:
        cut = next((c for c in cuts if any(s in mine for s in c.sources)), cuts[0])
        return _cut(case, cut, "The loss has no graph: what it is computed from" if cut.op else "The loss")
    if loss.inference:
        return case.reason(Cause.INFERENCE_MODE, "The loss was computed under inference_mode, so it has no graph.")
    if not dtypes.is_floating(loss.dtype):
        return case.reason(Cause.NOT_DIFFERENTIABLE, f"The loss has dtype {loss.dtype}: counting and comparing have no derivative.")
    if loss.requires_grad:
        return case.reason(Cause.NOT_CONNECTED, "The loss is itself a leaf: it was made from numbers, not computed from "
                           f"{case.name}.")
    return case.reason(Cause.LOSS_WITHOUT_GRAPH, f"The loss has no graph: no gradient can get from it to {case.name}. It was computed under "
                       "no_grad, detached, made anew from numbers, or no tensor that went into it requires a gradient.")


def _not_connected(case: Case) -> Reason:
    """The loss has a graph, and the tensor is not in it."""
    name = case.name
    if case.tape is not None:
        mine, inside = _forward_of(case), set(case.nodes)
        for node in reversed(case.nodes):
            for cut in case.tape.flow.into.get(node, ()):
                if any(s in mine for s in cut.sources):
                    return _cut(case, cut, f"What came of {name} does reach the loss, but it")
        if other := _other_tensor(case) or _detached(case):
            return other
        uses = [n for n in case.tape.results if any(e is case.key for e in n.edges)]
        if not uses and not case.tape.flow.owners.get(id(namespaces[type(case.tensor.array)].owner(case.tensor.array))):
            return case.reason(Cause.UNUSED, f"No op on the tape used {name}: the module it belongs to did not run, or forward left it out.")
        last = max((n for n in mine if isinstance(n, Node) and n not in inside), key=lambda n: n.time, default=None)
        at = f" The last that came of it is {case.where(last)}, whose result never reaches the loss." if last is not None else ""
        return case.reason(Cause.NOT_CONNECTED, f"The loss was not computed from {name}.{at}")
    if other := _other_tensor(case) or _detached(case):
        return other
    return case.reason(Cause.NOT_CONNECTED, f"The loss was not computed from {name}: no way leads from the loss back to it.")


def _other_tensor(case: Case) -> Reason | None:
    """Another leaf of the graph in its place: on its memory, or of its name."""
    F = namespaces[type(case.tensor.array)]
    owner = F.owner(case.tensor.array)
    leaves = dict.fromkeys(e for n in case.nodes for e in n.edges if isinstance(e, Tensor))
    for leaf in leaves:
        if leaf is not case.tensor and type(leaf.array) is type(case.tensor.array) and F.owner(leaf.array) is owner:
            return case.reason(Cause.OTHER_TENSOR, f"The loss depends on another tensor with the same memory as {case.name} "
                               f"({case.labels(leaf)}, {shape_text(leaf.shape)}): wrapping a tensor anew, as Parameter(t) does, makes another leaf.")
    if case.model is not None and _is_parameter(case.tensor) and not any(t is case.tensor for t in case.names.values()):
        return case.reason(Cause.OTHER_TENSOR, f"The model no longer holds {case.name}: its parameters were replaced after this one was taken.")
    return None


def _detached(case: Case) -> Reason | None:
    """A node of the loss has the tensor's memory, as a constant."""
    F, kind = namespaces[type(case.tensor.array)], type(case.tensor.array)
    owner = F.owner(case.tensor.array)
    for node in case.nodes:
        result = case.tape.results.get(node) if case.tape else None
        arrays = [s for s in node.saved if is_array(s)] if node.saved is not FREED else []
        arrays += [t.array for t in result.inputs if t is not None] if result else []
        if any(type(a) is kind and F.owner(a) is owner for a in arrays):
            return case.reason(Cause.DETACHED, f"{case.where(node)} uses the memory of {case.name}, but as a constant: it was detached (detach(), "
                               ".data) before use.", op=case.labels(node), line=case.labels.line(node))
    return None


def _no_rule(case: Case) -> Reason:
    """The graph leads there, and still nothing comes."""
    user = next((n for n in case.nodes if any(e is case.key for e in n.edges)), None)
    at = case.where(user) if user is not None else "an op"
    return case.reason(Cause.NOT_DIFFERENTIABLE, f"The loss depends on {case.name}, but {at} has no backward rule for that input.")
