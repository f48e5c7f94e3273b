"""Products of matrices in C (kernels/matmul.c): of floats in tiles that threads share, of doubles by the loop that NumPy would run.

Subnormal numbers in them are zeros (subnormal.py). For what the C does not take, and where there is no compiler, NumPy is called
with the block of Python that flushes them, which takes a microsecond; OpenBLAS's other threads are not told.
"""

from __future__ import annotations

import ctypes
import functools
from typing import Any

import numpy as np

from . import pool
from .config import config
from .direct import functions
from .layout import HEAD, Ufunc
from .namespace import Namespace
from .subnormal import flushing

FEW, SHORT, NARROW = 8, 32, 16           # rows, terms of a sum and columns of each of several matrices, with less of which BLAS is quicker,
ALONG, ACROSS = 1 << 15, 1 << 17         # and products, where both matrices lie along the axis that is summed over and where not
LARGE = 1 << 21                          # product of the two sizes: some microseconds of work, some hundred with subnormal numbers


class Kind(ctypes.Structure):
    """kind of matmul.c: a dtype, and NumPy's loop for it."""

    _fields_ = (("dtype", ctypes.c_void_p), ("loop", ctypes.c_void_p), ("data", ctypes.c_void_p))


class Table(ctypes.Structure):
    """table of matmul.c: bytes of an object before its own fields, the kinds, and two functions of the pool's."""

    _fields_ = (("head", ctypes.c_long), ("kinds", Kind * 2), ("threads", ctypes.c_void_p), ("calls", ctypes.c_void_p))


class Products(Namespace):
    """The functions that have C beside them."""

    def matmul(self, a: Any, b: Any) -> Any:
        """Of two small matrices by `dot`, which takes half as long to begin (and as a method less than as a function)."""
        if a.ndim == b.ndim == 2 and a.dtype.char in "fd":
            return a.dot(b) if a.size * b.size <= LARGE or config.kernels != "auto" else self.product(a, b)
        if a.ndim > 2 < b.ndim and a.dtype.char == "f" and config.kernels == "auto":
            return self.product(a, b)
        return Namespace.matmul(self, a, b)                  # no super(): a recording runs this text on a vocabulary of its own

    def product(self, a: Any, b: Any, out: Any = None) -> Any:
        """The product of two matrices, or of those that the leading axes say; subnormal numbers are zeros."""
        if a.ndim > 2 and _left_to_blas(a, b):
            return np.matmul(a, b, out)
        compute = _compute()
        if compute is not None and a.shape[-1] == b.shape[-2]:         # or it is refused, before memory is asked for
            leading = a.shape[:-2] if a.shape[:-2] == b.shape[:-2] else np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
            y = np.empty((*leading, a.shape[-2], b.shape[-1]), a.dtype) if out is None else out
            if compute(id(a), id(b), id(y)):
                return y
        with flushing():
            return np.dot(a, b, out) if a.ndim == b.ndim == 2 else np.matmul(a, b, out)


def _left_to_blas(a: Any, b: Any) -> bool:
    """Is it quicker with each of these matrices?"""
    m, k, n = a.shape[-2], a.shape[-1], b.shape[-1]
    along = a.strides[-1] == b.strides[-2] == a.itemsize
    return bool(k < SHORT or m < FEW or n < NARROW or m * k * n < (ALONG if along else ACROSS))


@functools.cache
def _compute() -> Any:
    """`multiply` of matmul.c, for arrays by their ids. None if it is not to be had."""
    found = functions("matmul")
    if found is None or (shared := pool.functions()) is None:
        return None
    matmul, dtypes = Ufunc.from_address(id(np.matmul)), [np.dtype(char) for char in "fd"]
    of_types = [matmul.types[i * matmul.nargs:(i + 1) * matmul.nargs] for i in range(matmul.ntypes)]
    at = [of_types.index(bytes([dtype.num] * matmul.nargs)) for dtype in dtypes]
    kinds = (Kind * 2)(*[Kind(id(dtype), matmul.functions[i], matmul.data[i] if matmul.data else None) for i, dtype in zip(at, dtypes, strict=True)])
    function = functools.partial(found.multiply, ctypes.addressof(table := Table(HEAD, kinds, *shared)))
    function.held = table, dtypes  # type: ignore[attr-defined]
    function.loop = ctypes.cast(found.loop, ctypes.c_void_p), ctypes.addressof(table)  # type: ignore[attr-defined]
    return function


def loop() -> tuple[Any, Any] | None:
    """`loop` of matmul.c, and what it is given: for two matrices of floats the loop of `product`. None if it is not to be had."""
    compute = _compute()
    return None if compute is None else (compute.loop[0], compute.loop[1])
