"""What a wrong gradient looks like: a sign, a factor, a transposition, a kink; found by trying each explanation."""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ..backend.namespace import broadcast_shape
from ..errors import GradcheckError

Matrix = list[list[float]]               # [input element][output element]


class Tolerance(NamedTuple):
    """As numpy.isclose: |a - b| <= atol + rtol * |b|."""

    atol: float
    rtol: float

    def close(self, a: float, b: float) -> bool:
        return a == b or abs(a - b) <= self.atol + self.rtol * abs(b) or (math.isnan(a) and math.isnan(b))


@dataclass
class Block:
    """The derivatives of one output by one input: by the rules, and by differences (`sides`: from left and right)."""

    input: int
    output: int
    shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    analytic: Matrix
    numerical: Matrix
    sides: Sequence[Matrix] = ()
    values: list[float] = field(default_factory=list)

    def pairs(self) -> Iterator[tuple[int, int, float, float]]:
        """(input element, output element, analytic, numerical)."""
        for j, (row, other) in enumerate(zip(self.analytic, self.numerical, strict=True)):
            for k, (a, n) in enumerate(zip(row, other, strict=True)):
                yield j, k, a, n

    def wrong(self, tolerance: Tolerance) -> list[tuple[int, int, float, float]]:
        return [p for p in self.pairs() if not tolerance.close(p[2], p[3])]

    def agrees(self, tolerance: Tolerance) -> bool:
        return not self.wrong(tolerance)


def equal(a: Matrix, b: Matrix, tolerance: Tolerance) -> bool:
    return len(a) == len(b) and all(tolerance.close(x, y) for p, q in zip(a, b, strict=True) for x, y in zip(p, q, strict=True))


def diagnose(block: Block, blocks: Sequence[Block], tolerance: Tolerance, op: str) -> GradcheckError:
    """The first explanation that fits, with where the difference is largest."""
    for explain in (kinked, missing, flipped, swapped, transposed, unsummed, scaled):
        found = explain(block, blocks, tolerance)
        if found:
            break
    else:
        found = "the gradient is wrong", "compare the backward rule with the derivative on paper"
    return GradcheckError(op, f"input {block.input}, output {block.output}", f"{found[0]}; {where(block, tolerance)}", found[1])


def where(block: Block, tolerance: Tolerance) -> str:
    """The worst place: which input element, which output element, and by how much."""
    wrong = block.wrong(tolerance)
    j, k, a, n = max(wrong, key=lambda p: abs(p[2] - p[3]) if math.isfinite(p[2] - p[3]) else math.inf)
    return (f"it differs in {len(wrong)} of {len(block.analytic) * len(block.analytic[0])} elements, most at index "
            f"{unravel(j, block.shape)} of the input (value {block.values[j]:.6g}) for index {unravel(k, block.output_shape)} of "
            f"the output: the rule gives {a:.6g}, differences give {n:.6g}, it differs by {a - n:.3g}")


