"""The symbol interpreter: rules run on Symbols, which write down what is done to them.

    x = Symbol.input("x", float32)
    silu(F, x)                                # the text of the rule, as an expression
    mul(x, div(1, add(1, exp(neg(x)))))

A rule has no control flow on values, so one run of it is all that it does. The expression is then printed as a CUDA
kernel (`cuda.py`) or as text for a reader (`text.py`), or evaluated again with any vocabulary (`evaluate`).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..backend import numpy
from ..backend.namespace import ELEMENTWISE
from ..dtypes import as_dtype, float32, is_half
from ..errors import ArgumentError
from ..rule import parameters

NUMBERS = (int, float, bool)
# What Python has operators for: the op's name and its function. The other names are those of the vocabulary.
OPERATORS: dict[str, Callable[..., Any]] = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "div": operator.truediv,
    "floor_divide": operator.floordiv, "remainder": operator.mod, "pow": operator.pow, "neg": operator.neg,
    "abs": operator.abs, "lt": operator.lt, "le": operator.le, "gt": operator.gt, "ge": operator.ge, "eq": operator.eq,
    "ne": operator.ne, "and": operator.and_, "or": operator.or_, "xor": operator.xor, "lshift": operator.lshift,
    "rshift": operator.rshift, "invert": operator.invert,
}
COMPARISONS = {"lt", "le", "gt", "ge", "eq", "ne"}
BINARY = set(OPERATORS) - {"neg", "abs", "invert"}


class BranchError(ArgumentError):
    """A rule asked for the value of a symbol."""


class Symbol:
    """A number that stands for all numbers: `op` of `args`.

    `value` is a constant's number, an input's or parameter's name, a cast's dtype. `sample` tells the dtype: an empty
    array that went through the same ops. A parameter is a Python number, as weak in promotion as one, and so is what
    Python computes from parameters alone; their `sample` is a Python number.
    """

    __slots__ = ("args", "op", "sample", "value")
    __hash__ = object.__hash__

    def __init__(self, op: str, args: tuple[Symbol, ...], sample: Any, value: Any = None) -> None:
        self.op, self.args, self.sample, self.value = op, args, sample, value

    @classmethod
    def input(cls, name: str, dtype: Any) -> Symbol:
        """An array's element."""
        return cls("input", (), numpy.F.new((0,), as_dtype(dtype)), name)

    @classmethod
    def parameter(cls, name: str, number: float) -> Symbol:
        """A Python number that a kernel takes as an argument."""
        return cls("parameter", (), type(number)(1), name)

    @property
    def weak(self) -> bool:
        return type(self.sample) in NUMBERS                      # NumPy's float64 is a float too, but not weak

    @property
    def dtype(self) -> Any:
        return self.sample.dtype

    def __bool__(self) -> bool:
        raise BranchError("symbols", str(self), "a rule branches on a value", "write it with F.where")

    __float__ = __int__ = __index__ = __len__ = __iter__ = __bool__

    def __repr__(self) -> str:
        return str(self.value) if not self.args else f"{self.op}({', '.join(map(repr, self.args))})"


def symbol(x: Any) -> Symbol:
    """A Symbol as it is, a Python number as a constant."""
    if isinstance(x, Symbol):
        return x
    if not isinstance(x, NUMBERS):
        raise ArgumentError("symbols", type(x).__name__, "a rule meets what is neither a symbol nor a Python number",
                            "constants come through math, as Python numbers")
    return Symbol("constant", (), x, x)


def apply(op: str, *operands: Any, value: Any = None) -> Symbol:
    """`op` of the operands, written down."""
    args = tuple(map(symbol, operands))
    samples = [a.sample for a in args]
    if op not in OPERATORS or not all(a.weak for a in args):
        return Symbol(op, args, compute(numpy.F, op, samples, value), value)
    whole = all(isinstance(s, int) for s in samples) and op not in ("div", "pow")
    return Symbol(op, args, True if op in COMPARISONS else 1 if whole else 1.0)        # not computed: 1 / (p - 1)


def compute(F: Any, op: str, args: Sequence[Any], value: Any = None) -> Any:
    """What `op` does to arrays of the vocabulary F; of Python numbers alone it makes a Python number."""
    if op in OPERATORS:
        return OPERATORS[op](*args)
    if args and all(type(a) in NUMBERS for a in args) and value is None:
        return getattr(numpy.F, op)(*args).item()
    return getattr(F, op)(*args) if value is None else getattr(F, op)(*args, value)


