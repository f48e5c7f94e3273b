"""`why` names the cause of a strange gradient: for each of the broken networks, and in graphs that are large or unusual."""

from __future__ import annotations

import pytest

import tinygrad_act as ta
from tinygrad_act import nn
from tinygrad_act.errors import ArgumentError
from tinygrad_act.study import Cause, Tape, why
from tinygrad_act.study.diagnosis.causes import REMEDIES

from .broken import CASES, Broken


def run_backward(case: Broken, retain: bool) -> None:
    if case.backward and case.loss is not None and case.loss.requires_grad:
        case.loss.backward(retain_graph=retain)


@pytest.mark.parametrize("name", CASES)
def test_the_cause_is_found_from_the_graph(name: str) -> None:
    ta.manual_seed(0)
    cause, _, make = CASES[name]
    case = make()
    run_backward(case, retain=True)
    reason = why(case.tensor, case.loss, case.model)
    assert reason.cause == cause, reason.text
    if cause == CASES[name][1]:
        for word in case.words:
            assert word in reason.text, reason.text


@pytest.mark.parametrize("name", CASES)
def test_a_tape_says_more(name: str) -> None:
    ta.manual_seed(0)
    _, cause, make = CASES[name]
    with Tape() as tape:
        case = make()
        run_backward(case, retain=True)
    reason = why(case.tensor, case.loss, case.model, tape)
    assert reason.cause == cause, reason.text
    for word in case.words:
        assert word in reason.text, reason.text
    if cause in (Cause.DETACHED, Cause.NO_GRAD, Cause.NOT_DIFFERENTIABLE) and "line" in reason.evidence:
        assert f"in {name}" in reason.evidence["line"] and "broken" in reason.text


@pytest.mark.parametrize("name", [n for n, (_, cause, _) in CASES.items() if cause in (
    "dead_units", "saturated", "masked", "multiplied_by_zero", "step_function", "nan_in_backward", "vanishing", "exploding")])
def test_a_tape_of_the_backward_pass_stands_in_for_a_freed_graph(name: str) -> None:
    ta.manual_seed(0)
    cause, _, make = CASES[name]
    with Tape(values=True, gradients=True) as tape:
        case = make()
        run_backward(case, retain=False)
    reason = why(case.tensor, case.loss, case.model, tape)
    assert reason.cause != Cause.UNKNOWN, reason.text
    if cause in ("vanishing", "exploding", "nan_in_backward", "saturated", "step_function"):
        assert reason.cause == cause, reason.text


def test_a_freed_graph_without_a_tape_says_what_would_help() -> None:
    x = ta.tensor([-1.0, -2.0], requires_grad=True)
    loss = x.relu().sum()
    loss.backward()
    reason = why(x, loss)
    assert reason.cause == Cause.UNKNOWN and "retain_graph=True" in reason.text and "Tape" in reason.text


@pytest.mark.parametrize("name", ["dead_relus", "detached_in_the_middle", "twenty_sigmoids", "log_of_zero"])
def test_it_changes_nothing(name: str) -> None:
    ta.manual_seed(0)
    case = CASES[name][2]()
    run_backward(case, retain=True)
    before = [(t, t.grad, None if t.grad is None else t.grad.tolist()) for t in (case.model.parameters() if case.model else [case.tensor])]
    why(case.tensor, case.loss, case.model)
    assert all(t.grad is g and (g is None or str(g.tolist()) == str(numbers)) for t, g, numbers in before)
    if case.loss is not None:
        case.loss.backward()                                   # the graph is still there


def test_every_cause_but_two_has_a_remedy_and_is_tested() -> None:
    assert set(Cause) - set(REMEDIES) == {Cause.HEALTHY, Cause.UNKNOWN}
    found = {c for cause, taped, _ in CASES.values() for c in (cause, taped)}
    assert set(Cause) - found <= {"unknown", "zero_loss_gradient"}
    assert len(CASES) >= 25


def test_a_loss_multiplied_by_zero_from_the_start() -> None:
    x = ta.tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    y.backward(ta.zeros(2), retain_graph=True)
    with Tape(gradients=True) as tape:
        z = x * 3
        z.backward(ta.zeros(2))
    assert why(x, z, tape=tape).cause == Cause.ZERO_LOSS_GRADIENT


def test_the_answer_shows_everywhere() -> None:
    pytest.importorskip("rich")
    ta.manual_seed(0)
    case = CASES["twenty_sigmoids"][2]()
    run_backward(case, retain=True)
    reason = why(case.tensor, case.loss, case.model)
    assert "why: vanishing" in repr(reason) and "largest gradient in" in reason.markdown() and "<table" in reason._repr_html_()
    assert all(len(line) <= 80 for line in reason.page().text(80).splitlines())
    assert r"\begin{tabular}" in reason.latex()


def test_a_hidden_state_of_an_lstm_cut_by_detach() -> None:
    ta.manual_seed(0)
    lstm, head = nn.LSTM(3, 4), nn.Linear(4, 1)
    with Tape() as tape:
        out, _ = lstm(ta.randn(5, 2, 3))
        loss = head(out[-1].detach()).sum()
    loss.backward()
    reason = why(lstm.weight_ih_l0, loss, lstm, tape)
    assert reason.cause == Cause.DETACHED and "weight_ih_l0" in reason.text


def test_a_shared_layer_and_a_second_order_graph() -> None:
    ta.manual_seed(0)
    layer = nn.Linear(3, 3)
    x = ta.randn(2, 3, requires_grad=True)
    (g,) = ta.autograd.grad(layer(ta.tanh(layer(x))).sum(), x, create_graph=True)
    loss = (g * g).sum()
    loss.backward(retain_graph=True)
    assert why(layer.weight, loss, layer).cause == Cause.HEALTHY
    assert why(layer.bias, loss, layer).cause in (Cause.HEALTHY, Cause.SATURATED)


def test_a_graph_of_ten_thousand_nodes() -> None:
    x = ta.tensor(1.0, requires_grad=True)
    y = x
    for _ in range(5000):
        y = (y * 0.99).tanh()
    y.backward(retain_graph=True)
    reason = why(x, y)
    assert reason.cause == Cause.VANISHING and len(reason.evidence["layers"]) <= 41


def test_misuse_is_told() -> None:
    x = ta.tensor(1.0, requires_grad=True)
    with pytest.raises(ArgumentError, match=r"not about its \.grad"):
        why(x.grad)
    with pytest.raises(ArgumentError, match="float as tensor"):
        why(1.0)
    with pytest.raises(ArgumentError, match="Tape"):
        why(x, tape=3)
