"""Several of NumPy's calls as one: their inner loops, called one after the other by a few lines of C (kernels/loops.c).

A call of NumPy's on a small array is mostly the way to its loop: dtypes, shapes and the array for the result are looked at anew
each time. A replayed step knows all of that beforehand, so it keeps of each call the loop and what the loop is given (Line), and
runs them in a row. They are the very loops that NumPy would run, on the same memory, so the results are the same bits.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import products
from .config import config
from .direct import functions
from .layout import HEAD, ITEMS, Ufunc

MOST = 4                                 # arrays of a line
SHORT = 512                              # bytes of a row that is laid out again and again

# What gives the same bits in whatever order and however many at a time the numbers are taken
EXACT = {np.add, np.subtract, np.multiply, np.divide, np.negative, np.absolute, np.maximum, np.minimum, np.sqrt, np.square, np.reciprocal,
         np.sign, np.floor, np.ceil, np.trunc, np.rint, np.copysign, np.less, np.less_equal, np.greater, np.greater_equal, np.equal,
         np.not_equal, np.logical_and, np.logical_or, np.logical_not, np.bitwise_and, np.bitwise_or, np.invert}


class Line(ctypes.Structure):
    """line_t of loops.c: one call of a loop, `times` over; the places of its arrays in the table, sizes and strides as loops want them.

    `filled`: so many numbers of the first array, each of `width` bytes, are first set to `start`. `bytes`: so many at `tile` are first
    filled with those of the array `tiled`, of which there are `breadth`, over and over. `flushed`: are subnormal numbers zeros?
    """

    _fields_ = (("loop", ctypes.c_void_p), ("data", ctypes.c_void_p), ("count", ctypes.c_long), ("times", ctypes.c_long),
                ("places", ctypes.c_long * MOST), ("step", ctypes.c_long * MOST), ("sizes", ctypes.c_long * 5), ("strides", ctypes.c_long * 9),
                ("filled", ctypes.c_long), ("width", ctypes.c_long), ("start", ctypes.c_ubyte * 8),
                *[(name, ctypes.c_long) for name in ("tiled", "breadth", "bytes")], ("tile", ctypes.c_void_p), ("flushed", ctypes.c_long))


class Row(ctypes.Structure):
    """lines_t: lines, and the table of arrays."""

    _fields_ = (("lines", ctypes.POINTER(Line)), ("count", ctypes.c_long), ("arrays", ctypes.POINTER(ctypes.c_void_p)),
                *[(name, ctypes.c_long) for name in ("fields", "given", "items")])


def available() -> bool:
    """Can calls be run in a row here?"""
    return config.kernels == "auto" and functions("loops") is not None


def line(function: Any, args: Sequence[Any]) -> Line | None:
    """The call `function(*args)`, the last array of which is where the result goes, as a Line; None if it has none.

    The arrays stand for those of the same layout that will be in the table; its `places` say which of them the loop is given.
    """
    arrays = [a for a in args if isinstance(a, np.ndarray)]
    if len(arrays) > MOST or not all(a.flags.aligned and a.size and a.dtype.isnative for a in arrays):
        return None
    out = arrays[-1]
    if any(np.may_share_memory(a, out) and not _same(a, out) for a in arrays[:-1]):
        return None
    if function == np.add.reduce:
        return _sum(args)
    if len(arrays) < len(args):
        return None
    if function is np.dot or function is np.matmul:
        return _product(function, arrays)
    if getattr(function, "__func__", None) is products.Products.product:
        made, own = _product(np.dot, arrays), products.loop()
        if made is not None:
            made.flushed = 1
            if own and out.dtype.char == "f":
                made.loop, made.data = own
        return made
    return _elementwise(function, arrays) if isinstance(function, np.ufunc) and function.signature is None else None


def _same(a: Any, b: Any) -> bool:
    return bool((a.ctypes.data, a.shape, a.strides, a.dtype) == (b.ctypes.data, b.shape, b.strides, b.dtype))


def _loop(function: Any, arrays: Sequence[Any]) -> Line | None:
    """The ufunc's loop for just these dtypes."""
    ufunc = Ufunc.from_address(id(function))
    nums = bytes(a.dtype.num for a in arrays)
    for i in range(ufunc.ntypes):
        if ufunc.types[i * ufunc.nargs:(i + 1) * ufunc.nargs] == nums and ufunc.functions[i]:
            return Line(ufunc.functions[i], ufunc.data[i] if ufunc.data else None, len(arrays), 1, tuple(range(len(arrays))))
    return None


