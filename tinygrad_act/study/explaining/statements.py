"""What a node's rules say, read off the rules themselves.

An elementwise rule is run on symbols, and so gives its text, its derivative (the rule with g = 1) and that with numbers
put in. Any other rule is run on Tensors while a watcher writes down the ops it calls (`writer.py`). There is no second
text to go wrong.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ... import backend
from ...errors import PACKAGE, TinygradActError
from ...graph import FREED, PICK, Node
from ...op import NUMBERS
from ...symbols.expression import Symbol, symbol, trace, unique
from ...symbols.text import infix
from ..labels import Labels
from ..present import Formula, latex_name, latex_text
from ..values import number
from .lines import CHARACTERS, Lines, as_formula, linear, lines_of
from .writer import recorded

UNREADABLE = (TinygradActError, AttributeError, TypeError, ValueError, IndexError)      # a rule on what it was not written for
Source = tuple[int, str]


@dataclass(frozen=True)
class Statement:
    """Of one input of a node: what its rule makes of the incoming gradient g, where the rule is written, and, of an
    elementwise op, the local derivative, as a formula and as an expression for numbers; `lines` if it takes several."""

    input: str
    rule: Formula
    local: Formula | None = None
    expression: Symbol | None = None
    source: str = ""
    lines: Lines | None = None


def statement(node: Node, i: int, g: Any, labels: Labels) -> Statement:
    """The rule of the node for its input `i`, as text; g is a gradient like the one that came in."""
    name = input_names(node, labels)[i]
    if node.op is PICK:
        return Statement(name, words(f"g, in place {node.params['index']} of the results"))
    if node.saved is FREED:
        return Statement(name, words("the arrays it reads were freed"))
    if node.plan is None:
        return Statement(name, words(f"the backward of {node.op.name}, run as it is written"))
    rule = node.op.joint or (node.op.rules[i] if i < len(node.op.rules) else None)
    if rule is None:
        return Statement(name, words("none: no gradient passes"))
    needs = tuple(k == i for k in range(len(node.edges)))
    params = {k: needs if k == "needs" else node.params[k] for k in rule.params}
    place, source = (i if node.op.joint else None), place_of(rule.function)
    if node.op.elementwise:
        try:
            return _elementwise(node, i, name, rule, params, place, labels, source)
        except UNREADABLE:
            pass                         # it calls what works on whole arrays
    named = [(source_name(node, at, labels), value) for at, value in _values(node, rule.sources)]
    text = recorded(rule.function, g, named, params, place, aux=_aux(node, rule.sources))
    if text is None or len(text) > CHARACTERS:
        reads = ", ".join(["g", *[name for (name, _) in named]])
        text = f"{node.op.name}_backward({reads}), written at {source}"
    return Statement(name, Formula(text, rf"\texttt{{{latex_text(text)}}}"), source=source)


def forward_formula(node: Node, labels: Labels) -> Formula:
    """What the node computes, in the names of its inputs: `tanh(x)`, or the op with its inputs where that is no formula."""
    inputs, op = input_names(node, labels), node.op
    if op is PICK:
        return Formula(f"result {node.params['index']} of {inputs[0]}", rf"{latex_name(inputs[0])}_{{{node.params['index']}}}")
    if getattr(op, "elementwise", False):
        try:
            known = numbers(node, labels)
            arguments = [Symbol.input(n, "float64") if k is None else k for n, k in zip(inputs, known, strict=True)]
            formula = as_formula(symbol(trace(op.forward, arguments, dict(node.params or {}))[0]))
            if formula is not None and len(formula.text) <= 60:
                return formula
        except UNREADABLE:
            pass
    settings = [f"{k}={v}" for k, v in (node.params or {}).items() if isinstance(v, (int, float, str)) and v is not False]
    arguments_ = ", ".join(map(latex_name, inputs))
    return Formula(f"{op.name}({', '.join([*inputs, *settings])})", rf"\operatorname{{{latex_text(op.name)}}}({arguments_})")


def saved_arrays(node: Node, labels: Labels) -> dict[str, Any]:
    """What the node keeps for its rules, by name; its own result goes by the node's."""
    if node.saved is FREED or node.op is PICK:
        return {}
    if node.plan is None:
        return {f"saved {i}": s for i, s in enumerate(node.saved)}
    return {source_name(node, at, labels): value for at, value in zip(node.plan.sources, node.saved, strict=True)}


def input_names(node: Node, labels: Labels) -> list[str]:
    """What the inputs are called: by the edge; a number by itself; a constant by its name, else by its role in the rule."""
    roles = getattr(node.op, "inputs", ())
    known, arrays = numbers(node, labels), constants(node, labels)
    found = []
    for i, edge in enumerate(node.edges):
        if edge is not None:
            found.append(labels(edge))
        elif known[i] is not None:
            found.append(number(known[i], 6))
        else:
            name = next((n for n, t in labels.names.items() if arrays[i] is not None and t.array is arrays[i]), None)
            role = roles[i] if i < len(roles) else str(i)
            found.append(name or (f"const_{role}" if sum(e is None for e in node.edges) > 1 or len(role) > 1 else "const"))
    return found


