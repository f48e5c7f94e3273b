"""The chain rule worked out, with the numbers put in."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ... import backend
from ...errors import IndexingError
from ...graph import PICK, Node
from ...tensor import Tensor, wrap
from ..chain import Chain, one_hot, pull, slopes
from ..labels import Labels
from ..present import Formula, Page, Shown, Table, latex_name
from ..tape import Tape
from ..values import host, index_text, number, show, size, unravel
from .lines import Lines, in_numbers
from .paths import Paths, chain_to, take_apart
from .statements import Statement, forward_formula, saved_arrays, statement

ELEMENTS = 12                            # tensors of so many are worked out element by element
OUTPUTS = 64                             # so many rows of a Jacobian are computed to follow one element through an op
TERMS = 6                                # of a sum
STEPS = 40                               # of a long chain, the ends are shown
ROUTES = 8                               # paths told apart

Element = tuple[int, int]                # (which result, flat index)


@dataclass
class Line:
    """One element's part in a step: incoming gradient times local derivative, or a sum of such products."""

    place: str
    incoming: str
    local: Formula
    product: float


@dataclass
class Step:
    """What one node makes of the gradient for one of its inputs.

    `rule` and `local` are printed from the backward rule; `lines` has the elements, where they are few or one was chosen.
    """

    node: Node
    name: str
    input: str
    formula: Formula
    rule: Formula
    local: Formula | None
    gradient: Any                        # what came in
    value: Any                           # what goes to the input
    lines: list[Line] = field(default_factory=list)
    line: str = ""                       # the user's
    long: Lines | None = None            # where the local derivative takes several lines
    numbers: list[tuple[str, dict[str, float]]] = field(default_factory=list)         # by element, what it reads

    def table(self) -> Table | None:
        """A local derivative that takes several lines, with the numbers put in; None if it takes one."""
        if self.long is None:
            return None
        return self.long.table([place for place, _ in self.numbers], [values for _, values in self.numbers])

    def rows(self) -> list[Sequence[Any]]:
        """The step as rows of a table."""
        rule = self.long.short if self.long else self.local if self.local is not None else self.rule
        if not self.lines:
            return [(self.name, f"by {self.input}", show(self.gradient), rule, show(self.value))]
        rows: list[Sequence[Any]] = []
        for k, line in enumerate(self.lines):
            text = line.local
            if self.local is not None and rule.text != text.text:          # the formula once, the numbers in each row
                text = Formula(f"{rule.text if not k else ''} = {text.text}".strip(), f"{rule.latex if not k else ''} = {text.latex}".strip())
            rows.append((self.name if not k else "", f"by {self.input}{line.place}" if not k else line.place, line.incoming, text,
                         number(line.product)))
        return rows


