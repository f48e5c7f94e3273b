"""Tensor methods of PyTorch's first years: new, apply_, map_, data_ptr."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act.errors import ArgumentError, DeviceError, GraphError


def test_new_makes_sizes_or_data_of_the_same_dtype_and_device() -> None:
    x = ta.ones(2, 3, dtype=ta.float64)
    assert [x.new(*a).shape for a in [(4,), (2, 5), (x.size(),), (x.shape,), ((),), (), (0,)]] == [(4,), (2, 5), (2, 3), (2, 3), (), (0,), (0,)]
    assert x.new(2).zero_().tolist() == [0.0, 0.0]
    for y in (x.new(2), x.new([1, 2]), x.new(np.array([1.0, 2.0], "float32")), x.new([[1.5]])):
        assert y.dtype == ta.float64 and y.device == x.device and not y.requires_grad
    assert x.new([1, 2]).tolist() == [1.0, 2.0] and ta.ones(1, dtype=ta.int64).new([3]).dtype == ta.int64
    assert x.new(2, device=x.device).shape == (2,)


def test_new_of_a_tensor_is_its_memory() -> None:
    x = ta.ones(2, requires_grad=True)
    y = x.new(x)
    y[0] = 5.0
    assert x.tolist() == [5.0, 1.0] and not y.requires_grad


def test_new_is_pytorchs() -> None:
    torch = pytest.importorskip("torch")
    for args in ((2, 3), ([1.5, 2.5],), (), ([[1.0], [2.0]],)):
        assert ta.ones(1).new(*args).shape == tuple(torch.ones(1).new(*args).shape)
    with pytest.raises(ArgumentError, match="new"):
        ta.ones(1).new(1.5)


def test_a_function_of_pythons_is_applied_to_each_number() -> None:
    x = ta.arange(6.0).reshape(2, 3)
    view = x[:, 1]
    assert view.apply_(lambda v: v + 10) is view and x.tolist() == [[0.0, 11.0, 2.0], [3.0, 14.0, 5.0]]
    assert x.map_(ta.tensor([1.0, 2.0, 3.0]), lambda a, b: a * b) is x and x.tolist() == [[0.0, 22.0, 6.0], [3.0, 28.0, 15.0]]
    assert ta.tensor([1, 2]).apply_(lambda v: v * v).dtype == ta.int64
    assert ta.zeros(0).apply_(lambda v: v).shape == (0,) and ta.tensor(2.0).apply_(lambda v: v + 1).item() == 3.0


def test_a_change_by_a_function_is_seen_by_autograd() -> None:
    x, w = ta.ones(2), ta.ones(2, requires_grad=True)
    y = (w * x).sum()
    x.apply_(lambda v: v + 1)
    with pytest.raises(ta.errors.InplaceError):
        y.backward()
    for call in (lambda: w.apply_(abs), lambda: x.map_(w, max)):
        with pytest.raises(GraphError, match="requires a gradient"):
            call()
    with pytest.raises(ArgumentError, match="map_: int"):
        x.map_(1, max)


def test_the_place_in_memory_is_that_of_the_first_element() -> None:
    x = ta.arange(12.0).reshape(3, 4)
    if x.device.type == "strict":
        with pytest.raises(DeviceError, match="shown to nobody"):
            x.data_ptr()
        return
    assert x.data_ptr() == x.view(4, 3).data_ptr() == x.detach().data_ptr() == x[0].data_ptr()
    assert x[1].data_ptr() - x.data_ptr() == 16 and x.clone().data_ptr() != x.data_ptr()
