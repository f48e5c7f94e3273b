"""What is no argument of a study tool is refused in words, with the remedy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import tinygrad_act as ta
from tinygrad_act import nn, study
from tinygrad_act.errors import ArgumentError
from tinygrad_act.study.measuring.lockstep import Difference

misused: Any = study                   # what no type checker would let pass


def enter(x: Any) -> None:
    with x:
        pass


@pytest.mark.parametrize(("call", "words"), [
    (lambda y: misused.draw(y, repeats="a"), ("draw", "repeats='a'", "True, False")),
    (lambda y: misused.draw(y, depth="a"), ("draw", "depth='a'", "how many modules deep")),
    (lambda y: misused.draw(y, limit="a"), ("draw", "limit='a'", ">= 8")),
    (lambda y: misused.draw(y, show=None), ("draw", "show=None", "gradients")),
    (lambda y: misused.draw(y, fold=3), ("draw", "fold=3", "layers")),
    (lambda y: misused.draw(y, tape=3), ("draw", "a int as tape", "study.Tape()")),
    (lambda y: misused.Stepper(y, tape=3), ("a int as tape", "study.Tape()")),
    (lambda y: misused.profile(3), ("study.profile", "a int as step", "lambda")),
    (lambda y: misused.profile(lambda: None, repeat="a"), ("study.profile", "repeat='a'", ">= 1")),
    (lambda y: misused.kinks("up"), ("study.kinks", "'up'", "study.rules")),
])
def test_wrong_types_are_refused_in_words(call: Callable[[Any], Any], words: tuple[str, ...]) -> None:
    with pytest.raises(ArgumentError) as caught:
        call(ta.ones(2, requires_grad=True).tanh().sum())
    assert all(word in str(caught.value) for word in words), caught.value


def test_drawings_show_the_settings_of_the_public_function_and_no_others() -> None:
    f = nn.functional
    x = ta.randn(3, 4, requires_grad=True)
    dot = study.to_dot(f.layer_norm(x, (4,)).sum() + f.cross_entropy(x, ta.tensor([0, 1, 2])) + f.elu(x, alpha=0.5).sum(dim=0, keepdim=True).sum())
    assert "view=" not in dot and "every=" not in dot
    assert "alpha=0.5" in dot and "keepdim=True" in dot


def test_few_runs_are_said_to_give_rough_shares() -> None:
    x = ta.ones(2, requires_grad=True)
    few, many = (study.profile(lambda: x.tanh().sum().backward(), repeat=n) for n in (2, 5))
    assert "shares are rough" in few.markdown() and "rough" not in many.markdown()


def test_differences_that_are_rounding_bring_the_advice_to_count_in_units_of_the_largest() -> None:
    differences = [Difference("exp", "value", "", (), 3.0, 1.0)] * 3
    report = study.Lockstep(("numpy", "strict"), differences, [])
    assert 'relative_to="largest" with tolerance=16' in report.markdown()


def test_why_does_not_ask_for_the_tape_that_it_was_given() -> None:
    x = ta.ones(2, requires_grad=True)
    with study.Tape() as tape:
        other = x.tanh()
        loss = ta.ones(2, requires_grad=True).sum()
    given, without = study.why(x, loss, tape=tape), study.why(x, loss)
    assert given.cause == without.cause == "not_connected" and other is not None
    assert "pass tape=" in without.text and "pass tape=" not in given.text


def test_a_nan_in_a_tensor_without_a_name_is_told_in_words() -> None:
    x = ta.tensor([1.0, float("nan")], requires_grad=True)
    loss = x.tanh().sum()
    loss.backward(retain_graph=True)
    text = study.why(x, loss).text
    assert "leaf leaf" not in text and "NaN" in text
