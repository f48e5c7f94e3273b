"""What is said of each thing in a picture: values, gradients, what rules keep, times, lines, as short text."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import backend
from ..activations import catalogue
from ..backend import is_array
from ..errors import ArgumentError, TinygradActError
from ..grad_mode import no_grad
from ..graph import FREED, Node, walk
from ..rule import parameters
from ..symbols.text import formula
from ..tensor import Tensor
from .chain import without_hooks
from .explaining.plain import readable
from .tape import Result, Sweep
from .values import host, shape_text

SHOW = ("values", "gradients", "norms", "saved", "time", "line")
WIDEST = 60                                      # of a line in a node, in characters


def chosen(show: Any) -> set[str]:
    """The names in `show`, a word or several."""
    if not isinstance(show, (str, list, tuple, set, frozenset)):
        raise ArgumentError("draw", f"show={show!r}", "it is a word, or several in a list", f"choose from {SHOW}, or 'all'")
    words = set(show.replace(",", " ").split() if isinstance(show, str) else show)
    if unknown := words - {*SHOW, "all"}:
        raise ArgumentError("draw", f"show={sorted(unknown)}", "there is nothing of that name to show", f"choose from {SHOW}, or 'all'")
    return set(SHOW) if "all" in words else words


@no_grad()
def sweep(outputs: Sequence[Tensor], nodes: Sequence[Node], gradients: bool) -> tuple[dict[Node, Result], dict[Node, Sweep], str]:
    """One pass back, for the picture alone: shapes (a gradient has that of its result) and, if asked, the gradients.

    Nothing is freed, no hook runs, no `.grad` changes. What prevents it comes back as text.
    """
    found: dict[Node, Result] = {}
    sweeps: dict[Node, Sweep] = {}
    seeds = {t.node: backend.namespaces[type(t.array)].ones_like(t.array) for t in outputs if t.node is not None}
    try:
        with without_hooks(nodes):
            for node, g, grads in walk(seeds, {}, retain_graph=True):
                if not isinstance(g, list):
                    found[node] = Result(tuple(g.shape), str(g.dtype))
                if gradients:
                    sweeps[node] = Sweep(g, tuple(grads))
    except TinygradActError as error:
        return found, sweeps, str(error)
    return found, sweeps, ""


def short(x: Any) -> str:
    """A number, a few numbers, or from where to where many go."""
    if x is None:
        return "none"
    a = host(x).reshape(-1)
    if a.size <= 4:
        inner = ", ".join(f"{v:.4g}" for v in a.tolist())
        return "empty" if not a.size else inner if a.size == 1 else f"[{inner}]"
    if (a == a[0]).all():
        return f"all {a[0]:.4g}"
    good = a[abs(a) < math.inf]
    bad = f", {a.size - good.size:,} not finite" if good.size < a.size else ""
    return f"{good.min():.3g} … {good.max():.3g}, mean {good.mean():.3g}{bad}" if good.size else f"{a.size:,}, none finite"


def uniform(x: Any) -> str:
    """`all 1` of numbers that are all the same; short ones in full; "" of others."""
    a = host(x).reshape(-1)
    if a.size > 1 and (a == a[0]).all():
        return f"all {a[0]:.4g}"
    return short(x) if 0 < a.size <= 4 else ""


def bytes_text(n: float) -> str:
    """`1.2 kB`."""
    for unit in ("B", "kB", "MB"):
        if n < 999.5:                            # which three digits would make 1e+03
            return f"{n:.3g} {unit}"
        n /= 1000
    return f"{n:.3g} GB" if n < 999.5 else f"{n:,.0f} GB"


def time_text(seconds: float) -> str:
    """`12 µs`."""
    for unit, factor in (("s", 1.0), ("ms", 1e3)):
        if seconds * factor >= 0.9995:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"


def cut(text: str, width: int = WIDEST) -> str:
    """Not longer than that."""
    return text if len(text) <= width else text[:width - 1].rstrip() + "…"


def line_text(line: str) -> str:
    """`train.py:12` of `/home/.../train.py:12 in step`."""
    place, _, function = line.partition(" in ")
    return f"{Path(place).name}" + (f" in {function}" if function and not function.startswith("<") else "")


def kept(node: Node) -> list[tuple[str, Any]]:
    """(name, array) of what the node keeps for its rules."""
    if node.saved is FREED:
        return []
    sources: Any = getattr(node.plan, "sources", None)
    labels = [*getattr(node.op, "inputs", ()), "y", *getattr(node.op, "aux", ())]
    found = []
    for i, value in enumerate(node.saved):
        at, attribute = sources[i] if sources else (-1, "")
        name = labels[at] if 0 <= at < len(labels) else f"saved {i}"
        parts = value if isinstance(value, tuple) else (value,)
        found += [(name if len(parts) == 1 else f"{name}[{j}]", a) for j, a in enumerate(parts)
                  if not attribute and is_array(a)]
    return found


def kept_text(node: Node) -> str:
    """`keeps x 32×10, y 32×10 (2.56 kB)`."""
    if node.saved is FREED:
        return "kept arrays are freed"
    arrays = kept(node)
    names = ", ".join(f"{name} {shape_text(a.shape)}" for name, a in arrays)
    return f"keeps {cut(names)} ({bytes_text(sum(a.nbytes for _, a in arrays))})" if arrays else "keeps nothing"


# ----------------------------------------------------------------------------------------------------- of the rules
def formula_of(node: Node) -> str:
    """An activation's formula as text, with the alternative rule it uses; "" for other ops."""
    record = catalogue.get(node.op.name)
    if record is None or record.forward is not getattr(node.op, "forward", None):
        return ""
    return readable(record.formula)


