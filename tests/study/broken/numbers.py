"""Broken networks whose gradient is 0, NaN, infinite, very small or very large; and sound ones."""

from __future__ import annotations

from typing import Any

import tinygrad_act as ta
from tinygrad_act import nn
from tinygrad_act.nn import functional as F

from .case import Broken, batch, broken


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


@broken("cancels")
def the_mean_of_a_normalisation() -> Broken:
    m = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4))
    return Broken(m[0].weight, m(batch()).mean(), m, words=("layer_norm", "always add up to the same"))


@broken("saturated")
def softmax_of_large_logits() -> Broken:
    m = nn.Linear(3, 4)
    p = (m(batch()) * 5000).softmax(1)
    return Broken(m.weight, -(p[:, 0] + 1e-9).log().mean(), m, words=("softmax", "one output is 1"))


@broken("saturated")
def softmax_of_probabilities_as_sure_as_can_be() -> Broken:
    m = nn.Linear(3, 4)
    return Broken(m.weight, F.cross_entropy((m(batch()) * 300).softmax(1), ta.arange(6) % 4), m, words=("softmax",))


@broken("underflow")
def half_a_network_and_a_small_loss() -> Broken:
    m = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)).half()
    return Broken(m[0].weight, (m(batch().half()).float() * 1e-9).sum(), m, words=("cast", "element type"))


@broken("underflow")
def a_product_of_many_small_numbers() -> Broken:
    x = ta.full((40,), 1e-3, requires_grad=True)
    return Broken(x, (x * 1.0).prod(), words=("prod",))


@broken("masked")
def attention_to_nothing() -> Broken:
    x = ta.randn(1, 2, 4, 8, requires_grad=True)
    q = x * 2
    return Broken(x, F.scaled_dot_product_attention(q, q, q, attn_mask=ta.zeros(4, 4, dtype=ta.bool)).sum(), words=("mask",))


@broken("flat_point")
def outputs_and_targets_of_zeros() -> Broken:
    x = ta.zeros(3, requires_grad=True)
    return Broken(x, F.mse_loss(x * 2, ta.zeros(3)), words=("squared_error", "what is wanted"))


@broken("flat_point")
def a_margin_that_is_kept() -> Broken:
    m = nn.Linear(3, 1)
    return Broken(m.weight, F.margin_ranking_loss(m(batch())[:, 0] + 100, ta.zeros(6), ta.ones(6), margin=0.1), m, words=("margin_ranking",))


@broken("flat_point")
def predictions_that_are_right_and_sure() -> Broken:
    x, labels = ta.zeros(6, 4, requires_grad=True), ta.arange(6) % 4
    return Broken(x, F.cross_entropy(x + 30 * F.one_hot(labels, 4).float(), labels), words=("cross_entropy", "at its least"))


@broken("saturated")
def an_lstm_whose_gates_are_shut() -> Broken:
    m, x = nn.LSTM(3, 4), ta.randn(5, 2, 3, requires_grad=True)
    with ta.no_grad():
        m.bias_ih_l0.fill_(-60.0)
    return Broken(x, m(x)[0].sum(), m, words=("gates",))


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


@broken("exploding")
def equal_steps_that_grow() -> Broken:
    w = (ta.eye(8) * 3).requires_grad_()
    h = ta.ones(1, 8)
    for _ in range(30):
        h = h @ w
    return Broken(w, h.sum(), words=("grew on their way forward",))


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
