"""Modules called with other parameters: gradients reach what was given, buffers given are those that change, the module gets its own back."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tests.nn.beside_torch import near, refused, torch
from tinygrad_act.errors import ArgumentError, ModuleError

call = ta.func.functional_call


class Tied(ta.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = ta.nn.Linear(2, 2, bias=False), ta.nn.Linear(2, 2, bias=False)
        self.b.weight = self.a.weight

    def forward(self, x: Any) -> Any:
        return self.b(self.a(x))


class Counter(ta.nn.Module):
    """A buffer that forward replaces instead of changing it."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", ta.zeros(()))

    def forward(self, x: Any) -> Any:
        self.count = self.count + 1
        return x * self.count


def state(module: Any) -> dict[str, Any]:
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}


# name -> the module out of either library's nn, and its inputs' shapes
MODULES: dict[str, tuple[Callable[[Any], Any], list[tuple[int, ...]]]] = {
    "Linear": (lambda nn: nn.Linear(3, 4), [(2, 3)]),
    "Conv2d": (lambda nn: nn.Conv2d(2, 3, 3, padding=1), [(2, 2, 5, 5)]),
    "BatchNorm1d": (lambda nn: nn.BatchNorm1d(3), [(4, 3)]),
    "LayerNorm": (lambda nn: nn.LayerNorm(3), [(4, 3)]),
    "LSTM": (lambda nn: nn.LSTM(3, 4, num_layers=2, bidirectional=True), [(5, 2, 3)]),
    "GRU": (lambda nn: nn.GRU(3, 4), [(5, 2, 3)]),
    "MultiheadAttention": (lambda nn: nn.MultiheadAttention(4, 2), [(3, 2, 4)] * 3),
    "PReLU": (lambda nn: nn.PReLU(), [(4, 3)]),
    "nested": (lambda nn: nn.Sequential(nn.Linear(3, 4), nn.Sequential(nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 2))), [(6, 3)]),
    "TransformerEncoderLayer": (lambda nn: nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0), [(3, 2, 4)]),
}


@pytest.mark.parametrize("name", MODULES)
def test_results_gradients_and_buffers_are_pytorchs(name: str) -> None:
    make, shapes = MODULES[name]
    theirs, ours, random = make(torch().nn).double(), make(ta.nn).double(), np.random.default_rng(0)
    values = {k: random.normal(size=v.shape) ** 2 if v.dtype.is_floating_point else np.zeros(v.shape, int) for k, v in state(theirs).items()}
    inputs = [random.normal(size=shape) for shape in shapes]
    before = {k: (v, v.detach().clone()) for k, v in state(ours).items()}
    results = []
    for library, module, function in ((torch(), theirs, torch().func.functional_call), (ta, ours, call)):
        learned = {k for k, _ in module.named_parameters()}
        given = {k: (library.tensor(v) if library is torch() else ta.tensor(v)).requires_grad_(k in learned) for k, v in values.items()}
        y = function(module, given, tuple(library.tensor(x) for x in inputs))
        y = y[0] if isinstance(y, tuple) else y
        (y * y).sum().backward()
        results.append((y, given))
    (y, expected), (z, found) = results
    near(z, y, name)
    for k in values:
        near(found[k], expected[k], k)                       # a running mean has moved in the dict
        if expected[k].grad is not None:
            near(found[k].grad, expected[k].grad, k)
    for k, v in state(ours).items():
        assert v is before[k][0] and bool((v == before[k][1]).all()) and v.grad is None, f"{k} of the module itself"


def test_a_tensor_under_two_names_is_replaced_under_both() -> None:
    model, x, twice = Tied(), ta.ones(1, 2), 2 * ta.eye(2)
    assert call(model, {"a.weight": twice}, x).tolist() == [[4.0, 4.0]]
    assert call(model, {"a.weight": twice, "b.weight": twice}, x).tolist() == [[4.0, 4.0]]
    mixed = call(model, {"a.weight": twice}, x, tie_weights=False)
    assert bool((mixed == model.b(ta.full((1, 2), 2.0))).all())
    refused(ArgumentError, "a.weight, b.weight: they are one tensor", call, model, {"a.weight": twice, "b.weight": ta.eye(2)}, x)
    assert call(model, {"a.weight": twice, "b.weight": ta.eye(2)}, x, tie_weights=False).tolist() == [[2.0, 2.0]]
    assert model.a.weight is model.b.weight


