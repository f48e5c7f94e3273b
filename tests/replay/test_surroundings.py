"""Whatever a step reads besides its arguments, and however it comes to it: a replay goes as eager mode would, or is none."""

from __future__ import annotations

import collections
import dataclasses
import functools
import itertools
import random
import sys
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act import nn, optim

settings = types.ModuleType("settings_of_a_test")
exec("factor = 1.0\ndef get(): return factor", settings.__dict__)
FACTOR = 1.0


class Config:
    factor = 1.0

    def __init__(self) -> None:
        self.own = 1.0

    @property
    def a_property(self) -> float:
        return FACTOR

    @staticmethod
    def a_static_method() -> float:
        return FACTOR

    @classmethod
    def a_class_method(cls) -> float:
        return cls.factor

    def __call__(self) -> float:
        return self.own


class Slots:
    __slots__ = ("__hidden", "factor")

    def __init__(self, factor: float = 1.0) -> None:
        self.factor = self.__hidden = factor

    def hidden(self) -> float:
        return self.__hidden


@dataclasses.dataclass
class Data:
    factor: float = 1.0


def in_global(value: float) -> None:
    global FACTOR
    FACTOR = value


def a_set() -> Any:
    x = {1}
    return (lambda: max(x) * 1.0), lambda v: (x.clear(), x.add(int(v)))


def numbers_of_numpy() -> Any:
    x = np.ones(3)
    return (lambda: float(x[1])), lambda v: x.fill(v)


def a_deque() -> Any:
    x = collections.deque([1.0])
    return (lambda: x[0]), lambda v: x.__setitem__(0, v)


def a_view_of_a_dict() -> Any:
    x = {"factor": 1.0}
    view = types.MappingProxyType(x)
    return (lambda: view["factor"]), lambda v: x.update(factor=v)


def slots() -> Any:
    x = Slots()
    return (lambda: x.factor), lambda v: setattr(x, "factor", v)


def private_slots() -> Any:
    x = Slots()
    return x.hidden, lambda v: x.__init__(v)  # type: ignore[misc]


def a_dataclass() -> Any:
    x = Data()
    return functools.partial(lambda d: d.factor, x), lambda v: setattr(x, "factor", v)


def a_callable_object() -> Any:
    x = Config()
    return x, lambda v: setattr(x, "own", v)


WAYS: dict[str, Callable[[], Any]] = {
    f.__name__: f for f in (a_set, numbers_of_numpy, a_deque, a_view_of_a_dict, slots, private_slots, a_dataclass, a_callable_object)}
WAYS |= {
    "a global": lambda: ((lambda: FACTOR), in_global),
    "a class": lambda: ((lambda: Config.factor), lambda v: setattr(Config, "factor", v)),
    "a property": lambda: ((lambda: CONFIG.a_property), in_global),
    "a static method": lambda: ((lambda: Config.a_static_method()), in_global),
    "a class method": lambda: ((lambda: CONFIG.a_class_method()), lambda v: setattr(Config, "factor", v)),
    "a module": lambda: ((lambda: settings.factor), lambda v: setattr(settings, "factor", v)),
    "a module's function": lambda: ((lambda: settings.get()), lambda v: setattr(settings, "factor", v)),
}
CONFIG = Config()


@pytest.mark.parametrize("way", WAYS)
def test_numbers_that_a_step_reads(way: str) -> None:
    get, put = WAYS[way]()
    put(1.0)
    step = ta.compile(lambda x: x * get())
    for value in (1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 1.0):
        put(value)
        assert step(ta.ones(2)).tolist() == [value, value]
    put(1.0)
    assert step.counts["recorded"] == 4
    assert step.counts["replayed"] == 3


def test_numbers_that_python_takes_for_equal() -> None:
    x = ta.tensor([1, 2])
    box = types.SimpleNamespace(k=1)
    steps = ta.compile(lambda x: x * box.k), ta.compile(lambda x, k: x * k)
    for k in (1, 1.0, True, 0.0, -0.0, float("nan")):
        box.k = k
        for _ in range(3):
            for result in (steps[0](x), steps[1](x, k)):
                assert result.dtype == (x * k).dtype
                assert repr(result) == repr(x * k)
    assert steps[0].counts["replayed"] == 6
    assert steps[1].counts["replayed"] >= 5              # each NaN is a form of its own, if it is a new one


