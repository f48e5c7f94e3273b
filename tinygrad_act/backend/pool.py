"""Threads for compiled kernels: a few of C's own (kernels/threads.c), which wait for work. A hand-over takes some microseconds.

The thread that asks begins at once and the others help with what is left, in pieces of a few thousand numbers. If they are
busy with another kernel, or there are none, it does all of it. After a fork the child begins with none.
"""

from __future__ import annotations

import ctypes
from typing import Any

from . import compiler, threads
from .config import config
from .kernels import text

SOURCE = text("threads.c")
share = ctypes.c_void_p()                # where a kernel finds the function; empty until there is one
_library: Any = None


def start() -> None:
    """Make the pool, if there is none yet and it can be made."""
    global _library
    if _library is None:
        try:
            _library = compiler.library(SOURCE)
        except compiler.CompileError:
            return
        _library.choose.argtypes = [ctypes.c_int, ctypes.c_void_p]
        choose()
        share.value = ctypes.cast(_library.share, ctypes.c_void_p).value


def choose() -> None:
    """Tell the pool how many threads: as the config says, or else as many as OpenBLAS says each time."""
    if _library is not None:
        blas = threads._openblas()
        question = ctypes.cast(blas[0], ctypes.c_void_p).value if blas else None              # type: ignore[arg-type]
        _library.choose(config.threads or (0 if blas else 1), question)