def _elementwise(function: Any, arrays: Sequence[Any]) -> Line | None:
    """One run of the loop, or for arrays that do not lie in a row, one for each row."""
    shape = arrays[-1].shape
    if len(arrays) != function.nargs or function.nout != 1 or np.broadcast_shapes(*[a.shape for a in arrays[:-1]]) != shape:
        return None
    strides = [np.broadcast_to(a, shape).strides for a in arrays]
    axes: list[tuple[int, list[int]]] = []               # (size, each array's stride), those that follow each other put together
    for n, *steps in sorted(zip(shape, *strides, strict=True), key=lambda axis: -axis[-1]):
        if n == 1:
            continue
        if axes and axes[-1][1] == [n * s for s in steps]:
            axes[-1] = axes[-1][0] * n, steps
        else:
            axes.append((n, steps))
    if len(axes) > (2 if function in EXACT else 1):
        return None
    made = _loop(function, arrays)
    if made is not None:
        *rows, (n, steps) = axes or [(1, [0] * len(arrays))]
        if rows and (spread := _spread(arrays, rows[0], n, steps)) is not None:        # a bias: short runs, each with its way to the loop
            size = arrays[spread].itemsize
            made.scratch = np.empty(rows[0][0] * n * size, np.uint8)
            made.tiled, made.breadth, made.bytes, made.tile = spread, n * size, made.scratch.size, made.scratch.ctypes.data
            n, rows = rows[0][0] * n, []
        made.sizes[0], made.strides[:len(steps)] = n, steps
        for count, step in rows:
            made.times, made.step[:len(step)] = count, step
    return made


def _spread(arrays: Sequence[Any], rows: tuple[int, list[int]], n: int, steps: list[int]) -> int | None:
    """Which of the arrays is one short row for all rows, if the others lie in one run."""
    alone = [i for i, (step, inner) in enumerate(zip(rows[1], steps, strict=True)) if step != n * inner]
    if len(alone) != 1 or rows[1][alone[0]] or steps[alone[0]] != arrays[alone[0]].itemsize or steps[alone[0]] * n > SHORT:
        return None
    return alone[0]


def _product(function: Any, arrays: Sequence[Any]) -> Line | None:
    """Of two matrices, or of a vector and a matrix, that BLAS takes as they lie."""
    if len(arrays) != 3 or any(np.may_share_memory(a, arrays[2]) for a in arrays[:2]):
        return None
    a, b, out = arrays
    if a.ndim == 1 and b.ndim == 2:
        a, out = a[None], out[None]
    if not (a.ndim == b.ndim == 2 and out.flags.c_contiguous and a.dtype == b.dtype == out.dtype and a.dtype.char in "fd"):
        return None
    if function is np.dot and a.shape[1] == 1:       # there a number times 0 is 0, also inf, and what underflows may have another sign
        return None
    if (a.shape[0], b.shape[1]) != out.shape or a.shape[1] != b.shape[0] or not all(_dense(x) for x in (a, b)):
        return None
    made = _loop(np.matmul, (a, b, out))
    if made is not None:
        made.sizes[:] = [1, *a.shape, b.shape[1], 0]
        made.strides[:] = [0, 0, 0, *a.strides, *b.strides, *out.strides]
    return made


def _sum(args: Sequence[Any]) -> Line | None:
    """Of all numbers, of rows or of columns: as NumPy adds them up, each to what is there, from its zero on."""
    x, axis, dtype, out, _ = args
    axes = tuple(range(x.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    sizes = [n for n in x.shape if n > 1]
    summed = [n for i, n in enumerate(x.shape) if n > 1 and i in {a % x.ndim for a in axes}]
    if dtype is not None or x.dtype != out.dtype or x.dtype.char not in "fd" or not x.flags.c_contiguous or not out.flags.c_contiguous:
        return None
    if np.may_share_memory(x, out):                      # which is set to zero first
        return None
    made = _loop(np.add, (out, x, out))
    if made is None or len(sizes) > 2 or len(set(axes)) < len(axes):
        return None
    width = x.itemsize
    if summed == sizes:                                  # one run over all numbers; of more, older NumPys make several
        if x.size > np.getbufsize():
            return None
        made.sizes[0], made.strides[:3] = x.size, (0, width, 0)
    elif len(summed) == 1 and sizes[0] != sizes[1]:
        n, m = sizes
        made.times = n
        columns = summed == [n]
        made.sizes[0], made.strides[:3] = m, (width, width, width) if columns else (0, width, 0)
        made.step[:3] = (0, m * width, 0) if columns else (width, m * width, width)
    else:
        return None
    made.places[:3] = 1, 0, 1
    made.filled, made.width = out.size, width
    made.start[:width] = np.add.reduce(np.array([-0.0], x.dtype)).tobytes()        # 0 or -0, as this NumPy begins
    return made


def _dense(x: Any) -> bool:
    return bool(x.flags.c_contiguous or x.flags.f_contiguous)


def in_a_row(lines: Sequence[Line], given: int, arrays: Sequence[Any]) -> Callable[[int | None], None]:
    """What runs the lines, called with the id of a tuple: of the `given` arrays that come first in their table. `arrays` are the others."""
    table = (ctypes.c_void_p * (given + len(arrays)))(*[None] * given, *map(id, arrays))
    row = Row((Line * len(lines))(*lines), len(lines), table, HEAD, given, ITEMS)
    row.kept = [*arrays, *lines]
    return functools.partial(functions("loops").run, ctypes.byref(row))
