"""Resampling along axes by weighted sums: images enlarged and reduced.

A Map is a sparse matrix for one axis, as strokes: (outputs, their taps), a tap being (where it lies for each output,
weights). No output is in two strokes. Where outputs and taps are evenly spaced they are slices, so enlarging by 2 takes
a few operations on whole arrays. The adjoint is the same for the transposed matrix.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..dtypes import float32, is_half
from .blocks import Blocks
from .layout import Selection, empty_alike, zeros_alike
from .windows import at

Entry = tuple[int, int, float]                              # output, input, weight
Weights = float | tuple[float, ...]
PHASES = 8                                                  # periods up to which even spacing is looked for


class Stroke(NamedTuple):
    outs: Selection
    taps: tuple[tuple[Selection, Weights], ...]


class Map(NamedTuple):
    """A linear map along an axis, from n elements to `out`, and (`back`) its transpose."""

    n: int
    out: int
    forth: tuple[Stroke, ...]
    back: tuple[Stroke, ...]

    @property
    def transposed(self) -> Map:
        return Map(self.out, self.n, self.back, self.forth)


class Resampling(Blocks):
    """The part of the vocabulary behind interpolation. `maps` are those along the last axes."""

    def resample(self, x: Any, maps: Sequence[Map]) -> Any:
        """Each axis by its map."""
        dtype = x.dtype
        y = x.astype(float32) if is_half(dtype) else x
        order = sorted(enumerate(maps, -len(maps)), key=_first_the_smaller)
        y, = self.in_blocks(lambda part: (self._all_mapped(part, order),), y, len(maps))
        return y.astype(dtype, copy=y is x)

    def unresample(self, g: Any, maps: Sequence[Map]) -> Any:
        """The adjoint of resample."""
        return Resampling.resample(self, g, [m.transposed for m in maps])

    def _all_mapped(self, x: Any, maps: Sequence[tuple[int, Map]]) -> Any:
        for dim, m in maps:
            x = self._mapped(x, dim, m)
        return x

    def _mapped(self, x: Any, dim: int, m: Map) -> Any:
        shape = list(x.shape)
        shape[dim] = m.out
        filled = sum(_length(s.outs) for s in m.forth) == m.out
        y = (empty_alike if filled else zeros_alike)(self.xp, x, tuple(shape))
        for outs, taps in m.forth:
            total = None
            for ins, weights in taps:
                part = x[at(self, x.ndim, dim, ins)]
                if type(weights) is tuple:
                    part = part * self.sent(weights, x.dtype).reshape((-1,) + (1,) * (-1 - dim))
                elif weights != 1:
                    part = part * weights
                elif len(taps) > 1 and total is None:
                    part = self.xp.array(part)
                if total is None:
                    total = part
                else:
                    total += part
            y[at(self, x.ndim, dim, outs)] = total
        return y


def _first_the_smaller(axis: tuple[int, Map]) -> tuple[float, int]:
    """In which order axes are mapped: those that shrink, the first first (whose rows lie in one piece); then the last first."""
    dim, m = axis
    return m.out / max(m.n, 1), dim if m.out < m.n else -dim


def _length(selection: Selection) -> int:
    return len(selection) if isinstance(selection, tuple) else len(range(selection.start, selection.stop, selection.step))


# ------------------------------------------------------------------------------------------------ making maps
def linear_map(n: int, out: int, entries: Iterable[Entry]) -> Map:
    """The map of the entries; those of one output and one input are added up, and zeros left out."""
    summed: dict[tuple[int, int], float] = {}
    for o, i, w in entries:
        summed[o, i] = summed.get((o, i), 0.0) + w
    found = [(o, i, w) for (o, i), w in summed.items() if w]
    return Map(n, out, _strokes(sorted(found), out), _strokes(sorted([(i, o, w) for o, i, w in found]), n))


def _strokes(entries: list[Entry], out: int) -> tuple[Stroke, ...]:
    """Entries, sorted, as few strokes: evenly spaced ones if some period makes them few, else by lists of positions."""
    rows: dict[int, list[tuple[int, float]]] = {}           # the taps of each output
    for o, i, w in entries:
        rows.setdefault(o, []).append((i, w))
    best: list[list[int]] | None = None
    for period in range(1, min(PHASES, out) + 1):
        runs = [run for phase in range(period) for run in _runs([o for o in rows if o % period == phase], rows)]
        if best is None or len(runs) < len(best):
            best = runs
    if best is None or len(best) > 3 * PHASES:
        counts = sorted({len(taps) for taps in rows.values()})
        best = [[o for o in rows if len(rows[o]) == count] for count in counts]
    return tuple([Stroke(_selection(run), tuple([(_selection([rows[o][k][0] for o in run]), _weights([rows[o][k][1] for o in run]))
                                                 for k in range(len(rows[run[0]]))])) for run in best])


def _runs(outputs: list[int], rows: dict[int, list[tuple[int, float]]]) -> Iterable[list[int]]:
    """Cut where the number of taps changes, or where they stop being evenly spaced."""
    run: list[int] = []
    even: list[int] = []                                    # how far it is from output to output, and from tap to tap
    for o in outputs:
        if run:
            here, before = [i for i, _ in rows[o]], [i for i, _ in rows[run[-1]]]
            steps = [o - run[-1], *[a - b for a, b in zip(here, before, strict=False)]]
            if len(here) != len(before) or min(steps) < 1 or (len(run) > 1 and steps != even):
                yield run
                run = []
            even = steps
        run.append(o)
    if run:
        yield run


def _selection(positions: list[int]) -> Selection:
    """A slice if they are evenly spaced."""
    step = positions[1] - positions[0] if len(positions) > 1 else 1
    if step > 0 and positions == list(range(positions[0], positions[-1] + 1, step)):
        return slice(positions[0], positions[-1] + 1, step)
    return tuple(positions)


def _weights(weights: list[float]) -> Weights:
    return weights[0] if max(weights) - min(weights) < 1e-12 else tuple(weights)


# ------------------------------------------------------------------------------------- interpolation, as PyTorch
# `scale` is how many inputs an output stands for: n / out, or 1 / the scale_factor that the user gave.
@functools.lru_cache(maxsize=256)
def interpolation(mode: str, n: int, out: int, scale_factor: float | None, align_corners: bool, antialias: bool) -> Map:
    """The map of an axis for "nearest", "nearest-exact", "linear" or "cubic"."""
    if mode.startswith("nearest"):
        return linear_map(n, out, _nearest(n, out, scale_factor, 0.5 if mode == "nearest-exact" else 0.0))
    if align_corners:
        scale = (n - 1) / (out - 1) if out > 1 else 0.0
    else:
        scale = 1 / scale_factor if scale_factor else n / out
    if antialias:
        return linear_map(n, out, _antialiased(n, out, scale, *FILTERS[mode]))
    sources = [o * scale if align_corners else (o + 0.5) * scale - 0.5 for o in range(out)]
    return linear_map(n, out, (_linear if mode == "linear" else _cubic)(n, sources))


def _nearest(n: int, out: int, scale_factor: float | None, shift: float) -> Iterable[Entry]:
    """In float32, which decides what is nearest where a position falls between two."""
    scale = np.float32(1 / scale_factor) if scale_factor else np.float32(n) / np.float32(out)
    for o in range(out):
        yield o, min(math.floor((np.float32(o) + np.float32(shift)) * scale), n - 1), 1.0


def _linear(n: int, sources: Sequence[float]) -> Iterable[Entry]:
    for o, source in enumerate(sources):
        source = max(source, 0.0)
        i = min(int(source), n - 1)
        share = min(max(source - i, 0.0), 1.0) if i < n - 1 else 0.0
        yield o, i, 1 - share
        if i < n - 1:
            yield o, i + 1, share


def _cubic(n: int, sources: Sequence[float]) -> Iterable[Entry]:
    for o, source in enumerate(sources):
        i = math.floor(source)
        for k in range(i - 1, i + 3):
            yield o, min(max(k, 0), n - 1), keys(source - k, -0.75)


def keys(t: float, a: float) -> float:
    """The cubic convolution kernel (Keys, Cubic convolution interpolation for digital image processing, 1981)."""
    t = abs(t)
    if t <= 1:
        return ((a + 2) * t - (a + 3)) * t * t + 1
    return ((a * t - 5 * a) * t + 8 * a) * t - 4 * a if t < 2 else 0.0


# kernel, how far it reaches
FILTERS: dict[str, tuple[Callable[[float], float], int]] = {
    "linear": (lambda t: max(0.0, 1 - abs(t)), 1), "cubic": (lambda t: keys(t, -0.5), 2)}


def _antialiased(n: int, out: int, scale: float, kernel: Callable[[float], float], reach: int) -> Iterable[Entry]:
    """The kernel widened to what an output stands for, its weights adding up to 1 at the edges too."""
    wide = max(scale, 1.0)
    for o in range(out):
        centre = scale * (o + 0.5)
        low = max(int(centre - reach * wide + 0.5), 0)
        high = min(int(centre + reach * wide + 0.5), n)
        weights = [kernel((i - centre + 0.5) / wide) for i in range(low, high)]
        for i, w in zip(range(low, high), weights, strict=True):
            yield o, i, w / sum(weights)
