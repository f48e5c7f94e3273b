"""How the CPU computes large arrays, and the switches for it.

    ta.backend.config.kernels = "tiles"              # from here on
    with ta.backend.config(kernels="off", threads=1):
        ...                                          # in here only

Each switch has an environment variable, read once: TINYGRAD_ACT_KERNELS, TINYGRAD_ACT_THREADS, and so on.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from ..errors import ArgumentError

PREFIX = "TINYGRAD_ACT_"
KERNELS = ("auto", "tiles", "off")
MEMORY = ("keep", "system")


class Config:
    """The switches of the CPU's executor.

    kernels    "auto": rules on large arrays run compiled, where there is a C compiler, else in tiles; "tiles": in tiles, with
               the results of NumPy to the last bit; "off": one NumPy call after another
    threads    how many a kernel uses; None: as many as NumPy's matrix products (OMP_NUM_THREADS, threadpoolctl)
    large      from how many numbers on an array is large
    shared     from how many numbers on a rule of one operation, which NumPy does as quickly alone, is the executor's, too
    tile       how many numbers a tile has
    memory     "keep": freed memory of large arrays stays with the process, to be used again (glibc); "system": it goes
               back each time. Read when the package is imported: set TINYGRAD_ACT_MEMORY
    cache      the folder where compiled kernels are kept, by default tinygrad_act/ in the user's cache directory

    >>> with ta.backend.config(kernels="tiles"):
    ...     ta.backend.config.kernels
    'tiles'
    """

    def __init__(self) -> None:
        self.listeners: list[Callable[[], None]]
        self.kernels: str
        self.threads: int | None
        self.large: int
        self.shared: int
        self.tile: int
        self.memory: str
        self.cache: str
        chosen = {**DEFAULTS, **{k: _parsed(k, os.environ[PREFIX + k.upper()]) for k in DEFAULTS if os.environ.get(PREFIX + k.upper())}}
        self.__dict__.update(chosen, listeners=[])
        for name, value in chosen.items():
            _check(name, value)

    def __setattr__(self, name: str, value: Any) -> None:
        value = _check(name, value)
        if name == "memory" and value != self.memory:
            raise ArgumentError("config", f"memory={value!r}", "what becomes of freed memory is settled when the package is imported",
                                f"set the environment variable {PREFIX}MEMORY={value} before")
        self.__dict__[name] = os.fspath(value) if name == "cache" else value
        for listener in self.listeners:
            listener()

    @contextmanager
    def __call__(self, **changes: Any) -> Generator[Config]:
        """These settings in a `with` block, for all threads."""
        before = {name: _check(name, getattr(self, name, None)) for name in changes}
        try:
            for name, value in changes.items():
                setattr(self, name, value)
            yield self
        finally:
            for name, value in before.items():
                setattr(self, name, value)

    def __repr__(self) -> str:
        return "config(" + ", ".join(f"{name}={getattr(self, name)!r}" for name in DEFAULTS) + ")"


def _folder() -> str:
    """Where the user's programs keep what can be made again."""
    if sys.platform == "darwin":
        return "~/Library/Caches/tinygrad_act"
    return os.path.join(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "tinygrad_act")      # noqa: PTH118


DEFAULTS: dict[str, Any] = {"kernels": "auto", "threads": None, "large": 128, "shared": 1 << 16, "tile": 1 << 15, "memory": "keep", "cache": _folder()}
CHOICES = {"kernels": KERNELS, "memory": MEMORY}


def _parsed(name: str, text: str) -> Any:
    if name in CHOICES or name == "cache":
        return text
    try:
        return int(text)
    except ValueError:
        raise ArgumentError(PREFIX + name.upper(), repr(text), "it must be a whole number") from None


def _check(name: str, value: Any) -> Any:
    """The value, if that setting can have it."""
    if name not in DEFAULTS:
        raise ArgumentError("config", repr(name), "there is no such setting", f"choose from {', '.join(DEFAULTS)}")
    if name in CHOICES and value not in CHOICES[name]:
        raise ArgumentError("config", f"{name}={value!r}", "there is no such choice", f"choose from {CHOICES[name]}")
    if name == "cache" and not isinstance(value, (str, os.PathLike)):
        raise ArgumentError("config", f"{name}={value!r}", "it must be the path of a folder")
    if name in ("threads", "large", "shared", "tile") and not (value is None and name == "threads") and (type(value) is not int or value < 1):
        raise ArgumentError("config", f"{name}={value!r}", "it must be a whole number, 1 or more")
    return value


config = Config()


def rows() -> list[tuple[str, str]]:
    """What the executor is and does here, line by line, for `python -m tinygrad_act doctor`."""
    from .. import before_numpy
    from . import execute, memory
    return [("kernels", config.kernels), *execute.rows(), ("large", f"from {config.large} numbers on, rules of one operation from {config.shared}, tiles of {config.tile}"),
            ("memory", memory.state()), ("OpenBLAS's threads wait", before_numpy.state())]
