"""The activations under PyTorch's names: signature, value, gradient, gradient of the gradient, in place, misuse."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tests.activations.units import numpy, tensor
from tinygrad_act.activations import catalogue, functional
from tinygrad_act.graph import grad

# name -> the calls to compare, as keyword arguments
CALLS: dict[str, list[dict[str, Any]]] = {
    "relu": [{}],
    "relu6": [{}],
    "leaky_relu": [{}, {"negative_slope": 0.3}, {"negative_slope": -2.0}, {"negative_slope": 3}],
    "rrelu": [{}, {"lower": 0.1, "upper": 0.5}],
    "threshold": [{"threshold": 0.5, "value": -1.0}, {"threshold": -1, "value": 20}],
    "elu": [{}, {"alpha": 0.5}],
    "celu": [{}, {"alpha": 2.5}],
    "selu": [{}],
    "sigmoid": [{}],
    "logsigmoid": [{}],
    "hardsigmoid": [{}],
    "tanh": [{}],
    "hardtanh": [{}, {"min_val": -0.5, "max_val": 2.0}],
    "softsign": [{}],
    "tanhshrink": [{}],
    "gelu": [{}, {"approximate": "tanh"}],
    "silu": [{}],
    "mish": [{}],
    "hardswish": [{}],
    "softplus": [{}, {"beta": 2.5}, {"beta": 0.5, "threshold": 1.0}],
    "hardshrink": [{}, {"lambd": 1.5}],
    "softshrink": [{}, {"lambd": 1.5}],
}
BUILT_IN = {"logsigmoid", "gelu", "softplus", "hardshrink", "softshrink"}            # in PyTorch, without a signature
SHAPES: list[tuple[int, ...]] = [(), (7,), (3, 4), (2, 1, 5), (0, 3)]
IN_PLACE = [n for n in CALLS if "inplace" in inspect.signature(getattr(functional, n)).parameters]
each_call = pytest.mark.parametrize(("name", "settings"), [(n, s) for n, calls in CALLS.items() for s in calls], ids=str)


def values(shape: tuple[int, ...], seed: int = 0) -> Any:
    return np.random.default_rng(seed).uniform(-4, 4, shape)


@pytest.mark.parametrize("name", sorted(CALLS.keys() - BUILT_IN))
def test_signatures_are_pytorchs(name: str) -> None:
    torch = pytest.importorskip("torch")
    theirs = inspect.signature(getattr(torch.nn.functional, name))
    ours = inspect.signature(getattr(functional, name))
    assert [(p.name, p.default) for p in ours.parameters.values()] == [
        (p.name, p.default) for p in theirs.parameters.values() if not p.name.startswith("_")]


@pytest.mark.parametrize("record", [r for r in catalogue.values() if not r.axis], ids=lambda r: r.name)
def test_defaults_are_the_records(record: Any) -> None:
    function = getattr(functional, record.torch or record.name)
    for name, parameter in (() if function is record.op else inspect.signature(function).parameters.items()):
        if name in record.settings and parameter.default is not inspect.Parameter.empty:
            assert parameter.default == record.settings[name]


@each_call
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_value_and_gradients_are_pytorchs(name: str, settings: dict[str, Any], shape: tuple[int, ...]) -> None:
    compare(name, settings, values(shape))


@each_call
def test_kinks_are_pytorchs(name: str, settings: dict[str, Any]) -> None:
    points = [-20.0, -3, -2.5, -2, -1, -0.5, -0.25, 0, 0.25, 0.5, 1, 1.5, 2.5, 3, 6]
    compare(name, settings, np.array(points))


def compare(name: str, settings: dict[str, Any], data: np.ndarray) -> None:
    torch = pytest.importorskip("torch")
    shape = data.shape
    c, d = values(shape, 1), values(shape, 2)
    x = tensor(data, requires_grad=True)
    y = getattr(functional, name)(x, **settings)
    (g,) = grad(y, x, tensor(c), create_graph=True)
    their_x = torch.tensor(data, requires_grad=True)
    their_y = getattr(torch.nn.functional, name)(their_x, **settings)
    (their_g,) = torch.autograd.grad(their_y, their_x, torch.tensor(c), create_graph=True)
    np.testing.assert_allclose(numpy(y), their_y.detach().numpy(), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(numpy(g), their_g.detach().numpy(), rtol=1e-7, atol=1e-12)
    if name in ("hardsigmoid",):
        return                                       # PyTorch has no second derivative of it
    second = grad(g, x, tensor(d), allow_unused=True)[0] if g.requires_grad else None
    theirs = torch.autograd.grad(their_g, their_x, torch.tensor(d), allow_unused=True)[0] if their_g.requires_grad else None
    zero = np.zeros(shape)
    np.testing.assert_allclose(zero if second is None else numpy(second), zero if theirs is None else theirs.numpy(),
                               rtol=1e-9, atol=1e-12)


@each_call
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_dtypes_are_kept(name: str, settings: dict[str, Any], dtype: str) -> None:
    torch = pytest.importorskip("torch")
    x = tensor(values((3, 4)), getattr(ta, dtype))
    y = getattr(functional, name)(x, **settings)
    theirs = getattr(torch.nn.functional, name)(torch.tensor(values((3, 4))).to(getattr(torch, dtype)), **settings)
    assert y.dtype == x.dtype
    tolerance = {"float16": 2e-3, "bfloat16": 2e-2, "float32": 1e-6}[dtype]
    np.testing.assert_allclose(numpy(y).astype(float), theirs.double().numpy(), rtol=tolerance, atol=tolerance)


@each_call
def test_integers_as_in_pytorch(name: str, settings: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    try:
        theirs = getattr(torch.nn.functional, name)(torch.tensor([-9, 0, 9]), **settings)
    except NotImplementedError:
        assert getattr(functional, name)(ta.tensor([-9, 0, 9]), **settings).dtype == ta.float32
        return
    y = getattr(functional, name)(ta.tensor([-9, 0, 9]), **settings)
    assert str(theirs.dtype) == f"torch.{y.dtype}"
    np.testing.assert_allclose(numpy(y), theirs.numpy(), rtol=1e-6)


@pytest.mark.parametrize("name", IN_PLACE)
def test_in_place_writes_into_the_input_and_its_gradient_is_the_same(name: str) -> None:
    settings = CALLS[name][0]
    x = tensor(values((3, 4)), requires_grad=True)
    want = getattr(functional, name)(x * 1, **settings)
    (slope,) = grad(want, x, tensor(values((3, 4), 1)))
    z = x * 1
    y = getattr(functional, name)(z, **settings, inplace=True)
    assert y is z
    np.testing.assert_array_equal(numpy(z), numpy(want))
    np.testing.assert_array_equal(numpy(grad(y, x, tensor(values((3, 4), 1)))[0]), numpy(slope))
    with pytest.raises(ta.errors.InplaceError, match=name):
        getattr(functional, name)(x, **settings, inplace=True)


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "elu", "celu", "selu", "hardtanh", "rrelu"])
def test_the_functions_that_end_in_an_underscore(name: str) -> None:
    x = tensor(values((5,)))
    want = numpy(getattr(functional, name)(x))
    assert getattr(functional, f"{name}_")(x) is x
    np.testing.assert_array_equal(numpy(x), want)


@pytest.mark.parametrize("name", ["relu", "sigmoid", "tanh", "selu", "celu", "prelu", "rrelu", "threshold", "hardshrink"])
def test_free_functions_and_methods_where_pytorch_has_them(name: str) -> None:
    torch = pytest.importorskip("torch")
    assert hasattr(ta, name) and hasattr(torch, name)
    assert hasattr(ta, f"{name}_") == hasattr(torch, f"{name}_")
    for ours in (name, f"{name}_"):
        assert hasattr(ta.Tensor, ours) == hasattr(torch.Tensor, ours), ours


# ------------------------------------------------------------------------------------------------------- prelu
@pytest.mark.parametrize(("shape", "weight"), [((), ()), ((), (1,)), ((4,), (1,)), ((2, 3), (3,)), ((2, 3, 4), (3,)),
                                               ((2, 3, 2, 2), (3,)), ((2, 3), (1,)), ((2, 3), ()), ((0, 3), (3,)), ((2, 1), (1,))])
def test_prelu_has_one_weight_or_one_a_channel(shape: tuple[int, ...], weight: tuple[int, ...]) -> None:
    torch = pytest.importorskip("torch")
    data, slope, c = values(shape), values(weight, 1), values(shape, 2)
    x, w = tensor(data, requires_grad=True), tensor(slope, requires_grad=True)
    y = functional.prelu(x, w)
    their_x, their_w = torch.tensor(data, requires_grad=True), torch.tensor(slope, requires_grad=True)
    their_y = torch.nn.functional.prelu(their_x, their_w)
    np.testing.assert_allclose(numpy(y), their_y.detach().numpy(), rtol=1e-14)
    for g, theirs in zip(grad(y, [x, w], tensor(c)), torch.autograd.grad(their_y, [their_x, their_w], torch.tensor(c)), strict=True):
        assert g.shape == tuple(theirs.shape)
        np.testing.assert_allclose(numpy(g), theirs.numpy(), rtol=1e-13)


@pytest.mark.parametrize(("x", "weight", "message"), [
    ((2, 3), (2,), "3 channels"), ((4,), (4,), "1 channels"), ((2, 3), (1, 3), "one axis")])
def test_prelu_says_what_does_not_fit(x: tuple[int, ...], weight: tuple[int, ...], message: str) -> None:
    with pytest.raises(ta.errors.ShapeError, match=message):
        functional.prelu(tensor(values(x)), tensor(values(weight)))
    with pytest.raises(ta.errors.DTypeError, match="prelu"):
        functional.prelu(tensor(values(x)), tensor(values(weight), ta.float32))
    with pytest.raises(ta.errors.ArgumentError, match="prelu"):
        functional.prelu(tensor(values(x)), 0.25)


# ------------------------------------------------------------------------------------------------------- rrelu
def test_rrelu_draws_its_slopes_in_training_and_its_gradient_is_the_slope_drawn() -> None:
    ta.manual_seed(0)
    x = tensor(-np.ones(2000), requires_grad=True)
    y = functional.rrelu(x, 0.25, 0.75, training=True)
    drawn = -numpy(y)
    assert 0.25 <= drawn.min() < 0.26 and 0.74 < drawn.max() <= 0.75 and abs(drawn.mean() - 0.5) < 0.02
    np.testing.assert_array_equal(numpy(grad(y, x, tensor(np.ones(2000)))[0]), drawn)
    ta.manual_seed(0)
    np.testing.assert_array_equal(-numpy(functional.rrelu(x, 0.25, 0.75, training=True)), drawn)
    np.testing.assert_array_equal(numpy(functional.rrelu(tensor([2.0]), training=True)), [2.0])


# ------------------------------------------------------------------------------------------------------ misuse
@pytest.mark.parametrize(("call", "message"), [
    (lambda x: functional.rrelu(x, 0.5, 0.1), "lower"), (lambda x: functional.hardtanh(x, 2.0, 1.0), "min_val"),
    (lambda x: functional.celu(x, 0.0), "alpha=0"), (lambda x: functional.relu([1.0]), "relu"),
    (lambda x: functional.elu(x, "a"), "elu"), (lambda x: functional.gelu(x, approximate="erf"), "approximate"),
    (lambda x: functional.softshrink(x, -1.0), "lambd")])
def test_misuse_names_the_op(call: Any, message: str) -> None:
    with pytest.raises(ta.errors.ArgumentError, match=message):
        call(tensor([1.0, -1.0]))


def test_relu_of_bools_is_an_error() -> None:
    with pytest.raises(ta.errors.DTypeError, match="relu"):
        functional.relu(ta.tensor([True]))


@pytest.mark.parametrize("name", sorted(catalogue.keys() - {"linear"}))          # nn.functional.linear is the layer's
def test_every_activation_is_in_nn_functional(name: str) -> None:
    function = getattr(ta.nn.functional, name)
    required = {"threshold": (0.0, 0.0), "prelu": (tensor(0.25, ta.float32),)}.get(name, ())
    settings = {"dim": -1} if "dim" in catalogue[name].settings else {}
    assert function(ta.ones(2, 4), *required, **settings).dtype == ta.float32


def test_a_parameter_that_is_not_given_has_its_initial_value() -> None:
    x = tensor([1.0, -2.0])
    np.testing.assert_array_equal(numpy(functional.swish(x)), numpy(functional.swish(x, 1.0)))
    assert functional.swish(x, beta=2.0).tolist() == functional.swish(x, tensor(2.0)).tolist()
    assert functional.apl(x).tolist() == functional.apl(x, tensor((-0.125, -0.125)), hinge=tensor((0.0, -1.0))).tolist()


STRAIGHT = ["relu", "relu6", "leaky_relu", "threshold", "hardsigmoid", "hardtanh", "hardshrink", "softshrink"]


@pytest.mark.parametrize("name", STRAIGHT)
def test_the_second_derivative_of_straight_pieces_is_0_and_connected(name: str) -> None:
    x = ta.tensor([-4.0, 0.3, 1.5, 7.0], requires_grad=True)
    settings = (0.1, 20.0) if name == "threshold" else ()
    (g,) = ta.autograd.grad(getattr(ta.nn.functional, name)(x, *settings).sum(), x, create_graph=True)
    assert ta.autograd.grad(g.sum(), x)[0].tolist() == [0.0] * 4
