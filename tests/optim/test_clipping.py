"""Gradient clipping is PyTorch's: norms of any order, gradients of several dtypes, what is not finite, nothing at all."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act.nn import utils

GRADIENTS = [np.random.default_rng(0).normal(size=s) for s in ((3, 2), (4,), (), (1, 2, 2))]


def parameters(lib: Any, gradients: Any = GRADIENTS, dtypes: tuple[str, ...] = ("float64",)) -> list[Any]:
    found = []
    for i, g in enumerate(gradients):
        dtype = getattr(lib, dtypes[i % len(dtypes)])
        p = lib.zeros(g.shape, dtype=dtype, requires_grad=True)
        p.grad = lib.tensor(g).to(dtype)
        found.append(p)
    return [*found, lib.zeros(3, requires_grad=True)]            # the last has none


@pytest.mark.parametrize("dtypes", [("float64",), ("float32", "float64"), ("float16",), ("bfloat16",)], ids=str)
@pytest.mark.parametrize("norm", [2, 2.0, 1, 0, 3, 0.5, math.inf, -math.inf, "inf"])
@pytest.mark.parametrize("most", [0.5, 100, 0])
def test_clipping_by_norm(norm: Any, most: float, dtypes: tuple[str, ...]) -> None:
    torch = pytest.importorskip("torch")
    ours, other = parameters(ta, dtypes=dtypes), parameters(torch, dtypes=dtypes)
    a, b = utils.clip_grad_norm_(ours, most, norm), torch.nn.utils.clip_grad_norm_(other, most, norm)
    near = {"float64": 1e-13, "float32": 1e-6, "float16": 4e-3, "bfloat16": 3e-2}[dtypes[0]]
    assert a.item() == pytest.approx(b.item(), rel=near) and str(a.dtype) == str(b.dtype).removeprefix("torch.")
    for p, q in zip(ours[:-1], other[:-1], strict=True):
        np.testing.assert_allclose(p.grad.tolist(), q.grad.tolist(), rtol=near, atol=1e-12)
    assert ours[-1].grad is None


def test_one_tensor_a_generator_and_nothing() -> None:
    p = parameters(ta)[1]
    total = utils.clip_grad_norm_(p, 0.5)
    assert total.item() == pytest.approx(np.linalg.norm(GRADIENTS[1])) and p.grad.norm().item() == pytest.approx(0.5, rel=1e-5)
    ps = parameters(ta)
    assert utils.clip_grad_norm_((p for p in ps), 1.0).item() == pytest.approx(math.sqrt(sum((g * g).sum() for g in GRADIENTS)))
    assert utils.get_total_norm([p.grad for p in ps[:-1]]).item() == pytest.approx(1.0, rel=1e-5)
    assert utils.clip_grad_norm_([], 1.0).item() == 0.0 == utils.get_total_norm([]).item()
    with pytest.warns(UserWarning, match="empty generator"):
        utils.clip_grad_norm_((p for p in []), 1.0)


def test_what_is_not_finite() -> None:
    for bad in (math.nan, math.inf):
        p = ta.zeros(2, requires_grad=True)
        p.grad = ta.tensor([1.0, bad])
        with pytest.raises(RuntimeError, match="a gradient is not finite"):
            utils.clip_grad_norm_([p], 1.0, error_if_nonfinite=True)
        assert p.grad.tolist()[0] == 1.0
        utils.clip_grad_norm_([p], 1.0)
        assert math.isnan(p.grad.tolist()[1])


def test_a_norm_that_is_known() -> None:
    p = parameters(ta)
    utils.clip_grads_with_norm_(p, 1.0, ta.tensor(4.0))
    np.testing.assert_allclose(p[0].grad.tolist(), GRADIENTS[0] / 4, rtol=1e-6)


def test_clipping_by_value() -> None:
    p = parameters(ta)
    held = p[0].grad
    utils.clip_grad_value_(p, 0.5)
    assert p[0].grad is held
    for q, g in zip(p[:-1], GRADIENTS, strict=True):
        np.testing.assert_allclose(q.grad.tolist(), np.clip(g, -0.5, 0.5))


@pytest.mark.parametrize(("call", "says"), [
    (lambda p: utils.clip_grad_norm_(p, "a"), "max_norm='a'"), (lambda p: utils.clip_grad_norm_(p, 1.0, "x"), "norm_type='x'"),
    (lambda p: utils.clip_grad_norm_([3], 1.0), "clip_grad_norm_: int"), (lambda p: utils.clip_grad_value_(p, None), "clip_value=None")])
def test_misuse_is_told(call: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        call(parameters(ta))