def derivative_of(node: Node) -> str:
    """Likewise its derivative."""
    return readable(catalogue[node.op.name].derivative) if formula_of(node) else ""


def alternative_of(node: Node) -> str:
    """The name of the rule that stands in for the op's own (see `study.rules`), "" for its own."""
    return getattr(node.op, "variant", "")


def in_brackets(op: Any) -> str:
    """The same, to put behind the op's name: ` [surrogate]`."""
    variant = getattr(op, "variant", "")
    return f" [{variant}]" if variant else ""


def rules_text(node: Node) -> list[str]:
    """A line for each input: what its rule makes of the incoming gradient g; or what a joint rule reads."""
    calls = getattr(node.plan, "calls", None)
    if calls is None:
        return ["a backward of the user's"]
    inputs: Any = getattr(node.op, "inputs", ())
    lines = []
    for i, rule, _, names in calls:
        live = [name for name, edge in zip(inputs, node.edges, strict=False) if edge is not None] or list(inputs)
        to = ", ".join(live) if i is None else inputs[i] if i < len(inputs) else inputs[-1]
        text = rule_formula(rule, {k: v for k, v in (node.params or {}).items() if k in names})
        if not text and i is not None and derivative_of(node) and not catalogue[node.op.name].axis and len(calls) == 1:
            text = "g·f′"
        if not text:
            reads = [n for n in parameters(rule)[0][2:] if not n.endswith(("_shape", "_dtype"))]
            text = f"from {', '.join(['g', *reads])}"
        lines.append(f"{to} ← {cut(text)}")
    if node.shapes is not None and getattr(node.op, "elementwise", False):
        lines.append("each summed to its input's shape")
    return lines


def rule_formula(rule: Callable[..., Any], settings: Mapping[str, Any]) -> str:
    """An elementwise rule as text, "" for one that is more than numbers can say, or too long."""
    try:
        text = formula(rule, **settings)
    except Exception:                            # it does with symbols what only arrays can
        return ""
    return text.replace(" * ", "·").replace(" - ", " − ").replace("<=", "≤").replace(">=", "≥") if len(text) <= WIDEST else ""


# ------------------------------------------------------------------------------------------------- of the gradients
class Gradients:
    """What is known of the gradients in a picture."""

    def __init__(self, sweeps: Mapping[Node, Sweep]) -> None:
        self.sweeps = sweeps
        self.leaves: dict[int, Any] = {}
        for node, done in sweeps.items():
            for edge, g in zip(node.edges, done.gradients, strict=False):
                if isinstance(edge, Tensor) and g is not None:
                    g, before = (g.array if isinstance(g, Tensor) else g), self.leaves.get(id(edge))
                    self.leaves[id(edge)] = g if before is None else before + g

    def of(self, x: Any) -> Any:
        """The gradient for a node's result or a leaf, None where there is none."""
        if isinstance(x, Tensor):
            return self.leaves.get(id(x))
        done = self.sweeps.get(x)
        if done is None:
            return None
        parts = [g for g in done.gradient if g is not None] if isinstance(done.gradient, list) else [done.gradient]
        return parts[0] if parts else None

    def part(self, node: Node, index: int) -> Any:
        """What the node's rule made for that input."""
        done = self.sweeps.get(node)
        return done.gradients[index] if done and index < len(done.gradients) else None


def value_of(x: Any, results: Mapping[Node, Result]) -> Any:
    """The array of a leaf, or of a node's result if a tape kept it."""
    if isinstance(x, Tensor):
        return x.array
    result = results.get(x)
    value = result.value if result else None
    return value[0] if isinstance(value, tuple) and value else value


def any_kept(results: Mapping[Node, Result]) -> bool:
    return any(result.value is not None for result in results.values())