def test_an_equal_parameter_in_the_place_of_another() -> None:
    layer = nn.PReLU()
    step = ta.compile(lambda x: layer(x).sum().backward())
    for _ in range(4):
        step(-ta.ones(2))
        layer.zero_grad()
    layer.weight = nn.Parameter(layer.weight.detach().clone())
    step(-ta.ones(2))
    assert layer.weight.grad is not None


def draws(name: str) -> Any:
    if name == "random":
        return random.random
    if name == "numpy.random":
        return np.random.rand
    return random.Random(0).random if name == "random.Random" else np.random.default_rng(0).random


@pytest.mark.parametrize("name", ["random", "numpy.random", "random.Random", "numpy.random.Generator"])
def test_random_numbers_of_python_and_numpy_are_not_replayed(name: str) -> None:
    draw = draws(name)
    source = draw.__self__
    step = ta.compile(lambda x: x * 2 if (source.rand() if name == "numpy.random" else source.random()) < 0.5 else x)
    with pytest.warns(UserWarning, match="draws random numbers of Python's or NumPy's"):
        results = {step(ta.ones(())).item() for _ in range(60)}
    assert results == {1.0, 2.0}


def test_an_iterator_is_not_replayed() -> None:
    numbers = itertools.cycle([1, 1, 1, 2])
    step = ta.compile(lambda x: x * next(numbers))
    with pytest.warns(UserWarning, match="iterator, numbers"):
        assert [step(ta.ones(())).item() for _ in range(8)] == [1, 1, 1, 2, 1, 1, 1, 2]


# ------------------------------------------------------------------------------------------- optimizers and schedulers
def linear() -> Any:
    layer = nn.Linear(3, 1)
    with ta.no_grad():
        layer.weight.fill_(0.5)
        layer.bias.fill_(0.0)
    return layer


def reads_the_rate(layer: Any, o: Any, s: Any, x: Any, i: int) -> Any:
    o.zero_grad()
    loss = (layer(x) ** 2).mean() * o.param_groups[0]["lr"]
    loss.backward()
    o.step()
    return loss


def sets_the_rate(layer: Any, o: Any, s: Any, x: Any, i: int) -> Any:
    o.param_groups[0]["lr"] *= 0.9
    return reads_the_rate(layer, o, s, x, i)


def reads_the_last_rate(layer: Any, o: Any, s: Any, x: Any, i: int) -> Any:
    loss = reads_the_gradient(layer, o, s, x, i)
    s.step()
    return loss, s.get_last_lr()[0]


def reads_the_gradient(layer: Any, o: Any, s: Any, x: Any, i: int) -> Any:
    o.zero_grad()
    loss = (layer(x) ** 2).mean()
    loss.backward()
    o.step()
    return loss


def clears_to_zero(layer: Any, o: Any, s: Any, x: Any, i: int) -> Any:
    o.zero_grad(set_to_none=False)
    loss = (layer(x) ** 2).mean()
    loss.backward()
    o.step()
    return loss


def seeds(layer: Any, o: Any, s: Any, x: Any, i: int) -> Any:
    ta.manual_seed(3)
    return reads_the_gradient(layer, o, s, x + ta.rand(3, device=x.device), i)


@pytest.mark.parametrize("body", [reads_the_rate, sets_the_rate, reads_the_last_rate, reads_the_gradient, clears_to_zero, seeds])
@pytest.mark.filterwarnings("ignore:.*runs eagerly")
def test_optimizers_and_schedulers_that_a_step_looks_into(body: Any) -> None:
    def run(compiled: bool) -> Any:
        first, second = linear(), linear()
        layer = nn.Sequential(first, nn.Linear(1, 3), second)
        with ta.no_grad():
            for p in layer.parameters():
                p.fill_(0.25)
        o = optim.SGD(first.parameters(), lr=0.1, momentum=0.5)
        s = optim.lr_scheduler.StepLR(o, 2)

        def step(x: Any, i: int) -> Any:
            return body(layer, o, s, x, i)
        made = ta.compile(step) if compiled else step
        results = []
        for i in range(12):
            if i == 5:
                o.add_param_group({"params": list(second.parameters()), "lr": 0.2})
            if i == 8:
                o.param_groups[0]["lr"] = 0.3
            result = made(ta.full((2, 3), 1.0 + i), 0)
            results.append([r.item() if isinstance(r, ta.Tensor) else r for r in (result if isinstance(result, tuple) else (result,))])
            results += [[p.tolist(), None if p.grad is None else p.grad.tolist()] for p in layer.parameters()]
        return results
    assert run(True) == run(False)


