"""Linear, Dropout, shapes, initial values, and what is done to gradients as a whole."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tests.ops.against_torch import array, check, refuses, torch
from tinygrad_act import nn
from tinygrad_act.errors import ArgumentError, DTypeError, GraphError, ShapeError

F, theirs = nn.functional, torch.nn.functional


# ------------------------------------------------------------------------------------------------------ linear
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("lead", [(), (4,), (2, 3), (0,), (2, 0, 3)])
@pytest.mark.parametrize("sizes", [(3, 5), (1, 1), (3, 0), (0, 2)])
def test_linear(lead: tuple[int, ...], sizes: tuple[int, int], bias: bool) -> None:
    further = [array(sizes[1])] if bias else []
    check(F.linear, theirs.linear, array(*lead, sizes[0]), array(*sizes[::-1]), *further)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_linear_in_other_dtypes(dtype: str) -> None:
    check(F.linear, theirs.linear, array(4, 3, dtype=dtype), array(5, 3, dtype=dtype), array(5, dtype=dtype), order=1)


def test_linear_with_a_weight_of_one_axis() -> None:
    check(F.linear, theirs.linear, array(2, 4, 3), array(3))
    check(F.linear, theirs.linear, array(2, 4, 3), array(3), array())


def test_linear_is_one_node_that_keeps_what_it_needs() -> None:
    x, w, b = ta.ones(2, 3), ta.ones(4, 3, requires_grad=True), ta.ones(4, requires_grad=True)
    node = F.linear(x, w, b).grad_fn
    assert node.op.name == "linear" and node.edges[1:] == (w, b)
    assert [a for a in node.saved if ta.backend.is_array(a)] == [] or all(a is not w.array for a in node.saved)
    frozen = F.linear(ta.ones(2, 3, requires_grad=True), ta.ones(4, 3), ta.ones(4)).grad_fn
    assert len([a for a in frozen.saved if ta.backend.is_array(a)]) == 1              # the weight, and not the input


def test_linear_refuses() -> None:
    refuses(F.linear, theirs.linear, array(4, 3), array(5, 2), says="in_features, 2")
    refuses(F.linear, theirs.linear, array(4, 3), array(5, 3), array(4), says="out_features")
    refuses(F.linear, theirs.linear, array(4, 3), array(5, 3, dtype="float32"), says="dtypes differ")


def test_linear_starts_as_pytorchs() -> None:
    ta.manual_seed(0)
    layer = nn.Linear(100, 50)
    for p in layer.parameters():
        values = np.array(p.tolist())
        assert abs(values).max() <= 0.1 and abs(values.std() - 0.1 / math.sqrt(3)) < 0.012
    assert nn.Linear(2, 3, dtype=ta.float64).weight.dtype == ta.float64
    again = nn.Linear(100, 50)
    assert again.weight.tolist() != layer.weight.tolist()
    ta.manual_seed(0)
    assert nn.Linear(100, 50).weight.tolist() == layer.weight.tolist()


# ----------------------------------------------------------------------------------------------------- dropout
@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_dropout(p: float) -> None:
    ta.manual_seed(1)
    x = ta.ones(100, 100, requires_grad=True)
    y = F.dropout(x, p)
    values = np.array(y.tolist())
    assert set(np.round(values.ravel(), 5)) <= {0.0, round(1 / (1 - p), 5) if p < 1 else 0.0}
    assert abs((values == 0).mean() - p) < 0.02
    y.sum().backward()
    assert x.grad.tolist() == y.tolist()                       # the same mask
    if p:
        assert y.grad_fn.op.name == "dropout"


def test_dropout_only_in_training() -> None:
    layer, x = nn.Dropout(0.5), ta.ones(50)
    assert layer.eval()(x) is x and (layer.train()(x) == 0).any().item()
    inside = ta.ones(50)
    assert F.dropout(inside, 0.5, inplace=True) is inside and (inside == 0).any().item()
    for wrong in (-0.1, 1.5):
        with pytest.raises(ArgumentError, match="probability"):
            nn.Dropout(wrong)
        with pytest.raises(ArgumentError, match="probability"):
            F.dropout(x, wrong)


def test_dropout_twice_differentiable() -> None:
    x = ta.ones(20, dtype=ta.float64, requires_grad=True)
    (g,) = ta.autograd.grad((F.dropout(x * x, 0.5)).sum(), x, create_graph=True)
    (h,) = ta.autograd.grad(g.sum(), x)
    assert h.tolist() == g.tolist() and set(h.tolist()) <= {0.0, 4.0}


# ------------------------------------------------------------------------------------------------------ shapes
def test_shape_layers() -> None:
    x = ta.arange(24).reshape(2, 3, 4)
    assert nn.Flatten()(x).shape == (2, 12) and nn.Flatten(0, 1)(x).shape == (6, 4)
    assert nn.Unflatten(1, (3, -1))(nn.Flatten()(x)).tolist() == x.tolist() and nn.Identity(1, a=2)(x) is x


# ------------------------------------------------------------------------------------------------ initial values
FILLS = [("uniform_", {"a": -1, "b": 3}), ("normal_", {"mean": 2, "std": 0.5}), ("constant_", {"val": 1.5}), ("zeros_", {}),
         ("ones_", {}), ("xavier_uniform_", {"gain": 2}), ("xavier_normal_", {}), ("kaiming_uniform_", {"a": math.sqrt(5)}),
         ("kaiming_normal_", {"mode": "fan_out", "nonlinearity": "relu"}), ("trunc_normal_", {"std": 2.0}), ("eye_", {})]


@pytest.mark.parametrize(("name", "options"), FILLS)
def test_fills_have_pytorchs_distribution(name: str, options: dict[str, Any]) -> None:
    ta.manual_seed(3)
    torch.manual_seed(3)
    w = nn.Parameter(ta.empty(60, 80))
    assert getattr(nn.init, name)(w, **options) is w and w.grad_fn is None
    v = torch.empty(60, 80)
    getattr(torch.nn.init, name)(v, **options)
    ours, other = np.array(w.tolist()), v.numpy()
    scale = other.std() + 1e-6
    assert abs(ours.mean() - other.mean()) < 0.1 * scale and abs(ours.std() - other.std()) < 0.05 * scale
    assert ours.min() > other.min() - 1.5 * scale and ours.max() < other.max() + 1.5 * scale


def test_gains_and_refusals() -> None:
    for name in ("linear", "sigmoid", "tanh", "relu", "selu", "conv2d"):
        assert nn.init.calculate_gain(name) == pytest.approx(torch.nn.init.calculate_gain(name))
    assert nn.init.calculate_gain("leaky_relu", 0.2) == pytest.approx(torch.nn.init.calculate_gain("leaky_relu", 0.2))
    with pytest.raises(ArgumentError, match="choose from"):
        nn.init.calculate_gain("nothing")
    with pytest.raises(ShapeError, match="two dims"):
        nn.init.xavier_uniform_(ta.empty(3))
    with pytest.raises(ArgumentError, match="fan_in"):
        nn.init.kaiming_normal_(ta.empty(3, 3), mode="fan")


# ----------------------------------------------------------------------------------------- all gradients as one
@pytest.mark.parametrize("norm", [1.0, 2.0, 3.0, math.inf])
@pytest.mark.parametrize("most", [0.5, 1e3])
def test_clipping_by_norm(norm: float, most: float) -> None:
    grads = [array(3, 4), array(5, seed=1)]
    ours = [nn.Parameter(ta.zeros(g.shape, dtype=ta.float64)) for g in grads]
    other = [torch.zeros(g.shape, dtype=torch.float64, requires_grad=True) for g in grads]
    for p, q, g in zip(ours, other, grads, strict=True):
        p.grad, q.grad = ta.tensor(g), torch.tensor(g)
    assert nn.utils.clip_grad_norm_(ours, most, norm).item() == pytest.approx(torch.nn.utils.clip_grad_norm_(other, most, norm).item())
    for p, q in zip(ours, other, strict=True):
        np.testing.assert_allclose(p.grad.tolist(), q.grad.numpy(), rtol=1e-12)


def test_clipping_values_and_vectors() -> None:
    p = nn.Parameter(ta.zeros(3))
    p.grad = ta.tensor([-5.0, 0.5, 5.0])
    nn.utils.clip_grad_value_(p, 1.0)
    assert p.grad.tolist() == [-1.0, 0.5, 1.0]
    p.grad = ta.tensor([math.inf, 0.0, 0.0])
    with pytest.raises(GraphError, match="not finite"):
        nn.utils.clip_grad_norm_(p, 1.0, error_if_nonfinite=True)
    net = nn.Linear(2, 3)
    vector = nn.utils.parameters_to_vector(net.parameters())
    nn.utils.vector_to_parameters(vector * 2, net.parameters())
    assert nn.utils.parameters_to_vector(net.parameters()).tolist() == (vector * 2).tolist()
    with pytest.raises(ShapeError, match="9 numbers"):
        nn.utils.vector_to_parameters(ta.zeros(4), net.parameters())


def test_a_parameter_of_ints_is_refused() -> None:
    with pytest.raises(DTypeError):
        nn.Parameter(ta.tensor([1, 2]))
    assert not nn.Parameter(ta.tensor([1, 2]), requires_grad=False).requires_grad
