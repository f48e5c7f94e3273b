"""Attention in C gives what its definition over NumPy gives, however heads lie in memory, and the same bits by any number of threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act.backend import attention, compiler
from tinygrad_act.backend.namespace import Namespace
from tinygrad_act.backend.numpy import F

pytestmark = pytest.mark.skipif(compiler.compiler() is None, reason="there is no C compiler")
# batch, heads, queries, keys, features of q and k, of v
SIZES = {"usual": (2, 3, 64, 64, 32, 32), "odd": (2, 3, 65, 70, 33, 40), "in parts": (1, 2, 500, 900, 16, 8), "few queries": (2, 2, 3, 300, 64, 64),
         "more queries": (3, 2, 400, 50, 24, 17)}
MASKS = ("none", "causal", "added", "seen", "keys", "rows")
each = [pytest.mark.parametrize("size", SIZES), pytest.mark.parametrize("mask", MASKS), pytest.mark.parametrize("dropout", [False, True])]


def every(test: Any) -> Any:
    for mark in each:
        test = mark(test)
    return test


class Case:
    """Numbers for q, k, v, the gradient, a mask and what dropout keeps; heads lie beside one another, as a network has them."""

    def __init__(self, size: str, mask: str, dropout: bool) -> None:
        self.rng = np.random.default_rng(0)
        B, H, L, S, D, E = self.size = SIZES[size]
        self.q, self.k, self.v, self.g = self.heads(L, D), self.heads(S, D), self.heads(S, E), self.heads(L, E)
        self.keep: Any = self.rng.random((B, H, L, S)) > 0.2 if dropout else 0.0
        self.mask: Any = {"none": 0.0, "causal": 0.0, "added": self.numbers(H, L, S), "seen": self.rng.random((B, 1, L, S)) > 0.3,
                          "keys": np.broadcast_to(self.rng.random((B, 1, 1, S)) > 0.3, (B, 1, L, S)), "rows": self.numbers(1, S, L).swapaxes(1, 2)}[mask]
        if mask == "seen":
            self.mask[:, :, 1] = False                   # a query that sees no key
        self.settings = 0.3, mask == "causal", 1.25 if dropout else 1.0

    def numbers(self, *shape: int) -> Any:
        return self.rng.standard_normal(shape).astype("float32")

    def heads(self, rows: int, features: int) -> Any:
        return self.numbers(self.size[0], rows, self.size[1], features).transpose(0, 2, 1, 3)

    def both(self, vocabulary: Any) -> list[Any]:
        """The output and the gradients by that vocabulary's functions."""
        inputs = self.q, self.k, self.v, self.mask, self.keep
        found = vocabulary.attend(F, *inputs, *self.settings)
        gradients = vocabulary.attend_grad(F, self.g, *inputs, *found, *self.settings, False)
        assert gradients[3] is None
        return [found[0], *gradients[:3]]


@every
def test_it_is_its_definition(size: str, mask: str, dropout: bool) -> None:
    case = Case(size, mask, dropout)
    assert attention._library(case.q, case.k, case.v, case.mask, case.keep) is not None
    for found, wanted, like in zip(case.both(type(F)), case.both(Namespace), (case.q, case.q, case.k, case.v), strict=True):
        assert found.dtype == wanted.dtype
        assert np.argsort(found.strides).tolist() == np.argsort(like.strides).tolist()         # as its input lies, so does it
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=3e-6 * float(np.abs(wanted).max()))


@pytest.mark.parametrize("mask", ["none", "causal", "seen"])
def test_the_same_bits_by_any_number_of_threads(mask: str) -> None:
    case, before, found = Case("in parts", mask, True), ta.get_num_threads(), []
    try:
        for count in (1, 2, 3):
            ta.set_num_threads(count)
            found.append(case.both(type(F)))
    finally:
        ta.set_num_threads(before)
    for other in found[1:]:
        for a, b in zip(other, found[0], strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("shared", ["qk", "kv", "v", "q"])
@pytest.mark.parametrize("axes", [(0,), (1,), (0, 1)])
def test_heads_that_are_one_array_for_several(shared: str, axes: tuple[int, ...]) -> None:
    """NumPy lays out what is like such an array with its features apart."""
    case = Case("odd", "none", False)
    for name in shared:
        x = getattr(case, name)
        one = x[tuple(slice(1) if i in axes else slice(None) for i in range(4))]
        setattr(case, name, np.broadcast_to(one, x.shape))
    assert attention._library(case.q, case.k, case.v, case.mask, case.keep) is not None
    for found, wanted in zip(case.both(type(F)), case.both(Namespace), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=3e-6 * float(np.abs(wanted).max()))


def test_many_keys_of_about_one_weight_lose_no_digits() -> None:
    """Added number by number in float32, 20,000 terms of one sign are off by 2e-4."""
    rng = np.random.default_rng(0)
    q, k, v = (rng.standard_normal((1, n, 16)).astype("float32") for n in (16, 1, 1))
    k, v = np.repeat(k, 20000, 1), np.repeat(v, 20000, 1)
    assert attention._library(q, k, v, 0.0, 0.0) is not None
    y, _, _ = F.attend(q, k, v, 0.0, 0.0, 0.3, False, 1.0)
    np.testing.assert_allclose(y, np.broadcast_to(v[:, :1], y.shape), rtol=1e-5)


def test_large_scores_and_numbers_that_are_none() -> None:
    case = Case("usual", "none", False)
    case.q *= 1e4
    np.testing.assert_allclose(case.both(type(F))[0], case.both(Namespace)[0], rtol=1e-4, atol=1e-4)
    case.q[0, 0, 5] = np.nan
    found = case.both(type(F))
    assert np.isnan(found[0][0, 0, 5]).all() and np.isfinite(found[0]).sum() == found[0].size - found[0].shape[-1]
    assert np.isnan(found[2][0, 0]).all() and np.isfinite(found[2][0, 1:]).all()


def test_what_it_is_not_for_runs_by_the_definition() -> None:
    case = Case("usual", "none", False)
    q, k, v, mask, keep = case.q, case.k, case.v, case.mask, case.keep
    assert attention._library(q.astype("float64"), k, v, mask, keep) is None
    assert attention._library(q[..., ::2], k[..., ::2], v, mask, keep) is None          # features apart from one another
    assert attention._library(q[:, :, :0], k, v, mask, keep) is None
    assert attention._library(q[None], k[None], v[None], mask, keep) is None
    with ta.backend.config(kernels="off"):
        assert attention._library(q, k, v, mask, keep) is None
