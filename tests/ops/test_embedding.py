"""embedding and embedding_bag: against PyTorch; by hand; the same at every run; what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tests.ops.against_torch import array, check, refuses, torch
from tinygrad_act.autograd import gradcheck, gradgradcheck
from tinygrad_act.errors import ArgumentError, DTypeError, IndexingError, ShapeError

F, theirs = ta.nn.functional, torch.nn.functional
LOOKS = ta.backend.namespace(ta.ones(1).array).name == "numpy"          # elsewhere it would mean a wait


def integers(*shape: int, high: int = 5, seed: int = 0) -> np.ndarray:
    return np.random.default_rng((seed, *shape)).integers(0, high, shape)


# ------------------------------------------------------------------------------------------------------- embedding
@pytest.mark.parametrize("settings", [{}, {"padding_idx": 1}, {"padding_idx": -1}, {"scale_grad_by_freq": True},
                                      {"padding_idx": 0, "scale_grad_by_freq": True}])
@pytest.mark.parametrize("shape", [(7,), (3, 4), (), (0,), (2, 0, 3)])
def test_embedding(shape: tuple[int, ...], settings: dict[str, Any]) -> None:
    both = [lambda w, i, f=f: f(i, w, **settings) for f in (F.embedding, theirs.embedding)]
    check(*both, array(5, 3), integers(*shape), order=0 if 0 in shape else 1 if "scale_grad_by_freq" in settings else 2)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_embedding_in_other_dtypes(dtype: str) -> None:
    check(lambda w, i: F.embedding(i, w), lambda w, i: theirs.embedding(i, w), array(5, 3, dtype=dtype), integers(20), order=1, rtol=0.05, atol=0.05)
    check(lambda w, i: F.embedding(i, w), lambda w, i: theirs.embedding(i, w), array(5, 3, dtype=dtype), integers(4).astype("int32"), order=0)


@pytest.mark.parametrize("norm", [1.0, 2.0, float("inf")])
def test_max_norm_scales_the_rows_that_are_looked_up_in_the_table(norm: float) -> None:
    def call(library: Any, module: Any) -> Any:
        def look(w: Any, i: Any) -> Any:
            with library.no_grad():
                table = w.clone()
            table.requires_grad_()
            return module.embedding(i, table, max_norm=1.0, norm_type=norm), table.detach()
        return look
    check(call(ta, F), call(torch, theirs), array(5, 3), np.array([2, 2, 0]), order=0)


def test_a_gradient_of_many_rows_is_right_and_the_same_at_every_run() -> None:
    table, index, g = array(200, 40, dtype="float32"), integers(3000, high=150), array(3000, 40, dtype="float32")
    found = []
    for _ in range(2):
        w = ta.tensor(table, requires_grad=True)
        F.embedding(ta.tensor(index), w, padding_idx=3).backward(ta.tensor(g))
        found.append(np.array(w.grad.tolist(), "float64"))
    exact = np.zeros((200, 40))
    np.add.at(exact, index, g.astype("float64"))
    exact[3] = 0
    assert (found[0] == found[1]).all()
    assert abs(found[0] - exact).max() < 1e-5


def test_short_rows_of_many_places() -> None:
    w, index = ta.zeros(5000, 2, requires_grad=True), integers(9000, high=5000)
    F.embedding(ta.tensor(index), w).sum().backward()
    assert w.grad[:, 1].tolist() == np.bincount(index, minlength=5000).tolist()


def test_embedding_is_one_node_that_keeps_no_table() -> None:
    w = ta.ones(5, 3, requires_grad=True)
    node = F.embedding(ta.tensor([1, 2]), w).grad_fn
    assert node.op.name == "embedding" and node.edges[0] is w
    assert all(a is not w.array for a in node.saved)


def test_gradients_are_those_of_differences() -> None:
    w = ta.tensor(array(4, 3), requires_grad=True)
    p = ta.tensor(array(5), requires_grad=True)
    index, offsets = ta.tensor([0, 2, 2, 1, 0]), ta.tensor([0, 2, 2])
    for call, inputs in [(lambda w: F.embedding(index, w), [w]),
                         (lambda w, p: F.embedding_bag(index, w, offsets, mode="sum", per_sample_weights=p, padding_idx=1), [w, p]),
                         (lambda w: F.embedding_bag(index, w, offsets, mode="mean", padding_idx=1), [w]),
                         (lambda w: F.embedding_bag(index, w, offsets, mode="max"), [w])]:
        assert gradcheck(call, inputs)
        assert gradgradcheck(call, inputs)


# --------------------------------------------------------------------------------------------------- embedding_bag
@pytest.mark.parametrize("settings", [{}, {"padding_idx": 1}])
@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize(("shape", "offsets"), [((3, 4), None), ((9,), [0, 4]), ((9,), [0, 0, 5, 9]), ((0,), [0, 0]), ((0,), [])])
def test_embedding_bag(shape: tuple[int, ...], offsets: list[int] | None, mode: str, settings: dict[str, Any]) -> None:
    more = [] if offsets is None else [np.array(offsets, "int64")]
    both = [lambda w, i, *o, f=f: f(i, w, *o, mode=mode, **settings) for f in (F.embedding_bag, theirs.embedding_bag)]
    check(*both, array(5, 3), integers(*shape), *more, order=1)


def test_embedding_bag_with_the_last_offset() -> None:
    for dtype, offsets in (("float64", [0, 2, 5]), ("float32", [0, 2, 2])):      # PyTorch's float64 takes the end for the input's
        both = [lambda w, i, o, f=f: f(i, w, o, mode="sum", include_last_offset=True) for f in (F.embedding_bag, theirs.embedding_bag)]
        check(*both, array(5, 3, dtype=dtype), integers(5), np.array(offsets), order=0)
    assert F.embedding_bag(ta.tensor([1]), ta.ones(5, 3), ta.tensor([0]), include_last_offset=True).shape == (0, 3)      # PyTorch crashes


@pytest.mark.parametrize("padding", [None, 1])
def test_embedding_bag_with_weights_of_its_own(padding: int | None) -> None:
    both = [lambda w, p, i, f=f: f(i, w, mode="sum", per_sample_weights=p, padding_idx=padding) for f in (F.embedding_bag, theirs.embedding_bag)]
    check(*both, array(5, 3), array(3, 4), integers(3, 4), order=1)


def test_embedding_bag_scales_gradients_by_frequency_as_embedding_does() -> None:
    """PyTorch divides by the frequency of another index: the k-th of all sorted, for the k-th distinct one."""
    index, g = ta.tensor(integers(3, 4)), ta.tensor(array(3, 3))
    tables = [ta.tensor(array(5, 3), requires_grad=True) for _ in range(2)]
    F.embedding_bag(index, tables[0], mode="sum", scale_grad_by_freq=True, padding_idx=1).backward(g)
    F.embedding(index, tables[1], scale_grad_by_freq=True, padding_idx=1).sum(1).backward(g)
    np.testing.assert_allclose(*[w.grad.tolist() for w in tables], 1e-12)


def test_embedding_bag_by_hand() -> None:
    table, index, offsets = ta.tensor([[1.0, 8.0], [2.0, 6.0], [4.0, 4.0]]), ta.tensor([0, 2, 1]), ta.tensor([0, 2, 2])
    found = {mode: F.embedding_bag(index, table, offsets, mode=mode).tolist() for mode in ("sum", "mean", "max")}
    assert found == {"sum": [[5, 12], [0, 0], [2, 6]], "mean": [[2.5, 6], [0, 0], [2, 6]], "max": [[4, 8], [0, 0], [2, 6]]}


# ------------------------------------------------------------------------------------------------- what is refused
def test_refusals() -> None:
    w = array(5, 3)
    for name in ("embedding", "embedding_bag"):
        mine, other = (lambda i, t, m=m, name=name: getattr(m, name)(i.reshape(1, -1), t) for m in (F, theirs))
        if LOOKS:
            refuses(mine, other, np.array([0, 7]), w, says="the index 7.*5 rows")
            refuses(mine, other, np.array([-1, 0]), w, says="the index -1")
        refuses(mine, other, np.array([1.0]), w, says="int64 or int32")
        refuses(mine, other, np.array([1], "int16"), w, says="int64 or int32")
        refuses(mine, other, np.array([True]), w)
        refuses(mine, other, np.array([1]), array(5), says="a table")
    with pytest.raises(ArgumentError, match="padding_idx=5"):
        F.embedding(ta.tensor([1]), ta.tensor(w), padding_idx=5)
    with pytest.raises(DTypeError, match="exchange"):
        F.embedding(ta.tensor(w), ta.tensor([[1]]))
    with pytest.raises(ArgumentError, match="must be a Tensor"):
        F.embedding([1, 2], ta.tensor(w))

    def bag(*given: Any, says: str, **settings: Any) -> None:
        refuses(*[lambda i, t, *o, f=f: f(i, t, *o, **settings) for f in (F.embedding_bag, theirs.embedding_bag)], *given, says=says)
    bag(integers(4), w, says="without offsets")
    bag(integers(2, 2), w, np.array([0]), says="with offsets")
    bag(integers(4), w, np.array([1]), says="start with 0", include_last_offset=True)
    bag(integers(4), w, np.array([0, 9]), says="past the end", include_last_offset=True)
    if LOOKS:
        bag(integers(4), w, np.array([1]), says="start with 0")
        bag(integers(4), w, np.array([0, 9]), says="past the end")
    bag(integers(2, 2, 2), w, says="bags, length")
    bag(integers(2, 2), w, says="mode='no'", mode="no")
    bag(integers(2, 2), w, says="scale_grad_by_freq", mode="max", scale_grad_by_freq=True)
    bag(integers(4), w, np.array([0.0]), says="int64 or int32")
    for p, mode, error in ((array(2, 2), "mean", ArgumentError), (array(2, 3), "sum", ShapeError), (array(2, 2, dtype="float32"), "sum", DTypeError)):
        with pytest.raises(error):
            F.embedding_bag(ta.tensor(integers(2, 2)), ta.tensor(w), mode=mode, per_sample_weights=ta.tensor(p))
    with pytest.raises(IndexingError):
        F.embedding(ta.tensor([5]), ta.tensor(w))
