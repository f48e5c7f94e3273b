"""Conversion to other dtypes, devices, numbers, arrays, copies and pickles; and printing."""

from __future__ import annotations

import copy
import pickle
import re
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act.errors import ArgumentError, DeviceError, DTypeError, GraphError, ShapeError

from .expressions import compare, lines, refused

WORKS = lines("""
x.clone()
x.to(t.float32)
x.to(t.int64)
x.to(dtype=t.float16)
x.to(t.zeros(1))
x.to(t.float64) is x
x.to(t.float64, copy=True) is x
x.float()
x.half()
x.bfloat16()
x.double() is x
x.long()
x.int()
x.short()
x.char()
x.abs().byte()
x.bool()
x.float().double() * x
x.type(t.float32)
x.type_as(t.zeros(2))
s.item()
x.reshape(6)[0].item()
x.sum().reshape(1, 1).item()
t.tensor([True]).item()
t.tensor(3).item()
x.tolist()
s.tolist()
t.arange(4).reshape(2, 2).tolist()
bool(s)
float(s)
int(s)
bool(t.zeros(1))
[0, 1, 2][t.tensor(1)]
len(x)
len(e)
1.0 in t.tensor([1.0, 2.0])
x.element_size()
x.itemsize
x.nbytes
x.is_floating_point()
t.is_floating_point(x.long())
x.is_complex()
t.is_tensor(x)
t.is_nonzero(s)
x.get_device()
x.is_cuda
x.detach()
x.data
x.long().float()
""")
REFUSED = lines("""
x.item()
e.item()
bool(x)
bool(e)
float(x)
len(s)
iter(s)
[0, 1][s]
[0, 1][t.tensor([0, 1])]
x.numpy()
""")


@pytest.mark.parametrize("number", [np.float32(2.5), np.float64(2.5), np.int64(300), np.int16(-1), np.uint8(3)], ids=repr)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "uint8"])
def test_a_number_of_numpys_beside_a_tensor_is_a_number_wherever_the_tensor_is(number: Any, dtype: str) -> None:
    torch = pytest.importorskip("torch")
    for of in (lambda lib, n: lib.ones(2, dtype=getattr(lib, dtype)) + n, lambda lib, n: lib.ones((), dtype=getattr(lib, dtype)) * n):
        ours, theirs = of(ta, number), of(torch, number)
        assert str(theirs.dtype) == f"torch.{ours.dtype}" and ours.tolist() == theirs.tolist()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_the_limits_of_a_dtype_are_pythons_numbers_and_pytorchs(dtype: str) -> None:
    torch = pytest.importorskip("torch")
    if dtype == "bfloat16":
        pytest.importorskip("ml_dtypes")
    ours, theirs = ta.finfo(getattr(ta, dtype)), torch.finfo(getattr(torch, dtype))
    for name in ("bits", "eps", "max", "min", "tiny", "smallest_normal", "resolution", "dtype"):
        assert getattr(ours, name) == getattr(theirs, name) and type(getattr(ours, name)) in (int, float, str)


@pytest.mark.parametrize("expression", WORKS)
def test_as_pytorch(expression: str) -> None:
    if ta.backend.current() != "numpy" and "get_device" in expression:
        pytest.skip("about the CPU")
    compare(expression)


@pytest.mark.parametrize("expression", REFUSED)
def test_refused_as_by_pytorch(expression: str) -> None:
    refused(expression)


def test_to_reads_devices_and_dtypes_in_any_place() -> None:
    x = ta.zeros(2)
    here = str(x.device)
    for y in (x.to("cpu", ta.float64), x.to(ta.float64), x.to(device="cpu", dtype=ta.float64), x.to(here, dtype=ta.float64),
              x.to("float64")):
        assert y.dtype == ta.float64
    assert x.to(here) is x
    assert x.to("cpu").device == x.cpu().device == "cpu"
    assert x.to(None) is x


def test_moving_takes_the_gradient_back() -> None:
    ta.backend.load("strict")
    x = ta.tensor([1.0, 2.0], device="cpu", requires_grad=True)
    y = x.to("strict") * 3
    assert y.device == "strict"
    (g,) = ta.autograd.grad((y * y).to("cpu").sum(), x, create_graph=True)
    assert (str(g.device), g.tolist()) == ("cpu", [18.0, 36.0])
    g.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [18.0, 18.0]
    with pytest.raises(DeviceError, match=r"cpu and strict|strict and cpu"):
        x + y


def test_type_names_the_dtype() -> None:
    assert ta.zeros(1).type() == "tinygrad_act.FloatTensor"
    assert ta.zeros(1).type("LongTensor").dtype == ta.zeros(1).type("torch.LongTensor").dtype == ta.int64


def test_numpy_shares_memory_and_refuses_what_it_cannot_share() -> None:
    x = ta.zeros(2, device="cpu")
    x.numpy()[0] = 5
    assert x.tolist() == [5.0, 0.0]
    assert np.asarray(x).tolist() == [5.0, 0.0]
    assert np.asarray(x, dtype="int64").dtype == "int64"
    assert (np.ones(2, np.float32) * x).tolist() == [5.0, 0.0]
    x.requires_grad_()
    with pytest.raises(GraphError, match="detach"):
        x.numpy()
    assert x.numpy(force=True).tolist() == [5.0, 0.0]
    ta.backend.load("strict")
    with pytest.raises(DeviceError, match="cpu"):
        ta.zeros(2, device="strict").numpy()


