"""Reading and writing at positions that a tensor names, against PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act.errors import ArgumentError, DTypeError, InplaceError

from .expressions import held, lines, refused

WORKS = lines("""
x.repeat_interleave(2)
x.repeat_interleave(2, 0)
x.repeat_interleave(2, dim=1)
x.repeat_interleave(2, dim=-2)
x.repeat_interleave(0, dim=-2)
x.repeat_interleave(t.tensor([1, 2]), 0)
x.repeat_interleave(t.tensor([1, 2, 0]), 1)
x.repeat_interleave(t.tensor([2]), 1)
t.repeat_interleave(t.tensor([1, 2, 3]))
x.repeat_interleave(t.tensor([1, 2]), 0, output_size=3)
s.repeat_interleave(3)
v.gather(0, t.tensor([0, 0, 4]))
y.gather(1, t.zeros(1, 2, 4, dtype=t.long))
y.gather(-1, t.tensor([[[0, 1, 3, 3, 3]]]))
y.gather(1, t.zeros(2, 3, 4, dtype=t.int32))
s.gather(0, t.tensor(0))
s.gather(0, t.tensor([0, 0]))
v.gather(0, t.tensor(1))
t.gather(y, 1, t.zeros(2, 0, 4, dtype=t.long))
v.scatter(0, t.tensor([1, 2]), 9.)
v.scatter(0, t.tensor([1]), 2)
v.scatter_add(0, t.tensor([1, 1]), x[0, :2])
v.scatter_reduce(0, t.tensor([1, 1]), x[1, :2], 'sum')
v.scatter_reduce(0, t.tensor([1, 1]), x[1, :2], 'prod')
v.scatter_reduce(0, t.tensor([1, 1]), x[1, :2], 'mean')
v.scatter_reduce(0, t.tensor([1, 1]), x[1, :2], 'amax')
v.scatter_reduce(0, t.tensor([1, 1]), x[1, :2], 'amin')
v.scatter_reduce(0, t.tensor([1, 1]), x[1, :2], 'amax', include_self=False)
v.scatter_reduce(0, t.tensor([1, 1]), x[1, :2], 'mean', include_self=False)
v.scatter_reduce(0, t.tensor([1, 1]), x[1, :2], 'prod', include_self=False)
y.index_select(1, t.tensor([0, 0, 2]))
y.index_select(1, t.tensor(1))
s.index_select(0, t.tensor([0]))
s.index_select(0, t.tensor(0))
v.index_add(0, t.tensor([1, 1]), x[0, :2])
v.index_add(0, t.tensor([1, 1]), x[0, :2], alpha=2)
y.index_add(-1, t.tensor([1, 1]), y[:, :, :2])
v.index_copy(0, t.tensor([1, 3]), x[0, :2])
y.index_copy(1, t.tensor([1]), y[:, :1]*2)
v.index_fill(0, t.tensor([1, 3]), 7)
v.index_fill(0, t.tensor([-1]), 7)
v.index_fill(0, t.tensor([1, 1, 3]), s)
s.index_fill(0, t.tensor([0]), 7)
y.index_fill(1, t.tensor([1]), s)
y.take(t.tensor([[0, 23], [-1, 5]]))
t.take_along_dim(y, y.argsort(1), 1)
t.take_along_dim(y, t.tensor([[[0]]]), 1)
t.take_along_dim(y, t.tensor([0, 5]))
t.take_along_dim(y, t.tensor([[[-1], [0]]]), 1)
y.gather(1, t.zeros(2, 0))
v.gather(0, t.zeros(2, 0, dtype=t.int64))
v.scatter(0, t.zeros(0), 1.0)
v.put(t.tensor([1, -1]), x[0, :2])
v.put(t.tensor([1, 1]), x[0, :2], True)
y.masked_select(y>1)
y.masked_select(t.tensor([True, False, True, False]))
v.masked_select(t.tensor([[True], [True]]))
s.masked_select(t.tensor(True))
v.masked_scatter(v>0, y[0].flatten())
v.nonzero()
v.nonzero(as_tuple=True)
s.nonzero()
s.nonzero(as_tuple=True)
t.nonzero(y, as_tuple=False)
t.argwhere(v)
t.argwhere(s)
t.where(v>0)
""")

REFUSED = lines("""
x.repeat_interleave(t.tensor([1, 2]), 1)
x.repeat_interleave(t.tensor([1, 2]), 0, output_size=4)
x.repeat_interleave(-1)
v.gather(0, t.tensor([5]))
y.gather(1, t.zeros(3, 2, 4, dtype=t.long))
y.gather(1, t.zeros(2, 4, dtype=t.long))
y.gather(1, t.zeros(2, 3, 4))
v.scatter(0, t.tensor([1, 2, 3, 4]), x[0])
v.scatter(0, t.tensor([1]), t.tensor([2]))
v.scatter(0, t.tensor([7]), 2.)
y.index_select(1, t.tensor([[1]]))
y.index_select(1, t.tensor([1.]))
y.index_select(1, t.tensor([3]))
v.index_add(0, t.tensor([1, 1]), t.tensor([2.]))
y.take(t.tensor([24]))
t.take_along_dim(y, t.tensor([0]), 1)
v.masked_select(t.tensor([1, 0, 1, 0, 0]))
v.masked_scatter(v>-5, s)
""")

# Found on the CPU only: on a GPU the answer would have to be waited for.
FOUND_ON_THE_CPU = lines("""
v.gather(0, t.tensor([-1]))
v.scatter(0, t.tensor([-1]), 2.)
y.index_select(1, t.tensor([-1]))
v.index_copy(0, t.tensor([-1]), x[0, :1])
""")


test_as_pytorch_in_value_and_gradients, test_refused_as_by_pytorch = held(WORKS, REFUSED)


@pytest.mark.parametrize("expression", FOUND_ON_THE_CPU)
def test_negative_positions_are_refused(expression: str) -> None:
    if ta.backend.current() != "numpy":
        pytest.skip("the CPU looks, a GPU does not")
    refused(expression)


@pytest.mark.parametrize("reduce", ["sum", "prod", "mean", "amax", "amin"])
@pytest.mark.parametrize("include_self", [True, False])
def test_scatter_reduce_at_ties_and_zeros(reduce: str, include_self: bool) -> None:
    against = pytest.importorskip("tests.ops.against_torch", exc_type=ImportError)
    # Among those that are left out PyTorch counts ties too, and loses their share of the gradient; there are none here.
    x = np.array([[2.0, 0.0, 1.0], [3.0, 3.0, -1.0]]) + (0.0 if include_self else 0.5)
    index = np.array([[0, 0, 1], [2, 1, 2]])
    src = np.array([[2.0, 2.0, 0.0], [-1.0, 3.0, -1.0]])
    against.check(lambda x, i, s: x.scatter_reduce(1, i, s, reduce, include_self=include_self), None, x, index, src, order=1)


@pytest.mark.parametrize("reduce", ["sum", "prod", "amax", "amin", "mean"])
def test_scatter_reduce_of_integers(reduce: str) -> None:
    against = pytest.importorskip("tests.ops.against_torch", exc_type=ImportError)
    for keep in (True, False):
        against.check(lambda x, i, s, keep=keep: x.scatter_reduce(0, i, s, reduce, include_self=keep), None,
                      np.array([5, -2, 7]), np.array([0, 0, 2]), np.array([3, -9, 4]))


def test_a_source_larger_than_the_index_gets_zeros_where_it_was_not_read() -> None:
    src = ta.ones(3, requires_grad=True)
    ta.zeros(4).scatter(0, ta.tensor([1, 2]), src).sum().backward()
    assert src.grad is not None
    assert src.grad.tolist() == [1.0, 1.0, 0.0]


def test_multiply_is_a_product() -> None:
    x = ta.tensor([1.0, 2.0, 3.0])
    assert x.scatter(0, ta.tensor([1, 1]), 2.0, reduce="multiply").tolist() == [1.0, 8.0, 3.0]


@pytest.mark.parametrize("classes", [-1, 3, 5])
def test_one_hot(classes: int) -> None:
    against = pytest.importorskip("tests.ops.against_torch", exc_type=ImportError)
    for labels in (np.array([0, 2, 1]), np.array(2), np.array([[0], [2]]), np.arange(3000).reshape(30, 100).T % 3):
        against.check(ta.nn.functional.one_hot, against.torch.nn.functional.one_hot, labels, classes)


def test_one_hot_of_nothing() -> None:
    assert ta.nn.functional.one_hot(ta.zeros(0, 2, dtype=ta.int64), 4).shape == (0, 2, 4)


def test_one_hot_in_a_compiled_step() -> None:
    step = ta.compile(lambda labels: (ta.nn.functional.one_hot(labels, 5) * 2).float())
    for shift in range(4):
        labels = ta.tensor([(i + shift) % 5 for i in range(20)])
        assert step(labels).argmax(1).tolist() == labels.tolist()


def test_one_hot_refuses_classes_that_do_not_fit() -> None:
    one_hot = ta.nn.functional.one_hot
    with pytest.raises(DTypeError):
        one_hot(ta.tensor([1.0]))
    with pytest.raises(ArgumentError, match="empty"):
        one_hot(ta.zeros(0, dtype=ta.int64))
    if ta.backend.current() == "numpy":
        with pytest.raises(ArgumentError, match="num_classes"):
            one_hot(ta.tensor([3]), 3)


def test_changing_the_index_before_backward_is_an_error() -> None:
    x, index = ta.ones(3, requires_grad=True), ta.tensor([0, 1])
    y = x.gather(0, index).sum()
    index.add_(1)
    with pytest.raises(InplaceError, match="gather"):
        y.backward()


@pytest.mark.parametrize("dim", [0, 1, -1])
@pytest.mark.parametrize("part", [False, True])
def test_an_index_that_was_expanded_does_as_one_that_was_written_out(dim: int, part: bool) -> None:
    """The first names whole slices, of which there is a quicker way; with `part`, slices of less than all."""
    x, src = ta.randn(4, 5, 3, requires_grad=True), ta.randn(4, 5, 3, requires_grad=True)
    shape = [4, 5, 3]
    if part:
        shape[(dim + 1) % 3] -= 1
    line = ta.tensor([2, 0, 2, 1, 2][:shape[dim]])
    index = line.reshape([-1 if d == dim % 3 else 1 for d in range(3)]).expand(*shape)
    found = []
    for i in (index, index.clone()):
        for of in (lambda i: x.gather(dim, i), lambda i: x.scatter(dim, i, 2.0), lambda i: x.scatter_add(dim, i, src),
                   lambda i: x.scatter_reduce(dim, i, src, "amax"), lambda i: x.scatter_reduce(dim, i, src, "prod", include_self=False)):
            y = of(i)
            found.append([y, *ta.autograd.grad((y * y).sum(), [x, src], allow_unused=True)])
    for first, second in zip(found[:5], found[5:], strict=True):
        for a, b in zip(first, second, strict=True):
            assert (a is None and b is None) or ta.allclose(a, b)
