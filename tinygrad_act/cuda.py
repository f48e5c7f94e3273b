"""The GPU as PyTorch names it: `ta.cuda.is_available()`, `device_count()`, `synchronize()`. CuPy is imported when asked."""

from __future__ import annotations

from . import backend
from .errors import TinygradActError


def is_available() -> bool:
    """True if CuPy is installed and sees a GPU.

    >>> isinstance(ta.cuda.is_available(), bool)
    True
    """
    try:
        return bool(backend.load("cupy").is_available())
    except TinygradActError:
        return False
