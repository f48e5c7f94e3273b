"""Freed memory kept for the next large array, where the C library can be told so (glibc).

A large array's memory normally comes fresh from the system and goes back with the array; each time its pages are cleared
and mapped in, which takes longer than most computations on them. Told otherwise, the C library keeps up to KEEP bytes.
"""

from __future__ import annotations

import os
import sys

from .config import config

MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1        # mallopt's names of what is set
LARGEST = 1 << 28                              # an array above this many bytes still comes from the system, and goes back
KEEP = 1 << 29                                 # free memory above this many bytes goes back

_state = "as the system does it"


def keep() -> None:
    """Tell the C library to keep freed memory, unless it was told something already (MALLOC_..., GLIBC_TUNABLES)."""
    global _state
    told = any(name in os.environ for name in ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_")) or "malloc" in os.environ.get("GLIBC_TUNABLES", "")
    if config.memory != "keep" or told or not sys.platform.startswith("linux"):
        return
    import ctypes  # NumPy has imported it
    library = ctypes.CDLL(None)
    if hasattr(library, "gnu_get_libc_version") and library.mallopt(MMAP_THRESHOLD, LARGEST) and library.mallopt(TRIM_THRESHOLD, KEEP):
        _state = f"up to {KEEP >> 20} MiB kept for the next arrays"


def state() -> str:
    """What becomes of freed memory."""
    return _state
