"""Expressions for a reader: infix text with few parentheses, and LaTeX."""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

from ..rule import parameters
from .expression import Symbol, names, symbol, trace, unique

# op: (how tightly it binds, text, LaTeX); an operand that binds less tightly is put in parentheses.
INFIX: dict[str, tuple[float, str, str]] = {
    "where": (0, "{1} if {0} else {2}", r"{1} \text{{ if }} {0} \text{{ else }} {2}"),
    "logical_or": (1, "{0} or {1}", r"{0} \lor {1}"), "logical_and": (2, "{0} and {1}", r"{0} \land {1}"),
    "logical_not": (3, "not {0}", r"\lnot {0}"),
    "lt": (4, "{0} < {1}", "{0} < {1}"), "le": (4, "{0} <= {1}", r"{0} \le {1}"), "gt": (4, "{0} > {1}", "{0} > {1}"),
    "ge": (4, "{0} >= {1}", r"{0} \ge {1}"), "eq": (4, "{0} == {1}", "{0} = {1}"), "ne": (4, "{0} != {1}", r"{0} \ne {1}"),
    "or": (5, "{0} | {1}", r"{0} \mid {1}"), "xor": (6, "{0} ^ {1}", r"{0} \oplus {1}"), "and": (7, "{0} & {1}", r"{0} \mathbin{{\&}} {1}"),
    "lshift": (8, "{0} << {1}", r"{0} \ll {1}"), "rshift": (8, "{0} >> {1}", r"{0} \gg {1}"),
    "add": (9, "{0} + {1}", "{0} + {1}"), "sub": (9, "{0} - {1}", "{0} - {1}"),
    "mul": (10, "{0} * {1}", r"{0} \, {1}"), "div": (10, "{0} / {1}", r"\frac{{{0}}}{{{1}}}"),
    "floor_divide": (9.5, "{0} // {1}", r"\lfloor {0} / {1} \rfloor"), "remainder": (9.5, "{0} % {1}", r"{0} \bmod {1}"),
    "neg": (11, "-{0}", "-{0}"), "invert": (11, "~{0}", r"\lnot {0}"), "pow": (12, "{0} ** {1}", "{{{0}}}^{{{1}}}"),
}
ATOM = 13
LATEX = {"exp": "e^{{{0}}}", "sqrt": r"\sqrt{{{0}}}", "abs": r"\lvert {0} \rvert", "maximum": r"\max({0}, {1})",
         "minimum": r"\min({0}, {1})", "floor": r"\lfloor {0} \rfloor", "ceil": r"\lceil {0} \rceil", "square": "{0}^2"}
BRACED = {"div", "exp", "sqrt"}                      # LaTeX's braces do what parentheses would
LEFT = {"sub", "div", "floor_divide", "remainder", "lshift", "rshift"}          # a - (b - c) needs its parentheses
GREEK = {"alpha", "beta", "gamma", "delta", "lambda", "mu", "sigma", "theta", "tau"}
SHORT, WIDE = 6, 50                  # what so few characters say needs no name; a line of more is parted


def infix(expression: Symbol, latex: bool = False) -> str:
    """The expression as one line of Python, or as LaTeX."""
    return _write(expression, latex)[0]


def _write(s: Symbol, latex: bool) -> tuple[str, float]:
    if s.op == "cast" or not s.args:
        return _write(s.args[0], latex) if s.args else _atom(s, latex)
    parts = [_write(a, latex) for a in s.args]
    if s.op == "square":
        return _write(Symbol("mul", s.args * 2, s.sample), latex) if not latex else (f"{_within(parts[0], ATOM)}^2", 12)
    if s.op not in INFIX:
        inner = [text for text, _ in parts]
        name = rf"\operatorname{{{s.op}}}" if latex else s.op
        return (LATEX[s.op].format(*inner) if latex and s.op in LATEX else f"{name}({', '.join(inner)})"), ATOM
    strength, text, tex = INFIX[s.op]
    if latex and s.op in BRACED:
        return tex.format(*[text for text, _ in parts]), ATOM
    if s.op == "mul" and _within(parts[1], strength)[0] in "-0123456789":                 # a thin space between numbers would read as one
        tex = r"{0} \cdot {1}"
    below = [strength + (s.op in LEFT and k > 0) + (s.op in ("pow", "where") and k == 0) for k in range(len(parts))]
    return (tex if latex else text).format(*[_within(p, b) for p, b in zip(parts, below, strict=True)]), strength