def test_averages_of_weights_within_the_step() -> None:
    layer = linear()
    averaged = optim.swa_utils.AveragedModel(layer)
    step = ta.compile(lambda: averaged.update_parameters(layer))
    with pytest.warns(UserWarning, match="runs eagerly"):
        for i in range(6):
            with ta.no_grad():
                layer.weight.fill_(float(i))
            step()
    assert averaged.module.weight.tolist() == [[2.5] * 3]


def test_too_much_to_look_at_is_said() -> None:
    data = [[i] for i in range(30_000)]
    step = ta.compile(lambda x: x * len(data))
    with pytest.warns(UserWarning, match="more than 20,000 objects"):
        for _ in range(4):
            assert step(ta.ones(())).item() == 30_000


def test_a_function_without_a_module() -> None:
    names: dict[str, Any] = {"factor": 2.0}
    exec("def f(x): return x * factor", names)
    assert names["f"].__module__ != __name__
    step = ta.compile(names["f"])
    assert [step(ta.ones(())).item() for _ in range(4)] == [2.0] * 4
    names["factor"] = 3.0
    assert step(ta.ones(())).item() == 3.0
    assert "settings_of_a_test" not in sys.modules


# ------------------------------------------------------------------------------------------- tensors that the step makes or moves
def penalty(layer: Any) -> Any:
    """A gradient penalty: a leaf made in the step, with a gradient of its own (arXiv:1704.00028)."""
    def step(x: Any) -> Any:
        layer.zero_grad()
        point = (x * 0.5).requires_grad_()
        slope, = ta.autograd.grad(ta.tanh(layer(point)).sum(), point, create_graph=True)
        loss = ((slope.norm(dim=1) - 1) ** 2).mean()
        loss.backward()
        return loss
    return step


def attack(layer: Any) -> Any:
    """The sign of the gradient for an input, added to it (arXiv:1412.6572)."""
    def step(x: Any) -> Any:
        point = x.detach().clone().requires_grad_()
        (layer(point) ** 2).sum().backward()
        layer.zero_grad()
        return (x + 0.1 * point.grad.sign()).detach(), point.grad
    return step


@pytest.mark.parametrize("make", [penalty, attack])
def test_gradients_of_leaves_that_the_step_makes(make: Any) -> None:
    ours, theirs = linear(), linear()
    step, eager = ta.compile(make(ours), fullgraph=True), make(theirs)
    for i in range(6):
        x = ta.arange(6.0).reshape(2, 3) - i
        got, wanted = step(x), eager(x)
        assert repr(got) == repr(wanted)
        assert repr([p.grad for p in ours.parameters()]) == repr([p.grad for p in theirs.parameters()])
    assert step.counts["replayed"] == 4


def test_a_returned_leaf_keeps_its_gradient() -> None:
    def made(x: Any) -> Any:
        leaf = x.clone().requires_grad_()
        (leaf * leaf).sum().backward()
        return leaf
    step = ta.compile(made)
    with pytest.warns(UserWarning, match="return the gradient"):
        for i in range(5):
            assert step(ta.full((1,), float(i))).grad.tolist() == [2.0 * i]


@pytest.mark.parametrize("place", ["argument", "surroundings"])
def test_a_tensor_given_another_array_without_a_look_at_it(place: str) -> None:
    kept = ta.zeros(2)

    def assign(x: Any, y: Any) -> None:
        (y if place == "argument" else kept).data = x * 2
    step = ta.compile(assign)
    with pytest.warns(UserWarning, match="given another array"):
        for i in range(5):
            y = ta.zeros(2)
            step(ta.full((2,), float(i)), y)
            assert (y if place == "argument" else kept).tolist() == [2.0 * i] * 2
