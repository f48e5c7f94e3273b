"""What is drawn of an activation: f, f' and f'' over a stretch that shows what it does, in pieces between its seams.

What works across an axis is drawn along a line: the row is (t, 1, ...), and the outputs are functions of t.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from ... import _functions as ops
from ...activations import Activation, gated
from ...autograd import grad
from ...dtypes import float64
from ...tensor import Tensor

POINTS = 240                                    # in each piece of a curve
WIDTH = 5.0                                     # what is drawn, left and right of 0, where nothing else is said
BESIDE = 1e-9                                   # how near to a seam "beside it" is
# Where the default stretch shows too little, or too much.
DOMAINS = {"exponential": (-4.0, 2.0), "laplace": (-1.0, 2.5), "hard_shrink": (-2.0, 2.0), "soft_shrink": (-2.0, 2.0), "shrink": (-2.0, 2.0),
           "snake": (-8.0, 8.0), "gaussian": (-3.0, 3.0), "squared_relu": (-3.0, 3.0), "star_relu": (-3.0, 3.0), "xielu": (-4.0, 3.0),
           "srelu": (-4.0, 4.0), "sparse_plus": (-3.0, 3.0), "sparse_sigmoid": (-3.0, 3.0), "squash": (-5.0, 5.0), "sparsemax": (-1.5, 3.5),
           "entmax15": (-3.0, 5.0), "hardmax": (-3.0, 5.0), "apl": (-4.0, 4.0)}


@dataclass(frozen=True)
class Row:
    """The line t * direction + offset in the space of rows, as `text`; what the outputs along it are called."""

    direction: tuple[float, ...]
    offset: tuple[float, ...]
    text: str
    outputs: tuple[str, ...]


SHARES = Row((1, 0, 0), (0, 1, 0.5), "(t, 1, ½)", ("y₁", "y₂", "y₃"))
GATE = Row((0, 1), (1, 0), "(a, b) with a = 1, b = t", ("a·f(b)",))
ROWS = {
    "crelu": Row((1,), (0,), "(t)", ("y₁", "y₂")),
    "maxout": Row((1, -1, 1, 0), (0, 0, 0, 0), "(t, −t, t, 0)", ("y₁", "y₂")),
    "squash": Row((1, 0), (0, 1), "(t, 1)", ("y₁", "y₂")),
    "meta_acon": Row((1, 0, 0, 0), (0, 1, 0, -1), "(t, 1, 0, −1)", ("y₁", "y₂", "y₃", "y₄")),
}


@dataclass(frozen=True)
class Kink:
    """A seam: where, the value there, the derivative taken, and whether the value or the derivative jumps."""

    at: float
    value: float
    slope: float
    values: tuple[float, float]                  # beside it, left and right
    slopes: tuple[float, float]

    @property
    def jumps(self) -> tuple[bool, bool]:
        """Does f, does f' jump?"""
        return _apart(*self.values), _apart(*self.slopes)


Piece = tuple[list[float], list[float]]


@dataclass
class Curves:
    """`lines[order][output]` is a list of pieces, each (xs, ys)."""

    domain: tuple[float, float]
    along: str
    outputs: tuple[str, ...]
    lines: list[list[list[Piece]]]
    kinks: list[Kink] = field(default_factory=list)
    sheet: tuple[list[float], list[list[float]]] | None = None         # of a gated one: y over b (columns) and a (rows)


def curves(record: Activation, points: int = POINTS, stretch: tuple[float, float] | None = None) -> Curves:
    """What there is to draw of the record, over a stretch that suits it unless one is given."""
    low, high = stretch or domain(record)
    row = row_of(record)
    if row is not None:
        ts = _grid(low, high, 2 * points)
        lines = [[broken(ts, ys) for ys in order] for order in derivatives(record, ts, row)]
        return Curves((low, high), f"t, for the row {row.text}", row.outputs, lines, sheet=_sheet(record, low, high))
    seams = kinks(record)
    ends = [low, *sorted({k.at for k in seams if low < k.at < high}), high]
    lines = [[[]], [[]], [[]]]
    for left, right in itertools.pairwise(ends):
        if right - left < 1e-3 * (high - low):
            continue
        xs = _grid(left + BESIDE * (left > low), right - BESIDE * (right < high), points)
        for line, (ys,) in zip(lines, derivatives(record, xs), strict=True):
            line[0].append((xs, ys))
    return Curves((low, high), "x", ("",), lines, seams)


