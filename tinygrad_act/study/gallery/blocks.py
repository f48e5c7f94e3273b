"""A curve in a terminal: Braille dots, two by four to a character."""

from __future__ import annotations

from .curves import Curves

DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))          # by column and row
WIDTH, HEIGHT = 56, 12                                               # in characters


def plot(curves: Curves) -> str:
    """f, with the axes, as lines of text; of several outputs all.

    >>> from tinygrad_act.study.gallery.curves import curves
    >>> len(plot(curves(ta.activations.catalogue["relu"])).splitlines())
    13
    """
    left, right = curves.domain
    lines = [piece for pieces in curves.lines[0] for piece in pieces]
    low, high = min(0.0, *(min(ys) for _, ys in lines)), max(0.0, *(max(ys) for _, ys in lines))
    high += (high - low == 0)
    cells = [[0] * WIDTH for _ in range(HEIGHT)]

    def dot(x: float, y: float) -> None:
        i, j = round((x - left) / (right - left) * (2 * WIDTH - 1)), round((high - y) / (high - low) * (4 * HEIGHT - 1))
        if 0 <= i < 2 * WIDTH and 0 <= j < 4 * HEIGHT:
            cells[j // 4][i // 2] |= DOTS[i % 2][j % 4]

    for i in range(0, 2 * WIDTH, 4):
        dot(left + (right - left) * i / (2 * WIDTH - 1), 0.0)
    for j in range(0, 4 * HEIGHT, 4):
        dot(0.0, high - (high - low) * j / (4 * HEIGHT - 1))
    for xs, ys in lines:
        for (x, y), (x1, y1) in zip(zip(xs, ys, strict=True), zip(xs[1:], ys[1:], strict=True), strict=False):
            for k in range(8):
                dot(x + (x1 - x) * k / 8, y + (y1 - y) * k / 8)
    text = ["".join(chr(0x2800 + cell) if cell else " " for cell in row).rstrip() for row in cells]
    text[0] += f"  {high:.4g}"
    text[-1] += f"  {low:.4g}"
    return "\n".join([*text, f"{left:<{WIDTH // 2}.4g}{right:>{WIDTH // 2}.4g}"])
