"""Arguments that are no Tensors: a replay is for the values they had, and values that never come again are not recorded without end."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act.errors import GraphError


@dataclasses.dataclass
class Batch:
    x: Any
    y: Any


CHANGING: dict[str, tuple[Any, Any, str]] = {                # a step, its argument at the i-th call, what the warning says
    "a float": (lambda x, k: x * k, lambda i: 1 / (i + 1), r"argument k is another number at each call \(0.333.*ta.tensor\(k\)"),
    "a size": (lambda x, k: x.expand(k, 2), lambda i: i + 1, r"argument k is another number .* a few different ones"),
    "lengths": (lambda x, k: x * sum(k), lambda i: [5, 4, i], r"argument k\[2\] is another number"),
    "a dict of numbers": (lambda x, k: x * k["a"], lambda i: {"a": float(i)}, r"argument k\['a'\] is another number .*ta.tensor\(k\['a'\]\)"),
    "an array": (lambda x, k: x * ta.tensor(k, device=x.device), lambda i: np.full(2, i, "f"), r"argument k is an array .*ta.tensor\(k\)"),
    "arrays in a dict": (lambda x, k: x * ta.tensor(k["y"], device=x.device), lambda i: {"x": np.zeros(2), "y": np.full(2, i, "f")},
                         r"argument k\['y'\] is an array"),
    "a dataclass": (lambda x, k: k.x * x + k.y, lambda i: Batch(ta.ones(2), ta.full((2,), float(i))), "argument k is another Batch at each call.*a tuple"),
}


@pytest.mark.parametrize("by", ["position", "name"])
@pytest.mark.parametrize("name", CHANGING)
def test_values_that_never_come_again(name: str, by: str) -> None:
    body, value, said = CHANGING[name]
    step, x = ta.compile(body), ta.ones(2)
    with pytest.warns(UserWarning, match=said) as warned:
        for i in range(30):
            result = step(x, value(i)) if by == "position" else step(x, k=value(i))
            assert result.tolist() == body(x, value(i)).tolist()
    assert len(warned) == 1
    assert step.counts == {"replayed": 0, "recorded": 3, "eager": 27}
    with pytest.raises(GraphError, match=said):
        strict = ta.compile(body, fullgraph=True)
        for i in range(5):
            strict(x, value(i))


@pytest.mark.filterwarnings("ignore:.*runs eagerly")
def test_values_that_come_again_are_replayed_in_the_end() -> None:
    step, x = ta.compile(lambda x, k: x * k), ta.ones(2)
    for i in range(60):
        assert step(x, 1.0 + i % 8).tolist() == [1.0 + i % 8] * 2
    assert step.counts["recorded"] == 16
    assert step.counts["replayed"] > 20


def test_a_number_as_a_tensor_is_an_input() -> None:
    step, x = ta.compile(lambda x, k: x * k, fullgraph=True), ta.rand(5)
    for i in range(20):
        k = 1 / (i + 1)
        assert step(x, ta.tensor(k)).tolist() == (x * k).tolist()
    assert step.counts["replayed"] == 18


def test_small_arrays_by_what_is_in_them() -> None:
    step, x = ta.compile(lambda x, k: x * ta.tensor(k.tolist(), device=x.device)), ta.ones(2)
    for i in range(12):
        assert step(x, np.array([1.0, i % 2], "f")).tolist() == [1, i % 2]
    assert step.counts["replayed"] == 8
    kept = np.ones(2, "f")
    for i in range(12):
        kept[0] = i % 2
        assert step(x, kept).tolist() == [i % 2, 1]


def test_an_array_that_the_step_changes() -> None:
    def body(x: Any, k: Any) -> Any:
        k += 1
        return x * 2
    step, k = ta.compile(body), np.zeros(2)
    with pytest.warns(UserWarning, match="argument k is an array"):
        for _ in range(6):
            step(ta.ones(2), k)
    assert k.tolist() == [6, 6]


@pytest.mark.parametrize("array", [np.zeros(2000, "f"), np.array([1.0, 2.0], object)], ids=["long", "of objects"])
def test_an_array_that_is_not_looked_through(array: Any) -> None:
    step = ta.compile(lambda x, k: x * float(k[0]))
    with pytest.warns(UserWarning, match=r"argument k is an array.*ta.tensor\(k\)"):
        for i in range(6):
            array[0] = float(i)
            assert step(ta.ones(2), array).tolist() == [i, i]
    assert step.counts == {"replayed": 0, "recorded": 0, "eager": 6}
