"""In-place changes that are refused, and by which words; and what was saved and is then changed."""

from __future__ import annotations

import operator
from typing import Any

import pytest

import tinygrad_act as ta
from tinygrad_act.errors import DTypeError, IndexingError, InplaceError, ShapeError


def leaf() -> Any:
    return ta.tensor([1.0, 2.0, 3.0], requires_grad=True)


def under_no_grad_viewed() -> Any:
    y = leaf() * 1
    with ta.no_grad():
        view = y[:2]
    return view.mul_(leaf()[:2]), y


REFUSED = {
    "a leaf that requires a gradient": (lambda: leaf().add_(1), InplaceError, "add_: a leaf.*no_grad"),
    "an augmented leaf": (lambda: operator.iadd(leaf(), 1), InplaceError, "add_: a leaf"),
    "a leaf by index": (lambda: leaf().__setitem__(0, 1.0), InplaceError, "setitem: a leaf"),
    "a view of a leaf": (lambda: leaf()[0:2].zero_(), InplaceError, "zero_: a view of a leaf"),
    "a view of a leaf by index": (lambda: leaf().reshape(3, 1).__setitem__(0, 1.0), InplaceError, "view of a leaf"),
    "an expanded tensor": (lambda: ta.zeros(3).expand(2, 3).add_(1), InplaceError, r"add_: an expanded.*clone\(\)"),
    "a view taken under no_grad": (under_no_grad_viewed, InplaceError, "mul_: a view.*taken under no_grad"),
    "a larger result": (lambda: ta.zeros(3).add_(ta.ones(2, 3)), ShapeError, "add_.*keeps its shape; use add"),
    "shapes that do not broadcast": (lambda: ta.zeros(3).add_(ta.ones(2)), ShapeError, "add.*broadcast"),
    "a float into ints": (lambda: ta.zeros(3, dtype=ta.int64).add_(1.5), DTypeError, "add_.*float32.*int64"),
    "a quotient into ints": (lambda: ta.ones(3, dtype=ta.int64).div_(2), DTypeError, "div_"),
    "an int into bools": (lambda: ta.zeros(3, dtype=ta.bool).add_(1), DTypeError, "add_"),
    "a value of the wrong shape": (lambda: ta.zeros(3).__setitem__(slice(2), ta.ones(3)), ShapeError, "setitem"),
    "an index out of range": (lambda: ta.zeros(3).__setitem__(3, 1.0), IndexingError, "index 3.*size 3"),
    "a float index": (lambda: ta.zeros(3).__setitem__(1.5, 1.0), IndexingError, "float"),
    "a fill that is no number": (lambda: ta.zeros(3).fill_(ta.zeros(3)), ShapeError, "fill_.*copy_"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_may_not_be_changed_is_refused(case: str) -> None:
    call, kind, message = REFUSED[case]
    with pytest.raises(kind, match=message):
        call()


def test_a_saved_array_that_was_changed_names_both_ops() -> None:
    x = leaf()
    y = x.exp()
    y.mul_(2)
    with pytest.raises(InplaceError, match=r"exp: .*changed in place by mul_.*version 1.*clone\(\)"):
        y.sum().backward()


@pytest.mark.parametrize("change", [lambda w: w.add_(1), lambda w: w.__setitem__(0, 9.0), lambda w: w[1:].zero_(),
                                    lambda w: w.detach().mul_(2), lambda w: w.reshape(3, 1).fill_(0)])
def test_every_way_of_changing_a_saved_array_is_noticed(change: Any) -> None:
    x, w = leaf(), ta.tensor([1.0, 2.0, 3.0])
    y = (x * w).sum()
    change(w)
    with pytest.raises(InplaceError, match="mul: an array"):
        y.backward()
