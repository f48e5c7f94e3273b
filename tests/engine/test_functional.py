"""autograd.functional against PyTorch's."""

from __future__ import annotations

from typing import Any

import pytest

import tinygrad_act as ta
from tinygrad_act.errors import ArgumentError, GraphError, ShapeError

torch = pytest.importorskip("torch")
A, B, V = [0.5, 1.0, 2.0], [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], [1.0, -1.0, 0.5]


def flat(x: Any) -> Any:
    return [flat(v) for v in x] if isinstance(x, tuple) else x.detach().tolist()


def same(call: Any) -> None:
    """`call(library, functional, tensor)` gives the same for both."""
    def make(lib: Any) -> Any:
        return lambda data, **more: lib.tensor(data, dtype=lib.float64, **more)
    ours = call(ta, ta.autograd.functional, make(ta))
    theirs = call(torch, torch.autograd.functional, make(torch))
    assert str(flat(ours)).count("[") == str(flat(theirs)).count("[")
    assert _numbers(flat(ours)) == pytest.approx(_numbers(flat(theirs)), rel=1e-9, abs=1e-12)


def _numbers(x: Any) -> list[float]:
    return [n for v in x for n in _numbers(v)] if isinstance(x, list) else [x]


def two(a: Any, b: Any) -> Any:
    return (a * b).sum(1), (a ** 3).sum()


def scalar(a: Any, b: Any) -> Any:
    return (a * a * b).sum() + (b ** 3).sum()


CALLS = {
    "vjp": lambda lib, f, t: f.vjp(lambda x: x ** 3, t(A), t(V)),
    "vjp of a number": lambda lib, f, t: f.vjp(lambda x: (x ** 3).sum(), t(A)),
    "vjp of two": lambda lib, f, t: f.vjp(two, (t(A), t(B)), (t([1.0, 2.0]), t(3.0))),
    "jvp": lambda lib, f, t: f.jvp(lambda x: x ** 3, t(A), t(V)),
    "jvp of two": lambda lib, f, t: f.jvp(two, (t(A), t(B)), (t(V), t(B))),
    "jacobian": lambda lib, f, t: f.jacobian(lambda x: x.exp(), t(A)),
    "jacobian of a matrix": lambda lib, f, t: f.jacobian(lambda x: x.t() * 2, t(B)),
    "jacobian of two": lambda lib, f, t: f.jacobian(two, (t(A), t(B))),
    "jacobian of a number": lambda lib, f, t: f.jacobian(lambda x: x.sum(), t(A)),
    "jacobian of nothing": lambda lib, f, t: f.jacobian(lambda a, b: a * 2, (t(A), t(B))),
    "jacobian vectorized": lambda lib, f, t: f.jacobian(lambda x: x.exp(), t(A), vectorize=True),
    "hessian": lambda lib, f, t: f.hessian(lambda x: (x ** 4).sum(), t(A)),
    "hessian of two": lambda lib, f, t: f.hessian(scalar, (t(A), t(B))),
    "hvp": lambda lib, f, t: f.hvp(lambda x: (x ** 4).sum(), t(A), t(V)),
    "hvp of two": lambda lib, f, t: f.hvp(scalar, (t(A), t(B)), (t(V), t(B))),
    "vhp": lambda lib, f, t: f.vhp(lambda x: (x ** 4).sum(), t(A), t(V)),
    "vhp of two": lambda lib, f, t: f.vhp(scalar, (t(A), t(B)), (t(V), t(B))),
    "vhp of a linear function": lambda lib, f, t: f.vhp(lambda x: (x * 2).sum(), t(A), t(V)),
}


@pytest.mark.parametrize("name", CALLS)
def test_it_is_pytorchs(name: str) -> None:
    same(CALLS[name])


@pytest.mark.parametrize("name", ["vjp", "jvp", "jacobian", "hessian", "hvp", "vhp"])
def test_create_graph_lets_the_result_be_differentiated(name: str) -> None:
    def call(lib: Any, f: Any, t: Any) -> Any:
        x = t(A, requires_grad=True)
        vector = () if name in ("jacobian", "hessian") else (t(V),)
        function = (lambda x: x ** 4) if name in ("vjp", "jvp", "jacobian") else (lambda x: (x ** 4).sum())
        result = getattr(f, name)(function, x, *vector, create_graph=True)
        result = result[1] if isinstance(result, tuple) else result
        return lib.autograd.grad((result * result).sum(), x)[0]
    same(call)


def test_results_are_cut_off_unless_asked() -> None:
    x = ta.tensor(A, requires_grad=True)
    y, g = ta.autograd.functional.vjp(lambda x: x * x, x, ta.ones(3))
    assert not y.requires_grad and not g.requires_grad and x.grad is None


def test_misuse() -> None:
    f, x = ta.autograd.functional, ta.tensor(A)
    with pytest.raises(ArgumentError, match="vjp: v=None"):
        f.vjp(lambda x: x * 2, x)
    with pytest.raises(ShapeError, match="vjp: a vector of shape"):
        f.vjp(lambda x: x * 2, x, ta.ones(2))
    with pytest.raises(ArgumentError, match="hessian: a result of shape"):
        f.hessian(lambda x: x * 2, x)
    with pytest.raises(GraphError, match="jacobian: output 0.*does not depend"):
        f.jacobian(lambda x: ta.ones(2), x, strict=True)
    with pytest.raises(GraphError, match="vjp: input 1"):
        f.vjp(lambda x, y: x.sum(), (x, ta.ones(2)), strict=True)
    with pytest.raises(ArgumentError, match="outputs with a float"):
        f.vjp(lambda x: 2.0, x)
