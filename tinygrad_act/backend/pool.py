"""Threads for compiled kernels: a few of C's own (kernels/threads.c), which wait for work. A hand-over takes some microseconds.

The thread that asks begins at once with its share and each of the others with its own, the same in every kernel over as much; who
is done helps with what is left: of an elementwise kernel in pieces of a few thousand numbers, of C by hand call by call (`calls`).
If they are busy with another kernel, or there are none, who asks does all of it. After a fork the child begins with none.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import numpy as np

from . import threads
from .config import config
from .kernels import text
from .layout import place

WORTH = 1 << 15                          # from how many numbers on calls are shared
PARTS = 16                               # into which what is shared is cut
MOST = 16                                # arguments of a call, as in C
share = ctypes.c_void_p()                # where a kernel finds the function; empty until there is one
_library: Any = None


def source() -> str:
    """Its text in C."""
    return text("threads.c")


@functools.cache
def _compiled() -> Any:
    """The library. None if it cannot be had, which is asked once: a compiler that fails takes its time."""
    from . import compiler  # here, as what it needs of Python takes long to import
    try:
        return compiler.library(source())
    except compiler.CompileError:
        return None


def start() -> None:
    """Make the pool, if there is none yet and it can be made."""
    global _library
    if _library is None and (library := _compiled()) is not None:
        library.choose.argtypes = [ctypes.c_int, ctypes.c_void_p]
        library.available.restype = ctypes.c_long
        library.calls.argtypes = [ctypes.c_void_p] * 2 + [ctypes.c_long] * 3 + [ctypes.c_void_p, ctypes.c_long]
        library.calls.restype = None
        _library = library
        choose()
        share.value = ctypes.cast(_library.share, ctypes.c_void_p).value


def choose() -> None:
    """Tell the pool how many threads: as the config says, or else as many as OpenBLAS says each time."""
    if _library is not None:
        blas = threads._openblas()
        question = ctypes.cast(blas[0], ctypes.c_void_p).value if blas else None              # type: ignore[arg-type]
        _library.choose(config.threads or (0 if blas else 1), question)


config.listeners.append(choose)


def functions() -> tuple[int | None, int | None] | None:
    """Where `available` and `calls` of threads.c are, for C. None without a pool."""
    start()
    return _library and tuple(ctypes.cast(f, ctypes.c_void_p).value for f in (_library.available, _library.calls))


def available(size: int) -> int:
    """How many threads share `size` numbers."""
    start()
    return int(_library.available()) if _library is not None and size >= WORTH else 1


def each(count: int, size: int) -> int:
    """How many of `count` things, of `size` numbers in all, a call takes, so that threads find some to share; all of them for one thread."""
    return max(-(-count // PARTS), 1) if available(size) > 1 else max(count, 1)


def calls(function: Any, lists: Sequence[tuple[int | None, ...]], size: int, room: tuple[int, int] = (-1, 0)) -> None:
    """The function of C on each of the lists of arguments, all of one length, in any order: by several threads from `size` numbers on.

    Arguments are whole numbers and addresses, None for 0. `room` says in place of which one a thread gives the function memory
    of its own, and how many bytes: as the place of an array.
    """
    if not lists:
        return
    width, (at, size_of_room) = len(lists[0]), room
    assert width <= MOST
    count = available(size) if len(lists) > 1 else 1
    rooms = [np.empty(size_of_room, np.uint8) for _ in range(count)] if size_of_room else []
    if _library is None or len(lists) == 1:
        for arguments in lists:
            function(*arguments[:at], place(rooms[0]), *arguments[at + 1:]) if rooms else function(*arguments)
        return
    flat = (ctypes.c_long * (width * len(lists)))(*[a or 0 for a in chain.from_iterable(lists)])
    places = (ctypes.c_long * len(rooms))(*[place(a) or 0 for a in rooms])
    _library.calls(ctypes.byref(function), flat, width, len(lists), at, places, count)


def ranges(function: Any, before: Iterable[int | None], count: int, size: int, step: int | None = None, room: tuple[int, int] = (-1, 0)) -> None:
    """`function(*before, from, to)` for ranges which are 0 .. count together, each of at most so many steps, by default those of `each`."""
    if size < WORTH and not room[1]:                     # the usual case of small networks, and one call of several microseconds
        if count:
            function(*before, 0, count)
        return
    before, step = tuple(before), step or each(count, size)
    calls(function, [(*before, low, min(low + step, count)) for low in range(0, count, step)], size, room)
