"""Parametrizations by themselves: what is registered, computed, assigned, copied, cached, removed and refused."""

from __future__ import annotations

import copy
import importlib
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act import nn
from tinygrad_act.errors import ArgumentError, DTypeError, ModuleError, ShapeError
from tinygrad_act.nn.utils import parametrizations, parametrize

from .beside_torch import load, near, refused, states_are_near, torch


class Symmetric(nn.Module):
    def forward(self, x: Any) -> Any:
        return ta.triu(x) + ta.triu(x, 1).mT

    def right_inverse(self, value: Any) -> Any:
        return ta.triu(value)


class Scaled(nn.Module):
    """Twice as much; nothing says from what."""

    def forward(self, x: Any) -> Any:
        return 2 * x


class Product(nn.Module):
    """Of two vectors."""

    def forward(self, x: Any, y: Any) -> Any:
        return x.unsqueeze(-1) @ y.unsqueeze(-2)

    def right_inverse(self, value: Any) -> Any:
        return value[:, 0], value[0] / value[0, 0]


def test_what_a_hook_before_loading_complains_of_is_raised() -> None:
    layer = nn.Linear(2, 1)
    layer.register_load_state_dict_pre_hook(lambda module, state, prefix, metadata, strict, missing, unexpected, errors: errors.append("of another task"))
    with pytest.raises(ArgumentError, match="of another task"):
        layer.load_state_dict(layer.state_dict())


def test_a_hook_before_loading_may_rename() -> None:
    net, seen = nn.Sequential(nn.Linear(2, 1)), []

    def rename(module: Any, state: dict[str, Any], prefix: str, *more: Any) -> None:
        seen.append((module is net[0], prefix))
        state[f"{prefix}bias"] = state.pop(f"{prefix}b")

    handle = net[0].register_load_state_dict_pre_hook(rename)
    given = {"0.weight": ta.ones(1, 2), "0.b": ta.zeros(1)}
    net.load_state_dict(given)
    assert seen == [(True, "0.")] and net[0].bias.item() == 0 and "0.b" in given
    handle.remove()
    with pytest.raises(ShapeError, match=r"0\.b"):
        net.load_state_dict(given)


@pytest.mark.parametrize("name", ["PReLU", "SReLU", "StarReLU", "XIELU", "Swish", "ACONC"])
def test_activations_with_parameters(name: str) -> None:
    class Twice(nn.Module):
        def forward(self, x: Any) -> Any:
            return x * 2

        def right_inverse(self, x: Any) -> Any:
            return x * 0.5

    module, x = getattr(nn, name)(), ta.linspace(-2, 2, 9).reshape(3, 3)
    wanted = module(x)
    for parameter in dict(module.named_parameters()):
        parametrize.register_parametrization(module, parameter, Twice())
        np.testing.assert_allclose(ta.backend.to_host(module(x).array), ta.backend.to_host(wanted.array), 1e-6, 1e-6)
    for parameter in list(module.parametrizations):
        parametrize.remove_parametrizations(module, parameter)
        np.testing.assert_allclose(ta.backend.to_host(module(x).array), ta.backend.to_host(wanted.array), 1e-6, 1e-6)


@pytest.mark.parametrize("leave", [False, True])
def test_several_on_one_tensor_are_applied_in_turn_as_in_pytorch(leave: bool) -> None:
    def build(lib: Any) -> tuple[Any, type, type]:
        class Symmetric(lib.nn.Module):                    # type: ignore[name-defined, misc]
            def forward(self, x: Any) -> Any:
                return lib.triu(x) + lib.triu(x, 1).mT

            def right_inverse(self, value: Any) -> Any:
                return lib.triu(value)

        class Exponential(lib.nn.Module):                  # type: ignore[name-defined, misc]
            def forward(self, x: Any) -> Any:
                return lib.exp(x)

            def right_inverse(self, value: Any) -> Any:
                return lib.log(value)
        return lib.nn.Linear(3, 3), Symmetric, Exponential

    made = []
    for lib in (ta, torch()):
        layer, *kinds = build(lib)
        layer = layer.to(lib.float64)
        for kind in kinds:
            lib.nn.utils.parametrize.register_parametrization(layer, "weight", kind())
        made.append(layer)
    ours, theirs = made
    load(ours, theirs)
    near(ours.weight, theirs.weight)
    value = np.array([[1.0, 2.0, 3.0], [2.0, 4.0, 5.0], [3.0, 5.0, 6.0]])
    ours.weight, theirs.weight = ta.tensor(value), torch().tensor(value)
    near(ours.weight, theirs.weight)
    states_are_near(ours, theirs)
    assert repr(ours) == repr(theirs) and parametrize.type_before_parametrizations(ours) is nn.Linear
    for lib, layer in ((nn, ours), (torch().nn, theirs)):
        lib.utils.parametrize.remove_parametrizations(layer, "weight", leave_parametrized=leave)
    states_are_near(ours, theirs)


