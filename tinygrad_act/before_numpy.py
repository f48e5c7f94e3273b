"""What must be said before NumPy is imported: how long OpenBLAS's threads wait for the next product. Imported first.

They wait busily, by default 2^26 ticks of the clock (some 25 ms) after each product, and meanwhile hold the cores that the threads
of our kernels want. After 2^20 (0.4 ms) they sleep; to wake them takes some microseconds. Whoever has set it, or has imported
NumPy already, keeps what there is.
"""

import os

os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "20")
