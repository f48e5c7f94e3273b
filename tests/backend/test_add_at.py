"""Adding at an index, repeated ones summed: whatever the index, as NumPy's add.at does it, and rows in C where that is to be had."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act.backend.numpy import F

RNG = np.random.default_rng(0)
MANY = RNG.integers(-7, 7, (40,))
INDICES: dict[str, Any] = {
    "rows": MANY, "rows, in a tuple": (MANY,), "rows by a matrix": MANY.reshape(5, 8), "two axes": (MANY, MANY % 5), "all axes": (MANY, MANY % 5, MANY % 6),
    "axes that broadcast": (MANY[:8, None], MANY[None, :5] % 5), "not the first axis": (slice(None), MANY % 5), "few": MANY[:1], "small integers": MANY.astype("int16"), "two axes of small integers": (MANY.astype("int8"), (MANY % 5).astype("int8")),
    "a mask": RNG.random((7, 5)) > 0.5, "everything": ()}


@pytest.mark.parametrize("kernels", ["auto", "off"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
@pytest.mark.parametrize("name", INDICES)
def test_as_numpy_does_it(name: str, dtype: str, kernels: str) -> None:
    index = INDICES[name]
    start = RNG.integers(-9, 9, (7, 5, 6)).astype(dtype)
    v = RNG.integers(-9, 9, start[index].shape).astype(dtype)               # small integers: sums are exact in any order
    for given in (v, v[..., :1], np.asfortranarray(v)):
        y, wanted = start.copy(), start.copy()
        np.add.at(wanted, index, given)
        with ta.backend.config(kernels=kernels):
            F.add_at(y, index, given)
        np.testing.assert_array_equal(y, wanted)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "int32"])
def test_positions_are_not_limited_by_the_indexs_dtype(dtype: str) -> None:
    index = np.full(200, 100, dtype)
    for shape, where, count in (((300, 4), (index,), (200, 4)), ((300, 300), (index, index), (200,)), ((120, 120, 3), (index, index), (200, 3))):
        y = np.zeros(shape, "float32")
        F.add_at(y, where, np.ones(count, "float32"))
        assert y.sum() == np.prod(count) and (y[(100,) * len(where)] == 200).all()


def test_rows_of_an_array_that_is_not_in_one_piece() -> None:
    whole = np.zeros((7, 12, 6), "float32")
    F.add_at(whole[:, ::2], MANY, np.ones((40, 6, 6), "float32"))
    np.testing.assert_array_equal(whole[:, ::2, 0], np.bincount(MANY % 7, minlength=7)[:, None] * np.ones(6))
    assert not whole[:, 1::2].any()


def test_the_same_bits_by_any_number_of_threads() -> None:
    index, v, found, before = RNG.integers(0, 50, 20_000), RNG.standard_normal((20_000, 24)).astype("float32"), [], ta.get_num_threads()
    for count in (1, 2, 3):
        ta.set_num_threads(count)
        y = np.zeros((50, 24), "float32")
        F.add_at(y, index, v)
        found.append(y)
    ta.set_num_threads(before)
    for other in found[1:]:
        np.testing.assert_array_equal(other, found[0])