# ------------------------------------------------------------------------------------------------ by itself
def test_a_tensor_of_several_originals() -> None:
    layer = parametrize.register_parametrization(nn.Linear(3, 2), "weight", Product())
    assert list(layer.state_dict()) == ["bias", "parametrizations.weight.original0", "parametrizations.weight.original1"]
    assert [p.shape for p in layer.parametrizations.weight.originals()] == [(2,), (3,)]
    value = ta.tensor([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0]])
    layer.weight = value
    assert (layer.weight == value).all()
    with pytest.raises(ArgumentError, match="2 tensors"):
        parametrize.remove_parametrizations(layer, "weight", leave_parametrized=False)
    with ta.no_grad():                                     # it stays a parameter all the same
        parametrize.remove_parametrizations(layer, "weight")
    assert isinstance(layer.weight, nn.Parameter) and layer.weight.requires_grad and (layer.weight == value).all()


def test_the_class_is_replaced_and_comes_back() -> None:
    layer = nn.Linear(2, 2)
    weight, bias = layer.weight, layer.bias
    parametrize.register_parametrization(layer, "weight", Symmetric())
    parametrize.register_parametrization(layer, "bias", Scaled())
    assert isinstance(layer, nn.Linear) and type(layer).__name__ == "ParametrizedLinear"
    assert parametrize.is_parametrized(layer) and parametrize.is_parametrized(layer, "bias") and "weight" in dir(layer)
    assert not parametrize.is_parametrized(layer, "in_features") and not parametrize.is_parametrized(nn.Linear(1, 1))
    assert layer.parametrizations.weight.original is weight and (layer.bias == 2 * bias).all()
    parametrize.remove_parametrizations(layer, "weight", leave_parametrized=False)
    assert layer.weight is weight and parametrize.is_parametrized(layer) and not parametrize.is_parametrized(layer, "weight")
    parametrize.remove_parametrizations(layer, "bias")
    assert layer.bias is bias and type(layer) is nn.Linear and type(layer._parameters) is dict and not hasattr(layer, "parametrizations")


def test_buffers() -> None:
    module = nn.Module()
    module.register_buffer("mask", ta.ones(2, 2))
    parametrize.register_parametrization(module, "mask", Scaled())
    assert [n for n, _ in module.named_buffers()] == ["parametrizations.mask.original"] and module.mask.tolist() == [[2.0, 2.0]] * 2
    parametrize.remove_parametrizations(module, "mask")
    assert not list(module.parameters()) and module.mask.tolist() == [[2.0, 2.0]] * 2 and "mask" in module.state_dict()


def test_what_an_optimizer_moves_is_the_originals() -> None:
    layer = parametrizations.weight_norm(nn.Linear(3, 2))
    optimizer = ta.optim.SGD(layer.parameters(), lr=0.1)
    before = {name: p.detach().clone() for name, p in layer.named_parameters()}
    weight = layer.weight.detach().clone()
    layer(ta.ones(4, 3)).sum().backward()
    optimizer.step()
    assert all((p != before[name]).any() for name, p in layer.named_parameters()) and (layer.weight != weight).any()


def test_a_parameter_keeps_its_identity_and_lets_go_of_its_memory() -> None:
    layer = nn.Linear(2, 2)
    optimizer, held = ta.optim.SGD(layer.parameters(), lr=0.1), layer.weight.detach()
    numbers = held.tolist()
    parametrize.register_parametrization(layer, "weight", Symmetric())
    value = ta.tensor([[1.0, 2.0], [2.0, 1.0]])
    layer.weight = value
    layer(ta.ones(1, 2)).sum().backward()
    optimizer.step()
    assert held.tolist() == numbers and value.tolist() == [[1.0, 2.0], [2.0, 1.0]] and (layer.weight != value).any()


def test_a_parameter_that_is_assigned_is_taken_as_a_value() -> None:
    layer = parametrize.register_parametrization(nn.Linear(2, 2), "weight", Symmetric())
    layer.weight = nn.Parameter(ta.tensor([[1.0, 2.0], [2.0, 1.0]]))
    assert list(layer._parameters) == ["bias"] and layer.parametrizations.weight.original.tolist() == [[1.0, 2.0], [0.0, 1.0]]
    layer.bias = nn.Parameter(ta.zeros(2))                 # as ever
    assert layer.bias.tolist() == [0.0, 0.0]