def test_integers_have_no_gradient() -> None:
    x = ta.ones(2, requires_grad=True)
    assert not x.long().requires_grad
    assert x.long().is_leaf
    assert x.double().requires_grad


def test_data_shares_memory_outside_the_graph() -> None:
    x = ta.ones(2, requires_grad=True)
    x.data[0] = 7.0
    assert x.tolist() == [7.0, 1.0]
    x.data = ta.zeros(3)
    assert x.shape == (3,)
    with pytest.raises(DTypeError):
        x.data = ta.zeros(3, dtype=ta.int64)
    with pytest.raises(ArgumentError):
        x.data = 5  # type: ignore[assignment]


def test_deep_copies_are_leaves_of_their_own() -> None:
    x = ta.ones(2, requires_grad=True)
    (x * 3).sum().backward()
    y, again = copy.deepcopy([x, x])
    assert y is again
    assert y.requires_grad
    assert y.grad is not None
    assert y.grad.tolist() == [3.0, 3.0]
    with ta.no_grad():
        y.fill_(0.0)
    assert x.tolist() == [1.0, 1.0]
    with pytest.raises(GraphError, match="detach"):
        copy.deepcopy(x * 2)


def test_pickles_keep_value_dtype_device_and_flag() -> None:
    leaf = ta.randn(2, 3, requires_grad=True)
    leaf.sum().backward()
    assert pickle.loads(pickle.dumps(leaf)).grad is None
    for x in (leaf, ta.tensor([1, 2]), ta.tensor(True), ta.zeros(0, 2, dtype=ta.float16)):
        y = pickle.loads(pickle.dumps(x))
        assert y.tolist() == x.tolist()
        assert (y.dtype, y.device, y.requires_grad, y.shape) == (x.dtype, x.device, x.requires_grad, x.shape)


# --------------------------------------------------------------------------------------------------------- printing
RNG = np.random.default_rng(0)
PRINTED: list[Any] = [
    *(RNG.normal(size=shape) * scale for shape in [(), (3,), (2, 3), (2, 2, 3), (30,), (1, 1, 1, 2)] for scale in (1, 1e-6, 1e9)),
    np.array([1.0, 2.0, np.nan, np.inf, -np.inf]), np.array([np.nan]), np.array([0.0, -0.0]), np.array([1e10]), np.array([1.5, np.inf]),
    np.arange(2000.0), np.arange(10000).reshape(100, 100), np.arange(3000).reshape(10, 10, 30) * 0.37, np.array([True, False]),
    np.array([1, -200]), np.array(3), np.zeros((2, 0)), np.zeros(0), np.zeros(0, np.int64), np.array([1e-5]), np.array([100.5, 0.01]),
    np.array([1001.0, 1.0]), np.array([0.5, 1000.0]), np.zeros((3, 0, 2), np.int32), np.arange(1001)]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", None])
def test_printed_as_by_pytorch(dtype: str | None) -> None:
    torch = pytest.importorskip("torch")
    for values in PRINTED:
        if values.dtype.kind != "f" and dtype is not None:
            continue
        array = values if dtype is None else values.astype(dtype)
        theirs = repr(torch.tensor(array)).replace("torch.", "")
        with ta.backend.use("numpy"):
            ours = repr(ta.tensor(array))
        assert re.sub(r",\s+dtype", ", dtype", ours) == re.sub(r",\s+dtype", ", dtype", theirs)   # their name of it is longer


def test_what_else_a_tensor_says_of_itself() -> None:
    with ta.backend.use("numpy"):
        x = ta.ones(2, requires_grad=True)
        assert repr(x) == "tensor([1., 1.], requires_grad=True)"
        assert repr(x * 2) == "tensor([2., 2.], grad_fn=<mulBackward>)"
        assert repr(ta.ones(1, dtype=ta.float64)) == "tensor([1.], dtype=float64)"
        ta.backend.load("strict")
        assert repr(ta.ones(1, device="strict")) == "tensor([1.], device='strict')"
        assert (f"{x.sum()}", f"{x.sum():.3f}", f"{x}") == ("2.0", "2.000", repr(x))
        with pytest.raises(ArgumentError, match="item"):
            f"{x:.2f}"


def test_print_options() -> None:
    with ta.backend.use("numpy"):
        try:
            ta.set_printoptions(precision=2)
            assert repr(ta.tensor(1 / 3)) == "tensor(0.33)"
            ta.set_printoptions(sci_mode=True)
            assert repr(ta.tensor(1 / 3)) == "tensor(3.33e-01)"
            ta.set_printoptions(profile="short")
            assert repr(ta.arange(2000)) == "tensor([   0,    1,  ..., 1998, 1999])"
            with pytest.raises(ArgumentError, match="profile"):
                ta.set_printoptions(profile="long")
        finally:
            ta.set_printoptions(profile="default")
    with pytest.raises(ShapeError):
        ta.zeros(2).item()
