"""Products of matrices, with subnormal numbers as zeros (subnormal.py) where there is enough of them to matter.

For each a few lines of C (kernels/matmul.c) call the loop that NumPy would run, so the rest is NumPy's bits; for what they do not
take, and where there is no compiler, the block of Python does it, which takes a microsecond. OpenBLAS's other threads are not told.
"""

from __future__ import annotations

import ctypes
import functools
from typing import Any

import numpy as np

from .config import config
from .direct import functions
from .layout import HEAD, Ufunc
from .namespace import Namespace
from .subnormal import flushing

LARGE = 1 << 21                          # product of the two sizes: some microseconds of work, some hundred with subnormal numbers


class Kind(ctypes.Structure):
    """kind_t of matmul.c: a dtype, and NumPy's loop for it."""

    _fields_ = (("dtype", ctypes.c_void_p), ("loop", ctypes.c_void_p), ("data", ctypes.c_void_p))


class Products(Namespace):
    """The functions that have C beside them."""

    def matmul(self, a: Any, b: Any) -> Any:
        """Of two matrices by `dot`, which takes half as long to begin."""
        if a.ndim == b.ndim == 2 and a.dtype.char in "fd":
            return np.dot(a, b) if a.size * b.size <= LARGE or config.kernels != "auto" else self.product(a, b)
        return Namespace.matmul(self, a, b)                  # no super(): a recording runs this text on a vocabulary of its own

    def product(self, a: Any, b: Any, out: Any = None) -> Any:
        """The product of two matrices; subnormal numbers are zeros."""
        compute = _compute()
        if compute is not None and a.shape[1] == b.shape[0]:         # or it is refused, before memory is asked for
            y = np.empty((a.shape[0], b.shape[1]), a.dtype) if out is None else out
            if compute(id(a), id(b), id(y)):
                return y
        with flushing():
            return np.dot(a, b, out)


@functools.cache
def _compute() -> Any:
    """`product` of matmul.c, for arrays by their ids. None if it is not to be had."""
    found = functions("matmul")
    if found is None:
        return None
    matmul, dtypes = Ufunc.from_address(id(np.matmul)), [np.dtype(char) for char in "fd"]
    of_types = [matmul.types[i * matmul.nargs:(i + 1) * matmul.nargs] for i in range(matmul.ntypes)]
    at = [of_types.index(bytes([dtype.num] * matmul.nargs)) for dtype in dtypes]
    kinds = (Kind * len(at))(*[Kind(id(dtype), matmul.functions[i], matmul.data[i] if matmul.data else None) for i, dtype in zip(at, dtypes, strict=True)])
    table = (ctypes.c_long * 3)(HEAD, len(at), ctypes.addressof(kinds))
    function = functools.partial(found.product, ctypes.addressof(table))
    function.held = kinds, table, dtypes  # type: ignore[attr-defined]
    return function