def test_copies_are_independent() -> None:
    layer = parametrizations.weight_norm(nn.Linear(3, 2))
    other = copy.deepcopy(layer)
    x = ta.ones(1, 3)
    assert (layer(x) == other(x)).all()
    with ta.no_grad():
        other.parametrizations.weight.original0 *= 2
    assert (other.weight == 2 * layer.weight).all()
    parametrize.remove_parametrizations(other, "weight")
    assert parametrize.is_parametrized(layer) and (other(x) != layer(x)).any()
    twin = copy.deepcopy(nn.Sequential(layer, layer))
    assert twin[0] is twin[1] and twin[0] is not layer


def test_a_class_with_a_way_of_its_own_to_be_copied_keeps_it() -> None:
    class Shared(nn.Linear):
        def __deepcopy__(self, memo: Any) -> Any:
            return self

    layer = parametrizations.weight_norm(Shared(2, 2))
    assert copy.deepcopy(layer) is layer


def test_pickling_is_refused() -> None:
    with pytest.raises(ArgumentError, match=r"save its state_dict\(\)"):
        pickle.dumps(parametrizations.weight_norm(nn.Linear(2, 2)))


def test_cached_computes_once() -> None:
    calls = []

    class Counted(Scaled):
        def forward(self, x: Any) -> Any:
            calls.append(x)
            return super().forward(x)

    layer = parametrize.register_parametrization(nn.Linear(2, 2), "weight", Counted(), unsafe=True)
    with parametrize.cached():
        with parametrize.cached():
            assert layer.weight is layer.weight
        assert layer.weight is layer.weight and len(calls) == 1
        with ta.no_grad():
            assert not layer.weight.requires_grad          # what was recorded and what was not are two things
        elsewhere = []
        thread = threading.Thread(target=lambda: elsewhere.append(layer.weight))
        thread.start()
        thread.join()
        assert elsewhere[0] is not layer.weight
        parametrize.register_parametrization(layer, "weight", Scaled())
        assert (layer.weight == 4 * layer.parametrizations.weight.original).all()
    assert layer.weight is not layer.weight
    layer = parametrize.register_parametrization(nn.Linear(2, 2), "weight", Symmetric())
    with parametrize.cached():
        assert layer.weight is layer.weight
        layer.weight = ta.ones(2, 2)
        assert layer.weight.tolist() == [[1.0, 1.0]] * 2


def test_moving_and_summary() -> None:
    layer = parametrizations.spectral_norm(parametrizations.weight_norm(nn.Linear(3, 2)))
    state = {k: v.clone() for k, v in layer.state_dict().items()}
    rows = {row.name: row for row in nn.summary(layer, (4, 3))}
    assert rows[""].parameters == 10 and rows["parametrizations.weight.1"].calls == 1
    assert all((v == state[k]).all() for k, v in layer.state_dict().items())
    layer.to(ta.float64)
    assert layer.weight.dtype == layer(ta.ones(1, 3, dtype=ta.float64)).dtype == ta.float64
    layer.requires_grad_(False)
    assert not layer.weight.requires_grad


def test_transfer_shares_parametrizations_and_originals() -> None:
    for made in (parametrize.register_parametrization(nn.Linear(2, 2), "weight", Symmetric()), parametrizations.weight_norm(nn.Linear(2, 2))):
        other = parametrize.transfer_parametrizations_and_params(made, nn.Linear(2, 2))
        assert (other.weight == made.weight).all() and other.parametrizations.weight[0] is made.parametrizations.weight[0]
        assert all(a is b for a, b in zip(other.parametrizations.weight.originals(), made.parametrizations.weight.originals(), strict=True))
        assert parametrize.transfer_parametrizations_and_params(made, nn.Module(), "weight").weight.shape == (2, 2)
    plain = nn.Linear(2, 2)
    assert parametrize.transfer_parametrizations_and_params(nn.Linear(2, 2), plain) is plain and type(plain) is nn.Linear


# ------------------------------------------------------------------------------------------------ misuse
class Makes(nn.Module):
    """What it is told to."""

    def __init__(self, function: Callable[[Any], Any], inverse: Callable[[Any], Any] = lambda value: value) -> None:
        super().__init__()
        self.function, self.inverse = function, inverse

    def forward(self, *x: Any) -> Any:
        return self.function(x[0])

    def right_inverse(self, value: Any) -> Any:
        return self.inverse(value)


