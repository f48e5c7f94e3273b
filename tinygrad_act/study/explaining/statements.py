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
from ...activations import catalogue
from ...errors import PACKAGE, TinygradActError
from ...graph import FREED, PICK, Node
from ...op import NUMBERS
from ...symbols.expression import Symbol, symbol, trace
from ...symbols.text import infix
from ..labels import Labels
from ..present import Formula, latex_name, latex_text
from ..values import number
from .writer import recorded

CHARACTERS = 300                         # a longer formula helps nobody
UNREADABLE = (TinygradActError, AttributeError, TypeError, ValueError, IndexError)      # a rule on what it was not written for
Source = tuple[int, str]


@dataclass(frozen=True)
class Statement:
    """Of one input of a node: what its rule makes of the incoming gradient g, where the rule is written, and, of an
    elementwise op, the local derivative, as a formula and as an expression for numbers to be put in."""

    input: str
    rule: Formula
    local: Formula | None = None
    expression: Symbol | None = None
    source: str = ""


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
            return _elementwise(node, name, rule, params, place, labels, source)
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


def substituted(expression: Symbol, values: dict[str, float]) -> Formula | None:
    """The expression with a number in the place of each name."""
    def put(s: Symbol) -> Symbol:
        if s.op == "input" and s.value in values:
            return Symbol("constant", (), s.sample, float(f"{values[s.value]:.4g}"))
        return Symbol(s.op, tuple(map(put, s.args)), s.sample, s.value) if s.args else s
    return as_formula(put(expression))


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


def _elementwise(node: Node, name: str, rule: Any, params: dict[str, Any], place: int | None, labels: Labels, source: str) -> Statement:
    """By symbols."""
    g = Symbol.input("g", "float64")
    arguments: list[Any] = [g]
    for at, value in _values(node, rule.sources):
        arguments.append(Symbol.input(source_name(node, at, labels), "float64") if backend.is_array(value) else value)
    root = symbol(trace(rule.function, arguments, params)[place or 0])
    local = simplified(root, g)
    text, derivative = as_formula(simplified(root)), as_formula(local)
    if text is None or derivative is None:              # by its name, and in LaTeX as its record has it
        record = catalogue.get(node.op.name)
        prime = f"{node.op.name}'({name})"
        derivative = Formula(prime, record.derivative if record else latex_text(prime))
        return Statement(name, Formula(f"g * {prime}", rf"g \cdot ({derivative.latex})"), derivative, None, source)
    return Statement(name, text, derivative, local, source)


def simplified(s: Symbol, one: Symbol | None = None) -> Symbol:
    """The same expression without factors of 1, terms of 0 and casts; with 1 in the place of `one`."""
    if s is one:
        return Symbol("constant", (), s.sample, 1)
    args = tuple(simplified(a, one) for a in s.args)
    kinds = [a.value if a.op == "constant" else None for a in args]
    if s.op in ("zeros_like", "ones_like"):
        return Symbol("constant", (), s.sample, int(s.op == "ones_like"))
    if s.op == "cast" or (s.op == "div" and kinds[1] == 1) or (s.op == "sub" and kinds[1] == 0):
        return args[0]
    if s.op == "mul" and 1 in kinds:
        return args[1 - kinds.index(1)]
    if s.op == "mul" and -1 in kinds:
        return simplified(Symbol("neg", (args[1 - kinds.index(-1)],), s.sample))
    if s.op == "add" and 0 in kinds:
        return args[1 - kinds.index(0)]
    if s.op == "neg" and kinds[0] is not None:
        return Symbol("constant", (), s.sample, -kinds[0])
    if s.op == "neg" and args[0].op == "neg":
        return args[0].args[0]
    return Symbol(s.op, args, s.sample, s.value)


def as_formula(s: Symbol) -> Formula | None:
    """The expression as text and LaTeX; None where it is too long to print: a text repeats what is shared."""
    if _weight(s, {}) > CHARACTERS or len(text := infix(s)) > CHARACTERS:
        return None
    return Formula(text, infix(s, latex=True))


def _weight(s: Symbol, known: dict[int, int]) -> int:
    if id(s) not in known:
        known[id(s)] = 1 + sum(_weight(a, known) for a in s.args)
    return known[id(s)]
