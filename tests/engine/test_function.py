"""autograd.Function: both styles, several inputs and outputs, what is saved, and what goes wrong."""

from __future__ import annotations

from typing import Any

import pytest

import tinygrad_act as ta
from tinygrad_act.autograd import Function, gradcheck, gradgradcheck
from tinygrad_act.autograd.function import once_differentiable
from tinygrad_act.errors import ArgumentError, GraphError, InplaceError, ShapeError


def leaf(*values: float) -> Any:
    return ta.tensor(values or (0.5, 1.0, 1.5), dtype=ta.float64, requires_grad=True)


class Power(Function):
    """An argument that is no tensor, and a double backward through backward."""

    @staticmethod
    def forward(ctx: Any, x: Any, n: int) -> Any:
        ctx.save_for_backward(x)
        ctx.n = n
        return x ** n

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        (x,) = ctx.saved_tensors
        return g * ctx.n * x ** (ctx.n - 1), None


class Exp(Function):
    """The other style, and a saved output."""

    @staticmethod
    def forward(x: Any) -> Any:
        return x.exp()

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.save_for_backward(output)

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        (y,) = ctx.saved_tensors
        return g * y


class SumAndProduct(Function):
    """Two inputs, two outputs; saves an output of several."""

    @staticmethod
    def forward(ctx: Any, a: Any, b: Any) -> Any:
        product = a * b
        ctx.save_for_backward(a, b, product)
        return a + b, product

    @staticmethod
    def backward(ctx: Any, gs: Any, gp: Any) -> Any:
        a, b, product = ctx.saved_tensors
        return gs + gp * b, gs + gp * (product / b)


def test_values_and_gradients_to_the_second_order() -> None:
    x, y = leaf(), leaf(2.0, 3.0, 4.0)
    assert Power.apply(x, 3).tolist() == (x ** 3).tolist()
    for function, inputs in [(lambda x: Power.apply(x, 3), (x,)), (Exp.apply, (x,)), (SumAndProduct.apply, (x, y)),
                             (lambda x, y: SumAndProduct.apply(x, y)[1], (x, y)),
                             (lambda x: Exp.apply(Power.apply(x, 2)), (x,))]:
        assert gradcheck(function, inputs) and gradgradcheck(function, inputs)


def test_keywords_are_bound() -> None:
    x = leaf()
    Power.apply(x, n=2).sum().backward()
    assert x.grad.tolist() == [1, 2, 3]


def test_what_it_leaves_in_the_graph() -> None:
    x = leaf()
    y = Power.apply(x, 2)
    assert "Power" in repr(y.grad_fn) and not y.is_leaf
    assert Power.apply(x.detach(), 2).is_leaf
    with ta.no_grad():
        assert Power.apply(x, 2).is_leaf


def test_needs_input_grad_and_none() -> None:
    seen = []

    class Mul(Function):
        @staticmethod
        def forward(ctx: Any, a: Any, b: Any) -> Any:
            ctx.save_for_backward(a, b)
            return a * b

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            seen.append(ctx.needs_input_grad)
            a, b = ctx.saved_tensors
            return (g * b if ctx.needs_input_grad[0] else None), (g * a if ctx.needs_input_grad[1] else None)

    x, c = leaf(), ta.ones(3, dtype=ta.float64)
    Mul.apply(x, c).sum().backward()
    assert seen == [(True, False)] and x.grad.tolist() == [1, 1, 1] and c.grad is None


