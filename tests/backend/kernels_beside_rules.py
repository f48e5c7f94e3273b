"""The kernels written by hand, each against the rule beside it, NumPy's: run by test_kernels.py, in a process where `cupy` is the double
(or on a GPU by `pytest --backend cupy`).
"""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta

DTYPES = ("float16", "float32", "float64")
TOLERANCE = {"float16": (2e-3, 2e-3), "float32": (3e-5, 3e-6), "float64": (1e-10, 1e-12)}
f = ta.nn.functional
SHAPES = [((3, 5, 7), 2), ((3, 5, 7), 0), ((3, 5, 7), 1), ((40, 1), 1), ((2, 700), 1), ((2, 9000), 1), ((0, 4), 1), ((), 0), ((1, 3), 0)]


def numbers(shape: tuple[int, ...], seed: int, special: bool = False) -> Any:
    x = np.random.default_rng(seed).normal(0, 2, shape)
    if special and x.size > 8:
        x.reshape(-1)[[0, 3, 5]] = x.reshape(-1)[6]          # ties
    return np.asarray(x)


def both(function: Any, arrays: list[Any], dtype: str, gradients: bool = True) -> None:
    """The function and its gradients by kernels and by rules."""
    results = []
    for device in ("cuda", "cpu"):
        inputs = [ta.tensor(a, device=device).to(getattr(ta, dtype)) if a.dtype.kind == "f" else ta.tensor(a, device=device) for a in arrays]
        for t in inputs:
            t.requires_grad_(t.dtype.kind == "f" and gradients)
        y = function(*inputs)
        found = [y]
        if gradients:
            seed = ta.tensor(numbers(y.shape, 9), device=device).to(y.dtype)
            found += ta.autograd.grad(y, [t for t in inputs if t.requires_grad], seed)
        results.append([v.detach().cpu().double().numpy() for v in found])
    rtol, atol = TOLERANCE[dtype]
    for by_kernel, by_rule in zip(*results, strict=True):
        assert by_kernel.shape == by_rule.shape
        largest = np.abs(by_rule[np.isfinite(by_rule)]).max(initial=1.0)
        np.testing.assert_allclose(by_kernel, by_rule, rtol=rtol, atol=atol * largest)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax(name: str, dtype: str) -> None:
    for shape, dim in SHAPES:
        both(lambda x, dim=dim: getattr(f, name)(x, dim=dim), [numbers(shape, 1, special=True)], dtype)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_of_what_is_not_finite(name: str) -> None:
    x = numbers((6, 4), 2)
    x[0, 1], x[1, 2], x[2], x[3, 0], x[4] = -math.inf, math.inf, -math.inf, math.nan, 1e300
    both(lambda x: getattr(f, name)(x, dim=1), [x], "float64", gradients=False)


