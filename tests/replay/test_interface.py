"""What a compiled step is to its user: a function, a method, a module; its source, its copies, its settings."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

import tinygrad_act as ta
from tinygrad_act import nn


def many(step: Any, *args: Any, n: int = 4) -> Any:
    return [step(*args) for _ in range(n)][-1]


def test_as_a_method_a_module_and_a_decorator_with_settings() -> None:
    class Trainer:
        def __init__(self, k: float) -> None:
            self.k = k

        @ta.compile(limit=3)
        def step(self, x: Any) -> Any:
            return x * self.k
    one, two = Trainer(2.0), Trainer(3.0)
    assert many(one.step, ta.ones(1)).item() == 2
    assert many(two.step, ta.ones(1)).item() == 3
    layer = ta.compile(nn.Linear(2, 1))
    with ta.no_grad():
        assert many(layer, ta.ones(1, 2)).shape == (1, 1)
    assert len(list(layer.parameters())) == 2
    assert layer.counts["replayed"] == 2
    with pytest.raises(ta.errors.ArgumentError, match="a function or a Module"):
        ta.compile(3)
    f = lambda x: x
    assert ta.compile(f, disable=True) is f


def test_the_source_is_there_to_read() -> None:
    step = ta.compile(lambda x: (x * 2 + 1).sum())
    many(step, ta.ones(3))
    assert "return" in step.source()


def test_copies_have_a_recording_of_their_own() -> None:
    layer = nn.Linear(2, 1)
    whole = ta.compile(layer.eval())
    x = ta.ones(1, 2)
    with ta.no_grad():
        many(whole, x)
        for other in (copy.deepcopy(whole), pickle.loads(pickle.dumps(whole))):
            assert other.counts["recorded"] == 0
            other.weight.zero_()
            assert many(other, x).tolist() == [layer.bias.tolist()]
            assert many(whole, x).tolist() == layer(x).tolist() != other(x).tolist()


def test_attributes_of_a_compiled_module_are_the_modules() -> None:
    whole = ta.compile(nn.Sequential(nn.Dropout(0.5)))
    whole.training = False
    whole.remark = "one"
    assert (whole.function.training, whole.function.remark) == (False, "one")


def test_settings_are_checked() -> None:
    step = ta.compile(lambda x: x, backend="inductor", mode="default", options={}, dynamic=True)
    assert many(step, ta.ones(1)).tolist() == [1]
    for limit in (0, -1, "a", 2.0):
        with pytest.raises(ta.errors.ArgumentError, match="number of variants"):
            ta.compile(lambda x: x, limit=limit)
