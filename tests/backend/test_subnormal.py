"""Sums of products take subnormal numbers as zeros: in C by hand and in NumPy's large products, forward and back, and nowhere after them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act.backend import compiler, subnormal
from tinygrad_act.backend.config import config
from tinygrad_act.backend.numpy import F
from tinygrad_act.errors import ShapeError
from tinygrad_act.nn import functional as f

can = pytest.mark.skipif(not subnormal.switch()[0], reason="this processor cannot be told so")
needs_compiler = pytest.mark.skipif(compiler.compiler() is None, reason="there is no C compiler")
numpy_only = pytest.mark.skipif(ta.backend.current() != "numpy", reason="the C is for NumPy's arrays")
Result = tuple[ta.Tensor, list[ta.Tensor]]       # of a layer, and what has a gradient


def leaf(*shape: int) -> ta.Tensor:
    return (ta.rand(shape) + 0.5).requires_grad_(True)


def functional(function: Callable[..., ta.Tensor], *shapes: tuple[int, ...], **settings: Any) -> Callable[[], Result]:
    def layer() -> Result:
        leaves = [leaf(*shape) for shape in shapes]
        return function(*leaves, **settings), leaves
    return layer


def recurrent(name: str) -> Callable[[], Result]:
    def layer() -> Result:
        module, x = getattr(ta.nn, name)(16, 32), leaf(64, 16, 16)
        return module(x)[0], [x, *module.parameters()]
    return layer


@pytest.fixture(autouse=True)
def products_in_one_thread() -> Iterator[None]:
    """OpenBLAS's other threads are not told."""
    before = ta.get_num_threads()
    ta.set_num_threads(1)
    yield
    ta.set_num_threads(before)


HEADS = (2, 4, 64, 16)
LAYERS: dict[str, Callable[[], Result]] = {
    "convolution": functional(f.conv2d, (2, 4, 32, 32), (8, 4, 3, 3), padding=1),
    "of each channel": functional(f.conv2d, (2, 32, 16, 16), (32, 1, 3, 3), padding=1, groups=32),
    "attention": functional(f.scaled_dot_product_attention, HEADS, HEADS, HEADS),
    **{name: recurrent(name) for name in ("LSTM", "GRU", "RNN")}}


def gradients(layer: Callable[[], Result], seed: float) -> list[Any]:
    ta.manual_seed(0)
    y, leaves = layer()
    y.backward(seed * (ta.rand_like(y) - 0.5))
    return [t.grad.cpu().numpy() for t in leaves]              # type: ignore[union-attr]


def subnormals(x: Any) -> int:
    return int(((x != 0) & (abs(x) < np.finfo(x.dtype).tiny)).sum())


def kept() -> bool:
    """Are subnormal numbers what they are, in this thread and in those that share a kernel?"""
    x = np.full(200_000, 1e-40, np.float32)
    with config(threads=2):
        shared = F.run(lambda F, x: F.maximum(x * 0.5, -1), (x,), {})
    return bool(np.float32(1e-40) * np.float32(0.5) != 0 and (shared != 0).all())


@can
@needs_compiler
@numpy_only
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", LAYERS)
def test_gradients_that_fade_come_out_as_zeros_or_ordinary_numbers(name: str, threads: int) -> None:
    seen = 0
    for seed in (1e-36, 1e-38, 1e-40):
        with config(kernels="auto", threads=threads, large=256):
            found = gradients(LAYERS[name], seed)
        with config(kernels="off"):
            wanted = gradients(LAYERS[name], seed)
        assert subnormals(found[0]) == 0 and kept()
        seen += sum(map(subnormals, wanted))
        for a, b in zip(found, wanted, strict=True):     # a sum loses 1e-38 for each term, and no other number any of its digits
            np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-35)
    assert seen


@needs_compiler
@pytest.mark.parametrize("name", LAYERS)
def test_two_threads_do_it_as_one(name: str) -> None:
    found = []
    for threads in (1, 2):
        with config(kernels="auto", threads=threads, large=256):
            found.append(gradients(LAYERS[name], 1e-38))
    assert all(a.tobytes() == b.tobytes() for a, b in zip(*found, strict=True))


@needs_compiler
def test_a_compiled_step_does_it_as_an_eager_one() -> None:
    ta.manual_seed(0)
    model = ta.nn.Sequential(ta.nn.Linear(64, 64), ta.nn.Tanh(), ta.nn.Linear(64, 64), ta.nn.Tanh(), ta.nn.Linear(64, 64))
    x = ta.randn(64, 64)

    def step(x: ta.Tensor) -> ta.Tensor:
        model.zero_grad()
        y = model(x)
        (y.sum() * 1e-38).backward()
        return y.detach()          # type: ignore[no-any-return]

    def left() -> list[bytes]:
        return [p.grad.cpu().numpy().tobytes() for p in model.parameters()]      # type: ignore[union-attr]
    step(x)
    wanted, again = left(), ta.compile(step)
    for _ in range(4):
        again(x)
        assert left() == wanted
    assert kept()


@can
@pytest.mark.parametrize("kernels", ["auto", "tiles", "off"])
@pytest.mark.parametrize(("m", "k", "n"), [(64, 64, 64), (1500, 1, 1500), (1, 2000, 2000), (200, 3, 1200)])
def test_numpys_large_products(m: int, k: int, n: int, kernels: str) -> None:
    rng = np.random.default_rng(0)
    for char in "fd":
        dtype: Any = np.dtype(char).type
        a, b = rng.standard_normal((m, k)).astype(dtype), rng.standard_normal((k, n)).astype(dtype)
        tiny = a * dtype(np.finfo(dtype).tiny)
        with config(kernels=kernels):
            for left, right in ((a, b), (np.asfortranarray(a), b), (np.repeat(a, 2, 1)[:, ::2], b)):
                assert F.matmul(left, right).tobytes() == np.dot(left, right).tobytes()
            found = subnormals(F.matmul(tiny / 100, b))
            assert subnormals(np.dot(tiny / 100, b)) > 0 and (found == 0) == (kernels == "auto") and kept()


@can
def test_what_a_term_loses_goes_with_its_other_factor() -> None:
    a, b = np.full((32, 64), 1e-39, np.float32), np.full((64, 32), 1e38, np.float32)
    with config(kernels="auto"):
        assert F.matmul(a, b).max() == 0 and F.matmul(a[:8], b).min() > 6            # large, and not
    with config(kernels="tiles"):
        assert F.matmul(a, b).min() > 6


def test_after_an_error_they_are_what_they_were() -> None:
    before = kept()
    with pytest.raises(ShapeError, match="inner sizes"):
        ta.ones(200_000, 11) @ ta.ones(13, 200_000)      # before memory for 150 GB is asked for
    with pytest.raises(ShapeError):
        ta.matmul(ta.ones(600, 700), ta.ones(600, 700))
    with pytest.raises(ValueError, match="aligned"):
        F.product(np.ones((600, 700)), np.ones((600, 700)))
    assert kept() is before
