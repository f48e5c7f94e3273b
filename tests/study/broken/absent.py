"""Broken networks whose gradient is None."""

from __future__ import annotations

import tinygrad_act as ta
from tinygrad_act import nn
from tinygrad_act.nn import functional as F

from .case import Broken, batch, broken


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
