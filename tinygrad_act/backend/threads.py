"""Several parts of one computation at once, a thread each, while NumPy's matrix products keep to the thread that asks for them.

A matrix product that OpenBLAS spreads over threads leaves all that is done between products to one of them. Where there
is much of that, it is quicker to give each thread a part of the whole. How many threads that are is what OpenBLAS has been told
(OMP_NUM_THREADS, or threadpoolctl); where NumPy stands on another library it is one.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..errors import ArgumentError

_lock = threading.Lock()
_inside = 0                            # how many computations hold OpenBLAS to one thread
_before = 1                            # how many threads it had before the first of them


@functools.cache
def _openblas() -> tuple[Callable[[], int], Callable[[int], None]] | None:
    """How NumPy's OpenBLAS is asked for its number of threads, and told. None where that is not known."""
    import ctypes  # both cost some milliseconds, which an import of the package need not pay
    from pathlib import Path

    maps = Path("/proc/self/maps")
    if not maps.exists():
        return None
    files = {line.split(maxsplit=5)[5].strip() for line in maps.read_text().splitlines() if "openblas" in line and ".so" in line}
    own = Path(np.__file__).parent
    for file in sorted(files, key=lambda f: not f.startswith(str(own))):        # NumPy's own copy before SciPy's
        try:
            library = ctypes.CDLL(file)
        except OSError:                # replaced on the disk since this process began
            continue
        for before, after in (("scipy_openblas", "64_"), ("scipy_openblas", ""), ("openblas", "64_"), ("openblas", "")):
            ask, tell = (getattr(library, f"{before}_{verb}_num_threads{after}", None) for verb in ("get", "set"))
            if ask is not None and tell is not None:
                ask.restype, ask.argtypes, tell.restype, tell.argtypes = ctypes.c_int, [], None, [ctypes.c_int]
                return ask, tell
    return None


def available() -> int:
    """How many threads a computation may use."""
    blas = _openblas()
    return 1 if blas is None else _before if _inside else blas[0]()


def get_num_threads() -> int:
    """How many threads a computation on the CPU may use.

    >>> before = ta.get_num_threads()
    >>> ta.set_num_threads(1); ta.get_num_threads()
    1
    >>> ta.set_num_threads(before)
    """
    return available()


def set_num_threads(count: int) -> None:
    """Let computations on the CPU use so many threads: NumPy's matrix products, convolutions and kernels of large arrays.

    Where NumPy's products are not OpenBLAS's, everything runs in one thread whatever is asked for.

    Raises: ArgumentError: it is no whole number above 0.
    """
    global _before
    if type(count) is not int or count < 1:
        raise ArgumentError("set_num_threads", repr(count), "it must be a whole number, 1 or more")
    blas = _openblas()
    with _lock:
        _before = count
        if blas is not None and not _inside:
            blas[1](count)


@contextmanager
def _products_in_one_thread() -> Generator[None]:
    global _inside, _before
    ask, tell = _openblas() or (lambda: 1, lambda n: None)
    with _lock:
        if not _inside:
            _before = ask()
            tell(1)
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                tell(_before)


def run(jobs: Sequence[Callable[[], Any]]) -> list[Any]:
    """What the jobs return, in their order, each run in a thread of its own (the first in this one). The first error is raised."""
    results: list[Any] = [None] * len(jobs)
    errors: list[BaseException | None] = [None] * len(jobs)

    def work(i: int) -> None:
        try:
            with np.errstate(all="ignore"):                  # NaN and infinity are results; a thread starts with NumPy's own choice
                results[i] = jobs[i]()
        except BaseException as error:                       # raised below, in the thread that asked
            errors[i] = error

    with _products_in_one_thread():
        others = [threading.Thread(target=work, args=(i,), daemon=True) for i in range(1, len(jobs))]
        for thread in others:
            thread.start()
        work(0)
        for thread in others:
            thread.join()
    for error in errors:
        if error is not None:
            raise error
    return results
