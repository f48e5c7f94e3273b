"""What must be said before NumPy is imported: how long OpenBLAS's threads wait for the next product. Imported first.

They wait busily, by default 2^26 ticks of the clock (some 25 ms) after each product, and meanwhile hold the cores that the threads
of our kernels want. After 2^20 (0.4 ms) they sleep; to wake them takes some microseconds. Whoever has set it, or has imported
NumPy already, keeps what there is.
"""

import os
import sys

LATE = "numpy" in sys.modules            # then it has no effect: OpenBLAS has read what there was
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "20")


def state() -> str:
    """How long OpenBLAS's threads wait, as far as is known."""
    if LATE:
        return "as they did: NumPy was imported first"
    return f"busily for 2^{os.environ['OPENBLAS_THREAD_TIMEOUT']} ticks"
