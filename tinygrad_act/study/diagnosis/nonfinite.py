"""Where the first NaN or infinity came up: in the data, going forward, or on the way back."""

from __future__ import annotations

import math
from typing import Any

from ... import backend
from ...dtypes import is_half
from ...graph import FREED, PICK, Node
from ...tensor import Tensor
from ..chain import slopes
from ..values import finite, host, largest, show
from .case import Case
from .causes import Cause, Reason
from .deaths import MASKING

SINGULAR = {"log", "log2", "log10", "log1p", "div", "reciprocal", "rsqrt", "sqrt", "pow", "xlogy", "atanh", "logit", "acos", "asin"}


def not_finite(case: Case, g: Any) -> Reason:
    """Where the first NaN or infinity came up: going forward, or on the way back."""
    return bad_forward(case) or _bad_backward(case) or _bad_unknown(case, g)


def masks(x: Any) -> bool:
    """Is it -inf and nothing worse: what a mask puts where attention shall not look?"""
    values = host(x)
    return bool(((abs(values) < math.inf) | (values == -math.inf)).all())


def bad_forward(case: Case) -> Reason | None:
    """The first value that is not finite, but for the -inf of masks."""
    deliberate: dict[int, Any] = {}                      # by id: arrays with -inf that somebody put there
    for node, value, inputs in case.values():
        for edge, x in zip(node.edges, inputs, strict=True):
            if x is None or not backend.is_array(x) or isinstance(edge, Node) or finite(x):
                continue
            learned = isinstance(edge, Tensor) and (edge is case.tensor or any(edge is t for t in case.names.values()))
            if learned or not masks(x):
                return _spoilt(case, node, edge, x, learned)
            deliberate[id(x)] = x
        if value is None or finite(value):
            continue
        masked = any(id(x) in deliberate for x in inputs)
        if not isinstance(value, tuple) and masks(value) and (masked or is_mask(node)):
            deliberate[id(value)] = value
        elif all(finite(x) or id(x) in deliberate for x in inputs if backend.is_array(x)):
            return _born(case, node, value, inputs, masked)
    return None


def is_mask(edge: Any) -> bool:
    """Is it an op that puts other values in the place of its input's?"""
    return isinstance(edge, Node) and (edge.op.name in MASKING or "fill" in edge.op.name)


def _spoilt(case: Case, node: Node, edge: Any, x: Any, learned: bool) -> Reason:
    """It was there before anything was computed."""
    what = case.labels(edge) if isinstance(edge, Tensor) else "A constant"
    if isinstance(edge, Tensor):                         # leaf, leaf_2: no name of the user's
        named = any(t is edge for t in case.labels.names.values())
        what = f"The leaf {what}" if named else "The tensor itself" if edge is case.tensor else "A leaf without a name"
    return case.reason(Cause.NAN_IN_PARAMETER if learned else Cause.NAN_IN_DATA, f"{what} holds NaN or infinity before anything is computed: "
                       f"{show(x, 0)}. It goes into {case.where(node)}.", op=case.labels(node), line=case.labels.line(node))


def _born(case: Case, node: Node, value: Any, inputs: list[Any], masked: bool) -> Reason:
    """This op made it."""
    given = [(n, x) for n, x in zip(getattr(node.op, "inputs", ()), inputs, strict=False) if x is not None]
    left = nothing_left(node, given, masked or any(map(is_mask, node.edges)))
    if left:
        cause, text = Cause.NOTHING_LEFT, f"{case.where(node)} made the first NaN going forward: {left}."
    else:
        cause = Cause.OVERFLOW if _overflows(node, value, given) else Cause.NAN_IN_FORWARD
        place = f"{case.where(node)} made" if len(given) == len(inputs) else f"At or just before {case.where(node)} came up"
        read = "; ".join(f"{n} = {show(x, 4)}" for n, x in given if backend.is_array(x))
        text = f"{place} the first NaN or infinity going forward: {show(value, 4)}{', from ' + read if read else ''}."
    return case.reason(cause, f"{text} {case.hint()}".strip(), op=case.labels(node), line=case.labels.line(node))


