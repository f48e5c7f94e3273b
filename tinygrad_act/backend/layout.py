"""How NumPy's objects lie in memory: for C that is given them by their addresses, as to ask NumPy for each array takes a microsecond.

The fields are part of NumPy's C interface, and come after the head of every object of CPython's. Whoever relies on them asks
`known` first.
"""

from __future__ import annotations

import ctypes
import functools
import sys
from typing import Any

import numpy as np

HEAD = object.__basicsize__              # bytes of an object before its own fields; the last of them say where its class is
ITEMS = tuple.__basicsize__              # of a tuple before what is in it; the last of them say how much that is
IN_ONE_PIECE = 0x101                     # of an array's flags: C-contiguous, and aligned


class Array(ctypes.Structure):
    """PyArrayObject, as far as it is looked at."""

    _fields_ = (("head", ctypes.c_char * HEAD), ("data", ctypes.c_void_p), ("ndim", ctypes.c_int), ("shape", ctypes.POINTER(ctypes.c_long)),
                ("strides", ctypes.c_void_p), ("base", ctypes.c_void_p), ("dtype", ctypes.c_void_p), ("flags", ctypes.c_int))


class Dtype(ctypes.Structure):
    """PyArray_Descr likewise."""

    _fields_ = (("head", ctypes.c_char * HEAD), ("scalar", ctypes.c_void_p),
                *[(name, ctypes.c_char) for name in ("kind", "letter", "order", "flags")], ("number", ctypes.c_int))


class Ufunc(ctypes.Structure):
    """PyUFuncObject likewise."""

    _fields_ = (("head", ctypes.c_char * HEAD), ("nin", ctypes.c_int), ("nout", ctypes.c_int), ("nargs", ctypes.c_int), ("identity", ctypes.c_int),
                ("functions", ctypes.POINTER(ctypes.c_void_p)), ("data", ctypes.POINTER(ctypes.c_void_p)), ("ntypes", ctypes.c_int),
                ("reserved", ctypes.c_int), ("name", ctypes.c_char_p), ("types", ctypes.POINTER(ctypes.c_char)))


@functools.cache
def known() -> bool:
    """Do they lie here as is written above, and are C's long and its addresses 64 bits, as the C beside NumPy takes for granted?"""
    if sys.implementation.name != "cpython" or {ctypes.sizeof(ctypes.c_long), ctypes.sizeof(ctypes.c_void_p)} != {8}:
        return False
    a = np.empty((3, 5))
    array, dtype, add = Array.from_address(id(a)), Dtype.from_address(id(a.dtype)), Ufunc.from_address(id(np.add))
    kind = ctypes.c_void_p.from_address(id(a) + HEAD - 8).value
    pair = (a, a.dtype)
    count, *items = (ctypes.c_long * 3).from_address(id(pair) + ITEMS - 8)
    return (count, items) == (2, [id(a), id(a.dtype)]) and ((kind, array.data, array.ndim, array.dtype, array.flags) == (id(np.ndarray), a.ctypes.data, a.ndim, id(a.dtype), a.flags.num)
            and tuple(array.shape[:2]) == a.shape
            and (dtype.kind, dtype.letter, dtype.order, dtype.number) == (b"f", b"d", b"=", a.dtype.num)
            and (add.nin, add.nout, add.nargs, add.ntypes, add.name) == (2, 1, 3, np.add.ntypes, b"add"))


def place(array: Any) -> int | None:
    """Where the address of the array's numbers is; None for no array. Somebody must hold the array until the call of C is over."""
    return None if array is None else id(array) + HEAD


def in_one_piece(array: Any) -> bool:
    """Do its numbers lie in rows without gaps, each where the processor wants it? (A view of bytes may start anywhere.)"""
    return array.flags.num & IN_ONE_PIECE == IN_ONE_PIECE  # type: ignore[no-any-return]
