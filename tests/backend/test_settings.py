"""Rules on large arrays with their settings: what is remembered of one call is never taken for another's."""

from __future__ import annotations

import threading
import traceback
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act.backend import config, execute
from tinygrad_act.backend.execute import CALLS
from tinygrad_act.errors import ArgumentError

F = ta.backend.namespace(np.zeros(1))
SIZE = 300
catalogue = ta.activations.catalogue


@pytest.fixture(autouse=True)
def on_numpy() -> Any:
    """The executor is NumPy's; whatever the suite runs on, this file does so."""
    with ta.backend.use("numpy"), np.errstate(all="ignore"):
        yield


def numbers(size: int = SIZE) -> Any:
    return ta.tensor(np.random.default_rng(0).normal(0, 2, size).astype("f"))


def often(call: Any) -> Any:
    """What a call gives when all that can be remembered is, whatever was still compiling."""
    for _ in range(3):
        y = call().numpy()
        execute._background.submit(int).result()
    return y


ALIKE = [
    ("hard_sigmoid_onnx", {"alpha": 0.3}, {"beta": 0.3}), ("hard_sigmoid_onnx", {"alpha": 0.3, "beta": 0.7}, {"beta": 0.3, "alpha": 0.7}),
    ("softplus", {"beta": 0.5}, {"threshold": 0.5}), ("hard_tanh", {"min_val": 0.5}, {"max_val": 0.5}),
    ("threshold", {"threshold": 0.25, "value": 0.7}, {"value": 0.25, "threshold": 0.7}), ("elu", {"alpha": 1}, {"alpha": 1.5}),
    ("leaky_relu", {"negative_slope": 0.0}, {"negative_slope": -0.0}), ("threshold", {"threshold": 0.1, "value": 0.0}, {"threshold": 0.1, "value": -0.0})]


@pytest.mark.parametrize(("name", "one", "other"), ALIKE)
def test_settings_that_look_alike_are_told_apart(name: str, one: dict[str, Any], other: dict[str, Any]) -> None:
    x = numbers()
    for settings in (one, other, one):
        got = often(lambda settings=settings: catalogue[name](x, **settings))
        with config(kernels="off"):
            wanted = catalogue[name](x, **settings).numpy()
        np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=1e-6)
        assert (np.signbit(got) == np.signbit(wanted)).all()


@pytest.mark.parametrize("operation", [lambda x, b: x / b, lambda x, b: x * b, lambda x, b: ta.copysign(x, b), lambda x, b: x ** b])
@pytest.mark.parametrize("operands", [(0.0, -0.0), (-0.0, 0.0), (0, -0.0), (1, 1.0), (True, 1.5), (2, 2.5)])
def test_so_are_the_signs_of_zeros_among_the_operands(operation: Any, operands: tuple[Any, Any]) -> None:
    x = numbers()
    for b in operands:
        with config(shared=1):
            got = often(lambda b=b: operation(x, b))
        with config(kernels="off"):
            wanted = operation(x, b).numpy()
        np.testing.assert_allclose(got, wanted, rtol=1e-6)
        assert (np.signbit(got) == np.signbit(wanted)).all() or np.isnan(wanted).any()


def test_a_complaint_is_the_rules_own_also_after_a_call_that_was_remembered() -> None:
    x = numbers()
    often(lambda: catalogue["elu"](x, alpha=2.5))
    for settings in ({"bogus": 2.5}, {"alpha": "a"}):
        with pytest.raises(ArgumentError) as found:
            catalogue["elu"](x, **settings)
        assert "KeyError" not in "".join(traceback.format_exception(found.value))


@pytest.mark.parametrize("name", ["exp", "sin", "cos", "erfc", "tanh", "log", "sigmoid"])
def test_an_op_that_is_watched_gives_the_same_bits(name: str) -> None:
    x = numbers().abs().requires_grad_()
    y = getattr(ta, name)(x)
    y.backward(ta.ones(SIZE))
    (g,) = ta.autograd.grad(getattr(ta, name)(x), x, ta.ones(SIZE))
    with ta.study.Tape():
        z = getattr(ta, name)(x)
    assert y.tolist() == z.tolist() and x.grad is not None and g.tolist() == x.grad.tolist()


def test_one_operation_is_numpys_until_threads_share_it() -> None:
    x = numbers(1000).numpy()
    rule, helped = lambda F, x: F.tanh(x), lambda F, x: F.exp(-x * x) * F.sin(x)
    outer = lambda F, x: helped(F, x)
    assert F.least[rule] == config.shared and F.least[helped] == F.least[outer] == config.large
    with config(shared=500):
        assert F.least[rule] == 500 and (ta.tanh(ta.tensor(x)).numpy() == F.run(catalogue["tanh"].forward, (x,), {})).all()
    assert (ta.tanh(ta.tensor(x)).numpy() == np.tanh(x)).all()


def test_settings_that_change_at_every_call_are_not_remembered() -> None:
    x = numbers()
    often(lambda: catalogue["elu"](x, alpha=0.125))
    before = len(F.calls)
    for k in range(200):
        catalogue["elu"](x, alpha=1 + k / 1000)
    assert len(F.calls) == before < CALLS


def test_a_kernel_that_is_made_while_the_config_changes_is_entered_where_it_belongs(monkeypatch: pytest.MonkeyPatch) -> None:
    real, ready, go = execute.Executor.find, threading.Event(), threading.Event()

    def slow(self: Any, *args: Any) -> Any:
        found = real(self, *args)
        if threading.current_thread() is other:
            ready.set()
            go.wait(10)
        return found

    x, rule = numbers().numpy(), lambda F, x: F.exp(-x * x) * F.sin(x)               # a rule that nobody has met
    other = threading.Thread(target=lambda: F.run(rule, (x,), {}))
    monkeypatch.setattr(execute.Executor, "find", slow)
    other.start()
    assert ready.wait(10)
    with config(kernels="tiles"):
        go.set()
        other.join()
        for _ in range(3):
            assert (F.run(rule, (x,), {}) == rule(F, x)).all()