def _binary(op: str, reflected: bool) -> Callable[[Symbol, Any], Symbol]:
    def method(self: Symbol, other: Any) -> Symbol:
        return apply(op, other, self) if reflected else apply(op, self, other)
    return method


for _op, _function in OPERATORS.items():
    _name = _function.__name__.strip("_")
    if _op not in BINARY:
        setattr(Symbol, f"__{_name}__", lambda self, op=_op: apply(op, self))
        continue
    setattr(Symbol, f"__{_name}__", _binary(_op, False))
    if _op not in COMPARISONS:
        setattr(Symbol, f"__r{_name}__", _binary(_op, True))


class Vocabulary:
    """F, on Symbols: the elementwise names, and no others."""

    def cast(self, x: Any, dtype: Any) -> Symbol:
        return apply("cast", x, value=as_dtype(dtype))


def _vocabulary() -> Vocabulary:
    F = Vocabulary()
    for name in (*ELEMENTWISE, "erf", "erfc", "erfcx", "erfinv", "zeros_like", "ones_like"):
        setattr(F, name, lambda *args, op=name: apply(op, *args))
    return F


F: Any = _vocabulary()


def names(rule: Callable[..., Any], count: int) -> list[str]:
    """What a rule calls its first `count` inputs."""
    positional, starred, _ = parameters(rule)
    own = positional[1:len(positional) - starred]
    return (own + [f"in{i}" for i in range(len(own), count)])[:count]


def trace(rule: Callable[..., Any], inputs: Sequence[Any], settings: dict[str, Any]) -> tuple[Symbol, ...]:
    """The rule's results as expressions; `inputs` are Symbols, numbers or whatever else it is given.

    The halves are computed in float32, and a result in float32 is rounded to them once, as `Namespace.run` has it.
    """
    half = next((x.dtype for x in inputs if isinstance(x, Symbol) and not x.weak and is_half(x.dtype)), None)
    wide = [F.cast(x, float32) if isinstance(x, Symbol) and not x.weak and x.dtype == half else x for x in inputs]
    result = rule(F, *(inputs if half is None else wide), **settings)
    roots = tuple(map(symbol, result)) if isinstance(result, (tuple, list)) else (symbol(result),)
    return roots if half is None else tuple(_narrow(root, half) for root in roots)


def single(rule: Callable[..., Any]) -> bool:
    """Does the rule make one operation at most of float32 numbers, with its settings as they are by default?"""
    try:
        positional, starred, settings = parameters(rule)
        order, _ = unique(trace(rule, [Symbol.input(name, float32) for name in positional[1:]], settings))
    except Exception:                                  # it wants settings, or is more than elementwise: whatever it is, it is not that
        return False
    return not starred and sum(s.op not in ("input", "constant") for s in order) < 2


def _narrow(root: Symbol, half: Any) -> Symbol:
    if root.op == "cast" and root.args[0].dtype == half:          # an input as it came
        return root.args[0]
    return root if root.weak or root.dtype != float32 else apply("cast", root, value=half)


def unique(roots: Iterable[Symbol]) -> tuple[list[Symbol], dict[int, Symbol]]:
    """The distinct expressions below `roots`, operands first, and by `id` which of them each symbol is."""
    order: list[Symbol] = []
    found: dict[Any, Symbol] = {}
    canonical: dict[int, Symbol] = {}

    def visit(s: Symbol) -> Symbol:
        if id(s) not in canonical:
            args = tuple(map(visit, s.args))
            key = (s.op, tuple(map(id, args)), type(s.value), str(s.value))       # str tells 0.0 from -0.0
            if key not in found:
                found[key] = Symbol(s.op, args, s.sample, s.value)
                order.append(found[key])
            canonical[id(s)] = found[key]
        return canonical[id(s)]

    for root in roots:
        visit(root)
    return order, canonical


def evaluate(roots: Sequence[Symbol], F: Any, values: dict[str, Any]) -> tuple[Any, ...]:
    """The expressions computed with vocabulary F, the inputs and parameters given by name."""
    order, canonical = unique(roots)
    results: dict[int, Any] = {}
    for s in order:
        if s.op in ("input", "parameter"):
            results[id(s)] = values[s.value]
        else:
            results[id(s)] = s.value if s.op == "constant" else compute(F, s.op, [results[id(a)] for a in s.args], s.value)
    return tuple(results[id(canonical[id(root)])] for root in roots)
