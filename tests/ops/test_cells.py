"""The steps behind RNNCell, LSTMCell and GRUCell as ops: one node each, held to numerical gradients and to the layers."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act.autograd import gradcheck, gradgradcheck
from tinygrad_act.errors import DTypeError
from tinygrad_act.ops import cells, gru, lstm, rnn

I, H, B = 3, 2, 4                                            # features, units, sequences

# name -> (op, gates, states, the layer whose step it is, with its further weights)
OPS: dict[str, tuple[Any, int, int, Any, list[float]]] = {
    "lstm": (cells.lstm_cell, 4, 2, lstm.lstm_layer, [0.0]), "gru": (cells.gru_cell, 3, 1, gru.gru_layer, []),
    "rnn_tanh": (cells.rnn_tanh_cell, 1, 1, rnn.rnn_tanh_layer, []), "rnn_relu": (cells.rnn_relu_cell, 1, 1, rnn.rnn_relu_layer, [])}

each_op = pytest.mark.parametrize("name", OPS)


def tensor(*shape: int, seed: int, dtype: Any = ta.float64) -> Any:
    values = np.random.default_rng((seed, *shape)).uniform(-1, 1, shape)
    return ta.tensor(values.tolist(), dtype=dtype).reshape(shape).requires_grad_()


def inputs(name: str, biases: bool = True, batch: int = B, dtype: Any = ta.float64, units: int = H) -> list[Any]:
    _, gates, states, *_ = OPS[name]
    bias = [tensor(gates * units, seed=k, dtype=dtype) for k in (5, 6)] if biases else [0.0, 0.0]
    return [tensor(batch, I, seed=0, dtype=dtype), *[tensor(batch, units, seed=1 + k, dtype=dtype) for k in range(states)],
            tensor(gates * units, I, seed=3, dtype=dtype), tensor(gates * units, units, seed=4, dtype=dtype), *bias]


def results(name: str, given: list[Any]) -> tuple[Any, ...]:
    made = OPS[name][0](*given)
    return made if isinstance(made, tuple) else (made,)


def function(name: str, given: list[Any]) -> tuple[Callable[..., Any], list[Any]]:
    """The op as a function of its Tensors only, and these."""
    tensors = [v for v in given if isinstance(v, ta.Tensor)]
    return lambda *ts: OPS[name][0](*ts, *given[len(tensors):]), tensors


@each_op
@pytest.mark.parametrize("biases", [False, True])
def test_gradients_are_the_numerical_ones(name: str, biases: bool) -> None:
    assert gradcheck(*function(name, inputs(name, biases)))


@each_op
@pytest.mark.parametrize("biases", [False, True])
def test_gradients_of_gradients_are_the_numerical_ones(name: str, biases: bool) -> None:
    assert gradgradcheck(*function(name, inputs(name, biases, 2)))


@each_op
@pytest.mark.parametrize("units", [H, 100])
@pytest.mark.parametrize("biases", [False, True])
def test_a_cell_is_the_layer_on_a_sequence_of_one_step(name: str, biases: bool, units: int) -> None:
    """Also where the arrays are large enough for compiled kernels."""
    given = inputs(name, biases, units=units)
    leaves = [t for t in given if isinstance(t, ta.Tensor)]
    *_, layer, more = OPS[name]
    _, *slow = layer(*given, *more, sizes=(B,))
    fast = results(name, given)
    weights = [tensor(*t.shape, seed=9).detach() for t in fast]
    for y, z in zip(fast, slow, strict=True):
        assert ta.allclose(y, z, 1e-12, 1e-12)
    for a, b in zip(ta.autograd.grad(fast, leaves, weights), ta.autograd.grad(slow, leaves, weights), strict=True):
        assert ta.allclose(a, b, 1e-12, 1e-12)


@each_op
def test_only_what_is_asked_for_is_computed(name: str) -> None:
    """Whichever inputs need a gradient, those get the same one."""
    given = inputs(name)
    whole = ta.autograd.grad([y.sum() for y in results(name, given)], given)
    for wanted in itertools.product([False, True], repeat=len(given)):
        if any(wanted):
            some = [t.detach().requires_grad_(w) for t, w in zip(given, wanted, strict=True)]
            asked = [t for t, w in zip(some, wanted, strict=True) if w]
            found = iter(ta.autograd.grad([y.sum() for y in results(name, some)], asked))
            for g, w in zip(whole, wanted, strict=True):
                assert not w or ta.equal(next(found), g)


@each_op
def test_a_cell_is_one_node_that_keeps_the_values_of_its_gates(name: str) -> None:
    given = inputs(name)
    made = results(name, given)
    (node,) = {t.grad_fn.edges[0] if len(made) > 1 else t.grad_fn for t in made}
    assert node.name() == f"{name}_cellBackward"
    own = {id(t.array) for t in given}
    assert sum(a.size for a in node.saved if id(a) not in own) == B * H * {"lstm": 5, "gru": 4}.get(name, 1)


@each_op
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_results_have_the_inputs_dtype(name: str, dtype: str) -> None:
    given, exact = inputs(name, dtype=dtype), inputs(name)
    made = results(name, given)
    assert {t.dtype for t in made} == {np.dtype(dtype)}
    sum((t.sum() for t in made), ta.zeros((), dtype=dtype)).backward()
    sum((t.sum() for t in results(name, exact)), ta.zeros((), dtype=ta.float64)).backward()
    for t, e in zip(given, exact, strict=True):
        assert t.grad.dtype == np.dtype(dtype)
        assert ta.allclose(t.grad.double(), e.grad, 1e-2, 1e-2)


@each_op
def test_an_empty_batch_has_gradients_of_zero(name: str) -> None:
    given = inputs(name, batch=0)
    y = results(name, given)[0]
    y.sum().backward()
    assert y.shape == (0, H)
    assert not given[-1].grad.any()


@each_op
def test_gradients_of_the_halves_can_be_recorded(name: str) -> None:
    given = inputs(name, dtype=ta.float16)
    found = ta.autograd.grad(results(name, given)[0].sum(), given, create_graph=True)
    assert {g.dtype for g in found} == {ta.float16}
    sum(g.sum() for g in found).backward()


def test_dtypes_must_agree() -> None:
    given = inputs("gru")
    with pytest.raises(DTypeError, match="float64 and float32"):
        cells.gru_cell(given[0], given[1].float(), *given[2:])
