"""What must be said before NumPy is imported, and how the package is. Imported first.

How long OpenBLAS's threads wait for the next product: they wait busily, by default 2^26 ticks of the clock (some 25 ms) after each product, and meanwhile hold the cores that the threads
of our kernels want. After 2^20 (0.4 ms) they sleep; to wake them takes some microseconds. Whoever has set it, or has imported
NumPy already, keeps what there is.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

LATE = "numpy" in sys.modules            # then it has no effect: OpenBLAS has read what there was
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "20")


def state() -> str:
    """How long OpenBLAS's threads wait, as far as is known."""
    if LATE:
        return "as they did: NumPy was imported first"
    return f"busily for 2^{os.environ['OPENBLAS_THREAD_TIMEOUT']} ticks"


@contextmanager
def uncollected() -> Iterator[None]:
    """Without Python's search for unreachable cycles: nearly all that importing makes is there to stay, and to look for garbage in it,
    time and again, takes 6 ms. Afterwards all of it is old at once, as it would be in the end.
    """
    was, frozen = gc.isenabled(), gc.get_freeze_count()
    gc.disable()
    try:
        yield
    finally:
        if not frozen:                   # else the program looks after this itself
            gc.freeze()
            gc.unfreeze()                # both only join lists: this moves what there is to the oldest generation
        if was:
            gc.enable()