def unravel(i: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    index = []
    for n in reversed(shape):
        i, r = divmod(i, n)
        index.append(r)
    return tuple(reversed(index))


Explanation = tuple[str, str] | None


def kinked(block: Block, blocks: Sequence[Block], tolerance: Tolerance) -> Explanation:
    """Every wrong element is where the one-sided differences disagree: the point is at fault, not the rule."""
    left, right = block.sides
    wrong = block.wrong(tolerance)
    if not all(abs(left[j][k] - right[j][k]) > 0.01 * max(1.0, abs(n)) for j, k, _, n in wrong):
        return None
    j, k, a, _ = wrong[0]
    return (f"a kink was hit at index {unravel(j, block.shape)}, value {block.values[j]:.6g}: the derivative is {left[j][k]:.6g} "
            f"from the left and {right[j][k]:.6g} from the right, the rule says {a:.6g}", "check away from the kink")


def missing(block: Block, blocks: Sequence[Block], tolerance: Tolerance) -> Explanation:
    if any(a for row in block.analytic for a in row):
        return None
    return "the gradient is missing (zero everywhere)", "is the rule None, or was the input detached on the way?"


def flipped(block: Block, blocks: Sequence[Block], tolerance: Tolerance) -> Explanation:
    if equal([[-a for a in row] for row in block.analytic], block.numerical, tolerance):
        return "the sign is flipped", "negate the rule's result"
    return None


def swapped(block: Block, blocks: Sequence[Block], tolerance: Tolerance) -> Explanation:
    for other in blocks:
        if (other.output == block.output and other.input != block.input and other.shape == block.shape
                and equal(block.analytic, other.numerical, tolerance)):
            return f"it is the gradient of input {other.input}: the inputs are swapped", "exchange the rules of the two inputs"
    return None


def transposed(block: Block, blocks: Sequence[Block], tolerance: Tolerance) -> Explanation:
    """Two axes of equal size are exchanged, or the elements are those of the transpose in the input's shape."""
    shape = block.shape
    strides = [math.prod(shape[i + 1:]) for i in range(len(shape))]
    for p, q in itertools.combinations(range(len(shape)), 2):
        if shape[p] == 1 or shape[q] == 1:
            continue
        order = list(range(len(shape)))
        order[p], order[q] = q, p
        turned = [shape[i] for i in order]
        rows = []                        # the input element whose gradient stands at each place of the transpose
        for place in itertools.product(*map(range, turned)):
            source = [place[order.index(axis)] for axis in range(len(shape))]
            rows.append(block.numerical[sum(map(operator.mul, source, strides))])
        if equal(block.analytic, rows, tolerance):
            return f"it is transposed: axes {p} and {q} are exchanged", f"transpose({p}, {q}) in the rule"
    return None


def unsummed(block: Block, blocks: Sequence[Block], tolerance: Tolerance) -> Explanation:
    """Each row of the input's Jacobian should have several entries, but the rule kept those of one place of an axis."""
    wrong = block.wrong(tolerance)
    shape, full = block.shape, block.output_shape
    if broadcast_shape(shape, full) != full or shape == full or not all(a == 0 for _, _, a, _ in wrong):
        return None
    lead = len(full) - len(shape)
    axes = [i for i, n in enumerate(full) if n > 1 and (i < lead or shape[i - lead] == 1)]
    missing_places = {tuple(unravel(k, full)[i] for i in axes) for _, k, _, _ in wrong}
    kept = {tuple(unravel(k, full)[i] for i in axes) for _, k, a, _ in block.pairs() if a}
    if missing_places & kept:
        return None
    return f"a sum is missing over the broadcast axis {', '.join(map(str, axes))} of the output", "F.sum_to(g, x_shape) in the rule"


def scaled(block: Block, blocks: Sequence[Block], tolerance: Tolerance) -> Explanation:
    ratios = [a / n for _, _, a, n in block.pairs() if abs(n) > tolerance.atol]
    if not ratios:
        return None
    factor = sorted(ratios)[len(ratios) // 2]
    if not factor or not math.isfinite(factor):
        return None
    if not equal([[a / factor for a in row] for row in block.analytic], block.numerical, tolerance):
        return None
    nice = round(factor, 3) if abs(factor) > 0.01 else factor
    extra = ""
    for n in (block.output_shape, block.shape):
        size = math.prod(n)
        if size > 1 and abs(factor * size - 1) < 1e-3:
            extra = f" (1/{size}: a mean where there should be a sum?)"
        elif size > 1 and abs(factor / size - 1) < 1e-3:
            extra = f" (the number of elements, {size}: a sum where there should be a mean?)"
    return f"it is off by a constant factor of {nice:g}{extra}", f"divide the rule's result by {nice:g}"


def shape_trouble(op: str, i: int, o: int, got: tuple[int, ...], wanted: tuple[int, ...], output: tuple[int, ...]
                  ) -> GradcheckError:
    """A gradient that has not even the shape of its input."""
    trouble, remedy = "the gradient has the wrong shape", "a gradient has the shape of its input"
    if broadcast_shape(got, wanted) == got and len(got) >= len(wanted):
        lead = len(got) - len(wanted)
        axes = [a for a, n in enumerate(got) if a < lead or (wanted[a - lead] == 1 and n != 1)]
        trouble = f"a sum is missing over the broadcast axis {', '.join(map(str, axes))}"
        remedy = "F.sum_to(g, x_shape) in the rule"
    elif sorted(got) == sorted(wanted):
        trouble, remedy = "the gradient is transposed", "permute it back in the rule"
    elif math.prod(got) == math.prod(wanted):
        trouble, remedy = "the gradient was not reshaped", "F.reshape(g, x_shape) in the rule"
    return GradcheckError(op, f"input {i}, output {o}", f"{trouble}: its shape is {got}, the input's {wanted}", remedy)