class Explanation(Shown):
    """The gradient of a loss with respect to a tensor, worked out node by node.

    gradient   as a Tensor; `value` is its chosen element, or the only one, else None
    steps      from the loss back to the tensor
    paths      what each path between them contributed
    """

    def __init__(self, chain: Chain, wrt: Tensor, labels: Labels, at: tuple[int, ...] | None) -> None:
        self.target, self.loss, self.at = labels(wrt), labels(chain.root), at
        total = chain.of(wrt)
        self.gradient = wrap(total if backend.is_array(total) else backend.asarray(total))
        self.paths: Paths = take_apart(chain, wrt, labels, ROUTES)
        self.steps = list(_steps(chain, wrt, labels, at))
        self.sums = _sums(chain, labels)
        nodes = [n for n in reversed(chain.nodes) if n.op is not PICK]
        self.defined = [(labels(n), forward_formula(n, labels)) if isinstance(n, Node) else n for n in _ends(nodes)]

    @property
    def value(self) -> float | None:
        """The derivative by the chosen element."""
        if self.at is None and self.gradient.numel() != 1:
            return None
        return float(host(self.gradient)[self.at if self.at is not None else (0,) * self.gradient.ndim])

    def page(self) -> Page:
        """What is computed, the chain rule step by step, what was added up, and the paths."""
        what = f"∂{self.loss}/∂{self.target}{index_text(self.at or ())}"
        result = number(self.value, 6) if self.value is not None else show(self.gradient)
        page = Page(f"{what} = {result}")
        page.parts.append(Table(("", "computes"), list(self.defined), "Forward"))
        rows = [row for step in _ends(self.steps) for row in (step.rows() if isinstance(step, Step) else [(*step, "", "", "")])]
        page.parts.append(Table(("node", "", "gradient in", "times the local derivative, or by the rule", "gradient out"), rows,
                                "Backward, from the loss: each row is one link of the chain rule"))
        page.parts += _long_rules(self.steps)
        if self.sums:
            page.parts.append(Table(("into", "parts", "sum"), _ends(self.sums), "Added up, where a value is used more than once"))
        page.parts.append(self._chain())
        page.parts.append(self._table_of_paths())
        return page

    def _chain(self) -> Formula:
        """The chain rule in symbols: a product for each path."""
        products, texts = [], []
        for path in self.paths:
            if path.merged:
                continue
            names = [name.partition(" (as ")[0] for name in path.names]
            pairs = list(zip(names[1:], names[:-1], strict=True))[::-1]
            if len(pairs) > 12:
                continue
            texts.append(" · ".join(f"∂{a}/∂{b}" for a, b in pairs) or "1")
            products.append(r" \cdot ".join(rf"\frac{{\partial {latex_name(a)}}}{{\partial {latex_name(b)}}}" for a, b in pairs) or "1")
        rest = len(self.paths) - len(texts)
        more = [f"{rest} more" if texts else f"a sum over {self.paths.count:,} paths"] if rest else []
        left = rf"\frac{{\partial {latex_name(self.loss)}}}{{\partial {latex_name(self.target)}}}"
        right = " + ".join([*products, *[rf"\text{{{m}}}" for m in more]])
        return Formula(f"∂{self.loss}/∂{self.target} = " + "\n  + ".join([*texts, *more]), f"{left} = {right}")

    def _table_of_paths(self) -> Table:
        rows: list[Sequence[Any]] = [(p.way() + (f" ({p.merged})" if p.merged else ""), *self._part(p.value, p.share)) for p in self.paths]
        rows.append(("sum", *self._part(self.paths.sum(), sum(p.share for p in self.paths))))
        return Table(("path", "contribution", "share of the whole gradient" if self.at is None else "share"), rows, "Sum over paths", right=(2,))

    def _part(self, value: Tensor, share: float) -> tuple[str, str]:
        """What a path contributes, and its share: of the chosen element, else of the whole gradient."""
        if self.at is None:
            return show(value), f"{share:.1%}"
        picked = float(host(value)[self.at])
        return number(picked), f"{picked / self.value:.1%}" if self.value else ""


def explain(loss: Tensor, wrt: Tensor, *, at: int | Sequence[int] | None = None, names: Mapping[str, Tensor] | Any = None,
            tape: Tape | None = None, gradient: Any = None) -> Explanation:
    """Work out the gradient of `loss` with respect to `wrt` by the chain rule.

    Args:
        at: an index of `wrt`: follow that one element through every node. Without it, small tensors are worked out
            element by element and large ones in figures.
        names, tape: as for `study.Stepper`.

    For each node: its local derivative as its own backward rule has it, that with the numbers put in, the product with what
    came in, and the sums where a value is used more than once; at last the sum over paths. Of an op that is not
    elementwise the rule is shown as the operations it performs, and with `at` the products that it adds up.

    The result shows in a terminal (`print`), in a notebook, and as `.markdown()`, `.latex()`, `.html()`. The graph is
    kept, no `.grad` changes, and hooks are not run.

    Raises:
        GraphError: `loss` does not depend on `wrt`, or the graph was freed.
        IndexingError: `at` is no element of `wrt`.

    >>> x = ta.tensor([0.0, 1.0], requires_grad=True)
    >>> found = ta.study.explain((3 * x * x).sum(), x, at=1, names={"x": x})
    >>> found.value, len(found.paths)
    (6.0, 2)
    >>> [(step.name, step.input, step.local.text if step.local else step.rule.text) for step in found.steps]
    [('sum', 'mul_2', 'expand(g, shape=(2,))'), ('mul_2', 'mul_1', 'x'), ('mul_2', 'x', 'mul_1'), ('mul_1', 'x', '3')]
    """
    chain = chain_to(loss, wrt, gradient, "explain")
    place: tuple[int, ...] | None = None
    if at is not None:
        given = (at,) if isinstance(at, int) else tuple(at)
        if not all(isinstance(i, int) for i in given):
            raise IndexingError("explain", f"at={at!r}", "an element is named by whole numbers", "give an index for each axis")
        if len(given) != wrt.ndim or not all(-n <= i < n for i, n in zip(given, wrt.shape, strict=True)):
            raise IndexingError("explain", f"at={at!r} for a tensor of shape {wrt.shape}", "there is no such element",
                                "give an index for each axis")
        place = tuple(i % n for i, n in zip(given, wrt.shape, strict=True))
    return Explanation(chain, wrt, chain.labels(names, tape), place)