@pytest.mark.parametrize("materialize", [True, False])
def test_outputs_that_no_gradient_reached(materialize: bool) -> None:
    seen = []

    class Both(Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.set_materialize_grads(materialize)
            return x * 2, x * 3

        @staticmethod
        def backward(ctx: Any, a: Any, b: Any) -> Any:
            seen.append((a is None, b is None or b.tolist()))
            return a if b is None else a * 2 + b * 3

    x = leaf()
    Both.apply(x)[0].sum().backward()
    assert seen == [(False, [0, 0, 0] if materialize else True)]


def test_outputs_without_a_gradient() -> None:
    class WithMask(Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            mask, rounded = x > 1, x.round()
            ctx.mark_non_differentiable(mask, rounded)
            return x * 2, mask, rounded, "text"

        @staticmethod
        def backward(ctx: Any, g: Any, *others: Any) -> Any:
            return g * 2

    x = leaf()
    y, mask, rounded, text = WithMask.apply(x)
    assert y.requires_grad and not mask.requires_grad and not rounded.requires_grad and text == "text"
    y.sum().backward()
    assert x.grad.tolist() == [2, 2, 2]


class Double(Function):
    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        x.mul_(2)
        ctx.mark_dirty(x)
        return x

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        return g * 2


def test_an_input_changed_in_place() -> None:
    x = leaf()
    y = x * 1
    z = Double.apply(y)
    assert z is y and y._version == 2
    z.sum().backward()
    assert x.grad.tolist() == [2, 2, 2]
    with pytest.raises(InplaceError, match="Double: a leaf"):
        Double.apply(leaf())


def test_an_input_returned_as_it_is_is_another_tensor() -> None:
    class Reverse(Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return -g

    x = leaf()
    y = Reverse.apply(x)
    assert y is not x and x.is_leaf
    y.sum().backward()
    assert x.grad.tolist() == [-1, -1, -1]


def test_what_was_saved_is_guarded_and_freed() -> None:
    x, c = leaf(), ta.ones(3, dtype=ta.float64)
    y = SumAndProduct.apply(x, c)[1].sum()
    c.add_(1)
    with pytest.raises(InplaceError, match="SumAndProduct: an array.*add_"):
        y.backward()
    z = Power.apply(x, 2).sum()
    z.backward()
    with pytest.raises(GraphError, match="Power: a second backward pass.*retain_graph"):
        z.backward()


def test_a_saved_tensor_returned_as_the_gradient_is_copied() -> None:
    class Saved(Function):
        @staticmethod
        def forward(ctx: Any, x: Any, w: Any) -> Any:
            ctx.save_for_backward(w)
            return (x * w).sum()

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return ctx.saved_tensors[0], None

    x, w = leaf(), ta.ones(3, dtype=ta.float64)
    Saved.apply(x, w).backward()
    x.grad.zero_()
    assert w.tolist() == [1, 1, 1]


def test_a_gradient_is_summed_over_what_was_broadcast_and_takes_the_inputs_dtype() -> None:
    class Add(Function):
        @staticmethod
        def forward(ctx: Any, a: Any, b: Any) -> Any:
            return a + b

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g, g.float()

    a, b = leaf(1.0), leaf()
    Add.apply(a, b).sum().backward()
    assert a.grad.tolist() == [3] and b.grad.dtype == ta.float64


def returning(*gradients: Any) -> Any:
    class Some(Function):
        @staticmethod
        def forward(ctx: Any, x: Any, y: Any) -> Any:
            return x * y

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return gradients

    return Some.apply(leaf(), leaf()).sum()


@pytest.mark.parametrize(("gradients", "kind", "message"), [
    ((None,), GraphError, "Some: 1 gradients from backward: forward has 2 inputs"),
    ((None, None, ta.ones(3)), GraphError, "Some: 3 gradients.*2 inputs"),
    ((ta.ones(2), None), ShapeError, r"Some: a gradient of shape \(2,\) for input 0 of shape \(3,\)"),
    ((None, 1.0), ArgumentError, "Some: a float from backward for input 1"),
])
def test_wrong_gradients_are_explained(gradients: Any, kind: Any, message: str) -> None:
    with pytest.raises(kind, match=message):
        returning(*gradients).backward()


def test_more_nones_than_inputs_are_fine() -> None:
    returning(None, None, None).backward()


def test_once_differentiable() -> None:
    class Once(Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        @once_differentiable
        def backward(ctx: Any, g: Any) -> Any:
            assert not ta.is_grad_enabled()
            return g * 2 * ctx.saved_tensors[0]

    x = leaf()
    Once.apply(x).sum().backward()
    assert x.grad.tolist() == [1, 2, 3]
    (g,) = ta.autograd.grad(Once.apply(x).sum(), x, create_graph=True)
    with pytest.raises(GraphError, match="once_differentiable.*only once"):
        g.sum().backward()


def test_misuse_of_the_context() -> None:
    class Text(Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward("text")
            return x

    with pytest.raises(ArgumentError, match="save_for_backward: str.*attribute of ctx"):
        Text.apply(leaf())
    with pytest.raises(ArgumentError, match="forward is not written"):
        Function.apply(leaf())
    contexts = []

    class Leaks(Power):
        @staticmethod
        def forward(ctx: Any, x: Any, n: int) -> Any:
            contexts.append(ctx)
            return Power.forward(ctx, x, n)

    Leaks.apply(leaf(), 2)
    with pytest.raises(GraphError, match="only while forward or backward runs"):
        contexts[0].saved_tensors  # noqa: B018
