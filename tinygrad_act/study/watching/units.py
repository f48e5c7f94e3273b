"""When a unit counts as saturated, and when as dead. `why`, `watch` and the laboratory all ask here.

A unit is one place of an activation's shape after the batch. On an example it is saturated where |f'| is below 1 % of the
activation's largest slope (its record's `lipschitz`), and it is dead where f' = 0 on every example, so that no gradient passes.
The functions take Tensors and NumPy arrays alike.
"""

from __future__ import annotations

from typing import Any

SATURATED = 0.01                          # the share of the largest slope
STEEPEST = 1e6                            # of an activation whose slope has no bound


def flat_below(record: Any) -> float:
    """The slope below which a unit of this activation is saturated."""
    return SATURATED * min(record.lipschitz or 1.0, STEEPEST)


def saturated(slopes: Any, record: Any) -> Any:
    """Where it is: True for each (example, unit)."""
    return abs(slopes) < flat_below(record)


def alive(slopes: Any) -> Any:
    """One truth for each unit: has it a slope on any example? Without a batch each element is a unit."""
    moves = slopes != 0
    return moves.reshape(slopes.shape[0], -1).any(0) if slopes.ndim > 1 else moves.reshape(-1)