# -------------------------------------------------------------------------------------------------------- the steps
def _steps(chain: Chain, wrt: Tensor, labels: Labels, at: tuple[int, ...] | None) -> Iterator[Step]:
    """A step for each link, from the loss on. Of a long chain the middle is not worked out."""
    shown = chain.nodes if len(chain.nodes) <= STEPS else [*chain.nodes[:STEPS // 2], *chain.nodes[-STEPS // 2:]]
    focus = _follow(chain, wrt, at) if at is not None else {}
    for node in shown:
        for i, (edge, part) in enumerate(zip(node.edges, chain.parts[node], strict=False)):
            if edge is None or part is None or node.op is PICK:
                continue
            if at is not None and focus.get(edge) == set():                # not on the way of this element
                continue
            g = chain.gradient[node]
            said = statement(node, i, g, labels)
            step = Step(node, labels(node), said.input, forward_formula(node, labels), said.rule, said.local, g, part, line=labels.line(node), long=said.lines)
            wanted = focus.get(edge) if at is not None else None
            step.lines = _lines(step, said, i, labels, wanted, focus.get(node), at is not None)
            yield step


def _lines(step: Step, said: Statement, i: int, labels: Labels, inputs: set[Element] | None, outputs: set[Element] | None,
           chosen: bool) -> list[Line]:
    if chosen and not inputs:
        return []
    if step.local is not None and not isinstance(step.gradient, list):
        local = slopes(step.node, i, step.gradient)
        if local is not None and (chosen or size(step.gradient) <= ELEMENTS):
            return _element_lines(step, said, host(local), labels, outputs if chosen else None)
    if chosen and inputs and len(inputs) <= ELEMENTS:
        return _product_lines(step, i, inputs)
    return []


def _element_lines(step: Step, said: Statement, local: Any, labels: Labels, wanted: set[Element] | None) -> list[Line]:
    """Elementwise: a line for each wanted element of the result."""
    g = host(step.gradient)
    known = {k: host(v) for k, v in saved_arrays(step.node, labels).items() if backend.is_array(v)}
    lines = []
    flat = range(g.size) if wanted is None else sorted(k for _, k in wanted)[:ELEMENTS]
    for k in flat:
        place = unravel(k, g.shape)
        values = {name: float(v[_broadcast(place, v.shape)]) for name, v in known.items()}
        step.numbers.append((index_text(place), values))
        text = number(float(local[place]))
        if said.lines is not None:
            lines.append(Line(index_text(place), number(float(g[place])), Formula(text, text), float(g[place] * local[place])))
            continue
        put = in_numbers(said.expression, values) if said.expression is not None else None
        if put is not None and said.local is not None and put.text == said.local.text:        # a number already
            put = said.local
        elif put is not None and put.text != text:
            put = Formula(f"{put.text} = {text}", f"{put.latex} = {text}")
        else:
            put = Formula(text, text)
        lines.append(Line(index_text(place), number(float(g[place])), put, float(g[place] * local[place])))
    return lines


def _product_lines(step: Step, i: int, inputs: set[Element]) -> list[Line]:
    """Any other op: for each wanted element of the input, the products that its rule adds up."""
    rows = _jacobian(step.node, i, step.gradient)
    if rows is None:
        return []
    g = {(r, k): float(v) for r, part in enumerate(_as_list(step.gradient)) if part is not None
         for k, v in enumerate(host(part).reshape(-1))}
    lines = []
    for r, k in sorted(inputs):
        if r:
            continue
        terms = [(g[out], float(row[k])) for out, row in rows.items() if row[k] != 0]
        text = " + ".join(f"{_factor(a)}·{_factor(b)}" for a, b in terms[:TERMS]) or "0"
        text += f" + … {len(terms) - TERMS} more" if len(terms) > TERMS else ""
        shape = step.value.shape if not isinstance(step.value, list) else ()
        lines.append(Line(index_text(unravel(k, shape)), "", Formula(text, text.replace("·", r" \cdot ").replace("…", r"\ldots")),
                          math.fsum(a * b for a, b in terms)))
    return lines


def _factor(x: float) -> str:
    return f"({number(x)})" if x < 0 else number(x)


def _as_list(g: Any) -> list[Any]:
    return list(g) if isinstance(g, (list, tuple)) else [g]


def _jacobian(node: Node, i: int, g: Any) -> dict[Element, Any] | None:
    """By element of the result, the derivatives with respect to input i, flat; None if there are too many."""
    parts = _as_list(g)
    if size(g) > OUTPUTS:
        return None
    rows: dict[Element, Any] = {}
    for r, part in enumerate(parts):
        for k in range(math.prod(part.shape) if part is not None else 0):
            hot = one_hot(part, k)
            row = pull(node, hot if not isinstance(g, (list, tuple)) else [hot if s == r else None for s in range(len(parts))], i)
            if row is None or isinstance(row, list):
                return None
            rows[r, k] = host(row).reshape(-1)
    return rows


def _long_rules(steps: Sequence[Step]) -> list[Any]:
    """The local derivatives that take several lines; without numbers once for each op."""
    parts: list[Any] = []
    seen: set[str] = set()
    for step in steps:
        if step.long is None or (not step.numbers and step.node.op.name in seen):
            continue
        parts.append(step.table())
        seen.add(step.node.op.name)
    return parts


def _follow(chain: Chain, wrt: Tensor, at: tuple[int, ...]) -> dict[Any, set[Element]]:
    """For each node, the elements of its results on which element `at` of `wrt` has an effect, if any; missing if they were not found."""
    focus: dict[Any, set[Element]] = {wrt.node or wrt: {(0, _ravel(at, wrt.shape))}}
    for node in reversed(chain.nodes):
        reached: set[Element] | None = set()
        for i, (edge, part) in enumerate(zip(node.edges, chain.parts[node], strict=False)):
            if edge is None or part is None or reached is None:
                continue
            found = _reached(node, i, chain.gradient[node], part, focus.get(edge))
            reached = None if found is None else reached | found
        if reached is not None:
            focus[node] = focus.get(node, set()) | reached
    return focus


def _reached(node: Node, i: int, g: Any, part: Any, inputs: set[Element] | None) -> set[Element] | None:
    if not inputs:
        return inputs
    if node.op is PICK:
        return {(0, k) for r, k in inputs if r == node.params["index"]}
    if getattr(node.op, "elementwise", False) and not isinstance(g, list):
        if math.prod(g.shape) > 100 * ELEMENTS and part.shape != g.shape:
            return None
        if part.shape == g.shape:
            return set(inputs)
        return {(0, k) for k in range(math.prod(g.shape))
                if (0, _ravel(_broadcast(unravel(k, g.shape), part.shape), part.shape)) in inputs}
    rows = _jacobian(node, i, g)
    if rows is None:
        return None
    return {out for out, row in rows.items() if any(row[k] != 0 for r, k in inputs if not r)}


def _sums(chain: Chain, labels: Labels) -> list[tuple[str, str, str]]:
    """What was added up: (into, the parts, the sum)."""
    found = []
    for edge, uses in chain.consumers.items():
        if len(uses) > 1 and all(node.op is not PICK for node, _ in uses):
            parts = [chain.parts[node][i] for node, i in uses]
            text = " + ".join(f"{show(p, 4)} ({labels(n)})" for p, (n, _) in zip(parts[:TERMS], uses, strict=False))
            total = chain.gradient.get(edge, chain.total.get(edge))
            found.append((labels(edge), text + (f" + … {len(parts) - TERMS} more" if len(parts) > TERMS else ""), show(total)))
    return found


def _ends(rows: Sequence[Any]) -> list[Any]:
    """All rows, or of very many those at both ends with a word between."""
    if len(rows) <= STEPS:
        return list(rows)
    width = len(rows[0]) if isinstance(rows[0], tuple) else 2
    return [*rows[:STEPS // 2], (f"… {len(rows) - STEPS:,} more …", *[""] * (width - 1)), *rows[-(STEPS // 2):]]


def _ravel(place: Sequence[int], shape: Sequence[int]) -> int:
    k = 0
    for i, n in zip(place, shape, strict=True):
        k = k * n + i
    return k


def _broadcast(place: Sequence[int], shape: Sequence[int]) -> tuple[int, ...]:
    """The element of an array of `shape` that stands at `place` of what it was broadcast to."""
    lead = len(place) - len(shape)
    return tuple(i if n > 1 else 0 for i, n in zip(place[lead:], shape, strict=True))
