"""Subnormal numbers as zeros, while a block runs, where the processor can be told so.

Below the smallest normal number (1e-38 in float32) a processor computes a hundred times slower. The running means of an
optimizer get there when a unit has died: their gradients are zeros, and each step takes them down by a tenth. Gradients get
there that fade on their way back: the C that sums products, and large products of matrices, take what is left of them as
zeros (direct.py, products.py).
"""

from __future__ import annotations

import os
import sys
from typing import Any

from .kernels import text

# (system, machine) -> of the 32-bit words of C's fenv_t the one with the switch, and the bits: flush results, take inputs as 0
_SWITCHES = {("linux", "x86_64"): (7, 0x8040), ("linux", "aarch64"): (0, 1 << 24)}
_libm: Any = None                        # None: not looked for yet; False: cannot be had
_word = _bits = 0


class flushing:
    """A `with` block, in this thread. On other systems it does nothing, and what is subnormal stays so.

    >>> with flushing():
    ...     tiny = 1e-310 * 0.5
    """

    def __enter__(self) -> None:
        self.before = None
        libm = _find() if _libm is None else _libm
        if libm:
            self.before = _Env()
            libm.fegetenv(self.before)
            env = _Env.from_buffer_copy(self.before)
            env[_word] |= _bits
            libm.fesetenv(env)

    def __exit__(self, *exc: object) -> None:
        if self.before is not None:
            _libm.fesetenv(self.before)


def switch() -> tuple[int, int]:
    """The bits that do it, and in which 32-bit word of C's fenv_t they are; no bits where it cannot be told so."""
    libm = _find() if _libm is None else _libm
    return (_bits, _word) if libm else (0, 0)


def flush() -> str:
    """The functions of kernels/flush.c, which do it in C; they do nothing where it cannot be told so."""
    bits, word = switch()
    return f"enum {{ BITS = {bits}, WORD = {word} }};\n{text('flush.c')}"


def _find() -> Any:
    """C's mathematics, if it is the one whose fenv_t is known, and its switch works."""
    global _libm, _word, _bits, _Env
    _libm = False
    switch = _SWITCHES.get((sys.platform, os.uname().machine if hasattr(os, "uname") else ""))
    if switch is None:
        return False
    import ctypes  # costs some milliseconds, which an import of the package need not pay
    try:
        library = ctypes.PyDLL(None)           # which lets nobody else run meanwhile: that takes longer than these calls
        library.fegetenv, library.fesetenv  # noqa: B018
    except (OSError, AttributeError):
        return False
    _libm, (_word, _bits), _Env = library, switch, ctypes.c_uint32 * 16
    with flushing():
        works = 5e-324 * float("1") == 0
    _libm = library if works else False
    return _libm


_Env: Any = None
