"""Making tensors, against PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act import nn
from tinygrad_act.errors import ArgumentError, DTypeError, ShapeError

from .expressions import held, lines

WORKS = lines("""
t.tensor(1)
t.tensor(1.5)
t.tensor(True)
t.tensor([1, 2])
t.tensor([1, 2.5])
t.tensor([True, 2])
t.tensor([True, False])
t.tensor([[1, 2], [3, 4.5]])
t.tensor(())
t.tensor([[], []])
t.tensor(range(3))
t.tensor([range(2), range(2)])
t.tensor([1.5, 2.5], dtype=t.int64)
t.tensor([2, 0], dtype=t.bool)
t.tensor([1, 2], dtype=t.float16)
t.tensor(1, dtype=float)
t.tensor([1], dtype=int)
t.tensor(np.float64(2))
t.tensor(np.float32(2))
t.tensor(np.int32(2))
t.tensor([np.float32(1), np.float32(2)])
t.tensor([np.int16(1), np.int32(2)])
t.tensor(np.arange(6).reshape(2, 3))
t.tensor(np.arange(6.0)[::2])
t.tensor(np.array([1, 2], dtype=np.uint8))
t.tensor([t.tensor(1.0), t.tensor(2.0)])
t.tensor([t.tensor(1.0, dtype=t.float64), 2])
t.tensor([t.tensor(1), 2.5])
t.tensor([[t.tensor(1), 2], [3, t.tensor(4)]])
t.tensor(t.tensor([1.0, 2.0]))
t.tensor([1.0], requires_grad=True).requires_grad
t.tensor(float("nan"))
t.as_tensor([1, 2])
t.as_tensor(t.ones(2), dtype=t.float64)
t.as_tensor(np.arange(3), dtype=t.float32)
t.asarray([1, 2])
t.asarray([1.0, 2.0], dtype=t.float64)
t.Tensor([1, 2])
t.Tensor([[1, 2], [3, 4]])
t.Tensor(2, 3).shape == (2, 3)
t.Tensor(5).shape == (5,)
t.Tensor(np.int64(2), 3).shape == (2, 3)
t.Tensor().shape == (0,)
t.Tensor(())
t.Tensor((2, 3))
t.Tensor(range(3))
t.Tensor([True, False])
t.Tensor(np.arange(3))
t.Tensor(np.array(2.5))
t.Tensor(np.arange(6.0).reshape(2, 3))
t.Tensor(np.arange(6.0)[::2])
t.Tensor(np.ones(2, dtype=bool))
t.Tensor([np.arange(2), np.arange(2.0)])
t.Tensor([t.tensor(1), t.tensor(2.5, dtype=t.float64)])
t.Tensor(t.tensor([1, 2]))
t.Tensor(t.tensor([1.0], dtype=t.float64))
t.Tensor(t.ones(2, requires_grad=True) * 2).requires_grad
t.FloatTensor([1, 2])
t.LongTensor([1, 2])
t.DoubleTensor([[1.5]])
t.BoolTensor([0, 1])
t.LongTensor(2, 3).shape == (2, 3)
t.zeros(2, 3)
t.zeros((2, 3))
t.zeros([2])
t.zeros(())
t.zeros(0, 2)
t.zeros(size=(2,))
t.zeros(2, dtype=t.int64)
t.ones(2, 2, dtype=t.bool)
t.empty(2, 0)
t.empty((3, 2)).shape == (3, 2)
t.full((2,), 3)
t.full((2,), 2.0)
t.full((2,), -9, dtype=t.uint8)
t.zeros(2, dtype=t.uint8).fill_(-1)
t.zeros(2, dtype=t.uint8).scatter(0, t.tensor([1]), -2)
t.zeros(2, dtype=t.uint8).index_fill(0, t.tensor([1]), -255)
t.zeros(2, dtype=t.uint8).clamp(min=-2)
t.full((2,), True)
t.full((), 7)
t.full((2, 2), 3, dtype=t.float64)
t.full((2,), t.tensor(3.0))
t.full((2,), float("inf"))
t.zeros_like(x)
t.ones_like(x, dtype=t.int32)
t.full_like(x, 2)
t.full_like(t.tensor([1]), 2.7)
t.empty_like(x).shape == (2, 3)
t.zeros_like(t.tensor(1), dtype=t.float32, requires_grad=True).requires_grad
x.new_zeros(2)
x.new_ones((2, 2))
x.new_empty(2, 0)
x.new_full((2,), 7)
x.new_tensor([1, 2])
x.long().new_zeros(3)
x.float().new_tensor([[1]], dtype=t.int64)
t.scalar_tensor(3)
t.scalar_tensor(3, dtype=t.int64)
t.arange(5)
t.arange(5.0)
t.arange(0)
t.arange(1, 4)
t.arange(1, 10, 3)
t.arange(5, 1, -2)
t.arange(0, 1, 0.25)
t.arange(0, 1, 0.1)
t.arange(0, 1, 0.1, dtype=t.float64)
t.arange(0, 3, 1, dtype=t.float16)
t.arange(2.7, dtype=t.int64)
t.arange(0.5, 5.7, dtype=t.int64)
t.arange(-3, 3)
t.arange(end=4)
t.arange(start=1, end=4)
t.arange(1, 4, step=2)
t.arange(t.tensor(3))
t.arange(True)
t.arange(0.0, 8.000001, 4.0, dtype=t.uint8)
t.arange(0.0, 8.000001, 4.0, dtype=t.int64)
t.linspace(0, 10, 5)
t.linspace(0, 10, steps=4)
t.linspace(0, 10, 1)
t.linspace(0, 10, 0)
t.linspace(3, -2, 7, dtype=t.float64)
t.linspace(0, 10, 5, dtype=t.int64)
t.linspace(-3, 4, 6, dtype=t.int64)
t.linspace(4.7, -9.9, 7, dtype=t.int64)
t.logspace(0, 1.7, 4, 2, dtype=t.int64)
t.linspace(t.tensor(0.0), 1, 3)
t.linspace(0.1, 0.7, 101)
t.logspace(0, 2, 3)
t.logspace(0, 2, 3, base=2)
t.logspace(0, 2, 3, base=2, dtype=t.int64)
t.logspace(-2, 2, 7, dtype=t.float64)
t.eye(3)
t.eye(2, 3)
t.eye(3, 2, dtype=t.int64)
t.eye(0)
""")

REFUSED = lines("""
t.tensor([[1, 2], [3]])
t.tensor([[1, 2], 3])
t.tensor([1, [2]])
t.tensor("a")
t.tensor(["a"])
t.tensor(None)
t.tensor([None, 1])
t.tensor([300], dtype=t.uint8)
t.full((2,), -256, dtype=t.uint8)
t.zeros(2, dtype=t.uint8).fill_(256)
t.zeros(2, dtype=t.uint8).scatter(0, t.tensor([1]), 256)
t.zeros(2, dtype=t.int8).index_fill(0, t.tensor([1]), -129)
t.full((2,), 1e6, dtype=t.float16)
t.tensor([1], requires_grad=True)
t.ones(2, dtype=t.int64, requires_grad=True)
t.zeros(-1)
t.zeros(2.5)
t.zeros()
t.zeros([2], 3)
t.full((2,), float("nan"), dtype=t.int64)
t.arange(1, 10, 0)
t.arange(5, 1)
t.arange(float("inf"))
t.linspace(3, 10, -1)
t.eye(-1)
t.from_numpy([1])
t.from_numpy(np.array(["a"]))
t.from_numpy(np.ones(2, np.longdouble))
t.Tensor(2.5)
t.Tensor(True)
t.Tensor(None)
t.Tensor("a")
t.Tensor(-1)
t.Tensor([[1, 2], [3]])
t.Tensor({1, 2})
t.Tensor(np.float32(2))
t.Tensor([1], [2])
""")


test_as_pytorch, test_refused_as_by_pytorch = held(WORKS, REFUSED)


@pytest.mark.parametrize(("data", "says"), [
    ([[1, 2], [3]], "length 1 and 2 at dim 1"), ([[[1], [2, 3]]], "length 1 and 2 at dim 2"), ([1, [2]], "beside sequences at dim 1"),
    ([1, "a"], "str"), (1j, "complex is no number"), ([1j], "complex is no number")])
def test_ragged_data_is_told_where(data: Any, says: str) -> None:
    with pytest.raises((ShapeError, ArgumentError), match=says):
        ta.tensor(data)


def test_tensor_copies_and_the_others_share() -> None:
    array = np.zeros(2, np.float32)
    copied, shared = ta.tensor(array), ta.from_numpy(array)
    array[0] = 1
    assert copied.tolist() == [0.0, 0.0]
    assert shared.tolist() == [1.0, 0.0]
    t = ta.zeros(2)
    assert ta.as_tensor(t) is t
    assert ta.tensor(t) is not t
    with pytest.raises(ArgumentError, match="copy"):
        ta.asarray([1.0], copy=False)


def test_the_class_of_an_array_of_the_default_dtype_shares_its_memory() -> None:
    array = np.ones(3, np.float32)
    t = ta.Tensor(array)
    array[0] = 5
    assert ta.backend.current() != "numpy" or t.tolist() == [5.0, 1.0, 1.0]
    assert ta.Tensor(np.arange(3), device="cpu").device == "cpu"


def test_the_class_of_a_tensor_is_that_tensor_in_its_graph() -> None:
    x = ta.tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    z = ta.Tensor(y)
    z.mul_(3)
    (ta.Tensor(x) * z).sum().backward()
    assert (y.tolist(), x.grad.tolist()) == ([6.0, 12.0], [12.0, 24.0])
    with ta.no_grad():
        assert not ta.Tensor(x).requires_grad
    assert nn.Parameter(y).is_leaf and nn.Parameter(np.ones(2)).dtype == ta.float64 and nn.Parameter([1, 2]).dtype == ta.float32


@pytest.mark.parametrize("dtype", [">f4", ">f8", ">i8", ">f2"])
def test_bytes_in_the_other_order_are_put_in_this_machines(dtype: str) -> None:
    array = np.arange(6).reshape(2, 3).astype(dtype)
    for t in (ta.tensor(array), ta.as_tensor(array), ta.asarray(array), ta.tensor([1, 2], dtype=np.dtype(dtype))):
        assert t.dtype.isnative and t.dtype.char == np.dtype(dtype).char
    assert ta.tensor(array).tolist() == array.tolist()
    with pytest.raises(DTypeError, match="other order"):
        ta.from_numpy(array)


@pytest.mark.parametrize("kind", [np.memmap, np.matrix, np.ma.MaskedArray, np.recarray])
def test_an_array_of_another_class_is_its_memory(kind: Any, tmp_path: Path) -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    given = np.memmap(tmp_path / "numbers", np.float32, "w+", shape=(2, 3)) if kind is np.memmap else array.view(kind)
    given[...] = array
    t = ta.from_numpy(given)
    np.asarray(given)[0, 0] = 7
    assert (t + 1).tolist() == [[8.0, 2.0, 3.0], [4.0, 5.0, 6.0]]


def test_asarray_shares_unless_told_to_copy() -> None:
    t = ta.zeros(2)
    shared, copied = ta.asarray(t), ta.asarray(t, copy=True)
    t.fill_(1.0)
    assert (shared.tolist(), copied.tolist()) == ([1.0, 1.0], [0.0, 0.0])


def test_new_tensors_are_on_the_current_device_and_device_overrides_it() -> None:
    here = ta.backend.current_device()
    made = [ta.zeros(1), ta.tensor([1]), ta.tensor(np.ones(1)), ta.arange(2), ta.linspace(0, 1, 2), ta.eye(2), ta.full((1,), 2),
            ta.Tensor([1]), ta.Tensor(1), ta.rand(1)]
    assert {str(t.device) for t in made} == {str(here)}
    assert ta.zeros(1, device="cpu").device == "cpu"
    assert ta.tensor([1], device="cpu").device == "cpu"
    assert ta.tensor([1], device="cpu").new_zeros(2).device == "cpu"
    assert ta.zeros_like(ta.zeros(1, device="cpu")).device == "cpu"


def test_the_default_dtype_is_that_of_floats() -> None:
    ta.set_default_dtype(ta.float64)
    try:
        assert {ta.tensor(1.0).dtype, ta.zeros(1).dtype, ta.arange(1.0).dtype, ta.full((1,), 1.0).dtype, ta.rand(1).dtype,
                ta.Tensor([1]).dtype, ta.eye(1).dtype} == {ta.float64}
    finally:
        ta.set_default_dtype(ta.float32)


def test_only_floats_may_require_gradients() -> None:
    with pytest.raises(DTypeError, match="float"):
        ta.tensor([1, 2], requires_grad=True)
    with pytest.raises(DTypeError, match="complex"):
        ta.tensor(np.array([1j]))
