"""detect_anomaly: the first NaN or infinity, its op, its inputs' ranges, and the user's own line."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

import tinygrad_act as ta
from tinygrad_act.autograd import detect_anomaly, set_detect_anomaly
from tinygrad_act.errors import AnomalyError
from tinygrad_act.graph import watchers


def leaf(*values: float) -> Any:
    return ta.tensor(values, requires_grad=True)


def line_of(text: str) -> int:
    lines, first = inspect.getsourcelines(inspect.getmodule(line_of))
    return next(i for i, line in enumerate(lines, start=max(first, 1)) if text in line and "line_of" not in line)


def test_a_forward_anomaly_names_the_op_the_ranges_and_the_line() -> None:
    x = leaf(0.0, 2.0)
    with detect_anomaly(), pytest.raises(AnomalyError) as caught:
        (x * 3).log()                                              # the line of log
    message = str(caught.value)
    assert message.startswith("log: a result of shape (2,) from 1.79176 to 1.79176 with 1 inf")
    assert "0: shape (2,) from 0 to 6" in message and f"{__file__}:{line_of('# the line of log')}" in message


def test_a_backward_anomaly_names_the_op_and_the_line_of_its_forward() -> None:
    x = leaf(0.0, 4.0)
    with detect_anomaly():
        y = x.sqrt()                                               # the line of sqrt
        with pytest.raises(AnomalyError, match="sqrt: a gradient of shape .* with 1 inf for input 0.*from 0 to 4") as caught:
            (y * 2).sum().backward()
    assert f"{__file__}:{line_of('# the line of sqrt')}" in str(caught.value)


def test_a_forward_outside_is_said_to_be_outside() -> None:
    y = leaf(0.0).sqrt()
    with detect_anomaly(), pytest.raises(AnomalyError, match=r"sqrt.*outside detect_anomaly \(put forward into it too\)"):
        y.backward()


def test_only_the_first_anomaly_counts() -> None:
    bad = ta.tensor([float("nan"), float("inf")])
    with detect_anomaly():
        assert (bad * 2 + 1).isnan().tolist() == [True, False]     # it came in from outside
        masked = leaf(1.0, 2.0).masked_fill(ta.tensor([True, False]), float("-inf"))
        masked.softmax(0).sum().backward() if hasattr(masked, "softmax") else None


def test_gradients_of_gradients_and_functions_are_watched() -> None:
    class Bad(ta.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            return x * 2

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g * float("nan")

    x = leaf(1.0)
    with detect_anomaly(), pytest.raises(AnomalyError, match="Bad: a gradient|mul: a result"):
        Bad.apply(x).backward()
    with detect_anomaly(), pytest.raises(AnomalyError):
        (g,) = ta.autograd.grad(leaf(0.0).pow(1.5).sum() + (z := leaf(0.0)).pow(1.5).sum(), z, create_graph=True)
        g.sum().backward()


def test_it_is_off_outside_and_can_be_switched() -> None:
    with detect_anomaly():
        assert len(watchers) == 1 and ta.autograd.is_anomaly_enabled()
        with detect_anomaly():
            assert len(watchers) == 1
        with set_detect_anomaly(False):
            assert not watchers
        assert len(watchers) == 1
    assert not watchers
    set_detect_anomaly(True)
    try:
        with pytest.raises(AnomalyError):
            leaf(0.0).log()
    finally:
        set_detect_anomaly(False)
    with detect_anomaly(check_nan=False):
        leaf(0.0).log()
    assert not watchers and leaf(0.0).log().isinf().item()


def test_a_whole_training_step_passes() -> None:
    w = leaf(1.0, 2.0)
    with detect_anomaly():
        ((w * w).exp().log() + w[0]).sum().backward()
        with ta.no_grad():
            w.sub_(w.grad * 0.1)
