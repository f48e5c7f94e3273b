"""NumPy's `where` with the int 0 on one side takes a way of its own for large arrays: bit for bit what np.where gives."""

from __future__ import annotations

import numpy as np
import pytest

from tinygrad_act.backend.numpy import F


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int32", "int64"])
@pytest.mark.parametrize("shape", [(), (0,), (5,), (3000,), (60, 70), (4, 30, 40)])
def test_where_with_zero(dtype: str, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    x = np.asarray(rng.integers(-3, 4, shape)).astype(dtype)
    if x.size > 5 and x.dtype.kind == "f":
        x.flat[:4] = np.nan, np.inf, -np.inf, -0.0
    for kept in (x, x.T, x[::-1] if x.ndim else x):                    # in one piece, transposed, backwards
        for condition in (np.asarray(kept > 0), np.asarray(rng.random(kept.shape) < 0.5)):
            for a, b in ((0, kept), (kept, 0), (kept, kept), (1, kept), (kept, 0.0), (-0.0, kept), (0, 0)):
                ours, theirs = F.where(condition, a, b), np.where(condition, a, b)
                assert (ours.dtype, ours.shape, ours.tobytes()) == (theirs.dtype, theirs.shape, theirs.tobytes())


def test_where_broadcasts() -> None:
    x = np.ones((50, 60), np.float32)
    assert F.where(np.arange(60) < 9, x, 0).sum() == 450 and F.where(np.array(True), 0, x).sum() == 0
