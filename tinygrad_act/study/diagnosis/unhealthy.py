"""Why a gradient that is there is zero, not finite, tiny or huge."""

from __future__ import annotations

import math
from typing import Any

from ... import backend
from ...graph import FREED, Node
from ..chain import plus
from ..values import finite, host, largest, norm, number, show, size, zeros
from .case import Case
from .causes import Cause, Reason
from .deaths import classify, deaths, is_loss, normalised, tell
from .nonfinite import bad_forward, not_finite

HUGE = 1e3                               # largest element
TINY = 1e-4                              # of the largest gradient on the way
VERY_SMALL = 1e-6                        # or of any element, by itself
NEARLY = 1e-6                            # of the sum of absolute values, for what cancels
MOVING = {"cat", "stack", "split_sizes", "getitem", "select", "permute", "reshape", "narrow", "unbind", "chunk", "expand", "pick", "flip"}
ATTAINED = 1e-3                          # a loss that is nearly at its least
BLAME = 0.6                              # one op is to blame if so much of the shrinking or growing is its own


def present(case: Case, g: Any) -> Reason:
    """The answer for a gradient that is there."""
    if not size(g):
        return case.reason(Cause.EMPTY, f"{case.name} has no elements.")
    if not finite(g):
        return not_finite(case, g)
    if case.loss is not None and not finite(case.loss) and (found := bad_forward(case)):
        return found
    if case.chain is not None and (found := _differs(case, g)):
        return found
    if largest(g) == 0:
        return zero(case, g)
    top = largest(g)
    way = case.spine()
    reference = max([passed for *_, passed in way[:-1]], default=way[0][2] if way else 0.0)      # after the loss's own mean
    if top < VERY_SMALL or (reference and top < TINY * reference):
        return tiny(case, g, way, reference)
    if top > HUGE:
        return huge(case, g, way)
    if 2 * zeros(g) >= size(g):
        return mostly_zero(case, g)
    return case.reason(Cause.HEALTHY, f"The gradient of {case.name} looks as it should: {show(g)}.", norm=number(norm(g)),
                       zeros=f"{zeros(g):,} of {size(g):,}")


def _differs(case: Case, g: Any) -> Reason | None:
    """Is what stands in .grad not what the graph gives?"""
    ours = case.chain.total.get(case.key)
    if ours is None or not finite(ours) or largest(ours) == 0:
        return None
    a, b = host(g), host(ours)
    if largest(g) == 0:
        if case.tensor.hooks or case.chain.hooked:
            return case.reason(Cause.HOOK, f"The rules give {case.name} the gradient {show(ours)}, but a hook on the way made it 0.")
        return case.reason(Cause.ZEROED, f"The graph gives {case.name} the gradient {show(ours)}, but its .grad holds zeros: "
                           "zero_grad(set_to_none=False) ran after backward, or backward did not run since.")
    times = float((a * b).sum() / (b * b).sum())
    if round(times) >= 2 and abs(a - round(times) * b).max() <= 1e-3 * abs(a).max():
        return case.reason(Cause.ACCUMULATED, f".grad of {case.name} is {round(times)} times what one backward pass gives: it was added up over "
                           "several passes.", passes=round(times), one_pass=show(ours))
    return None


# ----------------------------------------------------------------------------------------------------------- zero
def zero(case: Case, g: Any) -> Reason:
    """Every element is 0: where the gradient died on its way."""
    chain = case.chain
    if chain is None:
        return case.reason(Cause.UNKNOWN, f"All {size(g):,} elements of the gradient of {case.name} are 0. Where it died can be seen in the "
                           "graph before it is freed: pass loss= with backward(retain_graph=True), or run forward and backward inside "
                           "study.Tape(gradients=True) and pass tape=.")
    if largest(chain.gradient.get(chain.root)) == 0:
        return case.reason(Cause.ZERO_LOSS_GRADIENT, f"The gradient that backward starts with is 0: nothing can reach {case.name}.")
    found = deaths(case)
    if not found:
        return _cancelled(case) or case.reason(Cause.UNKNOWN, f"The gradient of {case.name} is 0, and no single op made it so.")
    return tell(case, found, f"All {size(g):,} elements of the gradient of {case.name} are 0.")


def _cancelled(case: Case) -> Reason | None:
    """Parts that are not zero and add up to it."""
    chain = case.chain
    for edge, uses in chain.consumers.items():
        parts = [chain.parts[n][i] for n, i in uses]
        total: Any = None
        for part in parts:
            total = plus(total, part)
        top = max(largest(p) for p in parts)
        if len(parts) > 1 and top > 0 and largest(total) <= NEARLY * top:
            return case.reason(Cause.CANCELS, f"What comes to {case.labels(edge)} by {len(parts)} ways adds up to 0 (the largest part is {number(top)}).",
                               ways=", ".join(case.labels(n) for n, _ in uses))
    return None


