"""Borders around an array, and the adjoint: borders folded back onto what they were copied from.

`pad` is PyTorch's: (before, after) of the last axis, then of the one before it, ...; a negative number cuts off.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .layout import empty_alike, zeros_alike

Pair = tuple[int, int]
COLUMNS = 8                              # borders up to which columns are copied one by one


class Padding:
    """The part of the vocabulary that adds and removes borders."""

    xp: Any
    sum: Any
    copy: Any

    def pad(self, x: Any, pad: Any, mode: str = "constant", value: float = 0) -> Any:
        """x with borders: of `value`, or copied from x by "reflect", "replicate" or "circular"."""
        pairs = by_axis(pad, x.ndim)
        if mode == "constant":
            return self._surround(x, pairs, value)
        more, less = _signs(pairs)
        if mode == "circular":                       # what is cut off does not come round again
            return self._extend(_cut(x, less), more, mode)
        return _cut(self._extend(x, more, mode), less)

    def unpad(self, g: Any, pad: Any, mode: str = "constant") -> Any:
        """The adjoint of pad: each element of a border is added to the one it was copied from."""
        pairs = by_axis(pad, g.ndim)
        if mode == "constant":
            return self._surround(g, [(-b, -a) for b, a in pairs], 0)
        more, less = _signs(pairs)
        back = [(-b, -a) for b, a in less]
        if mode == "circular":
            return self._surround(self._fold(g, more, mode), back, 0)
        return self._fold(self._surround(g, back, 0), more, mode)

    def _surround(self, x: Any, pairs: list[Pair], value: float) -> Any:
        y = zeros_alike(self.xp, x, tuple([n + b + a for n, (b, a) in zip(x.shape, pairs, strict=True)]))
        if value != 0:
            y[...] = value
        inner = tuple([slice(max(b, 0), m - max(a, 0)) for m, (b, a) in zip(y.shape, pairs, strict=True)])
        y[inner] = _cut(x, _signs(pairs)[1])
        return y

    def _extend(self, x: Any, pairs: list[Pair], mode: str) -> Any:
        y = empty_alike(self.xp, x, tuple([n + b + a for n, (b, a) in zip(x.shape, pairs, strict=True)]))
        y[_inner(x.shape, pairs)] = x
        for border, source in _borders(x.shape, pairs, mode):
            y[border] = y[source]
        return y

    def _fold(self, g: Any, pairs: list[Pair], mode: str) -> Any:
        """Adds in a copy, last border first."""
        shape = tuple([m - b - a for m, (b, a) in zip(g.shape, pairs, strict=True)])
        y = self.copy(g)
        for border, source in reversed(list(_borders(shape, pairs, mode))):
            part = y[border]
            if mode == "replicate":
                axis = next(i for i, (s, t) in enumerate(zip(border, source, strict=True)) if s != t)
                part = self.sum(part, axis, True)
            y[source] += part
        return y[_inner(shape, pairs)]


def by_axis(pad: Any, ndim: int) -> list[Pair]:
    """(before, after) for each axis, the first axis first."""
    pairs = [(pad[i], pad[i + 1]) for i in range(0, len(pad), 2)]
    return [(0, 0)] * (ndim - len(pairs)) + pairs[::-1]


def _signs(pairs: list[Pair]) -> tuple[list[Pair], list[Pair]]:
    """What is added, and what is cut off (as numbers below 0)."""
    return [(max(b, 0), max(a, 0)) for b, a in pairs], [(min(b, 0), min(a, 0)) for b, a in pairs]


def _cut(x: Any, pairs: list[Pair]) -> Any:
    return x[tuple([slice(-b, n + a) for n, (b, a) in zip(x.shape, pairs, strict=True)])]


def _inner(shape: Any, pairs: list[Pair]) -> tuple[slice, ...]:
    return tuple([slice(b, b + n) for n, (b, _) in zip(shape, pairs, strict=True)])


def _borders(shape: Any, pairs: list[Pair], mode: str) -> Iterator[tuple[tuple[slice, ...], tuple[slice, ...]]]:
    """(border, where it comes from) in the padded array, an axis after the other: corners come from earlier borders."""
    inner = _inner(shape, pairs)
    for axis, (n, (before, after)) in enumerate(zip(shape, pairs, strict=True)):
        lead, rest = (slice(None),) * axis, inner[axis + 1:]
        end = before + n
        sides = {"reflect": (slice(2 * before, before, -1), slice(end - 2, end - 2 - after if end - 2 >= after else None, -1)),
                 "replicate": (slice(before, before + 1), slice(end - 1, end)),
                 "circular": (slice(n, n + before), slice(before, before + after))}[mode]
        for border, source in ((slice(0, before), sides[0]), (slice(end, end + after), sides[1])):
            for here, there in _narrow(border, source) if not rest else [(border, source)]:
                if here.stop > here.start:
                    yield (*lead, here, *rest), (*lead, there, *rest)


def _narrow(border: slice, source: slice) -> list[tuple[slice, slice]]:
    """A few columns one by one, which is quicker than rows of a few elements."""
    count = border.stop - border.start
    if count > COLUMNS:
        return [(border, source)]
    step = 0 if source.stop == source.start + 1 else source.step or 1
    return [(slice(border.start + i, border.start + i + 1), slice(source.start + i * step, source.start + i * step + 1))
            for i in range(count)]
