"""Shapes, axes and the order of elements, against PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import tinygrad_act as ta
from tinygrad_act.errors import ShapeError

from .expressions import held, lines

WORKS = lines("""
x.reshape(3, -1)
e.reshape(-1)
e.reshape(-1, 3)
s.reshape(1, 1)
s.reshape(())
s.reshape(-1)
x.view(-1)
x.t().view(3, 2, 1)
x.view(t.int64)
x.squeeze(0)
s.squeeze(0)
s.squeeze(-1)
t.zeros(1, 2, 1).squeeze((0, 2))
t.zeros(1, 2, 1).squeeze(())
x.unsqueeze(-1)
x.unsqueeze(-3)
s.unsqueeze(0)
s.flatten()
x.flatten(0, 0)
y.flatten(1)
y.flatten(0, 1)
t.zeros(2, 0, 3).flatten(1)
s.flatten(0, -1)
x.unflatten(1, (3, 1))
x.unflatten(1, (-1, 1))
x.transpose(0, 1)
s.transpose(0, 0)
s.transpose(0, -1)
x.permute(1, 0)
y.permute((1, 2, 0))
y.permute(1, 2, 0)
y.permute(1, -1, 0)
s.permute(())
t.permute(y, dims=(2, 1, 0))
t.movedim(y, (0, 1), (2, 0))
t.movedim(y, 0, -1)
y.moveaxis(0, 1)
s.movedim(0, 0)
s.t()
v.t()
y.T
x.T
x.mT
x.H
y.mH
y.adjoint()
y.swapaxes(0, 2)
y.swapdims(0, 2)
x.expand(2, 2, 3)
x.expand(-1, 3)
x.unsqueeze(1).expand(2, 5, 3)
x.unsqueeze(1).expand(4, -1, 5, -1)
s.expand(2, 3)
s.expand(())
t.zeros(1).expand(0)
t.zeros(1, 3).expand(0, 3)
x.expand_as(t.zeros(4, 2, 3))
x.repeat(2, 1)
x.repeat(2, 2, 1)
x.repeat(0, 1)
s.repeat(2)
s.repeat(2, 3)
s.repeat(())
e.repeat(2, 2)
x.tile(2)
x.tile((2, 2, 1))
t.tile(x, (2, ))
s.tile(2)
x.tile(())
x.roll(1)
x.roll(1, 0)
x.roll((1, 1), (0, 1))
s.roll(1)
y.roll((1, -1), (0, 2))
x.roll((1, 1), (0, 0))
e.roll(1, 0)
x.roll(shifts=2, dims=-1)
x.flip(0)
x.flip(0, 1)
x.flip((0, 1))
x.flip([-1])
x.flip(())
s.flip(0)
s.flip(())
t.flip(x, dims=(0, ))
x.fliplr()
x.flipud()
x.rot90()
x.rot90(2)
x.rot90(3)
x.rot90(4)
x.rot90(-1, (1, 0))
y.rot90(1, (1, 2))
t.atleast_1d(s)
t.atleast_2d(v)
t.atleast_3d(v)
t.atleast_3d(x)
t.atleast_3d(s)
t.atleast_1d(s, x)
t.atleast_2d([s, x])
t.broadcast_tensors(x, s)
t.broadcast_to(x, (2, 2, 3))
x.unfold(1, 2, 1)
v.unfold(0, 3, 2)
v.unfold(0, 2, 3)
y.unfold(-1, 2, 2)
y.unfold(1, 2, 1)
s.unfold(0, 1, 1)
x.unfold(0, 0, 1)
x.sum_to_size(1, 3)
x.sum_to_size(3)
y.sum_to_size(2, 1, 4)
t.ravel(s)
x.ravel()
x.stride()
x.stride(0)
x.T.stride()
x.is_contiguous()
x.T.is_contiguous()
t.zeros(0).stride()
t.zeros(2, 0, 3).stride()
x.expand(2, 2, 3).stride()
tuple(x.size())
x.size(-1)
x.dim()
x.numel()
t.numel(x)
x.unsqueeze(dim=0)
x.T.contiguous()
t.reshape(x, (3, 2))
x.view_as(t.zeros(3, 2))
x.reshape_as(t.zeros(3, 2))
len(x)
x.expand((2, 3))
x.ndimension()
x.nelement()
x.contiguous()
x.T.contiguous().is_contiguous()
s.expand(3)[1:]
y.transpose(0, 1)[1:].reshape(-1)
""")

REFUSED = lines("""
x.reshape(-1, -1)
x.reshape(4, 2)
e.reshape(0, -1)
x.reshape()
x.t().view(6)
s.squeeze(1)
t.zeros(1, 2, 1).squeeze((0, 0))
t.zeros(1, 2, 1).squeeze(3)
x.unsqueeze(3)
x.flatten(1, 0)
x.unflatten(1, (2, 2))
x.unflatten(1, ())
s.transpose(0, 1)
x.permute(0)
x.permute(0, 0)
x.permute(0, 2)
s.permute()
t.movedim(y, (0, 0), (2, 0))
t.movedim(y, (0, 1), (2, ))
y.t()
v.mT
y.H
x.expand(-1, 2, 3)
x.expand(3, 3)
x.expand(6)
s.expand(-1)
x.repeat(2)
x.repeat(2, -1)
x.roll((1, 1), 0)
x.roll((1, 2))
s.roll(1, 0)
x.flip(0, 0)
x.flip()
s.flip(1)
v.fliplr()
s.flipud()
x.rot90(1, (0, 0))
v.rot90()
t.broadcast_tensors(x, v)
x.unfold(0, 3, 1)
x.unfold(0, 2, 0)
s.unfold(0, 2, 1)
x.unfold(0, -1, 1)
x.sum_to_size(2)
x.size(2)
x.view(3, 2.)
len(s)
""")


test_as_pytorch_in_value_and_gradients, test_refused_as_by_pytorch = held(WORKS, REFUSED)


@pytest.mark.parametrize("dtype", ["float16", "float32", "bfloat16", "int64", "uint8", "bool"])
@pytest.mark.parametrize("name", ["reshape", "flip", "roll", "repeat", "unfold", "permute"])
def test_any_dtype_stays_what_it_is(name: str, dtype: str) -> None:
    x = ta.tensor([[0, 1, 2], [3, 4, 5]]).to(dtype)
    arguments: dict[str, Any] = {"reshape": (6,), "flip": (0,), "roll": (1,), "repeat": (2, 2), "unfold": (1, 2, 1),
                                 "permute": (1, 0)}
    assert getattr(x, name)(*arguments[name]).dtype == x.dtype


def test_view_says_what_to_do_where_it_would_copy() -> None:
    with pytest.raises(ShapeError, match=r"use \.reshape"):
        ta.zeros(2, 3).t().view(6)


VIEWS = {
    "reshape": lambda x: x.reshape(6), "view": lambda x: x.view(3, 2), "t": lambda x: x.t(), "unsqueeze": lambda x: x.unsqueeze(0),
    "permute": lambda x: x.permute(1, 0), "expand": lambda x: x.expand(4, 2, 3), "unfold": lambda x: x.unfold(1, 2, 1),
    "index": lambda x: x[:, 1:], "split": lambda x: x.split(1)[1], "unbind": lambda x: x.unbind(1)[0], "mT": lambda x: x.mT,
    "select": lambda x: x.select(1, -1), "narrow": lambda x: x.narrow(0, 1, 1), "squeeze": lambda x: x.squeeze(),
    "flatten": lambda x: x.flatten(), "movedim": lambda x: x.movedim(0, 1)}


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_shows_what_becomes_of_its_root(name: str) -> None:
    x = ta.zeros(2, 3)
    view = VIEWS[name](x)
    x.fill_(7.0)
    assert set(view.reshape(-1).tolist()) == {7.0}


@pytest.mark.parametrize("copy", [lambda x: x.flip(0), lambda x: x.roll(1), lambda x: x.repeat(2, 1), lambda x: x.clone(),
                                  lambda x: x.repeat(1, 1), lambda x: x.tile(1), lambda x: x.repeat_interleave(1), lambda x: x.rot90(4),
                                  lambda x: x[:1, :1].repeat(3, 1), lambda x: x.flip(()), lambda x: ta.cat([x]), lambda x: x[[0, 1]], lambda x: x.t().reshape(6), lambda x: x.t().contiguous()])
def test_a_copy_does_not(copy: Callable[[Any], Any]) -> None:
    x = ta.zeros(2, 3)
    y = copy(x)
    x.fill_(7.0)
    assert set(y.reshape(-1).tolist()) == {0.0}


def test_a_change_of_a_view_reaches_the_gradient_of_its_root() -> None:
    x = ta.ones(2, 3, requires_grad=True)
    y = x * 2
    y.t()[0].mul_(10)                         # in place, of a view of a view
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [[20.0, 2.0, 2.0], [20.0, 2.0, 2.0]]


def test_many_short_lived_views_do_not_pile_up() -> None:
    x = ta.zeros(4, requires_grad=True)
    for _ in range(1000):
        x.reshape(2, 2)
    assert len(x.views or ()) <= 64
