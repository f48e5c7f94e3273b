"""Where a gradient became zero: the ops that got one and passed none on, and why each did."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Any

from ... import backend
from ...activations import catalogue
from ...graph import FREED, PICK, Node
from ...ops.arithmetic import flat
from ..chain import slopes
from ..explaining.statements import constants
from ..values import host, largest, number, size, zeros
from ..watching.units import alive, saturated
from .case import Case
from .causes import Cause, Reason
from .probing import hinges_on, underflows

SELECTING = {"getitem", "gather", "index_select", "embedding", "max_dim", "min_dim", "amax", "amin", "max", "min", "select", "take", "topk", "sort",
             "split_sizes", "masked_select", "narrow", "median", "kthvalue", "max_pool", "max_unpool", "grid_sample", "cummax", "cummin"}
MASKING = {"where", "masked_fill", "clamp", "dropout", "tril", "triu", "put_view", "erase", "threshold", "clamp_min", "clamp_max", "maximum", "minimum", "fmax",
           "fmin", "diagonal"}
RECURRENT = {f"{name}_{kind}" for name in ("lstm", "gru", "rnn_tanh") for kind in ("layer", "cell")}     # gates, and steps, in one node
STEPS = {"round", "floor", "ceil", "trunc", "sign", "heaviside", "frac", "round_decimals", "floor_divide", "div_trunc", "sgn"}
EVEN = 1e-4                                      # of the largest gradient: so little apart counts as the same
Death = tuple[Node, int]


def deaths(case: Case, some: bool = False) -> list[Death]:
    """The ops that got a gradient and passed on zeros to what leads to the tensor; with `some`, that added many zeros."""
    chain, found = case.chain, []
    for node in chain.nodes:
        g = chain.gradient[node]
        if node.op is PICK or largest(g) == 0:
            continue
        for i, part in enumerate(chain.parts[node]):
            if part is None or not size(part):
                continue
            if largest(part) == 0 or (some and zeros(part) / size(part) >= 0.4 > zeros(g) / size(g)):
                found.append((node, i))
    return found


def tell(case: Case, found: list[Death], head: str) -> Reason:
    """The answer: the kind of most of them, told of the first of that kind."""
    kinds = [classify(case, node, i) for node, i in found[:50]]
    counts = Counter(cause for cause, _ in kinds)
    cause = max(counts, key=lambda c: (counts[c], -[k for k, _ in kinds].index(c)))
    place = [k for k, _ in kinds].index(cause)
    node = found[place][0]
    more = f" So it is at {counts[cause]} ops." if counts[cause] > 1 else ""
    rows = [{"op": case.labels(n), "layer": case.labels.layer(n), "line": case.labels.line(n), "cause": str(k)}
            for (n, _), (k, _) in zip(found[:20], kinds, strict=False)]
    return case.reason(cause, f"{head} {kinds[place][1]}{more} {case.hint()}".strip(), op=case.labels(node), layer=case.labels.layer(node),
                       line=case.labels.line(node), **({"ops": rows} if len(rows) > 1 else {}))


def classify(case: Case, node: Node, i: int) -> tuple[Cause, str]:
    """Why this op passed no gradient on to its input i, and in words."""
    name, at = node.op.name, case.where(node)
    g = case.chain.gradient[node]
    if _is_step(node, i):
        return Cause.STEP_FUNCTION, f"It dies at {at}: {name} is constant between its steps, so its derivative is 0."
    record = catalogue.get(name)
    if record is not None and not record.axis and getattr(node.op, "elementwise", False):
        return _activation(case, node, i, record, at)
    if name in MASKING:
        return Cause.MASKED, f"It dies at {at}: {name} puts other values in the place of its input there."
    if (factor := _zero_factor(case, node, i)) is not None:
        what, operand = factor
        return _product(case, node, at, what, operand)
    if (normal := normalised(node, g, at)) is not None:
        return normal
    if is_loss(node):
        return Cause.FLAT_POINT, f"It dies at {at}: {name} has slope 0 there, as at its least, where the outputs are what is wanted."
    if underflows(node, g, i):
        return Cause.UNDERFLOW, f"It dies at {at}: what comes in (at most {number(largest(g))}) is made too small for the element type."
    if name in SELECTING:
        return Cause.NOT_SELECTED, f"It dies at {at}: {name} takes other elements than these."
    if node.plan is None:                               # an op that is a whole function
        if isinstance(getattr(node.op, "function", None), type):
            return Cause.CUSTOM_RULE, f"It dies at {at}, whose own backward returns 0."
        return Cause.UNKNOWN, f"It dies inside {at}, whose parts are not in the graph: run it without checkpointing and ask again."
    local = f"what comes in is up to {number(largest(g))}, and its rule makes 0 of it."
    if node.op.name in RECURRENT:
        return Cause.SATURATED, f"It dies inside {at}: {local} Its gates or states are saturated at every step that leads there."
    if _sums_to_zero(case, node, i):
        return Cause.CANCELS, f"It dies at {at}: {local} The terms that it adds up cancel."
    return Cause.FLAT_POINT, f"It dies at {at}: {local} At these values {name} has slope 0."


def is_loss(node: Node) -> bool:
    """Was the op made by one of the modules of losses?"""
    made: Any = getattr(node.op, "forward", None)
    while isinstance(made, partial):
        made = next((a for a in made.args if callable(a)), made.func)
    return getattr(made, "__module__", "").endswith("loss")


def normalised(node: Node, g: Any, at: str) -> tuple[Cause, str] | None:
    """What an op that normalises does to a gradient that it makes (nearly) 0; None of other ops."""
    name = node.op.name
    if isinstance(g, list) or not ("softmax" in name or name.endswith("_norm")):
        return None
    values, dim = host(g), node.params.get("dim") if node.params else None
    spread = values.max(dim) - values.min(dim) if isinstance(dim, int) and values.ndim else values.max() - values.min()
    if float(spread.max()) <= EVEN * largest(g):
        return Cause.CANCELS, (f"It dies at {at}: what comes in is nearly the same for all elements that it normalises together, and its outputs always "
                               "add up to the same.")
    if "softmax" not in name:
        return None
    return Cause.SATURATED, (f"It dies at {at}, which is saturated: in each row where a gradient comes in, one output is 1 and the others are 0, or nearly, "
                             "and no small change of the inputs changes that.")


def _is_step(node: Node, i: int) -> bool:
    rules: Any = getattr(node.op, "rules", ())
    return node.op.name in STEPS or (i < len(rules) and rules[i] is not None and rules[i].function is flat)


def _activation(case: Case, node: Node, i: int, record: Any, at: str) -> tuple[Cause, str]:
    g = case.chain.gradient[node]
    local = host(slopes(node, i, g)) if node.saved is not FREED and node.plan is not None else None
    low, high = record.range or (-1.0, float("inf"))
    bounded = high < float("inf") and low > -float("inf")
    if local is None:
        cause = Cause.SATURATED if bounded else Cause.DEAD_UNITS
        return cause, f"It dies at {at}, where the slope of {record.name} is 0."
    flat_share = float(saturated(local, record).mean()) if local.size else 0.0
    moving = alive(local)
    dead, units = int((~moving).sum()), int(moving.size)
    if bounded:
        return Cause.SATURATED, (f"It dies at {at}: {flat_share:.0%} of its outputs are saturated, where the slope of {record.name} is below 1 % of its "
                                 f"largest (the steepest here is {number(float(abs(local).max()))}).")
    if dead:
        return Cause.DEAD_UNITS, f"It dies at {at}: {dead:,} of its {units:,} units have slope 0 for every example here, so they are dead."
    if flat_share >= 0.5:
        return Cause.SATURATED, f"It dies at {at}: {flat_share:.0%} of its outputs lie where {record.name} is nearly flat."
    if _underflows(node, i, g):
        return Cause.UNDERFLOW, f"It dies at {at}: the product of gradient (at most {number(largest(g))}) and slope is too small for its element type."
    return Cause.MASKED, f"It dies at {at}: where {record.name} has a slope, no gradient comes in."


def _zero_factor(case: Case, node: Node, i: int) -> tuple[str, Any] | None:
    """What the op multiplies by, if that is all zeros: its name, and the edge or array."""
    if node.saved is FREED or node.plan is None:
        return None
    saved = dict(zip(node.plan.sources, node.saved, strict=True)) if not node.op.variadic else {}
    for (k, attribute), value in saved.items():
        if attribute or k == i or k >= len(node.edges):
            continue
        edge = node.edges[k]
        if _is_zero(value) and hinges_on(node, case.chain.gradient[node], i, k):
            if backend.is_array(value) and value.dtype.kind == "b":
                return "a mask", "mask"
            return (case.labels(edge) if edge is not None else "a constant"), edge
    return ("a mask", "mask") if node.op.name == "mul" and _complementary(node, i, constants(node, case.labels)) else None


def _is_zero(value: Any) -> bool:
    if backend.is_array(value):
        return bool(value.size) and value.dtype.kind not in "iu" and largest(value) == 0
    return isinstance(value, (int, float)) and value == 0


def _complementary(node: Node, i: int, arrays: list[Any]) -> bool:
    """A factor of zeros and ones, zero wherever a gradient comes in."""
    return any(a is not None and k != i and set(host(a).reshape(-1).tolist()) <= {0.0, 1.0} for k, a in enumerate(arrays))


def _product(case: Case, node: Node, at: str, what: str, operand: Any) -> tuple[Cause, str]:
    if isinstance(operand, str):
        return Cause.MASKED, f"It dies at {at}: the mask it is multiplied by is 0 wherever a gradient comes in."
    if isinstance(operand, Node) and (maker := _activation_behind(operand)) is not None:
        return Cause.DEAD_UNITS, (f"It dies at {at}, which multiplies by {what}: all zeros, as {case.where(maker)} puts out nothing but 0: "
                                  "its units are dead.")
    return Cause.MULTIPLIED_BY_ZERO, f"It dies at {at}, which multiplies by {what}: every element of it is 0."


def _activation_behind(node: Node) -> Node | None:
    """The activation that made the value, past reshapes and the like."""
    for _ in range(4):
        if node.op.name in catalogue:
            return node
        if len(node.edges) != 1 or not isinstance(node.edges[0], Node):
            return None
        node = node.edges[0]
    return None


def _underflows(node: Node, i: int, g: Any) -> bool:
    """A gradient and a slope that are not zero, and a product that is."""
    if isinstance(g, list) or node.saved is FREED or node.plan is None or not getattr(node.op, "elementwise", False):
        return False
    local = slopes(node, i, g)
    return local is not None and bool(((host(g) != 0) & (host(local) != 0)).any())


def _sums_to_zero(case: Case, node: Node, i: int) -> bool:
    """The rule adds up terms that are not zero."""
    part = case.chain.parts[node][i]
    return not isinstance(part, list) and size(part) < size(case.chain.gradient[node])
