"""Warm-up, then a fall: the schedules of the learning rate that fine-tuning uses."""

from __future__ import annotations

import math
from typing import Any

from ..errors import ArgumentError
from ..optim.lr_scheduler import LambdaLR


def warmup_cosine(optimizer: Any, warmup_steps: int, total_steps: int, min_ratio: float = 0.0) -> LambdaLR:
    """Each group's rate rises linearly from 0 in `warmup_steps`, then falls by half a cosine to `min_ratio` of it at
    `total_steps`, where it stays. To be stepped after each step of the optimizer: `fit(..., scheduler_every="step")`.

    >>> optimizer = ta.optim.SGD([ta.zeros(1, requires_grad=True)], lr=1.0)
    >>> scheduler = ta.tune.warmup_cosine(optimizer, 2, 6)
    >>> rates = []
    >>> for _ in range(7):
    ...     rates.append(round(optimizer.param_groups[0]["lr"], 3)); optimizer.step(); scheduler.step()
    >>> rates
    [0.0, 0.5, 1.0, 0.854, 0.5, 0.146, 0.0]
    """
    return _warmed("warmup_cosine", optimizer, warmup_steps, total_steps, min_ratio, lambda done: 0.5 * (1 + math.cos(math.pi * done)))


def warmup_linear(optimizer: Any, warmup_steps: int, total_steps: int, min_ratio: float = 0.0) -> LambdaLR:
    """As warmup_cosine, with a straight line down.

    >>> optimizer = ta.optim.SGD([ta.zeros(1, requires_grad=True)], lr=1.0)
    >>> scheduler = ta.tune.warmup_linear(optimizer, 1, 5, min_ratio=0.5)
    >>> for _ in range(3):
    ...     optimizer.step(); scheduler.step()
    >>> optimizer.param_groups[0]["lr"]
    0.75
    """
    return _warmed("warmup_linear", optimizer, warmup_steps, total_steps, min_ratio, lambda done: 1 - done)


def _warmed(name: str, optimizer: Any, warmup_steps: int, total_steps: int, min_ratio: float, fall: Any) -> LambdaLR:
    if not 0 <= warmup_steps <= total_steps or total_steps < 1:
        raise ArgumentError(name, f"warmup_steps={warmup_steps}, total_steps={total_steps}", "the warm-up is a part of all steps",
                            "total_steps is len(data) * epochs")
    if not 0 <= min_ratio <= 1:
        raise ArgumentError(name, f"min_ratio={min_ratio}", "it is a share of the rate, from 0 to 1")

    def factor(step: int) -> float:
        if step < warmup_steps:
            return step / warmup_steps
        done = min(1.0, (step - warmup_steps) / max(1, total_steps - warmup_steps))
        return min_ratio + (1 - min_ratio) * max(0.0, float(fall(done)))

    return LambdaLR(optimizer, factor)