def test_a_module_under_two_names_gets_its_own_back() -> None:
    part = ta.nn.Linear(2, 2, bias=False)
    model = ta.nn.Sequential(part, part)
    weight = part.weight
    assert call(model, {"0.weight": 2 * ta.eye(2)}, ta.ones(1, 2)).tolist() == [[4.0, 4.0]]
    assert part.weight is weight


def test_what_forward_replaces_is_replaced_in_the_dict() -> None:
    model, given = Counter(), {"count": ta.tensor(4.0)}
    own = model.count
    assert call(model, given, ta.ones(())).item() == 5.0
    assert given["count"].item() == 5.0 and model.count is own and own.item() == 0.0


def test_the_module_gets_its_own_back_after_an_error() -> None:
    model = ta.nn.Sequential(ta.nn.Linear(2, 3), ta.nn.Linear(3, 1))
    own = state(model)
    with pytest.raises(ta.errors.ShapeError):
        call(model, {k: v.detach() for k, v in own.items()}, ta.ones(1, 5))
    assert all(v is own[k] for k, v in state(model).items())


def test_several_dicts_keyword_arguments_and_hooks() -> None:
    model, seen = ta.nn.Linear(1, 1), []
    model.register_forward_hook(lambda module, args, result: seen.append(result.item()))
    y = call(model, ({"weight": ta.tensor([[2.0]])}, {"bias": ta.tensor([1.0])}), kwargs={"input": ta.tensor([3.0])})
    assert y.item() == 7.0 and seen == [7.0]
    refused(ArgumentError, "weight: it is in more than one", call, model, ({"weight": y}, {"weight": y}), y)


def test_names_that_do_not_fit() -> None:
    model, x = ta.nn.Linear(2, 1), ta.ones(1, 2)
    same = call(model, {"nothing": x}, x)                    # as in PyTorch, unless strict
    assert bool((same == model(x)).all()) and not hasattr(model, "nothing")
    refused(ArgumentError, "missing bias; unexpected nothing", call, model, {"weight": model.weight, "nothing": x}, x, strict=True)
    refused(ModuleError, "has no part 'part'", call, model, {"part.weight": x}, x)
    refused(ArgumentError, "weight: float: parameters and buffers are Tensors", call, model, {"weight": 1.0}, x)
    refused(ArgumentError, "a dict of tensors by name", call, model, x, x)
    refused(ArgumentError, "what is called is a Module", call, ta.relu, {}, x)
    assert call(model, dict(model.named_parameters()), x, strict=True).shape == (1, 1)


def test_of_a_parametrized_weight_the_original_is_given() -> None:
    model = ta.nn.utils.parametrizations.weight_norm(ta.nn.Linear(2, 1, bias=False))
    originals = {"parametrizations.weight.original0": ta.tensor([[10.0]], requires_grad=True), "parametrizations.weight.original1": ta.tensor([[3.0, 4.0]])}
    y = call(model, originals, ta.ones(1, 2))
    y.sum().backward()
    assert abs(y.item() - 14.0) < 1e-5 and originals["parametrizations.weight.original0"].grad is not None
    refused(ArgumentError, r"'weight': .* computes it; give .* parametrizations\.weight\.original", call, model, {"weight": ta.ones(1, 2)}, ta.ones(1, 2))


def test_lora_like_use_learns_what_was_given_and_not_the_module() -> None:
    model = ta.nn.Linear(2, 1)
    delta = ta.zeros(1, 2, requires_grad=True)
    optimizer = ta.optim.SGD([delta], lr=0.1)
    for _ in range(200):
        optimizer.zero_grad()
        y = call(model, {"weight": model.weight.detach() + delta}, ta.eye(2))
        (y - ta.tensor([[1.0], [3.0]])).square().sum().backward()
        optimizer.step()
    assert bool((y - ta.tensor([[1.0], [3.0]])).abs().max() < 1e-3) and model.weight.grad is None


def test_the_first_place_warns() -> None:
    from tinygrad_act.nn.utils.stateless import functional_call
    with pytest.warns(FutureWarning, match=r"use `func\.functional_call`"):
        assert functional_call(ta.nn.Linear(1, 1), {"weight": ta.ones(1, 1), "bias": ta.ones(1)}, ta.ones(1)).item() == 2.0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        call(ta.nn.Linear(1, 1), {}, ta.ones(1))