def _within(part: tuple[str, float], strength: float) -> str:
    return part[0] if part[1] >= strength else f"({part[0]})"


def _atom(s: Symbol, latex: bool) -> tuple[str, float]:
    if s.op == "constant":
        number = f"{s.value:.6g}" if isinstance(s.value, float) else str(s.value)
        return number, ATOM if not number.startswith("-") else INFIX["neg"][0]
    name = str(s.value)
    return (f"\\{name}" if latex and name in GREEK else rf"\mathit{{{name}}}".replace("_", r"\_") if latex and len(name) > 1 else name), ATOM


def named_lines(expression: Symbol, taken: Collection[str] = ()) -> list[tuple[str, Symbol]]:
    """The expression in short lines: what is used more than once, and parts of what is long, get the names a, b, c ...

    Each line reads inputs and the names of lines before it; the last has no name. `taken` are names not to be used.

    >>> x = Symbol.input("x", "float64")
    >>> [(name, infix(line)) for name, line in named_lines((1 + x * x) / (1 - (1 + x * x)))]
    [('a', '1 + x * x'), ('', 'a / (1 - a)')]
    """
    order, canonical = unique([expression])
    uses = Counter(id(a) for s in order for a in s.args)
    fresh = _letters({s.value for s in order if s.op in ("input", "parameter")} | set(taken))
    lines: list[tuple[str, Symbol]] = []
    said: dict[int, Symbol] = {}                 # each as the lines have it

    def call(s: Symbol) -> Symbol:
        lines.append((next(fresh), s))
        return Symbol("input", (), s.sample, lines[-1][0])

    for s in order:
        args = [said[id(a)] for a in s.args]
        line = Symbol(s.op, tuple(args), s.sample, s.value)
        while len(infix(line)) > WIDE and (parts := [a for a in args if len(infix(a)) > SHORT]):
            longest = max(parts, key=lambda a: len(infix(a)))
            short = call(longest)
            args = [short if a is longest else a for a in args]
            line = Symbol(s.op, tuple(args), s.sample, s.value)
        said[id(s)] = call(line) if s.args and uses[id(s)] > 1 and (s.op not in INFIX or len(infix(line)) > SHORT) else line
    return [*lines, ("", said[id(canonical[id(expression)])])]


def _letters(taken: Collection[str]) -> Iterator[str]:
    """a, b, c ... without e, which is a number, and g, the gradient; then a1, b1 ..."""
    rounds = ("", *map(str, range(1, 1000)))
    return (name for n in rounds for c in string.ascii_lowercase if c not in "eg" and (name := c + n) not in taken)


def formula(rule: Callable[..., Any], inputs: Sequence[str] = (), latex: bool = False, **settings: Any) -> str:
    """What an elementwise rule computes, in the names of its own parameters; a setting not given goes by its name.

    >>> formula(lambda F, x, *, alpha: F.where(x > 0, x, alpha * F.expm1(F.minimum(x, 0))))
    'x if x > 0 else alpha * expm1(minimum(x, 0))'
    >>> formula(lambda F, g, y: g * (1 - y * y), latex=True)
    'g \\\\, (1 - y \\\\, y)'
    """
    positional, _, own = parameters(rule)
    given = {name: Symbol.parameter(name, 1.0) for name in own} | settings
    arguments = [Symbol.input(n, "float64") for n in (inputs or names(rule, len(positional) - 1))]
    return ", ".join(infix(symbol(root), latex) for root in trace(rule, arguments, given))