WRONG: dict[str, tuple[Makes, type[Exception], str]] = {
    "shape": (Makes(lambda x: x[:1]), ShapeError, r"Makes.forward: a result of shape \(1, 2\).*unsafe=True"),
    "dtype": (Makes(lambda x: x.double()), DTypeError, "dtype float64"),
    "no Tensor": (Makes(lambda x: 1.0), ArgumentError, "float: a parametrization gives a Tensor"),
    "dtype of the inverse": (Makes(lambda x: x, lambda value: value.double()), DTypeError, "Makes.right_inverse: a result of dtype float64"),
    "inverse that is no Tensor": (Makes(lambda x: x, lambda value: 1.0), ArgumentError, "Makes.right_inverse: float"),
    "inverses that are no Tensors": (Makes(lambda x: x, lambda value: (value, 1)), ArgumentError, "Makes.right_inverse: int"),
    "values that change, and then an error": (Makes(lambda x: x[0], lambda value: value + 1), ShapeError, "unsafe=True"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_changes_too_much_is_refused_and_nothing_is_changed(what: str) -> None:
    part, error, says = WRONG[what]
    layer = nn.Linear(2, 2)
    weight, numbers = layer.weight, layer.weight.tolist()
    with pytest.raises(error, match=says):
        parametrize.register_parametrization(layer, "weight", part)
    assert type(layer) is nn.Linear and layer.weight is weight and weight.tolist() == numbers and list(layer._modules) == []


@pytest.mark.parametrize("what", ["shape", "dtype", "no Tensor"])
def test_a_second_one_is_held_to_the_same(what: str) -> None:
    part, error, says = WRONG[what]
    layer = parametrize.register_parametrization(nn.Linear(2, 2), "weight", Scaled())
    with pytest.raises(error, match=says):
        parametrize.register_parametrization(layer, "weight", part)
    with pytest.raises(ShapeError, match=r"right_inverse: a result of shape \(1, 2\)"):
        parametrize.register_parametrization(layer, "weight", Makes(lambda x: x, lambda value: value[:1]))
    assert len(layer.parametrizations.weight) == 1


def test_unsafe_may_change_shape_and_dtype() -> None:
    layer = parametrize.register_parametrization(nn.Linear(2, 2), "weight", WRONG["shape"][0], unsafe=True)
    assert layer.weight.shape == (1, 2)
    parametrize.register_parametrization(layer, "weight", WRONG["dtype"][0], unsafe=True)
    assert layer.weight.dtype == ta.float64 and layer.parametrizations.weight.unsafe


def test_misuse_is_told() -> None:
    layer, register = nn.Linear(2, 2, bias=False), parametrize.register_parametrization
    refused(ArgumentError, "no parameter or buffer of that name; did you mean weight", register, layer, "wieght", Scaled())
    refused(ArgumentError, "no parameter or buffer", register, layer, "in_features", Scaled())
    refused(ArgumentError, "no parameter or buffer", register, layer, "bias", Scaled())
    refused(ArgumentError, "function: a parametrization is a Module", register, layer, "weight", lambda x: x)
    refused(ArgumentError, "it takes a Module", register, ta.ones(2), "weight", Scaled())
    refused(ArgumentError, "not parametrized in this Linear", parametrize.remove_parametrizations, layer, "weight")
    refused(ArgumentError, "one parametrization or more", parametrize.ParametrizationList, [], layer.weight)
    register(layer, "weight", Scaled())
    refused(ArgumentError, "Scaled: it has none", setattr, layer, "weight", ta.ones(2, 2))
    parametrize.remove_parametrizations(layer, "weight")
    refused(ArgumentError, "not parametrized in this Linear", parametrize.remove_parametrizations, layer, "weight")
    register(layer, "weight", Symmetric())
    refused(ArgumentError, "int: a parametrized tensor", setattr, layer, "weight", 3)
    refused(ShapeError, r"shape \(3, 3\): the original has shape \(2, 2\)", setattr, layer, "weight", ta.ones(3, 3))
    refused(DTypeError, "the original has dtype float32", setattr, layer, "weight", ta.ones(2, 2, dtype=ta.float64))


def test_an_attribute_that_a_parametrization_lacks_is_not_taken_for_the_weight() -> None:
    layer = parametrize.register_parametrization(nn.Linear(2, 2), "weight", Makes(lambda x: x.no_such_thing), unsafe=True)
    with pytest.raises(ArgumentError, match=r"ParametrizedLinear.weight: .*no_such_thing"):
        layer.weight  # noqa: B018


def test_a_class_that_was_changed_afterwards_is_told() -> None:
    layer = parametrize.register_parametrization(nn.Linear(2, 2), "weight", Scaled())
    layer.__class__ = type("Changed", (type(layer),), {})
    with pytest.raises(ModuleError, match="undo that first"):
        parametrize.remove_parametrizations(layer, "weight")


# ------------------------------------------------------------------------------------------------ as a package
def test_what_a_program_does_not_name_is_not_imported() -> None:
    code = """
import sys, tinygrad_act as ta
ta.nn.utils.clip_grad_norm_
print([m for m in sys.modules if "parametriz" in m or "hooked_norms" in m], "weight_norm" in dir(ta.nn.utils), ta.nn.utils.weight_norm.__name__)"""
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split("\n")[0] == "[] True weight_norm"
    assert importlib.import_module("tinygrad_act.nn.utils.parametrize") is nn.utils.parametrize
