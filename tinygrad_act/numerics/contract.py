"""einsum of two operands as a matrix product, which the libraries' own einsum is not."""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

Shape = tuple[int, ...]


class Side(NamedTuple):
    """What becomes of an operand: the axes summed at once, the order of the rest (None: as it is), the new shape."""

    alone: Shape
    order: Shape | None
    shape: Shape

    def __call__(self, F: Any, x: Any) -> Any:
        if self.alone:
            x = F.sum(x, self.alone)
        if self.order is not None:
            x = F.permute(x, self.order)
        return F.reshape(x, self.shape)


class Contraction(NamedTuple):
    """Two sides, multiplied as matrices or (where nothing is left to be a matrix) number by number and summed."""

    a: Side
    b: Side
    matrices: bool
    over: Shape
    shape: Shape
    order: Shape | None

    def __call__(self, F: Any, a: Any, b: Any) -> Any:
        left, right = self.a(F, a), self.b(F, b)
        if self.matrices:
            y = F.reshape(F.matmul(left, right), self.shape)
            y = y if self.order is None else F.permute(y, self.order)
        else:
            y = left * right
            y = F.sum(y, self.over) if self.over else y
        return F.cast(y, a.dtype)                            # sums of ints are wider than they


@functools.lru_cache(maxsize=4096)
def contraction(equation: str, *shapes: Shape) -> Contraction | None:
    """How to compute `equation`, or None: it takes two operands, all axes named, and no letter twice in an operand."""
    inputs, arrow, out = equation.partition("->")
    labels = inputs.split(",")
    if not arrow or len(shapes) != 2 or len(labels) != 2 or "." in equation or any(len(set(part)) < len(part) for part in labels):
        return None
    (mine, others), sizes = labels, [dict(zip(part, s, strict=True)) for part, s in zip(labels, shapes, strict=True)]
    summed = [c for c in mine if c in others and c not in out]
    batch = [c for c in out if c in mine and c in others]
    left, right = [c for c in out if c not in others], [c for c in out if c not in mine]
    if not summed or (batch and not left and not right):
        order = [*out, *summed]
        a, b = (_side(part, n, order, [[c] for c in order]) for part, n in zip(labels, sizes, strict=True))
        return Contraction(a, b, False, tuple(range(len(out), len(order))), (), None)
    a = _side(mine, sizes[0], [*batch, *left, *summed], [batch, left, summed][not batch:])
    b = _side(others, sizes[1], [*batch, *summed, *right], [batch, summed, right][not batch:])
    made = [*batch, *left, *right]
    size = sizes[1] | sizes[0]
    return Contraction(a, b, True, (), tuple(size[c] for c in made), _order(made, list(out)))


def _order(labels: list[str], wanted: list[str]) -> Shape | None:
    return None if labels == wanted else tuple(labels.index(c) for c in wanted)


def _side(labels: str, sizes: dict[str, int], order: list[str], groups: list[list[str]]) -> Side:
    """An operand with its axes in `order` (those it has), each group of them one axis (of size 1 where it has none)."""
    alone = tuple(i for i, c in enumerate(labels) if c not in order)
    return Side(alone, _order([c for c in labels if c in order], [c for c in order if c in sizes]),
                tuple(math.prod(sizes.get(c, 1) for c in group) for group in groups))
