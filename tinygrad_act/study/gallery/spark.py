"""Small pictures for the index: f alone, all of a group to one scale."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...activations import Activation
from .curves import WIDTH, Curves, Piece, curves

SIZE = (120, 80)
POINTS = 40
CUT = 0.16                                       # of a group's curves go further than the others, and are cut off


def small(record: Activation) -> Curves:
    """The curves of a record over the stretch that is the same for all which work number by number."""
    return curves(record, POINTS, None if record.axis else (-WIDTH, WIDTH))


def scale(group: Sequence[Curves]) -> tuple[float, float]:
    """From where to where most curves of a group go."""
    values = [[y for pieces in c.lines[0] for _, ys in pieces for y in ys] for c in group]
    lows, highs = sorted((min(ys) for ys in values), reverse=True), sorted(max(ys) for ys in values)
    at = len(values) - 1 - round(CUT * len(values))
    room = 0.1 * (highs[at] - lows[at] or 1.0)
    return lows[at] - room, highs[at] + room


def spark(curves: Curves, low: float, high: float) -> str:
    """f as a small SVG between the values `low` and `high`."""
    width, height = SIZE
    left, right = curves.domain

    def place(x: float, y: float) -> str:
        y = min(max(y, low - 1), high + 1)
        return f"{(x - left) / (right - left) * width:.1f} {(high - y) / (high - low) * height:.1f}"

    lines = [f'<path class="s{k % 4}" d="{_path(pieces, place)}"/>' for k, pieces in enumerate(curves.lines[0])]
    zero, level = place(0, low).split()[0], place(left, 0).split()[1]
    axes = f'<path class="axis" d="M{zero} 0V{height}M0 {level}H{width}"/>'
    return f'<svg class="spark" viewBox="0 0 {width} {height}" aria-hidden="true">{axes}{"".join(lines)}</svg>'


def _path(pieces: Sequence[Piece], place: Callable[[float, float], str]) -> str:
    return "".join("M" + "L".join(map(place, xs, ys)) for xs, ys in pieces)
