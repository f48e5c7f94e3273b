"""Gated units against PyTorch's ops, and what the smooth activations promise beyond the generated tests."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tests.activations.units import numpy, tensor
from tinygrad_act.activations import catalogue
from tinygrad_act.graph import grad

SHAPES = [((6,), -1), ((4, 3), 0), ((2, 8, 3), 1), ((2, 8, 3), -2), ((0, 4), 1), ((3, 0), -1)]
GATES: dict[str, Callable[[Any, Any], Any]] = {
    "glu": lambda t, b: t.sigmoid(b), "reglu": lambda t, b: t.relu(b), "geglu": lambda t, b: t.nn.functional.gelu(b),
    "geglu_tanh": lambda t, b: t.nn.functional.gelu(b, approximate="tanh"), "swiglu": lambda t, b: t.nn.functional.silu(b),
    "bilinear_glu": lambda t, b: b, "mish_glu": lambda t, b: t.nn.functional.mish(b)}
each_gate = pytest.mark.parametrize("name", GATES)


@each_gate
@pytest.mark.parametrize(("shape", "dim"), SHAPES, ids=str)
def test_value_and_gradients_are_those_of_pytorchs_ops(name: str, shape: tuple[int, ...], dim: int) -> None:
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).uniform(-3, 3, shape)
    half = tuple(n // 2 if i == dim % len(shape) else n for i, n in enumerate(shape))
    c, d = np.random.default_rng(1).normal(size=half), np.random.default_rng(2).normal(size=shape)
    mine = tensor(x, requires_grad=True).reshape(shape)
    leaf = mine
    y = catalogue[name](leaf, dim=dim)
    (g,) = grad(y, leaf, tensor(c).reshape(half), create_graph=True)
    (h,) = grad(g, leaf, tensor(d).reshape(shape))
    theirs = torch.tensor(x, requires_grad=True)
    a, b = theirs.chunk(2, dim) if half[dim] else (theirs, theirs)
    their_y = a * GATES[name](torch, b)
    (their_g,) = torch.autograd.grad(their_y, theirs, torch.tensor(c), create_graph=True)
    (their_h,) = torch.autograd.grad(their_g, theirs, torch.tensor(d))
    for got, want in ((y, their_y), (g, their_g), (h, their_h)):
        assert got.shape == tuple(want.shape)
        np.testing.assert_allclose(numpy(got), want.detach().numpy(), rtol=1e-10, atol=1e-13)


@each_gate
def test_a_gated_unit_is_one_node(name: str) -> None:
    x = tensor(np.ones(4), requires_grad=True)
    y = catalogue[name](x)
    assert y.node.op is catalogue[name].op and y.node.edges == (x,)


@each_gate
@pytest.mark.parametrize("dtype", [ta.float16, ta.float32], ids=str)
def test_dtype_is_kept_and_halves_are_rounded_once(name: str, dtype: Any) -> None:
    x = tensor(np.linspace(-3, 3, 10), dtype, requires_grad=True)
    exact = numpy(catalogue[name](tensor(numpy(x).astype(np.float64))))
    y = catalogue[name](x)
    (g,) = grad(y, x, tensor(np.ones(5), dtype))
    assert y.dtype == g.dtype == dtype
    np.testing.assert_allclose(numpy(y).astype(np.float64), exact, rtol=np.finfo(dtype).eps, atol=1e-7)


@each_gate
@pytest.mark.parametrize(("shape", "dim", "message"), [
    ((2, 5), -1, "odd size 5"), ((3, 4), 0, "odd size 3"), ((), -1, "0-d"), ((4,), 1, "dim=1")])
def test_an_axis_that_cannot_be_halved_is_named(name: str, shape: tuple[int, ...], dim: int, message: str) -> None:
    with pytest.raises(ta.errors.ShapeError, match=f"{name}: .*{message}"):
        catalogue[name](tensor(np.ones(shape)), dim=dim)


def test_integers_are_refused() -> None:
    with pytest.raises(ta.errors.DTypeError, match="glu"):
        catalogue["glu"](ta.tensor([1, 2]))


# ------------------------------------------------------------------------------------------------------- smooth
@pytest.mark.parametrize(("name", "wanted"), [                    # f' ... f'''' at 0, by hand from the series
    ("silu", (0.5, 0.5, 0.0, -0.5)), ("gelu", (0.5, 2 / math.sqrt(2 * math.pi), 0.0, -4 / math.sqrt(2 * math.pi))),
    ("softplus", (0.5, 0.25, 0.0, -0.125)), ("gaussian", (0.0, -2.0, 0.0, 12.0)), ("sinc", (0.0, -math.pi**2 / 3, 0.0, math.pi**4 / 5))])
def test_folding_the_line_leaves_no_seam_at_0(name: str, wanted: tuple[float, ...]) -> None:
    x = tensor(0.0, requires_grad=True)
    y = catalogue[name](x)
    for order, want in enumerate(wanted, 1):
        (y,) = grad(y, x, create_graph=True)
        assert abs(numpy(y).item() - want) < 1e-10, f"derivative of order {order}"


def test_softplus_honours_a_threshold_that_is_felt_and_no_other() -> None:
    softplus = catalogue["softplus"]
    x = tensor([1.9, 2.1, 25.0])
    assert numpy(softplus(x, threshold=2.0)).tolist()[1:] == [2.1, 25.0]
    assert numpy(softplus(tensor([21.0])))[0] - 21.0 == pytest.approx(math.exp(-21), rel=1e-5)
    with pytest.raises(ta.errors.ArgumentError, match="beta=0"):
        softplus(x, beta=0.0)


def test_snake_without_a_frequency_is_the_line() -> None:
    x, alpha = tensor([-2.0, 0.0, 3.0], requires_grad=True), tensor(0.0, requires_grad=True)
    y = catalogue["snake"](x, alpha)
    gx, ga = grad(y, [x, alpha], tensor(np.ones(3)))
    assert numpy(y).tolist() == [-2, 0, 3] and numpy(gx).tolist() == [1, 1, 1] and numpy(ga) == 13


@pytest.mark.parametrize("name", ["swish", "snake"])
def test_a_parameter_broadcasts_and_may_be_a_number(name: str) -> None:
    rows = np.random.default_rng(0).uniform(-3, 3, (4, 3))
    values = [0.5, 1.0, 2.0]
    x, p = tensor(rows, requires_grad=True), tensor(values, requires_grad=True)
    (gp,) = grad(catalogue[name](x, p), p, tensor(np.ones((4, 3))))
    assert gp.shape == (3,)
    for i, v in enumerate(values):
        np.testing.assert_allclose(numpy(catalogue[name](x, p))[:, i], numpy(catalogue[name](tensor(rows[:, i]), v)), rtol=1e-14)


def test_settings_that_make_no_function_are_refused() -> None:
    with pytest.raises(ta.errors.ArgumentError, match="b=-1"):
        catalogue["squareplus"](tensor([1.0]), b=-1.0)
    with pytest.raises(ta.errors.ArgumentError, match="lambd=-1"):
        catalogue["soft_shrink"](tensor([1.0]), lambd=-1.0)
