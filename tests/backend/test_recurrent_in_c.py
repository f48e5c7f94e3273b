"""Recurrent layers in C give what their definition over NumPy gives."""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act.backend import compiler, recurrent
from tinygrad_act.backend.namespace import Namespace
from tinygrad_act.backend.numpy import F

pytestmark = pytest.mark.skipif(compiler.compiler() is None or "tanh" not in compiler.vector_functions(),
                                reason="there is no C compiler, or no tanh on vectors")
I = 11
LENGTHS = {"full": (9,) * 7, "packed": (9, 7, 7, 4, 2, 1), "one sequence": (1,) * 5, "one step": (9,)}
each = [pytest.mark.parametrize("lengths", LENGTHS), pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"]),
        pytest.mark.parametrize("units", [5, 37, 64]), pytest.mark.parametrize("biases", [True, False])]


def every(test: Any) -> Any:
    for mark in each:
        test = mark(test)
    return test


class Case:
    """Numbers for a layer of `gates`."""

    def __init__(self, gates: int, lengths: str, reverse: bool, units: int, biases: bool) -> None:
        self.rng = np.random.default_rng((gates, units))
        sizes = LENGTHS[lengths]
        self.order = list(pairwise([0, *accumulate(sizes)]))[::-1 if reverse else 1]
        self.count, self.batch, self.units = sum(sizes), sizes[0], units
        self.x, self.gy = self.array(self.count, I), self.array(self.count, units)
        self.states = [self.array(self.batch, units) for _ in range(4)]
        bias = [self.array(gates * units), self.array(gates * units)] if biases else [0.0, 0.0]
        self.weights = [self.array(gates * units, I), self.array(gates * units, units), *bias]
        assert recurrent._functions(self.x, self.weights[0]) is not None or self.x.size <= 128

    def array(self, *shape: int) -> Any:
        return (self.rng.standard_normal(shape) / 2).astype("float32")


def close(found: Any, wanted: Any) -> None:
    for a, b in zip(found, wanted, strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            assert a.dtype == b.dtype
            np.testing.assert_allclose(a, b, 1e-4, 2e-5 * max(1.0, float(np.abs(b).max())))


@every
def test_lstm(lengths: str, reverse: bool, units: int, biases: bool) -> None:
    case = Case(4, lengths, reverse, units, biases)
    h0, c0, gh, gc = case.states
    given = case.x, h0, c0, *case.weights, 0.0, case.order
    wanted = Namespace.lstm(F, *given)
    close(F.lstm(*given), wanted)
    back = case.gy, gh, gc, h0, c0, case.weights[1], 0.0, *wanted[1:3], case.order
    close(F.lstm_back(*back), Namespace.lstm_back(F, *back))


@every
def test_gru(lengths: str, reverse: bool, units: int, biases: bool) -> None:
    case = Case(3, lengths, reverse, units, biases)
    h0, found, gh, _ = case.states
    given = case.x, h0, *case.weights, case.order
    wanted = Namespace.gru(F, *given)
    close(F.gru(*given), wanted)
    back = case.gy, gh, case.weights[1], *wanted[1:3], case.array(case.count, units), case.order
    close(F.gru_back(*back), Namespace.gru_back(F, *back))


@every
@pytest.mark.parametrize("relu", [True, False])
def test_rnn(lengths: str, reverse: bool, units: int, biases: bool, relu: bool) -> None:
    case = Case(1, lengths, reverse, units, biases)
    case.weights[1] /= 3                                     # or relu would grow
    h0, gh, _, _ = case.states
    given = case.x, h0, *case.weights, relu, case.order
    wanted = Namespace.rnn(F, *given)
    close(F.rnn(*given), wanted)
    back = case.gy, gh, case.weights[1], wanted[0], relu, case.order
    close(F.rnn_back(*back), Namespace.rnn_back(F, *back))


@pytest.mark.parametrize("kind", ["lstm", "gru", "rnn"])
def test_a_sequence_becomes_the_same_in_any_batch(kind: str) -> None:
    gates = {"lstm": 4, "gru": 3, "rnn": 1}[kind]
    case = Case(gates, "full", False, 37, True)

    def hidden(batch: int) -> Any:
        x = case.x.reshape(7, 9, I)[:, :batch].reshape(-1, I).copy()
        order = [(i * batch, (i + 1) * batch) for i in range(7)]
        more = {"lstm": [case.states[1][:batch], *case.weights, 0.0], "gru": case.weights, "rnn": [*case.weights, False]}[kind]
        return getattr(F, kind)(x, case.states[0][:batch], *more, order)[0].reshape(7, batch, -1)
    np.testing.assert_allclose(hidden(9)[:, :3], hidden(3), 1e-5, 1e-6)          # the input's product is OpenBLAS's


def test_relu_hands_on_nan() -> None:
    h0 = np.zeros((9, 20), "float32")
    x = np.ones((63, 20), "float32")
    x[5] = np.nan
    weights = np.eye(20, dtype="float32"), np.eye(20, dtype="float32"), 0.0, 0.0
    hidden, _ = F.rnn(x, h0, *weights, True, [(i * 9, i * 9 + 9) for i in range(7)])
    assert np.isnan(hidden).all(axis=1).tolist() == [i % 9 == 5 for i in range(63)]


def test_when_it_runs() -> None:
    x = np.ones((64, 64), "float32")
    assert recurrent._functions(x, x) is not None
    assert recurrent._functions(x.astype("float64"), x.astype("float64")) is None
    with ta.backend.config(kernels="tiles"):
        assert recurrent._functions(x, x) is None
