"""Arguments that are no Tensors: a replay is for the values they had, and values that never come again are not recorded without end."""

from __future__ import annotations

import dataclasses
import fractions
import math
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act.errors import GraphError


@dataclasses.dataclass
class Batch:
    x: Any
    y: Any


@dataclasses.dataclass
class Settings:
    scale: float


CHANGING: dict[str, tuple[Any, Any, str]] = {                # a step, its argument at the i-th call, what the warning says
    "a float": (lambda x, k: x * k, lambda i: 1 / (i + 1), r"argument k is another number at each call \(0.0625, 0.0588.*ta.tensor\(k\)"),
    "a size": (lambda x, k: x.expand(k, 2), lambda i: i + 1, r"argument k is another number .* a few different ones"),
    "lengths": (lambda x, k: x * sum(k), lambda i: [5, 4, i], r"argument k\[2\] is another number"),
    "a dict of numbers": (lambda x, k: x * k["a"], lambda i: {"a": float(i)}, r"argument k\['a'\] is another number .*ta.tensor\(k\['a'\]\)"),
    "an array": (lambda x, k: x * ta.tensor(k, device=x.device), lambda i: np.full(2, i, "f"), r"argument k is an array .*ta.tensor\(k\)"),
    "arrays in a dict": (lambda x, k: x * ta.tensor(k["y"], device=x.device), lambda i: {"x": np.zeros(2), "y": np.full(2, i, "f")},
                         r"argument k\['y'\] is an array"),
    "a dataclass": (lambda x, k: k.x * x + k.y, lambda i: Batch(ta.ones(2), ta.full((2,), float(i))), "argument k is another Batch at each call.*its tensors in a tuple"),
    "an object without Tensors": (lambda x, k: x * k.scale, lambda i: Settings(float(i)), "argument k is another Settings at each call.*the same one each time"),
    "a complex number": (lambda x, k: x * k.real, lambda i: complex(i, 1), r"argument k is another number at each call.*ta.tensor\(k.real\)"),
    "a scalar of NumPy's": (lambda x, k: x * float(k), lambda i: np.float32(i), r"argument k is another number at each call.*ta.tensor\(k\)"),
    "a size of NumPy's": (lambda x, k: x.expand(int(k), 2), lambda i: np.int64(i + 1), r"argument k is another number .* a few different ones"),
    "a slice": (lambda x, k: x * k.start, lambda i: slice(i, i + 2), r"argument k is another slice .*slice before the call, and pass the Tensor"),
    "a range": (lambda x, k: x * len(k), lambda i: range(i), r"argument k is another range .*a few different ones"),
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
    assert step.counts == {"replayed": 0, "recorded": 16, "eager": 14}
    strict = ta.compile(body, fullgraph=True)
    for i in range(16):
        strict(x, value(i))
    for i in range(16, 20):
        with pytest.raises(GraphError, match=said):
            strict(x, value(i))


@pytest.mark.parametrize("many", [4, 5, 10, 16])
def test_values_that_come_again_are_replayed(many: int) -> None:
    step, x = ta.compile(lambda x, k: x * k, fullgraph=True), ta.ones(2)
    for i in range(4 * many):
        assert step(x, i % many).tolist() == [i % many] * 2
    assert step.counts == {"replayed": 2 * many, "recorded": 2 * many, "eager": 0}


@pytest.mark.parametrize("value", [float, lambda k: np.full(2, k)], ids=["a number", "an array"])
@pytest.mark.parametrize("before", [3, 50])
@pytest.mark.filterwarnings("ignore:.*runs eagerly")
def test_a_value_that_stays_after_many_that_did_not_is_replayed(before: int, value: Any) -> None:
    step, x = ta.compile(lambda x, k: x * float(np.sum(k))), ta.ones(2)
    for i in range(before):
        step(x, value(i / 100))
    eager = step.counts["eager"]
    for _ in range(10):
        assert step(x, value(7.0)).tolist() == [np.sum(value(7.0))] * 2
    assert step.counts["replayed"] >= 7
    assert step.counts["eager"] <= eager + 1


@pytest.mark.filterwarnings("ignore:.*runs eagerly")
def test_what_waits_is_forgotten_when_values_are_given_up() -> None:
    step, x = ta.compile(lambda x, k: x * k), ta.ones(2)
    for i in range(300):
        step(x, float(i // 2 if i > 50 else -i))             # in the end each is called twice
    assert len(step.ways) <= 4
    assert step.counts["recorded"] == 32


@pytest.mark.parametrize("argument", [lambda i: f"{i}" * 1000, lambda i: {i: np.zeros(5000)}], ids=["strings", "arrays"])
@pytest.mark.filterwarnings("ignore:.*runs eagerly")
def test_arguments_of_many_kinds_are_not_kept(argument: Any) -> None:
    step, x = ta.compile(lambda x, k: x * 2), ta.ones(2)
    for i in range(150):
        step(x, argument(i))
    assert len(step.ways) <= 65
    assert len(step.kindred) <= 64


VALUES: dict[str, tuple[Any, Any]] = {                       # a step, and values that are never the same object
    "complex": (lambda x, k: x * k.real, lambda: [complex(n, 0) for n in (1, 1, 1, 2, 1, 3)]),
    "signs of a complex zero": (lambda x, k: x * math.copysign(1, k.imag), lambda: [complex(1, z) for z in (0.0, 0.0, 0.0, -0.0, 0.0)]),
    "not a number": (lambda x, k: x * k, lambda: [float("nan") for _ in range(5)]),
    "a scalar of NumPy's": (lambda x, k: x * int(k), lambda: [np.int64(n) for n in (3, 3, 3, 4, 3)]),
    "a slice": (lambda x, k: x[k], lambda: [slice(0, n) for n in (1, 1, 1, 2, 1)]),
    "a range": (lambda x, k: x * len(k), lambda: [range(n) for n in (3, 3, 3, 4, 3)]),
    "a fraction": (lambda x, k: x * float(k), lambda: [fractions.Fraction(n, 7) for n in (3, 3, 3, 4, 3)]),
}


@pytest.mark.parametrize("name", VALUES)
def test_by_value_whichever_object_it_is(name: str) -> None:
    body, values = VALUES[name]
    step, x = ta.compile(body, fullgraph=True), ta.ones(2)
    for k in values():
        np.testing.assert_array_equal(step(x, k).tolist(), body(x, k).tolist())
    assert step.counts["replayed"] >= 2


def test_the_name_of_an_argument_among_the_rest() -> None:
    def body(x: Any, *rest: Any) -> Any:
        return x * rest[1]
    step = ta.compile(body)
    with pytest.warns(UserWarning, match=r"argument rest\[1\] is another number .*ta.tensor\(rest\[1\]\)"):
        for i in range(20):
            step(ta.ones(2), 1, float(i))


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
        for _ in range(20):
            step(ta.ones(2), k)
    assert k.tolist() == [20, 20]


@pytest.mark.parametrize("array", [np.zeros(2000, "f"), np.array([1.0, 2.0], object)], ids=["long", "of objects"])
def test_an_array_that_is_not_looked_through(array: Any) -> None:
    step = ta.compile(lambda x, k: x * float(k[0]))
    with pytest.warns(UserWarning, match=r"argument k is an array.*ta.tensor\(k\)"):
        for i in range(6):
            array[0] = float(i)
            assert step(ta.ones(2), array).tolist() == [i, i]
    assert step.counts == {"replayed": 0, "recorded": 0, "eager": 6}
