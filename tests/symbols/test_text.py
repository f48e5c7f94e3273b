"""The text of a rule is Python that computes what the rule does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from rules import cases

from tinygrad_act.backend import numpy
from tinygrad_act.symbols import expression
from tinygrad_act.symbols.expression import Symbol, evaluate, trace
from tinygrad_act.symbols.text import formula, infix


@pytest.mark.parametrize(("rule", "text"), [
    (lambda F, x: (x + 1) * 2 - (x - (1 - x)), "(x + 1) * 2 - (x - (1 - x))"),
    (lambda F, x: x * (x * x) / x / (x / x), "x * x * x / x / (x / x)"),
    (lambda F, x: -x * -(x + 1), "-x * -(x + 1)"),
    (lambda F, x: F.where(F.logical_and(x > 0, x < 1), x, F.where(x > 2, 1, -1)), "x if x > 0 and x < 1 else 1 if x > 2 else -1"),
    (lambda F, x: F.pow(-x, F.pow(2, x)), "(-x) ** 2 ** x"), (lambda F, x: F.pow(F.pow(x, 2), 3), "(x ** 2) ** 3"),
    (lambda F, x: 2 * F.floor_divide(x, 3), "2 * (x // 3)"),
    (lambda F, x: F.tanh(0.5 * x), "tanh(0.5 * x)")])
def test_few_parentheses(rule: Any, text: str) -> None:
    assert formula(rule) == text


def test_settings_go_by_their_names_or_their_values() -> None:
    def rule(F: Any, x: Any, *, alpha: float = 1.0) -> Any:
        return alpha * F.exp(x)
    assert formula(rule) == "alpha * exp(x)"
    assert formula(rule, alpha=0.5) == "0.5 * exp(x)"
    assert formula(rule, latex=True) == r"\alpha \, e^{x}"


def test_the_text_of_every_rule_is_python_with_its_meaning() -> None:
    """Floats are printed short, so rules with long constants agree to six digits only."""
    functions: dict[str, Any] = {"inf": np.inf, "nan": np.nan}
    functions |= {n: getattr(numpy.F, n) for n in vars(expression.F)}
    x = {n: np.float64(v) for n, v in zip("abcdefgh", (0.3, 1.7, -0.6, 2.2, 0.9, -1.4, 0.2, 3.1), strict=True)}
    for case in cases("float64"):
        inputs = [Symbol.input(n, t) if isinstance(t, np.dtype) else t for n, t in zip(x, case.arguments, strict=False)]
        values = {n: bool(v > 0) if t is np.dtype(bool) else v for (n, v), t in zip(x.items(), case.arguments, strict=False)}
        for root in trace(case.rule, inputs, case.settings):
            with np.errstate(all="ignore"):
                (direct,) = evaluate([root], numpy.F, values)
                by_text = np.asarray(eval(infix(root), {"__builtins__": {}}, functions | values)).astype(np.asarray(direct).dtype)
            np.testing.assert_allclose(by_text, direct, rtol=1e-3, atol=1e-6, err_msg=f"{case.name}: {infix(root)}")
