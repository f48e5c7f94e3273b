"""How windows lie along an axis: which elements each output looks at.

A tap is the k-th element of every window at once: (outputs that have one, where it lies for each), as slices where the
windows are evenly spaced. So a whole pass over the windows is a few operations on whole arrays.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

from .layout import Selection

Tap = tuple[Selection, Selection]


class Windows(NamedTuple):
    """`out` windows along an axis of n: evenly spaced, or (stride 0) the `out` nearly equal parts of adaptive pooling."""

    n: int
    out: int
    kernel: int
    stride: int
    padding: int = 0
    dilation: int = 1

    def start(self, o: int) -> int:
        """Where window o begins; below 0 in the padding."""
        return o * self.stride - self.padding if self.stride else o * self.n // self.out

    def end(self, o: int) -> int:
        """One past the last element that window o can have."""
        return self.start(o) + self.dilation * (self.kernel - 1) + 1 if self.stride else -(-(o + 1) * self.n // self.out)

    @property
    def even(self) -> bool:
        return self.stride > 0

    @property
    def apart(self) -> bool:
        """No element is in two windows."""
        return self.even and self.stride >= self.dilation * (self.kernel - 1) + 1

    @property
    def tiles(self) -> bool:
        """Every element is in exactly one window."""
        return self.n == self.out * self.kernel and self.stride == self.kernel and not self.padding and self.dilation == 1


def adaptive(n: int, out: int) -> Windows:
    """The windows of adaptive pooling: from floor(o n / out) to ceil((o + 1) n / out)."""
    if out and n % out == 0:
        return Windows(n, out, n // out, n // out)
    parts = Windows(n, out, 0, 0)
    return parts._replace(kernel=max([parts.end(o) - parts.start(o) for o in range(out)], default=1))


@functools.lru_cache(maxsize=1024)
def taps(w: Windows) -> tuple[Tap, ...]:
    """For k = 0, 1, ...: the outputs whose window has a k-th element, and where those lie."""
    if not w.even:
        starts, sizes = zip(*[(w.start(o), w.end(o) - w.start(o)) for o in range(w.out)], strict=True) if w.out else ((), ())
        return tuple([(tuple([o for o in range(w.out) if k < sizes[o]]),
                       tuple([starts[o] + k for o in range(w.out) if k < sizes[o]])) for k in range(w.kernel)])
    found = []
    for k in range(w.kernel):
        offset = k * w.dilation - w.padding
        first = max(0, -(offset // w.stride))                           # the first window in which it lies at 0 or later
        last = min(w.out, (w.n - 1 - offset) // w.stride + 1)
        last = max(first, last)
        begin = first * w.stride + offset
        found.append((slice(first, last), slice(begin, begin + (last - first) * w.stride, w.stride)))
    return tuple(found)


@functools.lru_cache(maxsize=1024)
def first_taps(w: Windows) -> tuple[int, ...]:
    """For each window its first tap that is not in the padding."""
    return tuple([max(0, -(w.start(o) // w.dilation)) for o in range(w.out)])


def elements(windows: Sequence[Windows]) -> list[list[tuple[int, int]]]:
    """For each window of a plane its elements, without the padding: (number in the window, place in the plane), row by row."""
    found = [[(0, 0)]]
    for w in windows:
        own = [[(k, p) for k in range(w.kernel) if 0 <= (p := w.start(o) + k * w.dilation) < min(w.end(o), w.n)] for o in range(w.out)]
        found = [[(i * w.kernel + k, j * w.n + p) for i, j in before for k, p in after] for before in found for after in own]
    return found


@functools.lru_cache(maxsize=1024)
def counts(w: Windows, include_pad: bool) -> tuple[int, ...]:
    """How many elements each window is averaged over; with `include_pad`, those in the padding too."""
    ends = [min(w.end(o), w.n + (w.padding if include_pad else 0)) for o in range(w.out)]
    return tuple([end - (w.start(o) if include_pad else max(w.start(o), 0)) for o, end in enumerate(ends)])


def output_size(n: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool) -> int:
    """How many windows fit; with ceil_mode also the last one that begins inside, or in the padding before."""
    room = n + 2 * padding - dilation * (kernel - 1) - 1
    out = (room + (stride - 1 if ceil_mode else 0)) // stride + 1
    return out - 1 if ceil_mode and (out - 1) * stride >= n + padding else out


def rows(windows: Sequence[Windows]) -> bool:
    """Does each window lie in one piece in memory: whole rows, and whole planes of them?"""
    return all(w.tiles for w in windows) and all(w.out == 1 for w in windows[1:])


def at(F: Any, ndim: int, dim: int, where: Any) -> tuple[Any, ...]:
    """The index that selects `where` along `dim` and everything along the others; a tuple of ints picks those."""
    index: list[Any] = [slice(None)] * ndim
    index[dim] = where if type(where) is not tuple else F.sent(where, "int64") if where else slice(0)
    return tuple(index)
