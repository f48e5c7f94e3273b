"""`why` names the cause of a strange gradient: broken networks, each with what must be found, with and without a tape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

import tinygrad_act as ta
from tinygrad_act import nn
from tinygrad_act.errors import ArgumentError
from tinygrad_act.nn import functional as F
from tinygrad_act.study import Cause, Tape, why
from tinygrad_act.study.causes import REMEDIES


class Broken(NamedTuple):
    """What a case hands to `why`, and words that the answer must have."""

    tensor: ta.Tensor
    loss: ta.Tensor | None = None
    model: Any = None
    words: tuple[str, ...] = ()
    backward: bool = True


CASES: dict[str, tuple[str, str, Callable[[], Broken]]] = {}


def broken(cause: str, taped: str = "") -> Callable[[Callable[[], Broken]], Callable[[], Broken]]:
    """Enter a case: the cause that is found without a tape, and the one with it, if that is another."""
    def enter(make: Callable[[], Broken]) -> Callable[[], Broken]:
        CASES[make.__name__] = (cause, taped or cause, make)
        return make
    return enter


def batch() -> ta.Tensor:
    return ta.randn(6, 3)


# -------------------------------------------------------------------------------------------------------- None
@broken("no_requires_grad")
def a_leaf_that_nobody_asked() -> Broken:
    w = ta.ones(3)
    x = ta.ones(3, requires_grad=True)
    return Broken(w, (w * x).sum(), words=("requires_grad_()",))


@broken("not_floating")
def integers() -> Broken:
    i = ta.tensor([1, 2])
    return Broken(i, (ta.ones(2, requires_grad=True) * i).sum(), words=("int64",))


@broken("frozen")
def a_frozen_layer() -> Broken:
    m = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 1))
    m[0].weight.requires_grad_(False)
    return Broken(m[0].weight, m(batch()).sum(), m, words=("0.weight", "frozen"))


@broken("not_connected", "detached")
def detached_in_the_middle() -> Broken:
    m = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 1))
    return Broken(m[0].weight, m[1](m[0](batch()).detach()).sum(), m, words=("0.weight", "detach()"))


@broken("detached")
def a_parameter_used_detached() -> Broken:
    w, v = ta.randn(3, requires_grad=True), ta.randn(3, requires_grad=True)
    return Broken(w, (w.detach() * v).sum())


@broken("not_connected", "detached")
def data_in_the_middle() -> Broken:
    w, v = ta.randn(3, requires_grad=True), ta.randn(3, requires_grad=True)
    return Broken(w, ((w * 2).data * v).sum())


@broken("not_connected", "no_grad")
def a_part_under_no_grad() -> Broken:
    m = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 1))
    with ta.no_grad():
        h = m[0](batch())
    return Broken(m[0].weight, m[1](h).sum(), m, words=("0.weight",))


@broken("loss_without_graph", "no_grad")
def all_of_it_under_no_grad() -> Broken:
    m = nn.Linear(3, 1)
    with ta.no_grad():
        loss = m(batch()).sum()
    return Broken(m.weight, loss, m, backward=False)


@broken("inference_mode")
def all_of_it_under_inference_mode() -> Broken:
    m = nn.Linear(3, 1)
    with ta.inference_mode():
        loss = m(batch()).sum()
    return Broken(m.weight, loss, m, backward=False)


@broken("not_connected", "not_differentiable")
def an_argmax_on_the_way() -> Broken:
    m, v = nn.Linear(3, 4), ta.randn(6, requires_grad=True)
    return Broken(m.weight, (m(batch()).argmax(1).float() * v).sum(), m, words=("weight",))


@broken("loss_without_graph", "not_differentiable")
def a_loss_that_counts() -> Broken:
    m = nn.Linear(3, 2)
    loss = (m(batch()).argmax(1) == 0).float().mean()
    return Broken(m.weight, loss, m, backward=False, words=("softmax",))


@broken("not_connected", "not_differentiable")
def classes_made_one_hot() -> Broken:
    m, v = nn.Linear(3, 4), ta.randn(4, requires_grad=True)
    return Broken(m.weight, (F.one_hot(m(batch()).argmax(1), 4).float() @ v).sum(), m)


@broken("not_connected", "not_differentiable")
def converted_to_integers() -> Broken:
    w, v = ta.randn(3, requires_grad=True), ta.randn(3, requires_grad=True)
    return Broken(w, ((w * 10).long() * v).sum(), words=("cast",))


@broken("not_differentiable")
def an_integer_loss() -> Broken:
    m = nn.Linear(3, 2)
    return Broken(m.weight, m(batch()).argmax(1).sum(), m, backward=False)


@broken("not_connected")
def a_loss_made_anew_from_a_number() -> Broken:
    m = nn.Linear(3, 1)
    return Broken(m.weight, ta.tensor(m(batch()).sum().item(), requires_grad=True), m)


@broken("not_connected", "unused")
def a_layer_that_forward_left_out() -> Broken:
    m = nn.ModuleDict({"used": nn.Linear(3, 1), "forgotten": nn.Linear(3, 1)})
    return Broken(m["forgotten"].weight, m["used"](batch()).sum(), m, words=("forgotten.weight",))


@broken("not_connected")
def a_result_that_is_never_used() -> Broken:
    m = nn.ModuleDict({"a": nn.Linear(3, 1), "b": nn.Linear(3, 1)})
    x = batch()
    m["b"](x).sum()
    return Broken(m["b"].weight, m["a"](x).sum(), m, words=("b.weight",))


@broken("not_retained")
def a_result() -> Broken:
    w = ta.randn(3, requires_grad=True) * 0.1
    return Broken(w, (w * w).sum(), words=("retain_grad",))


@broken("retained_too_late")
def retain_grad_after_backward() -> Broken:
    h = ta.randn(3, requires_grad=True) * 0.1
    loss = (h * h).sum()
    loss.backward()
    h.retain_grad()
    return Broken(h, loss, backward=False)


@broken("other_tensor")
def a_parameter_wrapped_anew() -> Broken:
    w = ta.randn(3, requires_grad=True)
    p = nn.Parameter(w)
    return Broken(w, (p * p).sum())


@broken("other_tensor", "other_tensor")
def a_parameter_that_the_model_no_longer_holds() -> Broken:
    m = nn.Linear(3, 1)
    old = m.weight
    m.weight = nn.Parameter(ta.zeros(1, 3) + 1)
    return Broken(old, m(batch()).sum(), m)


@broken("backward_not_called")
def backward_was_not_called() -> Broken:
    m = nn.Linear(3, 1)
    return Broken(m.weight, m(batch()).sum(), m, backward=False, words=("loss.backward()",))


@broken("zeroed")
def zero_grad_came_first() -> Broken:
    m = nn.Linear(3, 1)
    loss = (m(batch()) ** 2).sum()
    loss.backward()
    m.zero_grad()
    return Broken(m.weight, loss, m, backward=False, words=("zero_grad",))


@broken("zeroed")
def set_to_zeros() -> Broken:
    m = nn.Linear(3, 1)
    loss = m(batch()).sum()
    loss.backward(retain_graph=True)
    m.zero_grad(set_to_none=False)
    return Broken(m.weight, loss, m, backward=False)


# ----------------------------------------------------------------------------------------------------------- 0
@broken("dead_units")
def dead_relus() -> Broken:
    m = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
    with ta.no_grad():
        m[0].bias.fill_(-100.0)
    return Broken(m[0].weight, m(batch()).sum(), m, words=("relu", "4 of its 4 units"))


@broken("dead_units")
def dead_relus_before_a_weight() -> Broken:
    m = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
    with ta.no_grad():
        m[0].bias.fill_(-100.0)
    return Broken(m[2].weight, m(batch()).sum(), m, words=("relu",))


@broken("dead_units")
def half_of_the_relus_are_dead() -> Broken:
    m = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
    with ta.no_grad():
        m[0].bias[:3] = -100.0
        m[0].bias[3:] = 100.0
    return Broken(m[0].weight, m(batch()).sum(), m, words=("3 of its 4 units",))


@broken("saturated")
def saturated_sigmoids() -> Broken:
    m = nn.Sequential(nn.Linear(3, 4), nn.Sigmoid(), nn.Linear(4, 1))
    with ta.no_grad():
        m[0].bias.fill_(500.0)
    return Broken(m[0].weight, m(batch()).sum(), m, words=("sigmoid", "100%"))


@broken("saturated")
def saturated_tanhs() -> Broken:
    m = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    with ta.no_grad():
        m[0].weight.mul_(1e4)
        m[0].bias.fill_(300.0)
    return Broken(m[0].weight, m(ta.ones(2, 3)).sum(), m, words=("tanh",))


@broken("saturated")
def a_saturated_hardtanh() -> Broken:
    x = ta.tensor([5.0, -9.0], requires_grad=True)
    return Broken(x, F.hardtanh(x).sum())


@broken("masked")
def masked_by_where() -> Broken:
    x = ta.tensor([1.0, 2.0], requires_grad=True)
    return Broken(x, ta.where(x > 5, x, 0.0).sum(), words=("where",))


@broken("masked")
def masked_by_a_factor() -> Broken:
    x = ta.randn(3, 2, requires_grad=True)
    mask = ta.tensor([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    return Broken(x, (x * mask)[:, 1].sum(), words=("mask",))


@broken("masked")
def clamped() -> Broken:
    x = ta.tensor([5.0, 7.0], requires_grad=True)
    return Broken(x, x.clamp(0, 1).sum(), words=("clamp",))


@broken("masked")
def all_dropped_out() -> Broken:
    m = nn.Sequential(nn.Linear(3, 4), nn.Dropout(1.0), nn.Linear(4, 1))
    return Broken(m[0].weight, m(batch()).sum(), m)


@broken("multiplied_by_zero")
def multiplied_by_zero() -> Broken:
    x = ta.randn(3, requires_grad=True)
    return Broken(x, (x * 0).sum())


@broken("multiplied_by_zero")
def a_head_of_zeros() -> Broken:
    m = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    nn.init.zeros_(m[2].weight)
    return Broken(m[0].weight, m(batch()).sum(), m, words=("2.weight",))


@broken("multiplied_by_zero")
def zeros_as_input() -> Broken:
    m = nn.Linear(3, 1)
    return Broken(m.weight, (m(ta.zeros(4, 3)) + 1).sum(), m)


@broken("step_function")
def rounded() -> Broken:
    x = ta.tensor([1.2, 2.7], requires_grad=True)
    return Broken(x, (x.round() * 2).sum(), words=("round", "straight"))


@broken("step_function")
def signs() -> Broken:
    m = nn.Linear(3, 2)
    return Broken(m.weight, m(batch()).sign().sum(), m, words=("sign",))


@broken("not_selected")
def a_column_that_is_not_selected() -> Broken:
    x = ta.randn(4, 3)
    w = ta.tensor([1.0, 2.0, 3.0], requires_grad=True)
    part = w[2:]
    return Broken(w, (x[:, 2:] * part).sum(), words=("getitem",))


@broken("cancels")
def the_ways_cancel() -> Broken:
    x = ta.tensor([1.0, 2.0], requires_grad=True)
    return Broken(x, (x * 2 - x - x).sum())


@broken("cancels")
def a_bias_before_batch_norm() -> Broken:
    m = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 1))
    return Broken(m[0].bias, (m(ta.randn(32, 3)) ** 2).sum(), m, words=("leave it out",))


@broken("underflow")
def float16_underflow() -> Broken:
    x = ta.full((2,), 1e-4, dtype=ta.float16, requires_grad=True)
    return Broken(x, (x * 1e-5 * 1e-3).sum(), words=("float32",))


@broken("flat_point")
def the_norm_of_zeros() -> Broken:
    x = ta.zeros(3, requires_grad=True)
    return Broken(x, (x * 2).norm(), words=("norm",))


class Forgotten(ta.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: ta.Tensor) -> ta.Tensor:
        return x * 2

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        return gradients[0] * 0


@broken("custom_rule")
def a_function_whose_backward_is_wrong() -> Broken:
    x = ta.randn(3, requires_grad=True)
    return Broken(x, (Forgotten.apply(x) * 3).sum(), words=("Forgotten", "gradcheck"))


@broken("cancels")
def the_sum_of_a_softmax() -> Broken:
    m = nn.Linear(3, 4)
    return Broken(m.weight, m(batch()).softmax(1).sum(), m, words=("always 1",))


@broken("hook")
def a_hook_that_zeroes() -> Broken:
    x = ta.tensor([1.0, 2.0], requires_grad=True)
    x.register_hook(lambda g: g * 0)
    return Broken(x, (x * 2).sum())


@broken("empty")
def an_empty_tensor() -> Broken:
    x = ta.zeros(0, 3, requires_grad=True)
    return Broken(x, (x * 2).sum())


# ------------------------------------------------------------------------------------------------ NaN and infinity
@broken("nan_in_data")
def nan_in_the_data() -> Broken:
    m, x = nn.Linear(3, 1), batch()
    x[2, 1] = float("nan")
    return Broken(m.weight, m(x).sum(), m, words=("isfinite",))


@broken("nan_in_parameter")
def a_parameter_that_is_nan() -> Broken:
    m = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    with ta.no_grad():
        m[0].weight[0, 0] = float("nan")
    return Broken(m[2].weight, m(batch()).sum(), m, words=("0.weight",))


@broken("nothing_left")
def every_target_ignored() -> Broken:
    m = nn.Linear(3, 4)
    return Broken(m.weight, F.cross_entropy(m(batch()), ta.full((6,), -100, dtype=ta.int64)), m, words=("every target",))


@broken("nothing_left")
def a_row_masked_out() -> Broken:
    m, x = nn.Linear(3, 3), batch()
    q = m(x)
    scores = (q @ q.T).masked_fill(ta.ones(6, 6, dtype=ta.bool), float("-inf"))
    return Broken(m.weight, (scores.softmax(-1) @ x).sum(), m, words=("masked with -inf",))


@broken("nothing_left")
def the_deviation_of_one_number() -> Broken:
    x = ta.randn(1, requires_grad=True)
    return Broken(x, (x * 2).std(), words=("more than 1",))


@broken("nan_in_forward")
def log_of_zero() -> Broken:
    x = ta.tensor([0.0, 1.0], requires_grad=True)
    return Broken(x, (x * 1.0).log().sum(), words=("log",))


@broken("nan_in_forward")
def root_of_a_negative_number() -> Broken:
    x = ta.tensor([-1.0, 1.0], requires_grad=True)
    return Broken(x, ((x * 2).sqrt() * 3).sum(), words=("sqrt",))


@broken("nan_in_forward")
def divided_by_zero() -> Broken:
    x = ta.tensor([1.0, 2.0], requires_grad=True)
    return Broken(x, (x / (x - x)).sum(), words=("div",))


@broken("overflow")
def exp_of_a_large_number() -> Broken:
    x = ta.tensor([1.0, 200.0], requires_grad=True)
    return Broken(x, (x.exp() / x.exp().sum()).log().sum(), words=("exp",))


@broken("overflow")
def float16_overflow() -> Broken:
    x = ta.full((2,), 300.0, dtype=ta.float16, requires_grad=True)
    return Broken(x, (x * x).sum(), words=("mul", "float32"))


@broken("nan_in_backward")
def root_at_zero() -> Broken:
    x = ta.tensor([0.0, 4.0], requires_grad=True)
    return Broken(x, x.sqrt().sum(), words=("sqrt", "epsilon"))


@broken("nan_in_backward")
def where_does_not_guard_the_root() -> Broken:
    x = ta.tensor([0.0, 4.0], requires_grad=True)
    return Broken(x, ta.where(x > 0, x.sqrt(), 0.0).sum(), words=("sqrt", "where"))


# -------------------------------------------------------------------------------------------------- small and large
def deep(activation: Any, depth: int, gain: float) -> nn.Sequential:
    layers: list[nn.Module] = []
    for _ in range(depth):
        layer = nn.Linear(16, 16)
        nn.init.xavier_normal_(layer.weight, gain=gain)
        layers += [layer, activation()]
    return nn.Sequential(*layers, nn.Linear(16, 1))


@broken("vanishing")
def twenty_sigmoids() -> Broken:
    m = deep(nn.Sigmoid, 20, 1.0)
    return Broken(m[0].weight, m(ta.randn(8, 16)).mean(), m, words=("product of many factors below 1",))


@broken("vanishing")
def sixty_steps_back_in_an_rnn() -> Broken:
    m, first = nn.RNN(4, 4), ta.randn(1, 2, 4, requires_grad=True)
    out, _ = m(ta.cat([first, ta.randn(60, 2, 4)]))
    return Broken(first, out[-1].sum(), m, words=("rnn_tanh_layer",))


@broken("exploding")
def large_initial_weights() -> Broken:
    m = deep(nn.ReLU, 12, 6.0)
    return Broken(m[0].weight, m(ta.randn(8, 16)).mean(), m, words=("product of many factors above 1", "clip_grad_norm_"))


@broken("exploding")
def a_recurrence_that_grows() -> Broken:
    w = ta.eye(4) * 1.5
    w.requires_grad_()
    h = ta.randn(2, 4)
    for _ in range(40):
        h = h @ w
    return Broken(w, h.sum())


@broken("saturated")
def one_saturated_layer() -> Broken:
    m = nn.Sequential(nn.Linear(3, 4), nn.Sigmoid(), nn.Linear(4, 1))
    with ta.no_grad():
        m[0].bias.fill_(20.0)
    return Broken(m[0].weight, m(batch()).sum(), m, words=("sigmoid",))


@broken("scaled_down")
def a_tiny_factor() -> Broken:
    x = ta.randn(3, requires_grad=True)
    return Broken(x, (x * 1e-9).sum(), words=("mul",))


@broken("steep")
def one_over_nearly_zero() -> Broken:
    x = ta.tensor([1e-4, 1.0], requires_grad=True)
    return Broken(x, (1 / x).sum())


@broken("large_values")
def data_that_is_not_scaled() -> Broken:
    m = nn.Linear(3, 1)
    return Broken(m.weight, (m(ta.randn(6, 3) * 1e5)).sum(), m, words=("Standardise",))


@broken("accumulated")
def zero_grad_forgotten() -> Broken:
    m = nn.Linear(3, 1)
    loss = m(batch()).sum()
    for _ in range(3):
        loss.backward(retain_graph=True)
    return Broken(m.weight, loss, m, backward=False, words=("3 times", "zero_grad"))


@broken("healthy")
def a_sound_network() -> Broken:
    m = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))
    return Broken(m[0].weight, m(batch()).mean(), m)


# ------------------------------------------------------------------------------------------------------- the tests
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
        assert f"in {name}" in reason.evidence["line"] and "test_why.py" in reason.text


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