def mostly_zero(case: Case, g: Any) -> Reason:
    """Half of the elements or more are 0."""
    share = f"{zeros(g):,} of the {size(g):,} elements of the gradient of {case.name} are 0."
    found = deaths(case, some=True) if case.chain is not None else []
    if not found:
        return case.reason(Cause.HEALTHY, f"{share} The rest is {show(g, 4)}." + (" Pass loss= or a tape to see why." if case.chain is None else ""),
                           zeros=f"{zeros(g):,} of {size(g):,}")
    return tell(case, found, share)


# ------------------------------------------------------------------------------------------------- tiny and huge
def tiny(case: Case, g: Any, way: list[tuple[Node, int, float, float]], reference: float) -> Reason:
    """Much smaller than on the way."""
    head = f"The gradient of {case.name} is tiny: at most {number(largest(g))}" + (f", where it was {number(reference)} on the way." if way else ".")
    if not way:
        return case.reason(Cause.VANISHING, f"{head} Pass loss= with backward(retain_graph=True), or a Tape(gradients=True), to see on which layers.")
    if found := _sum_cancels(case, way):
        return found
    table = _table(case, way)
    node, i, share = _culprit(way, shrinking=True)
    if share >= BLAME and not node.op.name.endswith("_layer"):      # those are many steps in one node
        if found := _by_normalising(case, node, head, _times(way, node), table):
            return found
        if is_loss(node) and case.loss is not None and largest(case.loss) <= ATTAINED:
            return case.reason(Cause.FLAT_POINT, f"{head} {case.where(node)} is nearly at its least, as the outputs are nearly what is wanted: the loss is "
                               f"{number(largest(case.loss))}.", layers=table)
        cause, text = classify(case, node, i)
        if cause in (Cause.SATURATED, Cause.DEAD_UNITS):
            return case.reason(cause, f"{head} {text}", layers=table)
        return case.reason(Cause.SCALED_DOWN, f"{head} Most of that is done by {case.where(node)}, which makes it {_times(way, node)} smaller.", layers=table)
    worst = [w for w in way if 0 < w[3] < w[2]]
    return case.reason(Cause.VANISHING, f"{head} It shrinks at {len(worst)} of the {len(way)} ops on its way, through "
                       f"{_layers(case, worst)}: a product of many factors below 1.", layers=table)


def _by_normalising(case: Case, node: Node, head: str, times: str, table: list[dict[str, str]]) -> Reason | None:
    """The answer where an op that normalises took the gradient away."""
    found = normalised(node, case.chain.gradient[node], case.where(node))
    if found is not None:
        return case.reason(found[0], f"{head} {found[1]}", layers=table)
    if getattr(node.op, "elementwise", False) or not any(word in node.op.name for word in ("norm", "std", "var")):
        return None
    return case.reason(Cause.CANCELS, f"{head} {case.where(node)} makes it {times} smaller: what comes in would shift or scale all that it normalises "
                       "together, and its outputs stay the same then.", layers=table)


def _sum_cancels(case: Case, way: list[tuple[Node, int, float, float]]) -> Reason | None:
    """A gradient that is summed over the batch, and whose terms cancel but for rounding."""
    node, i, _, out = way[-1]
    g = case.chain.gradient[node]
    if isinstance(g, list):
        return None
    values, target = abs(host(g)), host(case.chain.parts[node][i])
    if target.size < values.size and node.op.name in ("linear", "add", "sub", "expand", "sum_to", "conv1d", "conv2d", "conv3d", "addmm") and \
            target.ndim <= 1 and out <= NEARLY * 10 * float(values.sum() / max(target.size, 1)) and float(values.sum()) > 0:
        return case.reason(Cause.CANCELS, f"The gradient of {case.name} is 0 but for rounding ({number(out)}): what comes to {case.where(node)} adds up to "
                           f"nothing over the batch, though its terms are up to {number(float(values.max()))}.")
    return None


