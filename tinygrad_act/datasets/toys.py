"""Points in the plane that no straight line divides: what a small network learns in a second, and what can be drawn."""

from __future__ import annotations

import math

from .. import _functions as ops
from .. import dtypes
from ..errors import ArgumentError
from ..ops.random import Generator
from ..tensor import Tensor
from .base import Gathered


class Points(Gathered):
    """Points of the plane: `data` float32 of shape (N, 2), `targets` their classes, from 0.

    >>> Points(ta.zeros(3, 2), ta.zeros(3).long(), classes=("a", "b"))
    Dataset Points
        Number of datapoints: 3
        Split: Train
    """

    def __init__(self, data: Tensor, targets: Tensor, classes: tuple[str, ...], train: bool = True) -> None:
        self.data, self.targets, self.classes, self.train = data, targets, classes, train
        self.transform = self.target_transform = None


def two_moons(train: bool = True, n: int = 200, noise: float = 0.1, seed: int = 0) -> Points:
    """Two half circles, each around the other's end: n points of two classes.

    Args:
        train: points to train on, or others, of the same seed, to test on.
        n: how many points, the classes in turn.
        noise: the deviation of the points from the half circles.
        seed: of the points; the same seed gives the same points.

    Source: as scikit-learn's make_moons.

    >>> moons = two_moons(n=100)
    >>> moons.data.shape, moons.targets.bincount()
    ((100, 2), tensor([50, 50]))
    """
    draw = _generator("two_moons", train, n, noise, seed)
    classes = ops.arange(n, device="cpu") % 2
    angle = ops.rand(n, generator=draw, device="cpu") * math.pi
    side = 1 - 2 * classes
    points = ops.stack([angle.cos() * side + classes, angle.sin() * side + 0.5 * classes], dim=1)
    return _points(points, noise, draw, classes, ("upper", "lower"), train)


def spirals(train: bool = True, n: int = 300, noise: float = 0.05, seed: int = 0, arms: int = 3, turns: float = 0.75) -> Points:
    """Spirals from one centre, each an arm of points of one class: n points.

    Args:
        train: points to train on, or others, of the same seed, to test on.
        n: how many points, the classes in turn.
        noise: the deviation of the points from the arms, which reach to 1.
        seed: of the points; the same seed gives the same points.
        arms: how many classes.
        turns: how often an arm goes round.

    Source: the two-spirals problem of K. Lang, M. Witbrock, 1988, with any number of arms.

    >>> arms = spirals(n=90)
    >>> arms.data.shape, arms.targets.bincount()
    ((90, 2), tensor([30, 30, 30]))
    """
    draw = _generator("spirals", train, n, noise, seed)
    if isinstance(arms, bool) or not isinstance(arms, int) or arms < 1:
        raise ArgumentError("spirals", f"arms={arms!r}", "there is one arm at least")
    classes = ops.arange(n, device="cpu") % arms
    radius = ops.rand(n, generator=draw, device="cpu").sqrt()
    angle = 2 * math.pi * (radius * turns + classes.float() / arms)
    points = ops.stack([radius * angle.cos(), radius * angle.sin()], dim=1)
    return _points(points, noise, draw, classes, tuple(f"arm {i}" for i in range(arms)), train)


def _generator(op: str, train: bool, n: int, noise: float, seed: int) -> Generator:
    """On the CPU, so that a seed gives the same points everywhere."""
    if not isinstance(train, bool):
        raise ArgumentError(op, f"train={train!r}", "it is True or False: points to train on, or to test on", f"write n={train!r}")
    if isinstance(n, bool) or not isinstance(n, int) or n < 0 or not noise >= 0:
        raise ArgumentError(op, f"n={n!r}, noise={noise!r}", "n is a number of points, and noise a deviation: neither is negative")
    return Generator("cpu").manual_seed(2 * seed + (not train))


def _points(points: Tensor, noise: float, draw: Generator, classes: Tensor, names: tuple[str, ...], train: bool) -> Points:
    points = (points + noise * ops.randn(*points.shape, generator=draw, device="cpu")).to(dtypes.float32)
    here = ops.empty(0).device
    return Points(points.to(here), classes.long().to(here), names, train)
