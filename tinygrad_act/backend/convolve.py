"""Convolutions over one or two axes on the CPU in C (kernels/convolve.c): products with the rows of images as they lie.

The functions in numerics/convolve.py stay the definition, and what runs where there is no compiler; the tests run both.
"""

from __future__ import annotations

import ctypes
import functools
import itertools
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from . import pool
from .direct import dense, library
from .layout import place
from .namespace import Namespace

Shape = tuple[int, ...]
SPAN = 1 << 20                           # bytes that a part takes: half of what a core's cache holds
SHORT, LONG = 1 << 8, 1 << 10            # columns of a part, if so many fit: for products of a kernel, and for its gradient
RUNS, SUMS = 8, 1 << 18                  # a kernel's gradient is the sum of so many parts at most, of so many numbers in all
MANY, TAPS = 24, 100                     # results and taps that are enough for vectors of results
WASTE = 2                                # how often as many places as there are results may be computed, of which most see padding
QUICK = 32                               # products that take about as long as a number of what is shared otherwise
PANEL, LANES, SPARE = 8, 16, 1 << 9      # results in a panel and numbers in a vector, as in C, at most; bytes between what is in a room


class Map(NamedTuple):
    """A convolution of one group, as C has it (`shape`), with the places in x, y and w where that of the first group begins."""

    channels: int
    image: Shape
    x_steps: Shape                       # from one image and one channel to the next
    results: int
    size: Shape
    y_steps: Shape                       # from one image, channel, row and number to the next
    kernel: Shape
    w_steps: Shape                       # from one result, channel, row and number to the next
    stride: Shape
    padding: Shape
    dilation: Shape
    by_results: int = 0                  # are C's vectors of results, or of columns?
    x_start: int = 0
    y_start: int = 0
    w_start: int = 0

    def chosen(self) -> Map:
        """The same, told what vectors are to be of: results where there are enough, of enough taps, and rows are short or strided."""
        short = self.stride[1] > 1 or 2 * self.size[1] <= LANES
        return self._replace(by_results=int(self.results >= MANY and self.taps() >= TAPS and short))

    def taps(self) -> int:
        """How many products a number of y is the sum of."""
        return self.channels * math.prod(self.kernel)

    def packed(self, more: int = 0) -> int:
        """How many numbers the kernel has as C lays it out, with results that fill the last vectors, and so many taps more."""
        return -(-self.results // (2 * LANES)) * 2 * LANES * (self.taps() + more)

    def lines(self, rows: int) -> int:
        """How many lines of a channel a part of so many rows needs, or those of what is seen of it: as many for each row of a stride."""
        spanned = max(self.kernel[0] - 1, 0) * self.dilation[0]              # there are kernels without taps: see _turned
        if self.by_results:
            return (rows - 1) * self.stride[0] + spanned + 1
        phases = self.stride[0] if self.dilation[0] > 1 else min(self.stride[0], self.kernel[0])
        return phases * (rows + spanned // self.stride[0])

    def wide(self) -> int:
        """How many numbers such a line has, or what all columns of the kernel see of it."""
        (_, step), (_, apart), wide = self.stride, self.dilation, self.size[1]
        return (wide - 1) * step + max(self.kernel[1] - 1, 0) * apart + 1 if self.by_results else self.kernel[1] * wide

    def line(self, itemsize: int) -> int:
        """Bytes of a channel's lines, for a row of y."""
        return max((self.lines(2) - self.lines(1)) * self.wide() * itemsize, 1)

    def parts(self, images: int, columns: int, itemsize: int) -> list[Shape]:
        """Which images and which rows of y to compute at a time: (first image, number, first row, number). The first is the largest."""
        (high, wide), spanned = self.size, self.kernel[0]
        fits = SPAN // (self.channels * self.line(itemsize) or 1)                         # rows, with those that the kernel spans
        together = max(min(-(-columns // (high * wide)), fits // (high + spanned), images), 1)
        tall = high if fits >= high + spanned else min(max(fits - spanned, -(-SHORT // wide)), high)
        return [(first, min(together, images - first), row, min(tall, high - row))
                for first in range(0, images, together) for row in range(0, high, tall)]

    def chunks(self, images: int, itemsize: int) -> list[Map]:
        """The same for some channels at a time, so that many columns fit in a part."""
        together = min(-(-LONG // math.prod(self.size)), images)
        count = max(SPAN // (2 * self.line(itemsize) * (self.size[0] + self.kernel[0]) * together), 8)
        every = -(-self.channels // -(-self.channels // count))              # all about as large
        return [self._replace(channels=min(every, self.channels - c), x_start=c * self.x_steps[1], w_start=c * self.w_steps[1])
                for c in range(0, self.channels, every)]

    def room(self, part: Shape, itemsize: int, of_kernel: bool = False) -> int:
        """Bytes for what C computes a part with: the lines, and a panel of results; or for a kernel's gradient all of them, and sums."""
        columns, taps = part[1] * part[3] * self.size[1], self.taps()
        numbers = part[1] * self.channels * self.lines(part[3]) * self.wide() + LANES * self.stride[1]
        if self.by_results:
            numbers += of_kernel * (2 * LANES * columns + self.packed(PANEL))
        else:                            # and a channel's own lines
            high, wide = (part[3] + self.kernel[0] * self.dilation[0]) * self.stride[0], self.size[1] * self.stride[1] + self.kernel[1] * self.dilation[1]
            numbers += part[1] * high * wide + (self.results if of_kernel else PANEL) * (columns + LANES)
        return numbers * itemsize + 8 * (taps + PANEL) + 4 * SPARE


class Product(NamedTuple):
    """What C is given of a map, for one group: the addresses of the map's numbers and of its first part's, and where in the arrays
    it begins. `held` is what the addresses are of.
    """

    numbers: int
    parts: int
    total: int                           # of parts
    packed: int                          # bytes of the kernel's panels
    w_start: int
    starts: Shape                        # in x, y and the bias
    held: Any


APART = 4 * ctypes.sizeof(ctypes.c_long) # bytes from one part's numbers to the next's


def _numbers(*values: int) -> tuple[int, Any]:
    """The address of the numbers as C has them, and what is to be kept as long as that is used."""
    held = (ctypes.c_long * len(values))(*values)
    return ctypes.addressof(held), held


def _told(m: Map) -> tuple[int, Any]:
    return _numbers(*itertools.chain.from_iterable(field if isinstance(field, tuple) else (field,) for field in m[:-3]))


@functools.lru_cache(maxsize=1024)
def products(x: Shape, y: Shape, w: Shape, itemsize: int, back: bool, groups: int, **settings: Shape) -> tuple[list[Product], int]:
    """Of a convolution of x with w that makes y (their shapes), or `back` from y to x: the products, and the bytes of room for one."""
    whole = _map(x, y, w, groups, **settings)
    made, room = [], 0
    for m in _turned(whole) if back else [whole]:
        parts = m.parts(x[0], SHORT, itemsize)
        (numbers, held), (places, also) = _told(m), _numbers(*itertools.chain(*parts))
        packed = m.packed() * itemsize + SPARE
        room = max(room, m.room(parts[0], itemsize) if parts else 0)
        for group in range(groups):
            starts = group * m.channels * m.x_steps[1], m.y_start + group * m.results * m.y_steps[1], group * m.results
            made.append(Product(numbers, places, len(parts), packed, m.w_start + group * math.prod(w) // groups, starts, (held, also)))
    return made, room


@functools.lru_cache(maxsize=1024)
def sums(x: Shape, y: Shape, w: Shape, itemsize: int, groups: int, **settings: Shape) -> tuple[list[Shape], int, int, Any]:
    """Of the kernel's gradient: what C is told beside the arrays, call by call, how many such gradients to add up, the bytes of room
    for a call, and what the addresses among the numbers are of.
    """
    whole, size = _map(x, y, w, groups, **settings), math.prod(w)
    chunks = [(m, _told(m)) for m in whole.chunks(x[0], itemsize)]
    parts, count = chunks[0][0].parts(x[0], LONG, itemsize), len(chunks) * groups          # all in the parts of the first
    share = -(-len(parts) // max(min(RUNS // count, SUMS // size), 1 + (count == 1)))
    firsts, (where, held) = range(0, len(parts), share), _numbers(*itertools.chain(*parts))
    calls: list[Shape] = [
        (numbers, where + first * APART, min(share, len(parts) - first), m.x_start + group * whole.channels * m.x_steps[1],
         group * m.results * m.y_steps[1], m.w_start + run * size + group * size // groups)
        for run, first in enumerate(firsts) for m, (numbers, _) in chunks for group in range(groups)]
    return calls, len(firsts), max(m.room(parts[0], itemsize, True) for m, _ in chunks), (held, chunks)


class Convolved(Namespace):
    """The functions that have C beside them."""

    def convolution(self, x: Any, w: Any, bias: Any = None, *, size: Any, groups: int, **settings: Any) -> Any:
        functions = _library(x, w, bias, w.shape, size, groups)
        if functions is None:
            return super().convolution(x, w, bias, size=size, groups=groups, **settings)
        y = np.empty((len(x), len(w), *size), x.dtype)
        _compute(functions, x, w, bias, y, *products(x.shape, y.shape, w.shape, x.itemsize, False, groups, **settings))
        return y

    def convolution_input(self, g: Any, w: Any, bias: Any = None, *, size: Any, groups: int, **settings: Any) -> Any:
        spread = math.prod(size) > WASTE * math.prod(settings["stride"]) * math.prod(g.shape[2:])
        functions = None if spread else _library(g, w, bias, w.shape, size, groups)
        if functions is None:
            return super().convolution_input(g, w, bias, size=size, groups=groups, **settings)
        y = np.empty((len(g), groups * w.shape[1], *size), g.dtype)
        _compute(functions, g, w, bias, y, *products(y.shape, g.shape, w.shape, g.itemsize, True, groups, **settings))
        return y

    def convolution_weight(self, g: Any, x: Any, *, size: Any, groups: int, **settings: Any) -> Any:
        shape = (g.shape[1], x.shape[1] // groups, *size)
        functions = _library(x, g, None, shape, g.shape[2:], groups)
        if functions is None:
            return super().convolution_weight(g, x, size=size, groups=groups, **settings)
        x, g = dense(x), dense(g)
        calls, runs, room, _ = sums(x.shape, g.shape, shape, x.itemsize, groups, **settings)
        y = np.zeros((runs, *shape), x.dtype)
        arrays = place(x), place(g), place(y), None
        pool.calls(functions.kernel, [(*arrays, *told) for told in calls], g.size // g.shape[1] * y[0].size // QUICK, (3, room))
        return y[0] if runs == 1 else y.sum(0)


def _compute(functions: Any, x: Any, w: Any, bias: Any, y: Any, made: list[Product], room: int) -> None:
    """The products of x and w, each put to places of its own in y."""
    x, w, bias = dense(x), dense(w), None if bias is None else dense(bias)
    lists: list[tuple[int | None, ...]] = []
    held, size = [], y.size * w[0].size // QUICK
    images, kernel, added, result = place(x), place(w), place(bias), place(y)
    for p in made:
        held.append(np.empty(p.packed, np.uint8))
        panels, each = place(held[-1]), pool.each(p.total, size)
        functions.pack(kernel, panels, p.numbers, p.w_start)
        lists += [(images, panels, added, result, None, p.numbers, p.parts + first * APART, min(each, p.total - first), *p.starts)
                  for first in range(0, p.total, each)]
    pool.calls(functions.convolve, lists, size, (4, room))


def _library(x: Any, w: Any, bias: Any, kernel: Shape, size: Shape, groups: int) -> Any:
    """The functions in C, for what they are quicker for."""
    line = kernel[1] * kernel[-1] * size[-1] * x.itemsize
    if len(kernel) > 4 or (groups > 1 and kernel[1] < 4) or line > SPAN or not x.size:
        return None
    return library("convolve", "fd", x if x.size > w.size else w, x, w, 1.0 if bias is None else bias)


def _plane(axes: Shape, rest: int) -> Shape:
    return (rest, *axes)[-2:]


def _map(x: Shape, y: Shape, w: Shape, groups: int, *, stride: Shape, padding: Shape, dilation: Shape) -> Map:
    """The convolution of x with w that makes y, by their shapes; one axis is two, the first of size 1."""
    image, size, kernel = (_plane(shape[2:], 1) for shape in (x, y, w))
    taps = math.prod(kernel)
    return Map(x[1] // groups, image, (math.prod(x[1:]), math.prod(image)), y[1] // groups, size,
               (math.prod(y[1:]), math.prod(size), size[1], 1), kernel, (w[1] * taps, taps, kernel[1], 1),
               _plane(stride, 1), _plane(padding, 0), _plane(dilation, 1)).chosen()


def _turned(m: Map) -> list[Map]:
    """The maps of a convolution's result to its images: one for those places a stride apart that see the same part of the kernel."""
    maps = []
    for high, wide in itertools.product(*[list(_phases(*axis)) for axis in zip(m.image, m.kernel, m.stride, m.padding, m.dilation, strict=True)]):
        y_start, size, tap, taps, step, padding, dilation = zip(high, wide, strict=True)
        (image, channel), (_, _, row, one) = m.x_steps, m.w_steps
        maps.append(Map(m.results, m.size, m.y_steps[:2], m.channels, size, (image, channel, m.stride[0] * m.image[1], m.stride[1]), taps,
                        (m.w_steps[1], m.w_steps[0], -step[0] * row, -step[1] * one), (1, 1), padding, dilation, 0,
                        0, y_start[0] * m.image[1] + y_start[1], tap[0] * row + tap[1] * one).chosen())
    return maps


def _phases(image: int, kernel: int, stride: int, padding: int, dilation: int) -> Iterator[Shape]:
    """Of the places that see the same taps: the first and their number, the last tap and their number, from one such tap to the
    one before, and the padding and dilation with which they move over the convolution's result.
    """
    step = stride // math.gcd(stride, dilation)                              # every so many-th tap falls on a multiple of the stride
    apart = step * dilation // stride
    for start in range(min(stride, image)):
        seen = [k for k in range(min(step, kernel)) if (start + padding - k * dilation) % stride == 0]
        first = seen[0] if seen else kernel
        taps = -(-(kernel - first) // step)
        low = (start + padding - first * dilation) // stride                 # the place of the result that the first place sees first
        yield start, -(-(image - start) // stride), first + (taps - 1) * step if taps else 0, taps, step, (taps - 1) * apart - low, apart