def huge(case: Case, g: Any, way: list[tuple[Node, int, float, float]]) -> Reason:
    """Larger than any learning rate bears."""
    head = f"The gradient of {case.name} is huge: up to {number(largest(g))}."
    if not way:
        return case.reason(Cause.EXPLODING, f"{head} Pass loss= with backward(retain_graph=True), or a Tape(gradients=True), to see on which layers.")
    table = _table(case, way)
    node, i, share = _culprit(way, shrinking=False)
    growing = [w for w in way if w[3] > 1.1 * w[2]]
    computed = node is way[-1][0] and sum(isinstance(e, Node) for e in node.edges) > 0      # what it multiplies by grew on the way too
    if len(growing) <= 2 or (share >= BLAME and not computed):
        if getattr(node.op, "elementwise", False) and node.op.name not in ("mul", "square") and node.saved is not FREED:
            return case.reason(Cause.STEEP, f"{head} Most of that is done by {case.where(node)}, whose derivative is large there: it makes the gradient "
                               f"{_times(way, node)} larger.", layers=table)
        if grown := _grown(case, node, i):
            return case.reason(Cause.EXPLODING, f"{head} Most of that is done by {case.where(node)}, which multiplies by values that grew on their way "
                               f"forward, {grown}: a product of many factors above 1.", layers=table)
        return case.reason(Cause.LARGE_VALUES, f"{head} Most of that is done by {case.where(node)}, which multiplies by large numbers ({_operands(case, node)}) "
                           "or adds up many.", layers=table)
    return case.reason(Cause.EXPLODING, f"{head} It grows at {len(growing)} of the {len(way)} ops on its way, through {_layers(case, growing)}: a product of many "
                       "factors above 1.", layers=table)


def _grown(case: Case, node: Node, i: int) -> str:
    """How the largest value that the op multiplies by came to be, if step by step; "" if at one op, or if the data are large."""
    tops = {n: largest(value) for n, value, _ in case.values() if value is not None and finite(value)}
    at: Any = max((e for k, e in enumerate(node.edges) if k != i and e in tops), key=lambda e: tops[e], default=None)
    growth, end, start = [0.0], tops.get(at, 0.0) if at else 0.0, 0.0
    while at is not None:
        start = tops[at]
        source = max((e for e in at.edges if e in tops), key=lambda e: tops[e], default=None)
        if source is not None and 0 < tops[source] < start:
            growth.append(math.log(start / tops[source]))
        at = source
    if sum(s > math.log(1.1) for s in growth) < 3 or max(growth) >= BLAME * sum(growth):
        return ""
    return f"from {number(start)} to {number(end)} at {len(growth) - 1} ops"


def _operands(case: Case, node: Node) -> str:
    if node.saved is FREED:
        return "no longer kept"
    tops = [number(largest(s)) for s in node.saved if backend.is_array(s)]
    return "up to " + ", ".join(tops) if tops else f"{len(node.edges)} inputs"


def _culprit(way: list[tuple[Node, int, float, float]], *, shrinking: bool) -> tuple[Node, int, float]:
    """The op that did most of it, and what share of the shrinking (or growing) that is, by logarithms."""
    steps: list[tuple[float, Node, int]] = []
    for node, i, before, after in way:
        change = math.log(after / before) if before > 0 and after > 0 and node.op.name != "mean" else 0.0
        done = max(-change if shrinking else change, 0.0)
        if steps and node.op.name in MOVING:            # it takes a part of what the op before it passed on
            steps[-1] = steps[-1][0] + done, *steps[-1][1:]
        else:
            steps.append((done, node, i))
    whole = sum(s for s, _, _ in steps)
    most = max(steps, key=lambda s: s[0])
    return most[1], most[2], most[0] / whole if whole else 0.0


def _times(way: list[tuple[Node, int, float, float]], node: Node) -> str:
    before, after = next((b, a) for n, _, b, a in way if n is node)
    ratio = max(before, after) / max(min(before, after), 1e-300)
    return f"{number(ratio, 3)} times"


def _layers(case: Case, steps: list[tuple[Node, int, float, float]]) -> str:
    names = list(dict.fromkeys((case.labels.layer(n) or case.labels(n)).removeprefix("after ") for n, *_ in steps))
    return ", ".join(names) if len(names) <= 6 else f"{', '.join(names[:3])}, … , {', '.join(names[-2:])} ({len(names)} of them)"


def _table(case: Case, way: list[tuple[Node, int, float, float]]) -> list[dict[str, str]]:
    """The way from the loss, a row an op."""
    rows = [{"op": case.labels(n), "layer": case.labels.layer(n), "largest gradient in": number(a), "passed on": number(b),
             "factor": number(b / a, 3) if a else ""} for n, _, a, b in way]
    return rows if len(rows) <= 40 else [*rows[:20], dict.fromkeys(rows[0], "…"), *rows[-20:]]