@pytest.mark.parametrize("dtype", DTYPES)
def test_softmax_of_arrays_that_lie_otherwise(dtype: str) -> None:
    both(lambda x: f.softmax(x.T[1:, ::2], dim=0), [numbers((5, 7), 3)], dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy(dtype: str, reduction: str, smoothing: float) -> None:
    settings: dict[str, Any] = {"reduction": reduction, "label_smoothing": smoothing}
    weight = np.abs(numbers((5,), 4)) + 0.1
    for shape in ((6, 5), (2, 5, 7), (600, 5), (5,)):
        x, t = numbers(shape, 5), np.random.default_rng(6).integers(0, 5, shape[:1] * (len(shape) > 1) + shape[2:])
        both(lambda x, t: f.cross_entropy(x, t, **settings), [x, t], dtype)
        if t.ndim:
            t.reshape(-1)[::3] = 2
        both(lambda x, t: f.cross_entropy(x, t, ta.tensor(weight, device=x.device).to(x.dtype), ignore_index=2, **settings), [x, t], dtype)


def test_cross_entropy_at_the_edges() -> None:
    x, t = numbers((3, 4), 7), np.array([0, 9, 1])
    both(lambda x, t: f.cross_entropy(x, t, reduction="none"), [x, np.array([0, 3, 1], dtype=np.int32)], "float32")
    assert f.cross_entropy(ta.tensor(x), ta.tensor(t), reduction="none").isnan().tolist() == [False, True, False]
    both(lambda x, t: f.cross_entropy(x, t), [x, np.full(3, -100)], "float64")          # nothing counts
    both(lambda x, t: f.cross_entropy(x, t), [x[:0], t[:0]], "float64")
    both(lambda x, t: f.cross_entropy(x * 1e4, t), [x, np.array([0, 3, 1])], "float64")
    x[0, 0], x[1, 1] = -math.inf, math.inf
    both(lambda x, t: f.cross_entropy(x, t, reduction="none"), [x, np.array([0, 3, 1])], "float64", gradients=False)


NORMS: dict[str, tuple[Any, list[tuple[int, ...]]]] = {
    "layer": (lambda x, w, b: f.layer_norm(x, (7,), w, b), [(3, 5, 7), (7,), (7,)]),
    "layer_of_two_axes": (lambda x, w, b: f.layer_norm(x, (5, 7), w, b), [(3, 5, 7), (5, 7), (5, 7)]),
    "layer_long": (lambda x, w, b: f.layer_norm(x, (3000,), w, b), [(2, 3000), (3000,), (3000,)]),
    "layer_of_many": (lambda x, w, b: f.layer_norm(x, (3,), w, b), [(1100, 3), (3,), (3,)]),
    "layer_plain": (lambda x: f.layer_norm(x, (7,)), [(3, 7)]),
    "layer_empty": (lambda x, w, b: f.layer_norm(x, (7,), w, b), [(0, 7), (7,), (7,)]),
    "rms": (lambda x, w: f.rms_norm(x, (7,), w, eps=1e-5), [(3, 5, 7), (7,)]),
    "group": (lambda x, w, b: f.group_norm(x, 2, w, b), [(3, 4, 5, 6), (4,), (4,)]),
    "instance": (lambda x: f.instance_norm(x), [(3, 4, 9)]),
    "batch": (lambda x, w, b: f.batch_norm(x, None, None, w, b, True), [(3, 4, 5, 6), (4,), (4,)]),
    "batch_of_features": (lambda x, w, b: f.batch_norm(x, None, None, w, b, True), [(50, 33), (33,), (33,)]),
    "batch_evaluated": (lambda x, w, b: f.batch_norm(x, b.detach(), w.detach() * w.detach(), w, b), [(3, 4, 5), (4,), (4,)]),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NORMS)
def test_normalisation(name: str, dtype: str) -> None:
    function, shapes = NORMS[name]
    both(function, [numbers(shape, i) for i, shape in enumerate(shapes)], dtype)


def test_normalisation_of_large_means_and_of_what_is_not_finite() -> None:
    x = numbers((4, 64), 8)
    both(lambda x: f.layer_norm(x, (64,)), [x + 1e4], "float32")
    x[1, 3], x[2, 5] = math.nan, math.inf
    both(lambda x: f.layer_norm(x, (64,)), [x], "float64", gradients=False)


def test_running_statistics() -> None:
    found = []
    for device in ("cuda", "cpu"):
        layer = ta.nn.BatchNorm2d(4).to(device)
        layer(ta.tensor(numbers((3, 4, 5, 5), 2), dtype=ta.float32, device=device))
        found.append([layer.running_mean.tolist(), layer.running_var.tolist()])
    assert found[0] == [pytest.approx(v, rel=1e-6) for v in found[1]]


@pytest.mark.parametrize("dtype", DTYPES)
def test_attention(dtype: str) -> None:
    arrays = [numbers((2, 3, n, 4), i) for i, n in enumerate((5, 6, 6))]
    both(lambda q, k, v: f.scaled_dot_product_attention(q, k, v), arrays, dtype)
    both(lambda q, k, v: f.scaled_dot_product_attention(q, k, v, is_causal=True), arrays, dtype)
    seen = np.arange(30).reshape(5, 6) % 4 > 0
    seen[2] = False                                          # a query that sees nothing
    both(lambda q, k, v: f.scaled_dot_product_attention(q, k, v, ta.tensor(seen, device=q.device)), arrays, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_lists_of_arrays(dtype: str) -> None:
    F = ta.backend.load("cupy").F
    arrays = [ta.tensor(numbers((n, 3), n)).to(getattr(ta, dtype)).array for n in (1, 0, 300, *range(2, 40))]
    whole = F.joined(arrays)
    assert whole.size == sum(a.size for a in arrays)
    places = [F.copy(a) * 0 for a in arrays]
    F.divide_into(whole, places)
    assert [a.tolist() for a in places] == [a.tolist() for a in arrays]


OPTIMIZERS: dict[str, dict[str, Any]] = {
    "SGD": {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01}, "Adam": {"amsgrad": True}, "AdamW": {}, "NAdam": {}, "RAdam": {}, "Adamax": {},
    "RMSprop": {"centered": True, "momentum": 0.5}, "Adagrad": {}, "Adadelta": {}, "ASGD": {}, "Rprop": {}, "Lion": {}}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_takes_one_kernel_a_run(name: str) -> None:
    """The small parameters are put end to end, moved and put back; a large one moves where it is."""
    fake_cupy = sys.modules.get("tests.backend.fake_cupy")       # it counts; CuPy does not
    small = ta.backend.load("cupy").F.small
    results = []
    for device in ("cuda", "cpu"):
        params = [ta.tensor(numbers((n, 3), n), dtype=ta.float32, device=device).requires_grad_() for n in (4, 5, small // 3 + 1)]
        optimizer = getattr(ta.optim, name)(params, **OPTIMIZERS[name], lr=0.01)
        for step in range(7):
            for i, p in enumerate(params):
                p.grad = ta.tensor(numbers((p.shape[0], 3), 10 * step + i), dtype=ta.float32, device=device)
            if fake_cupy:
                fake_cupy.counted.clear()
            optimizer.step()
        if device == "cuda" and fake_cupy:
            ours = {k: n for k, n in fake_cupy.counted.items() if k not in ("gather", "scatter")}
            assert sum(ours.values()) == 2, fake_cupy.counted
            assert (fake_cupy.counted["gather"], fake_cupy.counted["scatter"]) == (2, 1)
        results.append([p.detach().cpu().numpy()[:4] for p in params])
    for by_kernel, by_rule in zip(*results, strict=True):
        np.testing.assert_allclose(by_kernel, by_rule, rtol=2e-5, atol=1e-6)
