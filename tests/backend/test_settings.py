"""Rules on large arrays with their settings: what is remembered of one call is never taken for another's."""

from __future__ import annotations

import gc
import inspect
import threading
import traceback
import weakref
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act.backend import config, execute
from tinygrad_act.backend.execute import CALLS
from tinygrad_act.elementwise import Elementwise
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
    assert F.single(rule) and not F.single(helped) and not F.single(lambda F, x: helped(F, x)) and not F.single(lambda F, *xs: xs[0])
    assert (ta.tanh(ta.tensor(x)).numpy() == np.tanh(x)).all()
    with config(shared=500):
        assert (ta.tanh(ta.tensor(x)).numpy() == F.run(catalogue["tanh"].forward, (x,), {})).all()


def test_settings_that_change_at_every_call_are_not_remembered() -> None:
    x = numbers()
    often(lambda: catalogue["elu"](x, alpha=0.125))
    before = len(F.calls)
    for k in range(200):
        catalogue["elu"](x, alpha=1 + k / 1000)
    assert len(F.calls) == before < CALLS


@pytest.mark.parametrize("before", [True, False])
def test_a_kernel_that_is_made_while_the_config_changes_is_entered_where_it_belongs(monkeypatch: pytest.MonkeyPatch, before: bool) -> None:
    real, ready, go = execute.Executor.find, threading.Event(), threading.Event()

    def wait() -> None:
        if threading.current_thread() is other:
            ready.set()
            go.wait(10)

    def slow(self: Any, *args: Any) -> Any:
        if before:
            wait()
        found = real(self, *args)
        if not before:
            wait()
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
    for _ in range(3):
        compiled = F.run(rule, (x,), {})
    fresh: Any = lambda F, x: F.exp(-x * x) * F.sin(x)
    assert (compiled == F.run(fresh, (x,), {})).all()


# ------------------------------------------------------------------------------------------------ rules of one's own
@dataclass
class Unhashable:
    """A rule with a state, which has no hash."""

    factor: float

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(lambda F, x: x)

    def __call__(self, F: Any, x: Any) -> Any:
        return F.tanh(x) * self.factor


def counted(F: Any, x: Any) -> Any:
    counted.calls += 1                                 # type: ignore[attr-defined]
    return F.tanh(x)


counted.calls = 0                                      # type: ignore[attr-defined]


@pytest.mark.parametrize("forward", [counted, Unhashable(2.0), lambda F, x: np.tanh(x), lambda F, x: x[...] * 2])
@pytest.mark.parametrize("slope", [lambda F, g, x: g * x, lambda F, g: np.tanh(g), lambda F, g, x: g * (1 - x * x)])
def test_rules_of_ones_own_run_at_every_size(forward: Any, slope: Any) -> None:
    op = Elementwise("own", forward, slope)
    for size in (5, SIZE, SIZE):
        x = numbers(size).requires_grad_()
        op(x).sum().backward()
        with config(kernels="off"):
            z = x.detach().requires_grad_()
            op(z).sum().backward()
        assert x.grad is not None and z.grad is not None and np.allclose(x.grad.numpy(), z.grad.numpy(), 1e-5)


def test_a_rule_of_one_operation_is_let_go_with_its_op() -> None:
    def used() -> Any:
        forward = lambda F, x: F.tanh(x)
        Elementwise("own", forward, lambda F, g: g)(numbers().requires_grad_()).sum().backward()
        return weakref.ref(forward)

    kept = [used() for _ in range(3)]
    gc.collect()
    assert not any(ref() for ref in kept)
