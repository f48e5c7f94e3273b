"""A long local derivative, line by line: the rule as the symbol interpreter has it, what is used again named a, b, c ..."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...activations import catalogue
from ...backend import numpy
from ...symbols.expression import Symbol, evaluate, unique
from ...symbols.text import infix, named_lines
from ..present import Formula, Table, latex_name, latex_text
from ..values import number
from .plain import readable

CHARACTERS = 300                         # a longer formula helps nobody
ONE_LINE = 48                            # a formula of so many characters needs no lines
COLUMNS = 4                              # of values, for so many elements


@dataclass(frozen=True)
class Lines:
    """The derivative of `op` by `input`, in lines of (name, expression), the last of which has no name.

    `short` is what the derivative is called. `closed` is what the record of the op says that it is in closed form:
    another text than the rule, if it has one.
    """

    lines: Sequence[tuple[str, Symbol]]
    short: Formula
    closed: Formula | None = None

    def formula(self) -> Formula:
        """All lines as one formula."""
        pairs = [(name or self.short.text, latex_name(name) if name else self.short.latex, s) for name, s in self.lines]
        text = "\n".join(f"{name} = {infix(s)}" for name, _, s in pairs)
        latex = r" \\ ".join(f"{name} &= {infix(s, latex=True)}" for _, name, s in pairs)
        return Formula(text, rf"\begin{{aligned}} {latex} \end{{aligned}}")

    def values(self, inputs: dict[str, float]) -> list[float]:
        """Each line worked out."""
        known: dict[str, Any] = {k: numpy.F.asarray(v, dtype="float64") for k, v in inputs.items()}
        found = []
        for name, s in self.lines:
            known[name] = evaluate([s], numpy.F, known)[0]
            found.append(float(known[name]))
        return found

    def table(self, places: Sequence[str], elements: Sequence[dict[str, float]]) -> Table:
        """The lines, with the numbers put in for each of the elements: of one, the formulas with its numbers too."""
        columns = [self.values(inputs) for inputs in elements[:COLUMNS]]
        rows: list[Sequence[Any]] = []
        for k, (name, s) in enumerate(self.lines):
            figures = [number(column[k]) for column in columns]
            left = Formula(name, latex_name(name)) if name else self.short
            formula = Formula(infix(s), infix(s, latex=True))
            put = None
            if len(columns) == 1:
                now = elements[0] | {n: v for (n, _), v in zip(self.lines, columns[0], strict=True)}
                put = in_numbers(s, now)
            if put is None or put.text in (formula.text, *figures):
                rows.append((left, formula, *figures))
            else:
                rows += [(left, formula, ""), ("", Formula(f"= {put.text}", f"= {put.latex}"), *figures)]
        if self.closed is not None:
            rows.append(("record", self.closed, *[""] * len(columns)))
        return Table(("", "the rule, line by line", *[f"at {p}" if p else "value" for p in places[:COLUMNS]]), rows,
                     f"The local derivative {self.short.text}", right=tuple(range(2, 2 + len(columns))))


def lines_of(op: str, input: str, local: Symbol, first: bool = True) -> Lines | None:
    """The expression in lines; None if it is short enough for one. The records know the derivative by the first input."""
    if weight(local, {}) <= ONE_LINE and len(infix(local)) <= ONE_LINE:
        return None
    short = Formula(f"{op}'({input})", rf"\operatorname{{{latex_text(op)}}}'({latex_name(input)})")
    record = catalogue.get(op) if first else None
    return Lines(named_lines(local), short, closed_form(input, record.derivative) if record and record.derivative else None)


def closed_form(input: str, latex: str) -> Formula:
    """What a record has for the derivative, in words."""
    which = f"in closed form{'' if input == 'x' else f', x being {input}'}: "
    return Formula(which + readable(latex), rf"\text{{{latex_text(which)}}} {latex}")


def linear(s: Symbol, g: Symbol) -> bool:
    """Is this, for all that can be seen, g times something?"""
    order, canonical = unique([s])
    power: dict[int, int] = {}                   # 0: without g; 1: a multiple of it; 2: anything else
    for part in order:
        of = [power[id(a)] for a in part.args]
        zero = [a.op == "constant" and a.value == 0 for a in part.args]
        if part.op == "input":
            found = int(part.value == g.value)
        elif not any(of):
            found = 0
        elif part.op in ("neg", "cast") or (part.op == "mul" and 0 in of) or (part.op == "div" and not of[1]):
            found = max(of)
        elif part.op in ("add", "sub") or (part.op == "where" and not of[0]):
            ends = list(zip(of, zero, strict=True))[-2:]
            found = 1 if all(p == 1 or z for p, z in ends) else 2
        else:
            found = 2
        power[id(part)] = found
    return power[id(canonical[id(s)])] == 1


def in_numbers(expression: Symbol, values: dict[str, float]) -> Formula | None:
    """The expression with a number in the place of each name."""
    def put(s: Symbol) -> Symbol:
        if s.op == "input" and s.value in values:
            return Symbol("constant", (), s.sample, float(f"{values[s.value]:.4g}"))
        return Symbol(s.op, tuple(map(put, s.args)), s.sample, s.value) if s.args else s
    return as_formula(put(expression))


def as_formula(s: Symbol) -> Formula | None:
    """The expression as text and LaTeX; None where it is too long to print: a text repeats what is shared."""
    if weight(s, {}) > CHARACTERS or len(text := infix(s)) > CHARACTERS:
        return None
    return Formula(text, infix(s, latex=True))


def weight(s: Symbol, known: dict[int, int]) -> int:
    """How many operations and names a text of it has."""
    if id(s) not in known:
        known[id(s)] = 1 + sum(weight(a, known) for a in s.args)
    return known[id(s)]
