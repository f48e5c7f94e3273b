"""Calls of C with little in between: for functions of the vocabulary that small arrays go through as well (see beside.py).

What C is given of an array is where NumPy keeps its address, which is behind the head that every object of Python's has: to
ask NumPy for the address itself would take a microsecond an array.
"""

from __future__ import annotations

import ctypes
import functools
import re
from typing import Any

import numpy as np

from .config import config
from .kernels import text

REAL = {"f": "float", "d": "double"}
HEAD = object.__basicsize__              # bytes of an array before its own fields
SMALL = 5                                # by so many powers of 2 smaller than what is large to the executor


def place(array: Any) -> int | None:
    """Where the address of the array's memory is; None for no array. Somebody must hold the array until the call is over."""
    return None if array is None else id(array) + HEAD


@functools.cache
def _library(file: str, char: str, vector: tuple[str, ...]) -> Any:
    array = np.ones(1)
    if ctypes.c_void_p.from_address(id(array) + HEAD).value != array.ctypes.data:          # a NumPy that is laid out otherwise
        return None
    from . import compiler  # here, as what it needs of Python takes long to import
    source = text(f"{file}.c")
    if not compiler.vector_functions().issuperset(vector):
        return None
    try:
        functions = compiler.library(f"#define REAL {REAL[char]}\n{source}", [f"{name}f" for name in vector])
    except compiler.CompileError:
        return None
    for name, parameters in re.findall(r"^void (\w+)\(([^)]*)\)", source, re.MULTILINE):
        function = getattr(functions, name)
        function.restype, function.argtypes = None, [ctypes.c_void_p if "*" in p else ctypes.c_double if "double" in p else ctypes.c_long
                                                     for p in parameters.split(",")]
    return functions


def library(file: str, chars: str, x: Any, *others: Any, vector: tuple[str, ...] = ()) -> Any:
    """The file's functions for arrays of one dtype (of `chars`) and about the size of x; a float among the others stands for an
    array that is not there. None if they are to be computed without. `vector` says what C must be able to compute on vectors.
    """
    char = x.dtype.char
    if char not in chars or x.size <= config.large >> SMALL or config.kernels != "auto":
        return None
    for a in others:
        if type(a) is not float and a.dtype.char != char:
            return None
    return _library(file, char, vector)


def dense(x: Any) -> Any:
    """The array in one piece; None for a float."""
    return None if type(x) is float else x if x.flags.c_contiguous else np.ascontiguousarray(x)