def domain(record: Activation) -> tuple[float, float]:
    """From where to where it is drawn: its kinks with room around them, at least."""
    if record.name in DOMAINS:
        return DOMAINS[record.name]
    seams = [k for k in ([] if record.axis else record.kinks()) if math.isfinite(k)]
    return min([-WIDTH, *[k - 3 for k in seams]]), max([WIDTH, *[k + 3 for k in seams]])


def row_of(record: Activation) -> Row | None:
    """The rows along which one that works across an axis is drawn."""
    if not record.axis:
        return None
    return GATE if record.forward.__module__ == gated.__name__ else ROWS.get(record.name, SHARES)


def derivatives(record: Activation, ts: Sequence[float], row: Row | None = None) -> list[list[list[float]]]:
    """[f, f', f''] at these numbers, each a list for every output, by the rules and by the rules differentiated."""
    t = ops.tensor(list(ts), dtype=float64, device="cpu", requires_grad=True)
    found: list[list[list[float]]] = [[], [], []]
    for y in _outputs(record, t, row):
        for order in range(3):
            found[order].append(y.detach().tolist())
            if order < 2:
                got = grad(y.sum(), t, create_graph=True, allow_unused=True)[0] if y.requires_grad else None
                y = ops.zeros_like(t) if got is None else got
    return found


def initial(record: Activation) -> list[Tensor]:
    """The inputs after the first, at their initial values."""
    return [ops.tensor(v, dtype=float64, device="cpu") for v in record.initial.values()]


def _outputs(record: Activation, t: Tensor, row: Row | None) -> list[Tensor]:
    if row is None:
        return [record.op(t, *initial(record))]
    direction, offset = (ops.tensor([v], dtype=float64, device="cpu") for v in (row.direction, row.offset))
    y = record.op(t.unsqueeze(1) * direction + offset, *initial(record))
    return [y[:, j] for j in range(y.shape[1])]


def kinks(record: Activation) -> list[Kink]:
    """The kinks of the record at the default settings, with what is beside them."""
    found = []
    for at, slope in sorted(record.kinks().items()):
        if math.isfinite(at):
            step = BESIDE * max(1.0, abs(at))
            values, slopes, _ = ([*order[0]] for order in derivatives(record, [at - step, at, at + step]))
            found.append(Kink(float(at), values[1], float(slope), (values[0], values[2]), (slopes[0], slopes[2])))
    return found


def broken(xs: list[float], ys: list[float]) -> list[Piece]:
    """The curve in pieces, parted where it jumps: by much more than beside it."""
    steps = [abs(b - a) for a, b in itertools.pairwise(ys)]
    span = max(ys) - min(ys)
    pieces, start = [], 0
    for i in range(1, len(steps) - 1):
        if steps[i] > 0.02 * span and steps[i] > 6 * max(steps[i - 1], steps[i + 1]):
            pieces.append((xs[start:i + 1], ys[start:i + 1]))
            start = i + 1
    return [*pieces, (xs[start:], ys[start:])]


def _sheet(record: Activation, low: float, high: float) -> tuple[list[float], list[list[float]]] | None:
    if row_of(record) is not GATE:
        return None
    grid = _grid(low, high, 40)
    return grid, [record.op(ops.tensor([[a, b] for b in grid], dtype=float64, device="cpu")).reshape(-1).tolist() for a in grid]


def _grid(low: float, high: float, n: int) -> list[float]:
    return [low + (high - low) * i / n for i in range(n)] + [high]


def _apart(left: float, right: float) -> bool:
    return abs(left - right) > 1e-6 * max(1.0, abs(left), abs(right))
