"""Recurrent layers as ops: one node each, held to numerical gradients and to the layer written out step by step."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act import numerics
from tinygrad_act.autograd import gradcheck, gradgradcheck
from tinygrad_act.errors import DTypeError
from tinygrad_act.graph import recording
from tinygrad_act.ops import gru, lstm, recurrent, rnn

I, H, B, T = 3, 2, 3, 4                                      # features, units, sequences, steps
SIZES = (3, 3, 2, 1)                                         # of packed sequences

# name -> (op, gates, states, more weights)
OPS: dict[str, tuple[Any, int, int, list[Any]]] = {
    "lstm": (lstm.lstm_layer, 4, 2, [0.0]), "gru": (gru.gru_layer, 3, 1, []),
    "rnn_tanh": (rnn.rnn_tanh_layer, 1, 1, []), "rnn_relu": (rnn.rnn_relu_layer, 1, 1, [])}

each_op = pytest.mark.parametrize("name", OPS)
each_order = pytest.mark.parametrize("sizes", [None, SIZES], ids=["full", "packed"])
each_direction = pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])


def tensor(*shape: int, seed: int, dtype: Any = ta.float64) -> Any:
    values = np.random.default_rng((seed, *shape)).uniform(-1, 1, shape)
    return ta.tensor(values.tolist(), dtype=dtype).reshape(shape).requires_grad_()


def inputs(name: str, sizes: Any, biases: bool = True, dtype: Any = ta.float64) -> list[Any]:
    _, gates, states, more = OPS[name]
    x = tensor(T, B, I, seed=0, dtype=dtype) if sizes is None else tensor(sum(sizes), I, seed=0, dtype=dtype)
    first = [tensor(B, H, seed=1 + k, dtype=dtype) for k in range(states)]
    bias = [tensor(gates * H, seed=k, dtype=dtype) for k in (5, 6)] if biases else [0.0, 0.0]
    return [x, *first, tensor(gates * H, I, seed=3, dtype=dtype), tensor(gates * H, H, seed=4, dtype=dtype), *bias, *more]


def function(name: str, given: list[Any], sizes: Any, reverse: bool) -> tuple[Callable[..., Any], list[Any]]:
    """The op as a function of its Tensors only, and these."""
    places = [i for i, v in enumerate(given) if isinstance(v, ta.Tensor)]

    def call(*tensors: Any) -> Any:
        arguments = list(given)
        for i, t in zip(places, tensors, strict=True):
            arguments[i] = t
        return OPS[name][0](*arguments, sizes=sizes, reverse=reverse)
    return call, [given[i] for i in places]


@each_op
@each_order
@each_direction
def test_gradients_are_the_numerical_ones(name: str, sizes: Any, reverse: bool) -> None:
    assert gradcheck(*function(name, inputs(name, sizes), sizes, reverse))


@each_op
@each_direction
def test_gradients_of_gradients_are_the_numerical_ones(name: str, reverse: bool) -> None:
    assert gradgradcheck(*_small(name, reverse))


def _small(name: str, reverse: bool) -> tuple[Callable[..., Any], list[Any]]:
    given = inputs(name, SIZES, biases=False)
    given[0] = tensor(4, I, seed=0)
    return function(name, given, (3, 1), reverse)


def test_a_projection_has_its_gradients() -> None:
    given = [tensor(3, 1, seed=0), tensor(2, 1, seed=1), tensor(2, H, seed=2), tensor(4 * H, 1, seed=3), tensor(4 * H, 1, seed=4),
             0.0, 0.0, tensor(1, H, seed=7)]
    name = "lstm"
    assert gradcheck(*function(name, given, (2, 1), False))
    assert gradgradcheck(*function(name, given, (2, 1), False))


@each_op
@each_order
@each_direction
@pytest.mark.parametrize("biases", [False, True])
def test_the_rule_computes_what_the_steps_written_out_do(name: str, sizes: Any, reverse: bool, biases: bool) -> None:
    given = inputs(name, sizes, biases)
    op, _, states, _ = OPS[name]
    cell: Any = {"lstm": lstm.cell, "gru": gru.cell, "rnn_tanh": rnn.tanh_cell, "rnn_relu": rnn.relu_cell}[name]
    fast = op(*given, sizes=sizes, reverse=reverse)
    slow = recurrent.written_out(recording, cell, given[0], given[1:1 + states], *given[1 + states:], sizes=sizes, reverse=reverse)
    for a, b in zip(fast, slow, strict=True):
        assert ta.allclose(a, b, 1e-12, 1e-12)


@each_op
def test_a_layer_is_one_node_that_keeps_its_gates_once(name: str) -> None:
    given = inputs(name, None)
    y, *last = OPS[name][0](*given)
    (node,) = {t.grad_fn.edges[0] for t in (y, *last)}
    assert node.name() == f"{name}_layerBackward"
    kept = sum(a.size for a in node.saved if hasattr(a, "size")) - sum(t.array.size for t in given if isinstance(t, ta.Tensor))
    assert kept == T * B * H * {"lstm": 6, "gru": 5, "rnn_tanh": 1, "rnn_relu": 1}[name]


@each_op
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_results_have_the_inputs_dtype(name: str, dtype: str) -> None:
    given = inputs(name, None, dtype=dtype)
    results = OPS[name][0](*given)
    assert {t.dtype for t in results} == {np.dtype(dtype)}
    sum((t.sum() for t in results), ta.zeros((), dtype=dtype)).backward()
    assert {t.grad.dtype for t in given if isinstance(t, ta.Tensor)} == {np.dtype(dtype)}


@each_op
def test_an_empty_batch_has_gradients_of_zero(name: str) -> None:
    given = inputs(name, None)
    states = OPS[name][2]
    given[:1 + states] = [ta.zeros(T, 0, I, dtype=ta.float64, requires_grad=True)] + [ta.zeros(0, H, dtype=ta.float64)] * states
    y = OPS[name][0](*given)[0]
    y.sum().backward()
    assert y.shape == (T, 0, H)
    assert not given[1 + states].grad.any()


@each_op
@each_direction
def test_one_input_may_be_the_result_of_another_under_create_graph(name: str, reverse: bool) -> None:
    """The gradient of x is then not to be counted along both ways within the rule."""
    given = inputs(name, None)
    states = OPS[name][2]

    def loss(x: Any) -> Any:
        first = [x[0, :, :H] * (k + 2) for k in range(states)]
        y, *last = OPS[name][0](x, *first, *given[1 + states:], reverse=reverse)
        return (y * y).sum() + sum(s.sum() for s in last)
    x = given[0]
    plain, = ta.autograd.grad(loss(x), x)
    recorded, = ta.autograd.grad(loss(x), x, create_graph=True)
    assert ta.allclose(plain, recorded, 1e-12, 1e-12)


@each_op
def test_groups_of_steps_do_not_change_the_gradient(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def gradients() -> list[Any]:
        call, leaves = function(name, inputs(name, SIZES), SIZES, True)
        return list(ta.autograd.grad(call(*leaves)[0].sum(), leaves))
    whole = gradients()
    monkeypatch.setattr(numerics.recurrent, "CACHED", 8)
    for a, b in zip(whole, gradients(), strict=True):
        assert ta.allclose(a, b, 1e-12, 1e-12)


def test_figures_worked_by_hand() -> None:
    """One unit, one sequence, two steps: h = tanh(x + h / 2) from 0, and an LSTM with weights 0, whose gates are all ½."""
    one = ta.ones(1, 1, dtype=ta.float64)
    y, h = rnn.rnn_tanh_layer(ta.tensor([[[1.0]], [[0.0]]], dtype=ta.float64), 0 * one, one, one / 2, 0.0, 0.0)
    assert y.flatten().tolist() == pytest.approx([math.tanh(1), math.tanh(math.tanh(1) / 2)], rel=1e-14)
    assert h.item() == y[1].item()
    zero = ta.zeros(4, 1, dtype=ta.float64)
    y, h, c = lstm.lstm_layer(one.reshape(1, 1, 1), 0 * one, 4 * one, zero, zero, 0.0, 0.0, 0.0)
    assert c.item() == 2.0
    assert h.item() == pytest.approx(math.tanh(2) / 2, rel=1e-14)


def test_dtypes_must_agree() -> None:
    given = inputs("gru", None)
    with pytest.raises(DTypeError, match=r"float64 and float32"):
        gru.gru_layer(given[0], given[1].float(), *given[2:])
