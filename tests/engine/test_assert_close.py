"""testing.assert_close: it passes what PyTorch's passes, fails what it fails, and says the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_act as ta
from tinygrad_act.errors import ArgumentError

nan, inf = float("nan"), float("inf")


def said(library: Any, actual: Any, expected: Any, **how: Any) -> str:
    """What it complains of, with the names of types as both have them; empty where it passes."""
    try:
        library.testing.assert_close(actual, expected, **how)
    except AssertionError as error:
        return str(error).replace("torch.Size([", "(").replace("])", ")").replace("torch.", "").replace(",)", ")")
    return ""


# name -> (actual, expected, settings); `t` makes a tensor of a dtype of either library
CASES: dict[str, Any] = {
    "equal": lambda t: (t([1.0, 2.0]), t([1.0, 2.0]), {}),
    "close": lambda t: (t([1.0, 2.0]), t([1.0, 2.000002]), {}),
    "not close": lambda t: (t([1.0, 2.0, 3.0]), t([1.0, 2.0, 4.0]), {}),
    "two axes": lambda t: (t([[0.0, 0.0], [0.0, 0.5]]), t([[0.0, 0.25], [0.0, 1.0]]), {}),
    "zeros expected": lambda t: (t([1.0, 0.0]), t([0.0, 0.0]), {}),
    "float64": lambda t: (t([1.0], "float64"), t([1.0 + 3e-7], "float64"), {}),
    "float16": lambda t: (t([1.0], "float16"), t([1.0009766], "float16"), {}),
    "float16 off": lambda t: (t([1.0], "float16"), t([1.5], "float16"), {}),
    "integers": lambda t: (t([1, 2], "int64"), t([1, 3], "int64"), {}),
    "large integers": lambda t: (t([2**60], "int64"), t([2**60 + 1], "int64"), {}),
    "integers within": lambda t: (t([1, 2], "int64"), t([1, 3], "int64"), {"rtol": 0, "atol": 1}),
    "integers not within": lambda t: (t([1, 2], "int64"), t([1, 4], "int64"), {"rtol": 0, "atol": 1}),
    "bools": lambda t: (t([True, False], "bool"), t([True, True], "bool"), {}),
    "dtypes": lambda t: (t([1.0]), t([1.0], "float64"), {}),
    "dtypes not checked": lambda t: (t([1.0]), t([1.000001], "float64"), {"check_dtype": False}),
    "shapes": lambda t: (t([[1.0, 2.0]]), t([1.0, 2.0]), {}),
    "no numbers": lambda t: (t([]), t([]), {}),
    "a scalar": lambda t: (t(1.0), t(2.0), {}),
    "a scalar integer": lambda t: (t(1, "int64"), t(2, "int64"), {}),
    "nan": lambda t: (t([nan]), t([nan]), {}),
    "a nan that is equal": lambda t: (t([nan, 1.0]), t([nan, 1.0]), {"equal_nan": True}),
    "infinite": lambda t: (t([inf, -inf]), t([inf, -inf]), {}),
    "infinite and not": lambda t: (t([inf]), t([1.0]), {}),
    "not infinite": lambda t: (t([1.0]), t([inf]), {}),
    "infinities of two signs": lambda t: (t([inf, 1.0]), t([-inf, 1.0]), {"rtol": 0.5, "atol": 0.5}),
    "tolerances": lambda t: (t([1.0, 2.0]), t([1.5, 2.5]), {"rtol": 0.0, "atol": 0.6}),
    "tolerances not kept": lambda t: (t([1.0, 2.0]), t([1.5, 2.5]), {"rtol": 0.25, "atol": 0.0}),
    "numbers": lambda t: (1.0, 1.0 + 1e-9, {}),
    "numbers off": lambda t: (1.5, 1.0, {}),
    "whole numbers off": lambda t: (1, 2, {}),
    "kinds of numbers": lambda t: (1, 1.0, {}),
    "kinds of numbers not checked": lambda t: (1, 1.0, {"check_dtype": False}),
    "truths": lambda t: (True, False, {}),
    "none": lambda t: (None, None, {}),
    "sequences": lambda t: ([t([1.0]), t([2.0])], (t([1.0]), t([3.0])), {}),
    "sequences of other lengths": lambda t: ([t([1.0])], [t([1.0])] * 2, {}),
    "mappings": lambda t: ({"a": t([1.0])}, {"a": t([2.0])}, {}),
    "mappings in sequences": lambda t: ([{"a": t([1.0])}], [{"a": t([2.0])}], {}),
    "mappings of other keys": lambda t: ({"a": t([1.0])}, {"b": t([2.0])}, {}),
    "a message": lambda t: (t([1.0]), t([2.0]), {"msg": "not that"}),
    "a message about it": lambda t: (t([1.0]), t([2.0]), {"msg": lambda text: f"so: {text}"}),
}


@pytest.mark.parametrize("name", CASES)
def test_it_says_what_pytorchs_says(name: str) -> None:
    torch = pytest.importorskip("torch")
    theirs = said(torch, *(parts := CASES[name](lambda v, d="float32": torch.tensor(v, dtype=getattr(torch, d))))[:2], **parts[2])
    ours = said(ta, *(parts := CASES[name](lambda v, d="float32": ta.tensor(v, dtype=d)))[:2], **parts[2])
    assert ours == theirs


def test_what_passes_and_what_does_not_without_pytorch() -> None:
    x = ta.tensor([1.0, 2.0], requires_grad=True)
    ta.testing.assert_close(x, x.detach() + 1e-6)
    ta.testing.assert_close(ta.nn.Parameter(x.detach()), x.detach())
    ta.testing.assert_close(np.ones(2), np.ones(2) + 1e-8)
    ta.testing.assert_close((x, 1.0, None), (x, 1.0, None))
    with pytest.raises(AssertionError, match=r"Mismatched elements: 1 / 2 \(50.0%\)"):
        ta.testing.assert_close(x, ta.tensor([1.0, 3.0]))
    with pytest.raises(AssertionError, match="up to 1e-07 allowed"):
        ta.testing.assert_close(np.ones(2), np.ones(2) + 1e-6)
    with pytest.raises(AssertionError, match="None mismatch"):
        ta.testing.assert_close(x, None)
    with pytest.raises(AssertionError, match="stride"):
        ta.testing.assert_close(ta.ones(2, 3), ta.ones(3, 2).T, check_stride=True)


def test_what_cannot_be_compared_is_refused() -> None:
    x = ta.ones(2)
    for actual, expected in ((x, [1.0, 1.0]), ("a", "a"), (x, np.ones(2))):
        with pytest.raises(ArgumentError, match="can be compared"):
            ta.testing.assert_close(actual, expected)
    with pytest.raises(ArgumentError, match="rtol without atol"):
        ta.testing.assert_close(x, x, rtol=1.0)
    with pytest.raises(ArgumentError, match="can be compared"):
        ta.testing.assert_close(ta.nn.Parameter(x), x, allow_subclasses=False)
