"""A line search: how far to go in a direction, so that the function has fallen and its slope too (the strong Wolfe conditions).

After Schmidt's minFunc, step by step as PyTorch has it. Plain Python: `at(t)` measures the function at a step t.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple


class Point(NamedTuple):
    """What was found at a step t along the line: the value, the gradient, and the slope along the line."""

    t: float
    f: float
    g: Any
    slope: float


def strong_wolfe(at: Callable[[float], Point], t: float, start: Point, size: float, c1: float = 1e-4, c2: float = 0.9,
                 tolerance_change: float = 1e-9, max_ls: int = 25) -> tuple[Point, int]:
    """The point to go to, and how often the function was evaluated. `size` is the largest component of the direction."""
    low, high, steps, done = _bracket(at, t, start, c1, c2, max_ls)
    evaluations, stuck = steps + 1, False
    pair = [low, high]
    best = 0 if low.f <= high.f else 1
    while not done and steps < max_ls:
        first, last = sorted(p.t for p in pair)
        if abs(last - first) * size < tolerance_change:
            break
        t = interpolate(pair[0], pair[1])
        margin = 0.1 * (last - first)
        if min(last - t, t - first) < margin:                # too near to an end to be much progress
            if stuck or t >= last or t <= first:
                t = last - margin if abs(t - last) < abs(t - first) else first + margin
                stuck = False
            else:
                stuck = True
        else:
            stuck = False
        new = at(t)
        evaluations, steps = evaluations + 1, steps + 1
        if new.f > start.f + c1 * t * start.slope or new.f >= pair[best].f:
            pair[1 - best] = new
            best = 0 if pair[0].f <= pair[1].f else 1
            continue
        if abs(new.slope) <= -c2 * start.slope:
            done = True
        elif new.slope * (pair[1 - best].t - pair[best].t) >= 0:
            pair[1 - best] = pair[best]
        pair[best] = new
    return pair[best], evaluations


def _bracket(at: Callable[[float], Point], t: float, start: Point, c1: float, c2: float,
             max_ls: int) -> tuple[Point, Point, int, bool]:
    """Two points with a good one between them, how many steps that took, and whether the (first) point is good already."""
    before, now, steps = start, at(t), 0
    while steps < max_ls:
        if now.f > start.f + c1 * now.t * start.slope or (steps > 1 and now.f >= before.f):
            return before, now, steps, False
        if abs(now.slope) <= -c2 * start.slope:
            return now, now, steps, True
        if now.slope >= 0:
            return before, now, steps, False
        t = interpolate(before, now, (now.t + 0.01 * (now.t - before.t), now.t * 10))
        before, now = now, at(t)
        steps += 1
    return start, now, steps, False


def interpolate(a: Point, b: Point, bounds: tuple[float, float] | None = None) -> float:
    """Where the cubic through both points, with their slopes, is least, within the bounds (by default the points)."""
    low, high = bounds or (min(a.t, b.t), max(a.t, b.t))
    d1 = a.slope + b.slope - 3 * _ratio(a.f - b.f, a.t - b.t)
    square = d1 * d1 - a.slope * b.slope
    if not square >= 0:
        return (low + high) / 2
    d2 = math.sqrt(square)
    if a.t <= b.t:
        t = b.t - (b.t - a.t) * _ratio(b.slope + d2 - d1, b.slope - a.slope + 2 * d2)
    else:
        t = a.t - (a.t - b.t) * _ratio(a.slope + d2 - d1, a.slope - b.slope + 2 * d2)
    return min(max(t, low), high)


def _ratio(a: float, b: float) -> float:
    """a / b as processors have it, where Python raises."""
    if b:
        return a / b
    return math.copysign(math.inf, a) * math.copysign(1, b) if a else math.nan
