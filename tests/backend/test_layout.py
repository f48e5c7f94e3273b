"""C that reads NumPy's memory gives the same wherever the numbers lie: unaligned, backwards, with gaps, in columns, read-only."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act.backend import compiler, direct, layout
from tinygrad_act.ops.gru import gru_layer
from tinygrad_act.ops.lstm import lstm_layer
from tinygrad_act.ops.rnn import rnn_tanh_layer

F = ta.nn.functional
LAYERS: dict[str, Any] = {"lstm": (functools.partial(lstm_layer, w_hr=0.0), 4, 2), "gru": (gru_layer, 3, 1), "rnn": (rnn_tanh_layer, 1, 1)}
TARGETS = ta.tensor([1, 2, 3, 4] * 5, device="cpu")


def unaligned(a: Any) -> Any:
    b = np.empty(a.nbytes + 1, np.uint8)[1:].view(a.dtype).reshape(a.shape)
    b[...] = a
    return b


def gaps(a: Any) -> Any:
    b = np.full((*a.shape, 2), 99, a.dtype)
    b[..., 0] = a
    return b[..., 0]


def read_only(a: Any) -> Any:
    a = a.copy()
    a.flags.writeable = False
    return a


WAYS: dict[str, Callable[[Any], Any]] = {
    "unaligned": unaligned, "gaps": gaps, "read-only": read_only, "columns": np.asfortranarray,
    "backwards": lambda a: np.ascontiguousarray(a[..., ::-1])[..., ::-1], "memmap": lambda a: a.view(np.memmap)}


CASES: dict[str, tuple[Callable[..., Any], list[tuple[int, ...]]]] = {
    "layer_norm": (lambda x, w, b: F.layer_norm(x, (33,), w, b), [(64, 33), (33,), (33,)]),
    "rms_norm": (lambda x, w: F.rms_norm(x, (33,), w), [(64, 33), (33,)]),
    "group_norm": (lambda x, w, b: F.group_norm(x, 3, w, b), [(8, 6, 5, 7), (6,), (6,)]),
    "batch_norm": (lambda x, w, b: F.batch_norm(x, None, None, w, b, True), [(16, 6, 5, 7), (6,), (6,)]),
    "batch_norm of running statistics": (lambda x, m, v: F.batch_norm(x, m.detach(), (v * v + 0.5).detach()), [(16, 6, 5, 7), (6,), (6,)]),
    "softmax": (lambda x: F.softmax(x, -1), [(20, 37)]),
    "softmax of columns": (lambda x: F.softmax(x, 0), [(20, 37)]),
    "log_softmax": (lambda x: F.log_softmax(x, 1), [(20, 7, 5)]),
    "attention": (F.scaled_dot_product_attention, [(2, 3, 17, 8), (2, 3, 19, 8), (2, 3, 19, 8), (17, 19)]),
    "cross_entropy": (lambda x: F.cross_entropy(x, TARGETS), [(20, 37)]),
    "max_pool": (lambda x: F.max_pool2d(x, 2), [(4, 6, 20, 20)]),
    "depthwise": (lambda x, w, b: F.conv2d(x, w, b, padding=1, groups=6), [(4, 6, 20, 20), (6, 1, 3, 3), (6,)]),
    "convolution": (lambda x, w, b: F.conv2d(x, w, b, padding=1), [(4, 6, 20, 20), (5, 6, 3, 3), (5,)]),
    "embedding": (lambda w: F.embedding(TARGETS.repeat(20), w), [(10, 8)]),
    "hardswish": (F.hardswish, [(100, 50)]),
    **{kind: (lambda *given, op=op: op(*given)[0], [(12, 6, 9), *[(6, 11)] * states, (n * 11, 9), (n * 11, 11), (n * 11,), (n * 11,)])
       for kind, (op, n, states) in LAYERS.items()}}


def results(function: Callable[..., Any], arrays: list[Any], compiled: bool) -> list[Any]:
    """The value and gradients, as a step that may be replayed gives them."""
    leaves = [ta.from_numpy(a).requires_grad_() for a in arrays]

    def step(*leaves: Any) -> Any:
        y = function(*leaves)
        found = ta.autograd.grad((y * y * y).sum(), leaves, allow_unused=True)
        return [y.detach(), *[g for g in found if g is not None]]

    run = ta.compile(step) if compiled else step
    for _ in range(4 if compiled else 1):
        found = run(*leaves)
    return [t.array for t in found]


@pytest.mark.filterwarnings("ignore:.*runs eagerly:UserWarning")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES)
def test_the_same_wherever_numbers_lie(case: str, dtype: str) -> None:
    function, shapes = CASES[case]
    rng = np.random.default_rng(0)
    arrays = [(rng.standard_normal(s) * 0.5).astype(dtype) for s in shapes]
    with ta.backend.config(kernels="off"):
        wanted = results(function, arrays, False)
    near = 2e-4 if dtype == "float32" else 1e-9
    for way, made in WAYS.items():
        for compiled in (False, True):
            for found, right in zip(results(function, [made(a) for a in arrays], compiled), wanted, strict=True):
                np.testing.assert_allclose(found, right, near, near * max(1, np.abs(right).max()), err_msg=way)


def test_layouts_are_known_or_nothing_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    if compiler.compiler() is not None:
        assert layout.known()
    try:
        for cached in (layout.known, direct.functions):
            cached.cache_clear()
        monkeypatch.setattr("sys.implementation", types.SimpleNamespace(name="another"))
        assert not layout.known()
        assert direct.functions("several") is None
    finally:
        monkeypatch.undo()
        for cached in (layout.known, direct.functions):
            cached.cache_clear()
