"""x[...] against PyTorch: basic indices, index tensors, masks and their mixtures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_act as ta
from tinygrad_act.errors import IndexingError

from .expressions import held, lines

WORKS = lines("""
x[None].squeeze(0)
x[None].squeeze()
x.narrow(1, 1, 2)
x.narrow(1, -1, 1)
x.narrow(1, 3, 0)
x.narrow(1, t.tensor(1), 1)
x.select(1, -1)
t.narrow(x, 1, 0, 1)
x[0]
y[-1]
y[..., 0]
y[:, 1:2]
y[::2, 1:, ::3]
y[None]
y[True]
y[False]
y[True, 0]
y[0, True]
y[:, True]
y[:, True, t.tensor([0, 1])]
y[t.tensor([0, 1])]
y[t.tensor([0, 1, 1, 0, 1])]
y[[0, 1]]
y[[0, 1], [1, 2]]
y[[[0, 1], [1, 0]]]
y[[0, slice(None)]]
y[[slice(None), 0]]
y[(0, [1, 2])]
y[0, :, [0, 1]]
y[[0, 1], :, 0]
y[0, :, t.tensor([0, 1])]
y[t.tensor([0, 1]), :, t.tensor([0, 1])]
y[:, t.tensor([0, 1]), t.tensor([0, 1])]
y[:, t.tensor([0, 1]), :]
y[t.tensor([0, 1]), None, t.tensor([0, 1])]
y[None, t.tensor([0, 1])]
y[t.tensor([0, 1]), None]
y[0, t.tensor([0, 1]), 0]
y[t.tensor(0)]
y[t.tensor(0), :, t.tensor([0, 1])]
y[t.tensor(True)]
y[y>0.5]
y[t.tensor([True, False])]
y[:, t.tensor([True, False, True])]
y[t.ones(2, 3).bool()]
y[t.ones(2, 3).bool(), 0]
y[t.ones(2, 3).bool(), t.tensor([0])]
y[None, ..., None]
y[()]
y[t.tensor([], dtype=t.long)]
y[[]]
y[t.tensor([-2])]
y[t.tensor([0, 1]).int()]
y[np.array([0, 1])]
y[np.int64(1)]
y[range(2)]
y[t.tensor([[0], [1]]), t.tensor([0, 1, 2])]
s[...]
s[None]
s[()]
s[True]
s[t.tensor(True)]
s[s>-5]
y[1:5]
y[5:]
y[t.tensor(0):t.tensor(1)]
y[t.tensor([0, 1]), 0:2, t.tensor([0, 1])]
y[t.tensor([0, 1]), ..., t.tensor([0, 1])]
y[..., t.tensor([0, 1])]
y[..., t.tensor([0, 1]), 0]
y[y>100]
e[t.zeros(0, dtype=t.long)]
y[:, :, :, None]
y[[True, False]]
y[t.tensor([0, 1]), 1:, 1]
y[1:, t.tensor([0, 1]), 1]
y[1:, ..., t.tensor([0, 1])]
v.index_put((t.tensor([1, 1]), ), s, accumulate=True)
v.index_put((t.tensor([1, 2]), ), x[0, :2])
y.index_put((t.tensor([0, 1]), t.tensor([1, 2])), y[0, 0])
y.index_put((t.tensor([0, 1]), t.tensor([1, 1])), y[0, 0], True)
y.index_put((y>0, ), s)
v.select_scatter(s, 0, 1)
v.slice_scatter(x[0, :2], 0, 1, 3)
y.slice_scatter(y[:, :2]*2, 1, 0, 3, 2)
x.select_scatter(x[0], 0, 1)
""")

REFUSED = lines("""
x.narrow(1, 2, 2)
x.narrow(1, t.tensor(True), 1)
x.narrow(1, t.tensor([0, 1]), 1)
x.narrow(1, 0, -1)
x.narrow(1, -4, 1)
s.narrow(0, 0, 1)
x.select(1, 3)
s.select(0, 0)
y[2]
y[-3]
y[0, 0, 0, 0]
y[::-1]
y[::0]
y[t.tensor([True, False, True])]
y[t.ones(2, 4).bool()]
y[t.ones(2, 3, 4, 1).bool()]
y[1.0]
y[t.tensor(1.)]
y["a"]
y[t.tensor([])]
y[t.tensor([3])]
y[t.tensor([0, 1]), t.tensor([0, 1, 2])]
s[0]
y[0.5:1]
e[0]
""")


test_as_pytorch_in_value_and_gradients, test_refused_as_by_pytorch = held(WORKS, REFUSED)


SHAPE = (3, 4, 2, 5)
parts = st.one_of(
    st.integers(-2, 1), st.none(), st.just(Ellipsis), st.booleans(),
    st.builds(slice, st.none() | st.integers(-6, 6), st.none() | st.integers(-6, 6), st.none() | st.integers(1, 3)),
    st.lists(st.integers(-2, 1), min_size=1, max_size=1), st.lists(st.integers(-2, 1), min_size=3, max_size=3),
    st.just([[0, 1, 1], [1, 0, 0]]))


@given(st.lists(parts, max_size=5))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_any_index_means_what_it_means_to_pytorch(index: list[Any]) -> None:
    against = pytest.importorskip("tests.ops.against_torch", exc_type=ImportError)
    torch = against.torch
    used = sum(not (p is None or p is Ellipsis or isinstance(p, bool)) for p in index)
    if sum(p is Ellipsis for p in index) > 1 or used > len(SHAPE):
        return
    values = against.array(*SHAPE)
    x, leaf = ta.tensor(values, requires_grad=True), torch.tensor(values, requires_grad=True)
    try:
        expected = leaf[tuple(torch.tensor(p) if isinstance(p, list) else p for p in index)]
    except IndexError:
        with pytest.raises(IndexingError):
            x[tuple(ta.tensor(p) if isinstance(p, list) else p for p in index)]
        return
    got = x[tuple(ta.tensor(p) if isinstance(p, list) else p for p in index)]
    assert got.shape == tuple(expected.shape)
    assert got.tolist() == expected.tolist()
    weights = against.array(*got.shape)
    got.backward(ta.tensor(weights))
    expected.backward(torch.from_numpy(np.asarray(weights)))
    assert x.grad is not None
    np.testing.assert_allclose(x.grad.tolist(), leaf.grad, rtol=1e-12)


BIG = np.random.default_rng(0).integers(-5, 5, (3, 40))


@pytest.mark.parametrize("read", [
    lambda x, i: x[i], lambda x, i: x[i[0], i[1]], lambda x, i: x[:, i[0]], lambda x, i: x[:, :, i[1]], lambda x, i: x[1:, i, 2],
    lambda x, i: x[i[0], :, i[1]], lambda x, i: x[x > 0]])
def test_the_gradient_of_repeated_indices_adds_up(read: Callable[..., Any]) -> None:
    against = pytest.importorskip("tests.ops.against_torch", exc_type=ImportError)
    against.check(read, None, against.array(5, 6, 7), BIG)


@pytest.mark.parametrize("dtype", ["float16", "float32", "int64", "uint8", "bool"])
def test_any_dtype_stays_what_it_is(dtype: str) -> None:
    x = ta.tensor([[0, 1], [2, 3]]).to(dtype)
    assert {x[i].dtype for i in (0, slice(1), [0, 1], x > 0)} == {x.dtype}


@pytest.mark.parametrize(("index", "says"), [
    (5, "index 5 at axis 0 .* size 2"), ((0, -4), "index -4 at axis 1 .* size 3"), ([7], "index 7 is out of bounds .* size 2"),
    (1.5, "float"), ((0, 0, 0), "more indices than its 2 axes"), ([1.5], "dtype float32"), ("a", "str")])
def test_a_wrong_index_is_named(index: Any, says: str) -> None:
    with pytest.raises(IndexingError, match=says):
        ta.zeros(2, 3)[index]


def test_steps_backwards_name_flip() -> None:
    with pytest.raises(ValueError, match="flip"):
        ta.zeros(3)[::-1]


def test_uint8_is_no_index() -> None:
    with pytest.raises(IndexingError, match=r"long.*bool"):
        ta.zeros(3)[ta.tensor([0, 1], dtype=ta.uint8)]


def test_the_index_may_be_changed_afterwards() -> None:
    x, i = ta.arange(3.0).requires_grad_(), ta.tensor([0, 0])
    y = x[i]
    i.add_(2)
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [2.0, 0.0, 0.0]


def test_iteration_ends() -> None:
    assert [row.tolist() for row in ta.tensor([[1, 2], [3, 4]])] == [[1, 2], [3, 4]]
