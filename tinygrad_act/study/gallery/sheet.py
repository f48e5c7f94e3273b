"""All that a page says of an activation, whatever the page is written in."""

from __future__ import annotations

import contextlib
import functools
import inspect
import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ... import _functions as ops
from ...activations import Activation
from ...errors import ArgumentError
from ...nn.gain import calculate_gain
from ...ops.choice import MISTAKES, choices
from ...rule import parameters
from ..explaining.plain import readable
from ..explaining.statements import Statement, statement
from ..labels import Labels
from ..present import Formula
from ..values import number
from . import curves
from .source import brief

SMOOTH = {"discontinuous": "it jumps", "C0": "continuous; the slope jumps (C0)", "C1": "one continuous derivative (C1)",
          "C2": "two continuous derivatives (C2)", "analytic": "analytic: derivatives of every order"}
# What PyTorch has elsewhere than in nn.functional, or by a setting.
ELSEWHERE = {"gelu_tanh": 'torch.nn.functional.gelu(x, approximate="tanh")', "normal_cdf": "torch.special.ndtr", "arctan": "torch.atan",
             "sinc": "torch.sinc", "exponential": "torch.exp", "linear": "torch.nn.Identity"}
EXAMPLE = """import tinygrad_act as ta
{before}
x = ta.tensor({x}, requires_grad=True)
y = ta.{call}
{y}.backward()
print(y.detach())
print(x.grad)
"""
# How those are called that take more than x.
CALLS = {"threshold": "nn.functional.threshold(x, 0.0, 0.0)", "prelu": "nn.functional.prelu(x, ta.tensor(0.25))", "linear": "nn.Identity()(x)",
         "gumbel_softmax": "nn.functional.gumbel_softmax(x, tau=0.5, dim=-1)"}
# The headings of tables, in whatever a page is written.
KINKS = ("x", "f(x)", "f′(x) taken", "f′ left, right of it")
VALUES = ("x", "f", "f′", "f″")
ACCURACY = ("", "f", "f′", "f″")
ABOUT_KINKS = "Where f, f′ or f″ jumps, and the derivative that is taken there."
AT = (-4.0, -2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 4.0)


class Alternative(NamedTuple):
    """Backward rules that may stand in for the record's: their names, what they are, and the rule as text."""

    names: str
    text: str
    formula: str