def nothing_left(node: Node, given: list[tuple[str, Any]], masked: bool) -> str:
    """In words, if the op was left with nothing to work on: every target ignored, a row masked out, a mean of no elements."""
    params, arrays = node.params or {}, {n: x for n, x in given if backend.is_array(x)}
    target = arrays.get("target")
    if "ignore_index" in params and target is not None and bool((host(target) == params["ignore_index"]).all()):
        return f"every target is ignore_index ({params['ignore_index']}), and the mean of nothing is 0/0"
    if masked and ("softmax" in node.op.name or "attention" in node.op.name):
        return "a whole row is masked with -inf, and the softmax of nothing is 0/0"
    if "attention" in node.op.name and any(x.dtype.kind == "b" and not host(x).any(-1).all() for x in arrays.values() if x.ndim):
        return "a query may look at no key at all, and the softmax of nothing is 0/0"
    if node.op.name in ("std", "var", "std_mean", "var_mean") and params.get("correction"):
        return f"a spread with correction={params['correction']} needs more than {params['correction']} elements in each row, or it is 0/0"
    if node.op.name in ("mean", "nanmean") and any(not x.size for x in arrays.values()):
        return "the mean of an empty tensor is 0/0"
    return ""


def _overflows(node: Node, value: Any, given: list[tuple[str, Any]]) -> bool:
    """Infinite because the numbers are too large, not because the function has a pole there."""
    values = [host(v) for v in (value if isinstance(value, tuple) else (value,)) if v is not None]
    if any((v != v).any() for v in values):
        return False
    return node.op.name not in SINGULAR or not any((host(x) == 0).any() for _, x in given if backend.is_array(x))


def _bad_backward(case: Case) -> Reason | None:
    chain = case.chain
    for node in chain.nodes if chain is not None else ():
        if node.op is PICK or not finite(chain.gradient[node]):
            continue
        for i, part in enumerate(chain.parts[node]):
            if part is None or finite(part):
                continue
            g = chain.gradient[node]
            kept = "; ".join(f"{show(s, 4)}" for s in node.saved if backend.is_array(s)) if node.saved is not FREED else ""
            half = any(is_half(p.dtype) for p in (g if isinstance(g, list) else [g]) if p is not None)
            nan = any((host(p) != host(p)).any() for p in (part if isinstance(part, list) else [part]) if p is not None)
            if (half or largest(g) > 1e30) and not nan and not _infinite_slope(node, i, g):
                return case.reason(Cause.OVERFLOW, f"Going back, {case.where(node)} makes of the gradient {show(g, 4)} one that is too large for "
                                   f"its element type: {show(part, 4)}.", op=case.labels(node), line=case.labels.line(node))
            return case.reason(Cause.NAN_IN_BACKWARD, f"The values are finite, but going back {case.where(node)} makes of the gradient {show(g, 4)} "
                               f"the first NaN or infinity: {show(part, 4)}" + (f"; its rule read {kept}." if kept else ".") +
                               (f" {case.hint()}" if case.hint() else ""), op=case.labels(node), line=case.labels.line(node))
    return None


def _infinite_slope(node: Node, i: int, g: Any) -> bool:
    if not getattr(node.op, "elementwise", False) or node.saved is FREED or isinstance(g, list):
        return False
    local = slopes(node, i, g)
    return local is not None and not finite(local)


def _bad_unknown(case: Case, g: Any) -> Reason:
    if not finite(case.tensor):
        return case.reason(Cause.NAN_IN_PARAMETER, f"{case.name} itself holds NaN or infinity: {show(case.tensor, 0)}.")
    return case.reason(Cause.UNKNOWN, f"The gradient of {case.name} is not finite ({show(g, 0)}). "
                       "Where that began can be seen in the graph before it is freed: pass loss= with backward(retain_graph=True), or run forward and "
                       "backward inside study.Tape(values=True, gradients=True) and pass tape=.")
