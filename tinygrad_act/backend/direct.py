"""C written by hand (kernels/*.c) as functions: compiled once for each dtype, and for arrays that it can take.

What C is given of an array is where NumPy keeps its address (layout.place), so that a call costs little and small arrays may go
this way, too.
"""

from __future__ import annotations

import ctypes
import functools
import re
from typing import Any

import numpy as np

from . import layout, subnormal
from .config import config
from .kernels import text
from .layout import in_one_piece

REAL = {"f": "float", "d": "double"}
SUMS_OF_PRODUCTS = {"attention", "convolve", "depthwise", "recurrent"}       # files whose functions take subnormal numbers as zeros
EXPORTED = re.compile(r"^(void|long) (\w+)\(([^)]*)\) *\{", re.MULTILINE)


@functools.cache
def functions(file: str, char: str = "", vector: tuple[str, ...] = ()) -> Any:
    """The functions of kernels/<file>.c, where REAL is the type of that character. None if they cannot be had: without a compiler,
    where one of the `vector` functions would be called number by number, or where NumPy's objects lie otherwise than is known.
    """
    from . import compiler  # here, as what it needs of Python takes long to import
    if not layout.known() or not compiler.vector_functions().issuperset(vector):
        return None
    source = re.sub(r'#include "(\w+\.c)"', lambda found: text(found[1]), text(f"{file}.c"))
    if char:
        source = f"#define REAL {REAL[char]}\n{source}"
    if file in SUMS_OF_PRODUCTS:
        source = _flushing(source)
    elif "flush()" in source:
        source = f"{subnormal.flush()}\n{source}"
    try:
        library = compiler.library(source, [f"{name}f" for name in vector])
    except compiler.CompileError:
        return None
    for result, name, parameters in EXPORTED.findall(source):
        function = getattr(library, name)
        function.restype = ctypes.c_long if result == "long" else None
        function.argtypes = [ctypes.c_void_p if "*" in p else ctypes.c_double if "double" in p else ctypes.c_long for p in parameters.split(",")]
    return library


def _flushing(source: str) -> str:
    """The same functions, each of which takes subnormal numbers as zeros, in whatever thread it runs, and leaves the thread as it was."""
    outer = []
    for result, name, parameters in EXPORTED.findall(source):
        if result == "void":
            given = ", ".join(re.findall(r"(\w+)\s*(?:,|$)", parameters))
            outer.append(f"void {name}({parameters}) {{ before_t before = flush(); {name}_flushed({given}); back(before); }}")
    inner = re.sub(r"^void (\w+)(?=\([^)]*\) *\{)", r"static __attribute__((noinline)) void \1_flushed", source, flags=re.MULTILINE)
    return "\n".join((subnormal.flush(), inner, *outer))


def library(file: str, chars: str, x: Any, *others: Any, vector: tuple[str, ...] = ()) -> Any:
    """The file's functions for arrays of one dtype (of `chars`) and about the size of x; a float among the others stands for an
    array that is not there. None if they are to be computed without.
    """
    dtype = x.dtype
    if dtype.char not in chars or not dtype.isnative or x.size < config.large or config.kernels != "auto":
        return None
    for a in others:
        if type(a) is not float and a.dtype != dtype:
            return None
    return functions(file, dtype.char, vector)


def dense(x: Any) -> Any:
    """The array in one piece; None for a float."""
    return None if type(x) is float else x if in_one_piece(x) else np.array(x, order="C")