def constants(node: Node, labels: Labels) -> list[Any]:
    """For each input without an edge, the array it was, if the node or the tape kept it, else None."""
    known: list[Any] = [None] * len(node.edges)
    result = labels.tape.results.get(node) if labels.tape else None
    if result is not None:
        for i, t in enumerate(result.inputs[:len(known)]):
            known[i] = t.array if t is not None else None
    if node.plan is not None and node.saved is not FREED and not node.op.variadic:
        for value, (i, attribute) in zip(node.saved, node.plan.sources, strict=True):
            if not attribute and i < len(known) and backend.is_array(value):
                known[i] = value
    return known


def numbers(node: Node, labels: Labels) -> list[Any]:
    """For each input the Python number it is, if it is one and the node or the tape kept it, else None."""
    known: list[Any] = [None] * len(node.edges)
    result = labels.tape.results.get(node) if labels.tape else None
    if result is not None:
        for i, x in enumerate(result.numbers[:len(known)]):
            known[i] = x
    if node.plan is not None and node.saved is not FREED and not node.op.variadic:
        for value, (i, attribute) in zip(node.saved, node.plan.sources, strict=True):
            if not attribute and i < len(known) and type(value) in NUMBERS:
                known[i] = value
    return known


def source_name(node: Node, at: Source, labels: Labels) -> str:
    """What a rule reads, by name: an input's, the node's for its result, an aux's own, `shape of x`."""
    i, attribute = at
    op = node.op
    count = 1 if op.variadic else len(op.inputs)
    if i < count:
        base = "inputs" if op.variadic else input_names(node, labels)[i]
    else:
        base = labels(node) if i == count else op.aux[i - count - 1]
    return f"{attribute} of {base}" if attribute else base


def place_of(function: Callable[..., Any]) -> str:
    """`ops/linear.py:58`: where a function of the package is written, or the whole path of another."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    if code is None:
        return type(function).__name__
    return f"{code.co_filename.removeprefix(PACKAGE + os.sep)}:{code.co_firstlineno}"


def words(text: str) -> Formula:
    """A sentence where a formula would stand."""
    return Formula(text, rf"\text{{{latex_text(text)}}}")


def _values(node: Node, sources: Sequence[Source]) -> list[tuple[Source, Any]]:
    saved = dict(zip(node.plan.sources, node.saved, strict=True))
    return [(at, saved[at]) for at in sources]


def _aux(node: Node, sources: Sequence[Source]) -> list[bool]:
    """Which of the sources are what the forward rule returned beside its result."""
    count = 1 if node.op.variadic else len(node.op.inputs)
    return [i > count for i, _ in sources]


def _elementwise(node: Node, i: int, name: str, rule: Any, params: dict[str, Any], place: int | None, labels: Labels, source: str) -> Statement:
    """By symbols."""
    g = Symbol.input("g", "float64")
    arguments: list[Any] = [g]
    for at, value in _values(node, rule.sources):
        arguments.append(Symbol.input(source_name(node, at, labels), "float64") if backend.is_array(value) else value)
    root = symbol(trace(rule.function, arguments, params)[place or 0])
    whole, local = simplified(root), simplified(root, g)
    long = lines_of(node.op.name, name, local, first=i == 0)
    if long is None:
        return Statement(name, Formula(infix(whole), infix(whole, latex=True)), Formula(infix(local), infix(local, latex=True)), local, source)
    if linear(whole, g):
        product = Formula(f"g * {long.short.text}", rf"g \cdot {long.short.latex}")
    else:                                               # a wrong rule is shown as it is
        by_itself = lines_of(node.op.name, name, whole, first=False)
        product = by_itself.formula() if by_itself is not None else Formula(infix(whole), infix(whole, latex=True))
    return Statement(name, product, long.formula(), local, source, long)


def simplified(s: Symbol, one: Symbol | None = None) -> Symbol:
    """The same expression without factors of 1, terms of 0 and casts; with 1 in the place of `one`."""
    order, canonical = unique([s])
    known: dict[int, Symbol] = {}
    for part in order:                                  # each once: a rule shares much
        made = part if part.op != "input" or one is None or part.value != one.value else Symbol("constant", (), part.sample, 1)
        known[id(part)] = _simpler(made, tuple(known[id(a)] for a in part.args))
    return known[id(canonical[id(s)])]


def _simpler(s: Symbol, args: tuple[Symbol, ...]) -> Symbol:
    """One operation on operands that are simple already."""
    kinds = [a.value if a.op == "constant" else None for a in args]
    if s.op in ("zeros_like", "ones_like"):
        return Symbol("constant", (), s.sample, int(s.op == "ones_like"))
    if s.op == "cast" or (s.op == "div" and kinds[1] == 1) or (s.op == "sub" and kinds[1] == 0):
        return args[0]
    if s.op == "mul" and 1 in kinds:
        return args[1 - kinds.index(1)]
    if s.op == "mul" and -1 in kinds:
        inner = args[1 - kinds.index(-1)]
        return _simpler(Symbol("neg", (inner,), s.sample), (inner,))
    if s.op == "add" and 0 in kinds:
        return args[1 - kinds.index(0)]
    if s.op == "neg" and kinds[0] is not None:
        return Symbol("constant", (), s.sample, -kinds[0])
    if s.op == "neg" and args[0].op == "neg":
        return args[0].args[0]
    return Symbol(s.op, args, s.sample, s.value)