@dataclass
class Sheet:
    """The parts of a page. What is measured is not in it: `accuracy` is read from what the measurement left."""

    record: Activation

    @property
    def name(self) -> str:
        """What the record is called."""
        return self.record.name

    @property
    def summary(self) -> str:
        """The first paragraph of its documentation."""
        return " ".join((self.record.__doc__ or "").partition("\n\n")[0].split())

    @property
    def formula(self) -> Formula:
        """As the record has it."""
        return Formula(readable(self.record.formula), self.record.formula)

    @property
    def derivative(self) -> Formula:
        """Likewise."""
        return Formula(readable(self.record.derivative), self.record.derivative)

    @functools.cached_property
    def curves(self) -> curves.Curves:
        """What there is to draw."""
        return curves.curves(self.record)

    @functools.cached_property
    def rule(self) -> Statement:
        """The backward rule of the first input as `study.explain` prints it."""
        row = curves.row_of(self.record)
        width = len(row.offset) if row else 4
        x = ops.tensor([[0.5] * width], dtype="float64", device="cpu", requires_grad=True)
        learned = [ops.tensor(v, dtype="float64", device="cpu", requires_grad=name in self.record.learnable)
                   for name, v in self.record.initial.items()]
        y = self.record.op(x, *learned)
        assert y.node is not None
        labels = Labels([y.node], {"x": x, "y": y, **dict(zip(self.record.initial, learned, strict=True))})
        return statement(y.node, 0, ops.ones_like(y).array, labels)

    @property
    def facts(self) -> list[tuple[str, str]]:
        """What is known of it, in words."""
        r = self.record
        rows = [("Works on", "the numbers along an axis" if r.axis else "each number by itself")]
        if r.range is not None:
            rows.append(("Range", _range(*r.range)))
        if r.monotonic is not None:
            rows.append(("Monotonic", "yes: it never decreases" if r.monotonic else "no"))
        if r.smooth:
            rows.append(("Smoothness", SMOOTH[r.smooth]))
        if r.zero_centred is not None:
            rows.append(("Zero-centred", "yes: f(0) = 0, with values of both signs" if r.zero_centred else "no"))
        if not r.axis:
            ends = [f"on the {side}, at {_figure(limit)}" for side, limit in r.saturates.items()]
            rows.append(("Saturates", " and ".join(ends) or "nowhere"))
        if r.lipschitz is not None:
            rows.append(("Steepest slope", _figure(r.lipschitz) if math.isfinite(r.lipschitz) else "without bound"))
        rows.append(("Keeps for its rule", _kept(r)))
        return [*rows, *self._numbers(), *self._names()]

    def _numbers(self) -> list[tuple[str, str]]:
        r = self.record
        rows = [("Settings", ", ".join(f"{k} = {_value(v)}" for k, v in r.settings.items()) or "none")]
        if r.learnable:
            rows.append(("Learned, starting at", ", ".join(f"{k} = {_value(v)}" for k, v in r.learnable.items())))
        if r.fixed:
            rows.append(("Further inputs", ", ".join(f"{k} = {_value(v)}" for k, v in r.fixed.items())))
        with contextlib.suppress(ArgumentError):         # of what is 0 nearly everywhere
            gain, table = calculate_gain(r.name, computed=True), calculate_gain(r.name)
            also = f" (PyTorch's table says {number(table, 5)})" if abs(gain - table) > 1e-6 else ""
            rows.append(("Gain for initialising", number(gain, 5) + also))
        return rows

    def _names(self) -> list[tuple[str, str]]:
        r = self.record
        theirs = f"torch.nn.functional.{r.torch}" if r.torch else ELSEWHERE.get(r.name, "it has none")
        return [("Called", call(r)), ("As a module", f"nn.{r.module}"), ("In PyTorch", theirs)]

    @property
    def kinks(self) -> list[tuple[str, str, str, str]]:
        """(where, f there, the derivative taken, those on the left and on the right) of each."""
        return [(number(k.at), number(k.value), number(k.slope, 6), f"{number(k.slopes[0])}, {number(k.slopes[1])}") for k in self.curves.kinks]

    @property
    def values(self) -> list[tuple[str, ...]]:
        """(x, f, f', f'') at some numbers."""
        if self.record.axis:
            return []
        points = [x for x in AT if x not in self.record.kinks()]
        found = [order[0] for order in curves.derivatives(self.record, points)]
        return [tuple(map(number, row)) for row in zip(points, *found, strict=True)]

    @property
    def accuracy(self) -> dict[str, list[str]]:
        """{"float32, ours": the most units for f, f', f''} as `tests/benchmarks/accuracy.py` found them; bold is too many."""
        found = measured()
        limits = found["limits"]
        return {whose: [_units(u, most) for u, most in zip(row, limits, strict=False)] + ["–"] * (len(limits) - len(row))
                for whose, row in found["units"].get(self.name, {}).items()}

    @property
    def alternatives(self) -> list[Alternative]:
        """Other backward rules, and mistakes to find, by the names that `study.rules` takes."""
        by_rule: dict[Any, list[str]] = {}
        for name, (_, rule) in choices.get(self.name, {}).items():
            by_rule.setdefault(rule, []).append(name)
        found = []
        for rule, names in by_rule.items():
            exact = any(name in self.record.alternatives for name in names)
            doc = " ".join((inspect.getdoc(rule) or "The derivative, written in other terms.").split())
            found.append(Alternative(", ".join(names), doc + ("" if exact else " Not the derivative."), brief(rule)))
        return found + [Alternative(name, " ".join((inspect.getdoc(rule) or "").split()), "") for name, rule in MISTAKES.items()
                        if name not in choices.get(self.name, {})]

    @property
    def paper(self) -> tuple[str, str]:
        """(what to call it, its address or "")."""
        text = self.record.paper
        for prefix, address in (("arXiv:", "https://arxiv.org/abs/"), ("doi:", "https://doi.org/")):
            if text.startswith(prefix):
                return text, address + text.removeprefix(prefix)
        return text, text if text.startswith("https://") else ""

    @functools.cached_property
    def example(self) -> tuple[str, str]:
        """(code, what it prints)."""
        r = self.record
        width = len(row.offset) if (row := curves.row_of(r)) else 0
        x = [[1.0, -0.5, 2.0, 0.5][:width] if width > 1 else [-1.0, 2.0]] if r.axis else [-2.5, -0.5, 0.0, 0.5, 2.5]
        code = EXAMPLE.format(before="ta.manual_seed(0)\n" if r.name == "gumbel_softmax" else "", x=x, y="y[0, 0]" if r.axis else "y.sum()",
                              call=call(r))
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(code, "example.py", "exec"), {})
        return code, out.getvalue()


@functools.cache
def measured() -> dict[str, Any]:
    """The figures of the last `tests/benchmarks/accuracy.py --write`."""
    found: dict[str, Any] = json.loads(Path(__file__).with_name("accuracy.json").read_text(encoding="utf-8"))
    return found


def _units(units: float | None, most: float) -> str:
    text = "∞" if units is None else number(units, 2)
    return text if units is not None and units <= most else f"**{text}**"


def _range(low: float, high: float) -> str:
    kind = {(True, True): "bounded", (True, False): "bounded below", (False, True): "bounded above"}.get(
        (math.isfinite(low), math.isfinite(high)), "unbounded")
    return f"{_figure(low)} to {_figure(high)}: {kind}"


def _figure(x: float) -> str:
    return ("∞" if x > 0 else "−∞") if math.isinf(x) else number(x).replace("-", "−")


def _value(value: Any) -> str:
    if isinstance(value, tuple) and value and isinstance(value[0], tuple):
        return f"a matrix of {len(value)} × {len(value[0])}"
    if isinstance(value, tuple):
        return f"({', '.join(map(_value, value))})"
    return number(value) if isinstance(value, float) else str(value)


def _kept(record: Activation) -> str:
    """What the backward rule of the first input, or the joint one, reads."""
    rule = record.rules.get("joint") or record.rules[record.op.inputs[0]]
    names: Sequence[str] = parameters(rule)[0][2:]
    words = {"y": "its output y", record.op.inputs[0]: f"its input {record.op.inputs[0]}"}
    return ", ".join(words.get(n, n) for n in names if not n.endswith(("_shape", "_dtype"))) or "nothing"


def call(record: Activation) -> str:
    """How it is called with x, from `ta` on."""
    dim = ", dim=-1" if "dim" in record.settings else ""
    return CALLS.get(record.name, f"nn.functional.{record.torch or record.name}(x{dim})")
