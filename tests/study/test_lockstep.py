"""Two backends that do the same agree; a wrong rule in one is found, named and measured."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

import pytest

import tinygrad_act as ta
from tinygrad_act import nn, study
from tinygrad_act.errors import ArgumentError
from tinygrad_act.study.measuring.lockstep import Seen, difference, ulps

np = pytest.importorskip("numpy")


def train(model: nn.Module, x: ta.Tensor) -> None:
    y = model(x)
    y = y[0] if isinstance(y, tuple) else y
    (y * y.detach().sin()).sum().backward()


@pytest.mark.parametrize("make", [
    lambda: nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Dropout(0.5), nn.Linear(16, 4)), lambda: nn.LSTM(8, 4),
    lambda: nn.TransformerEncoderLayer(8, 2, 16)], ids=["mlp", "lstm", "transformer"])
def test_numpy_and_strict_do_the_same(make: Callable[[], nn.Module]) -> None:
    ta.manual_seed(0)
    model = make()
    found = study.lockstep(train, "numpy", "strict", model, ta.randn(3, 2, 8), tolerance=32, relative_to="largest")
    assert found.agree and found.first is None                # NumPy sums attention's rows in its own way
    assert sum(o.compared for o in found.ops) > 10
    assert found.ops[-1].op == "leaf"
    assert found.ops[-1].compared == len(list(model.parameters()))
    assert all(p.grad is None for p in model.parameters()), "the model itself is left alone"


def planted(where: str) -> ta.Op:
    """x squared, with a rule that is wrong on `strict`, by a few units in the last place or altogether."""
    def forward(F: object, x: object) -> object:
        y = x * x  # type: ignore[operator]
        return y * 1.0000005 if where == "forward" and F.name == "strict" else y  # type: ignore[attr-defined]

    def backward(F: object, g: object, x: object) -> object:
        gx = g * (2 * x)  # type: ignore[operator]
        return -gx if where == "backward" and F.name == "strict" else gx  # type: ignore[attr-defined]
    return ta.Op("planted", forward, backward)


@pytest.mark.parametrize("where", ["forward", "backward"])
def test_a_wrong_rule_in_one_backend_is_the_first_to_be_named(where: str) -> None:
    op, model, x = planted(where), nn.Sequential(nn.Linear(4, 8), nn.Tanh()), ta.randn(16, 4)

    def step(model: nn.Module, x: ta.Tensor) -> None:
        op(model(x)).sum().backward()
    found = study.lockstep(step, "numpy", "strict", model, x)
    assert not found.agree
    first = found.first
    assert (first.op, first.what) == ("planted", "value" if where == "forward" else "gradient for x")
    assert "test_lockstep.py" in first.line and first.shape == (16, 8)
    if where == "forward":
        assert 3 <= first.ulp <= 9
        assert study.lockstep(step, "numpy", "strict", model, x, tolerance=1e9).agree
    else:
        assert first.ulp > 1e9 and first.first == -first.second
    rows = {o.op: o for o in found.ops}
    assert rows["linear"].value == rows["tanh"].value == 0 < rows["leaf"].gradient + rows["sum"].value
    assert rows["planted"].differing == 1
    assert json.loads(found.json())["differences"][0]["op"] == "planted"
    pytest.importorskip("rich")
    assert "The first: planted" in found.text(80)
    assert max(map(len, found.text(80).splitlines())) <= 80


def test_programs_that_part_are_said_to() -> None:
    def step(x: ta.Tensor) -> None:
        (ta.relu(x) if x.device == "cpu" else ta.tanh(x)).sum().backward()
    found = study.lockstep(step, "numpy", "strict", ta.ones(2, requires_grad=True))
    assert not found.agree and found.first is None
    assert "numpy does relu" in found.parted and "strict tanh" in found.parted

    def longer(x: ta.Tensor) -> None:
        y = x * 2
        _ = y * 3 if x.device == "cpu" else y
    assert "strict stops before mul" in study.lockstep(longer, "numpy", "strict", ta.ones(2)).parted


def test_a_step_of_its_own_making_draws_the_same_numbers() -> None:
    def step() -> None:
        nn.Linear(3, 2)(ta.randn(4, 3)).sum().backward()
    assert study.lockstep(step, "numpy", "strict", seed=4).agree


def test_shapes_dtypes_lists_empty_0d_integers_and_second_derivatives() -> None:
    def step(given: dict[str, list[ta.Tensor]]) -> None:
        x, empty, scalar, half, whole = given["all"]
        (g,) = ta.autograd.grad((x.tanh() * x).sum(), x, create_graph=True)
        (g.sum() + empty.sum() + scalar * 2 + half.float().sum() + (whole * 2).sum()).backward()
    tensors = [ta.randn(3, requires_grad=True), ta.zeros(0, 2, requires_grad=True), ta.tensor(1.0, requires_grad=True),
               ta.ones(2, dtype=ta.float16, requires_grad=True), ta.arange(3)]
    found = study.lockstep(step, "numpy", "strict", {"all": tensors})
    assert found.agree and found.ops[-1].compared == 4

    def uneven(x: ta.Tensor) -> None:
        (x if x.device == "cpu" else x[:1]) * 2
    first = study.lockstep(uneven, "numpy", "strict", ta.ones(2)).parted or study.lockstep(uneven, "numpy", "strict", ta.ones(2)).first.reason
    assert first


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_units_in_the_last_place(dtype: str) -> None:
    x = np.array([1.0, -2.5, 0.0, 3.0, np.nan, np.inf], dtype)
    up = np.nextafter(x, np.array(np.inf, dtype))
    assert ulps(x, up).tolist() == [1, 1, 1, 1, 0, 0]
    assert ulps(x, x.copy()).tolist() == [0] * 6
    assert ulps(np.array([0.0], dtype), np.array([-0.0], dtype)).tolist() == [0]
    tiny = np.nextafter(np.array([0.0], dtype), np.array(1, dtype))
    assert ulps(tiny, -tiny).tolist() == [2]
    assert ulps(np.array([np.nan], dtype), np.array([1], dtype)).tolist() == [math.inf]
    assert ulps(np.array(7), np.array(9)).tolist() == [2]
    far = np.array([1.0, 1e-3], dtype)
    found = difference(Seen("op", "value", "", []), far, np.array([far[0], np.nextafter(far[1], np.array(1, dtype))]))
    assert (found.ulp, found.index) == (1, (1,))
    assert 0 < found.of_largest < 0.01


def test_a_backend_that_is_not_there_is_told() -> None:
    with pytest.raises(ArgumentError, match="element, largest"):
        study.lockstep(lambda: None, "numpy", "strict", relative_to="mean")
    with pytest.raises(ArgumentError, match="no such backend"):
        study.lockstep(lambda: None, "numpy", "tpu")
