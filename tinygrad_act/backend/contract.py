"""einsum of two operands as a matrix product, which the libraries' own einsum is not."""

from __future__ import annotations

import math
from typing import Any


def splits(equation: str, count: int) -> tuple[list[str], str] | None:
    """The operands' labels and the result's, if `contract` can do it: two operands, no label twice in one."""
    inputs, arrow, out = equation.partition("->")
    labels = inputs.split(",")
    if not arrow or count != 2 or len(labels) != 2 or "." in equation or any(len(set(part)) < len(part) for part in labels):
        return None
    return labels, out


def contract(F: Any, a: Any, b: Any, of_a: str, of_b: str, out: str) -> Any:
    """sum of a * b over the labels that `out` lacks. Each axis has one letter; the sizes of equal letters are equal."""
    dtype = a.dtype
    a, of_a = _sum_alone(F, a, of_a, of_b + out)
    b, of_b = _sum_alone(F, b, of_b, of_a + out)
    summed = [c for c in of_a if c in of_b and c not in out]
    batch = [c for c in out if c in of_a and c in of_b]
    left, right = ([c for c in out if c in mine and c not in other] for mine, other in ((of_a, of_b), (of_b, of_a)))
    if not summed or (batch and not left and not right):
        y = _spread(F, a, of_a, [*out, *summed]) * _spread(F, b, of_b, [*out, *summed])
        y = F.sum(y, tuple(range(len(out), y.ndim))) if summed else y
        return F.cast(y, dtype)
    sizes = dict(zip(of_a, a.shape, strict=True)) | dict(zip(of_b, b.shape, strict=True))
    y = F.matmul(_grouped(F, a, of_a, [batch, left, summed]), _grouped(F, b, of_b, [batch, summed, right]))
    order = [*batch, *left, *right]
    y = F.reshape(y, tuple(sizes[c] for c in order))
    return F.cast(_ordered(F, y, order, list(out)), dtype)


def _sum_alone(F: Any, x: Any, labels: str, elsewhere: str) -> tuple[Any, str]:
    """x summed over the axes that occur nowhere else."""
    alone = tuple(i for i, c in enumerate(labels) if c not in elsewhere)
    return (F.sum(x, alone), "".join(c for c in labels if c in elsewhere)) if alone else (x, labels)


def _ordered(F: Any, x: Any, labels: list[str], order: list[str]) -> Any:
    return x if labels == order else F.permute(x, tuple(labels.index(c) for c in order))


def _grouped(F: Any, x: Any, labels: str, groups: list[list[str]]) -> Any:
    """x as a matrix, or a batch of them: each group of axes is one; no batch axis where there is no batch."""
    sizes = dict(zip(labels, x.shape, strict=True))
    x = _ordered(F, x, list(labels), [c for group in groups for c in group])
    shape = [math.prod(sizes[c] for c in group) for group in groups]
    return F.reshape(x, tuple(shape if groups[0] else shape[1:]))


def _spread(F: Any, x: Any, labels: str, order: list[str]) -> Any:
    """x with its axes in the order of `order`, and size 1 where it has none."""
    sizes = dict(zip(labels, x.shape, strict=True))
    x = _ordered(F, x, list(labels), [c for c in order if c in sizes])
    return F.reshape(x, tuple(sizes.get(c, 1) for c in order))
