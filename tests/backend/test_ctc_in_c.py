"""The alignments of CTC in C, beside numerics/ctc.py: where paths are impossible, too, and with lengths of all kinds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act.backend import compiler, ctc

pytestmark = pytest.mark.skipif(not {"exp", "log"} <= compiler.vector_functions() or compiler.compiler() is None, reason="there is no C compiler, or no libmvec")
RNG = np.random.default_rng(0)
NEAR = {"float32": (2e-5, 2e-6), "float64": (1e-12, 1e-14)}


@pytest.fixture(autouse=True)
def on_the_cpu() -> Iterator[None]:
    with ta.backend.use("numpy"):
        yield


def both(numbers: Any, targets: Any, lengths: Any, target_lengths: Any, **settings: Any) -> list[Any]:
    x = ta.tensor(numbers, requires_grad=True)
    y = ta.nn.functional.ctc_loss(x, ta.tensor(targets), lengths, target_lengths, reduction="none", **settings)
    y.backward(ta.arange(1, len(lengths) + 1, dtype=x.dtype))
    assert x.grad is not None
    return [y.detach().numpy(), x.grad.numpy()]


def agree(numbers: Any, *given: Any, **settings: Any) -> list[Any]:
    found = both(numbers, *given, **settings)
    with ta.backend.config(kernels="tiles"):
        wanted = both(numbers, *given, **settings)
    relative, absolute = NEAR[numbers.dtype.name]
    for y, w in zip(found, wanted, strict=True):
        assert y.dtype == w.dtype
        np.testing.assert_allclose(y, w, relative, absolute * 20)
    return found


def scores(steps: int, n: int, classes: int, dtype: str, wide: float = 1) -> Any:
    x = wide * RNG.standard_normal((steps, n, classes))
    return (x - np.log(np.exp(x).sum(-1, keepdims=True))).astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("steps", "n", "length"), [(50, 16, 10), (20, 3, 7), (40, 2, 8), (30, 1, 1), (30, 4, 0), (70, 5, 24), (9, 20, 3)])
def test_as_the_definition(steps: int, n: int, length: int, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []
    ranges = ctc.pool.ranges
    monkeypatch.setattr(ctc.pool, "ranges", lambda function, *more: (ran.append(function.__name__), ranges(function, *more)))
    targets = RNG.integers(1, 6, (n, max(length, 1)))
    lengths, ends = RNG.integers(length, steps + 1, n), RNG.integers(0, length + 1, n)
    lengths[0], ends[0] = steps, length
    agree(scores(steps, n, 6, dtype), targets, lengths.tolist(), ends.tolist())
    if (2 * length + 1) * n * steps >= 128:
        assert {"ctc_forward", "ctc_occupancy"} <= set(ran)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_is_impossible_or_all_but(dtype: str) -> None:
    x = scores(30, 5, 6, dtype, wide=40)                     # most ways have a probability of less than 1e-38
    x[:, 1, 3], x[4, 2] = -np.inf, -np.inf
    targets = RNG.integers(1, 6, (5, 9))
    targets[1, 0], targets[4] = 3, 2
    for zero in (False, True):
        found = agree(x, targets, [30, 30, 30, 8, 9], [9, 9, 9, 9, 9], zero_infinity=zero)
        assert (found[0][[1, 2, 3, 4]] == (0 if zero else np.inf)).all() and np.isfinite(found[0][0])


def test_nan_stays() -> None:
    x = scores(20, 3, 6, "float32")
    x[5, 1, 0] = np.nan
    y, g = agree(x, RNG.integers(1, 6, (3, 4)), [20] * 3, [4] * 3)
    assert np.isnan(y).tolist() == [False, True, False] and np.isfinite(g[:, [0, 2]]).all()


def test_threads_change_nothing() -> None:
    x, before, found = scores(60, 40, 8, "float32"), ta.get_num_threads(), []
    targets = RNG.integers(1, 8, (40, 12))
    try:
        for count in (1, 3):
            ta.set_num_threads(count)
            found.append(both(x, targets, [60] * 40, [12] * 40))
    finally:
        ta.set_num_threads(before)
    for one, several in zip(*found, strict=True):
        np.testing.assert_array_equal(one, several)
