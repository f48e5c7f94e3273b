"""Every way to misuse the engine that we know of is an error that names the op, the cause and the remedy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import tinygrad_act as ta
from tinygrad_act.errors import (
    ArgumentError,
    DeviceError,
    DTypeError,
    GraphError,
    IndexingError,
    ShapeError,
    TinygradActError,
)

grad = ta.autograd.grad


def leaf(*values: float) -> Any:
    return ta.tensor(values or (1.0, 2.0, 3.0), requires_grad=True)


def twice() -> None:
    y = (leaf() * leaf()).sum()
    y.backward()
    y.backward()


def partly_freed() -> None:
    x = leaf()
    h = x * x
    (h * 2).sum().backward()
    (h * 3).sum().backward()


def two_devices() -> None:
    other = "strict" if ta.backend.current() == "numpy" else "cpu"
    ta.ones(3) + ta.ones(3, device=other)


def seed_elsewhere() -> None:
    other = "strict" if ta.backend.current() == "numpy" else "cpu"
    (leaf() * 2).backward(ta.ones(3, device=other))


def inside_inference() -> Any:
    with ta.inference_mode():
        return ta.ones(3) * 2


def hook_of_another_shape() -> None:
    x = leaf()
    x.register_hook(lambda g: g[:1])
    (x * 2).sum().backward()


CASES: dict[str, tuple[Callable[[], Any], type[TinygradActError], str]] = {
    "a second backward pass": (twice, GraphError, r"mul: a second backward pass.*freed.*retain_graph=True"),
    "a backward pass through a part that was freed": (partly_freed, GraphError, "mul: a second backward pass.*retain_graph"),
    "no seed": (lambda: (leaf() * 2).backward(), GraphError, r"backward: a tensor of shape \(3,\).*scalar.*\.sum\(\).*gradient="),
    "no seed for grad": (lambda: grad(leaf() * 2, leaf()), GraphError, "grad: a tensor of shape.*scalar"),
    "a constant": (lambda: ta.ones(()).backward(), GraphError, "backward.*does not require a gradient.*requires_grad=True"),
    "a result under no_grad": (lambda: ta.no_grad()(lambda: leaf().sum())().backward(), GraphError, "no_grad"),
    "a seed of another shape": (lambda: (leaf() * 2).backward(ta.ones(2)), ShapeError, r"gradient of shape \(2,\).*\(3,\)"),
    "a seed on another device": (seed_elsewhere, DeviceError, r"backward.*gradient on.*\.to\(device\)"),
    "too many seeds": (lambda: grad([leaf().sum()], [leaf()], [None, None]), ArgumentError, "1 tensors and 2 gradients"),
    "an input that was not used": (lambda: grad(leaf().sum(), leaf()), GraphError, "grad: an input.*do not depend.*allow_unused"),
    "an input that needs no gradient": (lambda: grad(leaf().sum(), ta.ones(3)), GraphError, "grad.*does not require"),
    "no inputs": (lambda: leaf().sum().backward(inputs=[]), ArgumentError, r"inputs=\[\].*leave inputs out"),
    "grad of a number": (lambda: grad(3.0, leaf()), ArgumentError, "grad: float"),
    "two devices": (two_devices, DeviceError, r"add: .*(cpu and strict|strict and cpu).*\.to\(device\)"),
    "shapes that do not broadcast": (lambda: leaf() + ta.ones(2), ShapeError, r"add: \(3,\) and \(2,\).*broadcast.*unsqueeze"),
    "a product of other sizes": (lambda: ta.ones(2, 3) @ ta.ones(2, 3), ShapeError, "inner sizes 3 and 2 differ"),
    "a float index": (lambda: leaf()[1.0], IndexingError, "float.*int"),
    "an index tensor of floats": (lambda: leaf()[ta.ones(1)], IndexingError, r"float32.*\.long\(\)"),
    "an index out of range": (lambda: leaf()[3], IndexingError, "index 3.*size 3"),
    "a gradient of ints": (lambda: ta.tensor([1, 2], requires_grad=True), DTypeError, "int64.*floating.*float32"),
    "a gradient of ints, later": (lambda: ta.tensor([1]).requires_grad_(), DTypeError, r"int64.*\.float\(\)"),
    "a gradient of ints, by attribute": (lambda: setattr(ta.tensor([1]), "requires_grad", True), DTypeError, "int64"),
    "a gradient of bools": (lambda: ta.ones(2, dtype=ta.bool, requires_grad=True), DTypeError, "bool"),
    "a result that is to need no gradient": (lambda: (leaf() * 2).requires_grad_(False), GraphError, r"result of mul.*detach\(\)"),
    "a gradient of another shape": (lambda: setattr(leaf(), "grad", ta.ones(2)), ShapeError, r"\(2,\).*\(3,\)"),
    "a gradient of another dtype": (lambda: setattr(leaf(), "grad", ta.ones(3, dtype=ta.float64)), DTypeError, "float64.*float32"),
    "a gradient that is no Tensor": (lambda: setattr(leaf(), "grad", 1.0), ArgumentError, "float"),
    "a hook on a constant": (lambda: ta.ones(2).register_hook(print), GraphError, "register_hook.*does not require"),
    "a hook of another shape": (hook_of_another_shape, ArgumentError, r"hook: \(1,\) returned for a gradient of shape \(3,\)"),
    "a post-accumulate hook on a result": (lambda: (leaf() * 2).register_post_accumulate_grad_hook(print), GraphError, "leaf"),
    "retain_grad of a constant": (lambda: ta.ones(2).retain_grad(), GraphError, "retain_grad.*does not require"),
    "detach_ of a view": (lambda: (leaf() * 2)[:1].detach_(), GraphError, r"detach_.*view.*detach\(\)"),
    "an inference tensor that needs a gradient": (lambda: inside_inference().requires_grad_(), GraphError, r"inference_mode.*clone\(\)"),
    "an inference tensor that is saved": (lambda: leaf() * inside_inference(), GraphError, r"mul: .*inference_mode.*clone\(\)"),
    "an inference tensor changed outside": (lambda: inside_inference().add_(1), GraphError, r"add_: .*inference_mode.*clone\(\)"),
    "an op of text": (lambda: ta.exp("a"), ArgumentError, r"exp: str.*ta\.tensor"),
    "ragged data": (lambda: ta.tensor([[1.0], [1.0, 2.0]]), TinygradActError, "tensor"),
}


@pytest.mark.parametrize("case", CASES)
def test_misuse_is_explained(case: str) -> None:
    call, kind, message = CASES[case]
    with pytest.raises(kind, match=message):
        call()


def test_errors_are_what_python_and_pytorch_users_catch() -> None:
    with pytest.raises(RuntimeError):
        twice()
    with pytest.raises(ValueError):
        leaf() + ta.ones(2)
    with pytest.raises(IndexError):
        leaf()[7]
    with pytest.raises(TypeError):
        ta.tensor([1], requires_grad=True)


def test_an_error_says_what_it_was_about() -> None:
    with pytest.raises(GraphError) as caught:
        (leaf() * 2).backward()
    assert caught.value.op == "backward" and "(3,)" in caught.value.got and caught.value.cause and caught.value.remedy


def test_a_failed_backward_leaves_the_mode_and_the_graph_as_they_were() -> None:
    x = leaf()
    y = (x * x).sum()
    with pytest.raises(GraphError):
        y.backward(inputs=[ta.ones(1)])
    assert ta.is_grad_enabled()
    y.backward()
    assert x.grad.tolist() == [2, 4, 6]


def test_what_saved_no_array_can_be_gone_through_again() -> None:
    x = leaf()
    y = (x + x).reshape(3, 1).sum()
    y.backward()
    y.backward()
    assert x.grad.tolist() == [4, 4, 4]


def test_an_inference_tensor_may_be_used_where_it_is_not_saved() -> None:
    x = leaf()
    (x + inside_inference()).sum().backward()
    assert x.grad.tolist() == [1, 1, 1]


@pytest.mark.parametrize("flip", [False, True])
def test_a_number_on_another_device_is_no_exception(flip: bool) -> None:
    here, there = ta.tensor(2.0, device="cpu"), ta.ones(2, device="strict")
    with pytest.raises(DeviceError, match="different devices"):
        _ = here * there if flip else there * here


def test_a_device_is_no_text_that_names_none() -> None:
    assert ta.device("cpu") != "elsewhere"


@pytest.mark.parametrize("write", [lambda a: a.fill_(1j), lambda a: a.__setitem__(0, 1j)])
def test_a_complex_number_is_refused_not_cut(write: Any) -> None:
    a = ta.ones(2)
    with pytest.raises(ArgumentError, match="complex"):
        write(a)
    assert a.tolist() == [1.0, 1.0]
