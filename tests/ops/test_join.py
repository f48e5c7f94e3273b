"""Joining and dividing tensors, against PyTorch."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

import tinygrad_act as ta
from tinygrad_act.errors import ShapeError

from .expressions import held, lines

WORKS = lines("""
x.unbind(1)
y.unbind(-1)
e.unbind()
e.unbind(1)
x.split(2, 1)
x.split([1, 2], 1)
e.split(1)
e.split(0)
e.split(2)
x.split_with_sizes([1, 1])
x.chunk(2, 1)
x.chunk(4, 1)
e.chunk(3)
t.arange(13).chunk(6)
t.tensor_split(v, 3)
t.tensor_split(v, (1, 4))
t.tensor_split(v, (-3, 10))
t.tensor_split(v, (4, 1))
t.tensor_split(x, t.tensor([1]), 1)
t.hsplit(x, 3)
t.vsplit(x, 2)
t.dsplit(y, 2)
t.hsplit(v, [1, 2])
t.stack([x, x], -1)
t.stack([x, x*2], 1)
t.stack([s, s])
t.cat([x, x], 1)
t.cat([x, x*x, y[:, :, 0]], -1)
t.cat([x, t.zeros(0)], 1)
t.cat([x, x.long()])
t.cat([x.float(), x])
t.cat([x.half(), x.long()])
t.cat([t.zeros(0), t.zeros(0)])
t.cat([t.zeros(0).double(), x.float()])
t.cat([x], axis=1)
t.cat((x, x), dim=1)
t.concat([x, x])
t.hstack([s, s])
t.hstack([x, x])
t.vstack([v, v])
t.vstack([s, s])
t.row_stack([x, x])
t.dstack([x, x])
t.dstack([v, v])
t.column_stack([v, v])
t.column_stack([s, s])
t.column_stack([x, x])
t.meshgrid(v, x[0], indexing='xy')
t.meshgrid(v, x[0], x[1], indexing='xy')
t.meshgrid(v, x[0], indexing='ij')
t.meshgrid([s, v], indexing='ij')
t.cartesian_prod(v, x[0])
t.cartesian_prod(v)
t.block_diag(x, v, s)
list(x)
x.tolist()
""")

REFUSED = lines("""
s.unbind()
x.split([1, 1], 1)
x.split([4, -1], 1)
x.split(0, 1)
x.split(-1)
s.split(1)
x.chunk(0)
s.chunk(2)
t.tensor_split(x, 0)
t.hsplit(x, 2)
t.hsplit(x, 0)
t.stack([])
t.stack([x, s])
t.stack([x, x], 3)
t.cat([])
t.cat([x, t.zeros(0, 2)], 1)
t.cat([x, t.zeros(2, 3, 1)])
t.cat([s, s])
t.cat([x, x], 2)
t.cat(x)
t.meshgrid(x, x, indexing='ij')
t.meshgrid(v, indexing='zz')
list(s)
""")


test_as_pytorch_in_value_and_gradients, test_refused_as_by_pytorch = held(WORKS, REFUSED)


@pytest.mark.parametrize("divide", [lambda y: y.unbind(0), lambda y: y.split(1), lambda y: y.chunk(4), lambda y: y.split([1, 3]),
                                    lambda y: y.tensor_split(2)])
def test_a_change_of_a_part_reaches_the_whole(divide: Callable[[Any], Any]) -> None:
    x = ta.ones(4, 2, requires_grad=True)
    y = x * 1
    divide(y)[0].mul_(3)
    y.sum().backward()
    assert x.grad is not None
    changed = divide(ta.zeros(4, 2))[0].numel() // 2
    assert x.grad.tolist() == [[3.0, 3.0]] * changed + [[1.0, 1.0]] * (4 - changed)


def test_going_back_through_many_parts_takes_one_pass() -> None:
    x = ta.randn(20_000, requires_grad=True)
    parts = x.unbind()
    seconds = time.perf_counter()
    ta.stack(list(parts)).sum().backward()
    assert time.perf_counter() - seconds < 5
    assert x.grad is not None
    assert x.grad.sum().item() == 20_000
    assert len({id(part.node.edges[0]) for part in parts}) == 1


def test_unused_parts_have_no_gradient() -> None:
    x = ta.ones(3, requires_grad=True)
    x.unbind()[1].backward()
    assert x.grad is not None
    assert x.grad.tolist() == [0.0, 1.0, 0.0]


def test_cat_names_the_sizes_that_differ() -> None:
    with pytest.raises(ShapeError, match=r"\(2, 3\) and \(3, 3\) along dim 1"):
        ta.cat([ta.zeros(2, 3), ta.zeros(3, 3)], 1)


def test_cat_under_promotion_returns_gradients_in_each_dtype() -> None:
    a, b = ta.ones(2, dtype=ta.float32, requires_grad=True), ta.ones(2, dtype=ta.float64, requires_grad=True)
    ta.cat([a, b]).sum().backward()
    assert a.grad is not None
    assert b.grad is not None
    assert (a.grad.dtype, b.grad.dtype) == (ta.float32, ta.float64)
