"""`func`: derivatives of functions over trees of tensors, PyTorch's to the last digits, and of any order."""

from __future__ import annotations

import collections
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tests.nn.beside_torch import near, refused
from tinygrad_act.errors import ArgumentError, ShapeError

pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")          # PyTorch's, of itself


def leaves(tree: Any) -> list[Any]:
    if isinstance(tree, (tuple, list, dict)):
        return [x for part in (tree.values() if isinstance(tree, dict) else tree) for x in leaves(part)]
    return [tree]


def built(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {k: built(v) for k, v in tree.items()}
    return type(tree)(built(v) for v in tree) if isinstance(tree, (tuple, list)) else "tensor"


CASES: dict[str, Callable[[Any, Any, Any, Any], Any]] = {          # library, func, x of shape (3,), w of shape (2, 3)
    "grad": lambda t, f, x, w: f.grad(lambda x: (x * x * x).sum())(x),
    "grad of grad": lambda t, f, x, w: f.grad(lambda x: f.grad(lambda y: (y * y * y).sum())(x).sum())(x),
    "grad, two arguments": lambda t, f, x, w: f.grad(lambda w, x: (w @ x).exp().sum(), argnums=(0, 1))(w, x),
    "grad, second argument": lambda t, f, x, w: f.grad(lambda w, x: (w @ x).exp().sum(), argnums=1)(w, x),
    "grad, aux": lambda t, f, x, w: f.grad(lambda x: ((x * x).sum(), {"half": x / 2}), has_aux=True)(x),
    "grad of a dict": lambda t, f, x, w: f.grad(lambda p: (p["w"] @ p["more"][0]).tanh().sum())({"w": w, "more": [x]}),
    "grad of what is not used": lambda t, f, x, w: f.grad(lambda p: p[0].sum())((x, w)),
    "grad and value": lambda t, f, x, w: f.grad_and_value(lambda x: (x * x).sum())(x),
    "grad and value, aux": lambda t, f, x, w: f.grad_and_value(lambda x: ((x * x).sum(), x), has_aux=True)(x),
    "jacrev": lambda t, f, x, w: f.jacrev(lambda x: w @ (x * x))(x),
    "jacrev, two arguments": lambda t, f, x, w: f.jacrev(lambda w, x: w @ (x * x), argnums=(0, 1))(w, x),
    "jacrev of trees": lambda t, f, x, w: f.jacrev(lambda p: (p["x"] * p["x"], {"y": p["w"] @ p["x"]}))({"x": x, "w": w}),
    "jacrev, aux": lambda t, f, x, w: f.jacrev(lambda x: (x * x, x + 1), has_aux=True)(x),
    "jacfwd": lambda t, f, x, w: f.jacfwd(lambda x: w @ (x * x))(x),
    "jacfwd of jacrev": lambda t, f, x, w: f.jacfwd(f.jacrev(lambda x: w @ (x * x * x)))(x),
    "hessian": lambda t, f, x, w: f.hessian(lambda x: (w @ (x * x * x)).sum())(x),
    "hessian, two arguments": lambda t, f, x, w: f.hessian(lambda w, x: (w @ (x * x)).sum(), argnums=(0, 1))(w, x),
    "vjp": lambda t, f, x, w: (lambda y, back: (y, back(y)))(*f.vjp(lambda w, x: w @ (x * x), w, x)),
    "jvp": lambda t, f, x, w: f.jvp(lambda w, x: w @ (x * x), (w, x), (w * 2, x + 1)),
    "jvp, aux": lambda t, f, x, w: f.jvp(lambda x: (x * x, x), (x,), (x,), has_aux=True),
    "jvp of a linear function": lambda t, f, x, w: f.jvp(lambda x: w @ x, (x,), (x,)),
    "jvp of trees": lambda t, f, x, w: f.jvp(lambda p: {"y": p["w"] @ p["x"], "x": p["x"]}, ({"x": x, "w": w},), ({"x": x, "w": w},)),
}


@pytest.mark.parametrize("name", CASES)
def test_derivatives_are_pytorchs(name: str) -> None:
    torch = pytest.importorskip("torch")
    random = np.random.default_rng(0)
    x, w = random.normal(size=3), random.normal(size=(2, 3))
    theirs = CASES[name](torch, torch.func, torch.tensor(x), torch.tensor(w))
    ours = CASES[name](ta, ta.func, ta.tensor(x), ta.tensor(w))
    assert built(ours) == built(theirs)
    for a, b in zip(leaves(ours), leaves(theirs), strict=True):
        near(a, b, name)
        assert not a.requires_grad, "nothing of the caller's requires a gradient"


def test_a_derivative_is_in_the_graph_of_what_the_function_closes_over() -> None:
    scale, x = ta.tensor(3.0, requires_grad=True), ta.tensor(2.0)
    g = ta.func.grad(lambda x: scale * x * x)(x)
    g.backward()
    assert g.item() == 12.0 and scale.grad is not None and scale.grad.item() == 4.0


def test_a_derivative_is_in_the_graph_of_an_argument_that_requires_a_gradient() -> None:
    x = ta.tensor(2.0, requires_grad=True)
    ta.func.grad(lambda x: x * x * x)(x).backward()
    assert x.grad is not None and x.grad.item() == 12.0
    with ta.no_grad():
        assert not ta.func.grad(lambda x: x * x * x)(x).requires_grad


def test_a_step_of_training_by_functional_call() -> None:
    torch = pytest.importorskip("torch")
    results = []
    for library in (torch, ta):
        model = library.nn.Linear(2, 1).double()
        parameters = {"weight": library.tensor([[1.0, -1.0]], dtype=library.float64), "bias": library.tensor([0.5], dtype=library.float64)}
        x = library.tensor([[1.0, 2.0], [3.0, 5.0]], dtype=library.float64)

        def loss(p: Any, x: Any, library: Any = library, model: Any = model) -> Any:
            return library.func.functional_call(model, p, (x,)).square().mean()
        found = library.func.grad(loss)(parameters, x)
        results.append(found)
        assert model.weight.grad is None
    for k, g in results[0].items():
        near(results[1][k], g, k)


def test_what_is_no_number_or_no_tensor_is_refused() -> None:
    x = ta.ones(2)
    refused(ShapeError, "must return a single number", ta.func.grad(lambda x: x), x)
    refused(ArgumentError, "an argument with a float", ta.func.grad(lambda x: x), 2.0)
    refused(ArgumentError, "argnums=1", ta.func.grad(lambda x: x.sum(), argnums=1), x)
    refused(ArgumentError, "has_aux=True", ta.func.grad(lambda x: x.sum(), has_aux=True), x)
    refused(ArgumentError, "primals and tangents are tuples", ta.func.jvp, lambda x: x, x, x)
    refused(ShapeError, "shapes", ta.func.vjp(lambda x: x, x)[1], ta.ones(3))


def test_a_product_with_the_jacobian_has_derivatives_by_its_vector() -> None:
    x = ta.full((2,), 2.0)

    def product(c: Any) -> Any:
        return ta.func.vjp(lambda a: a ** 3, x)[1](c)[0]

    assert ta.func.grad(lambda c: product(c).sum())(ta.ones(2)).tolist() == [12, 12]
    assert ta.func.jvp(product, (ta.ones(2),), (ta.ones(2),))[1].tolist() == [12, 12]
    a = ta.arange(4.0).reshape(2, 2)
    times = ta.func.vjp(lambda v: a @ v, ta.zeros(2))[1]
    assert ta.func.jacrev(lambda c: times(c)[0])(ta.zeros(2)).tolist() == [[0, 2], [1, 3]]
    w = ta.ones(2, requires_grad=True)
    times(w)[0].sum().backward()
    assert w.grad.tolist() == [1, 5]


def test_what_functions_inside_made_for_themselves_leaves_no_graph() -> None:
    g = ta.func.grad(lambda t: ta.func.jvp(lambda a: a ** 3, (ta.full((2,), 2.0),), (t,))[1].sum())(ta.ones(2))
    assert not g.requires_grad and g.tolist() == [12, 12]


def test_a_dict_of_another_kind_stays_of_that_kind() -> None:
    given = collections.defaultdict(list, a=ta.ones(2))
    found = ta.func.grad(lambda p: (p["a"] ** 2).sum())(given)
    assert type(found) is collections.defaultdict and found.default_factory is list and found["a"].tolist() == [2, 2]
