"""What only the cycle collector frees is memory that stays too long."""

from __future__ import annotations

import gc
from collections.abc import Callable


def no_garbage(work: Callable[[], object]) -> None:
    """`work` leaves nothing that only the cycle collector frees."""
    work()
    gc.collect()
    gc.disable()
    try:
        work()
        assert gc.collect() == 0
    finally:
        gc.enable()
