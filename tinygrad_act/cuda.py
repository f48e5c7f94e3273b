"""The GPUs, as PyTorch names them. CuPy is imported when one of these is called."""

from __future__ import annotations

import contextlib
from typing import Any

from . import backend
from .errors import ArgumentError, TinygradActError
from .ops.random import default_generator

__all__ = ["current_device", "device", "device_count", "empty_cache", "get_device_capability", "get_device_name",
           "is_available", "manual_seed", "manual_seed_all", "memory_allocated", "memory_reserved", "set_device",
           "synchronize"]


def is_available() -> bool:
    """True if CuPy is installed and sees a GPU.

    >>> isinstance(ta.cuda.is_available(), bool)
    True
    """
    return device_count() > 0


def device_count() -> int:
    """How many GPUs CuPy sees; 0 without CuPy."""
    try:
        return int(backend.load("cupy").DEVICES)
    except TinygradActError:
        return 0


def current_device() -> int:
    """The number of the GPU that "cuda" means in this thread. Raises as `backend.use("cupy")` if there is none."""
    return int(backend.load("cupy").current())


def set_device(device: Any) -> None:
    """Make "cuda" mean this GPU in this thread: a number or a device."""
    backend.load("cupy").on_device(_index(device)).use()


@contextlib.contextmanager
def device(device: Any) -> Any:
    """Inside, "cuda" means this GPU: `with ta.cuda.device(1):`."""
    with backend.load("cupy").on_device(_index(device)):
        yield


def synchronize(device: Any = None) -> None:
    """Wait until the GPU has done all it was asked; without this a timing measures the asking."""
    backend.load("cupy").on_device(_index(device)).synchronize()


def get_device_name(device: Any = None) -> str:
    """What the maker calls the GPU."""
    return str(backend.load("cupy").properties(_index(device))["name"].decode())


def get_device_capability(device: Any = None) -> tuple[int, int]:
    """Its compute capability, as (major, minor)."""
    facts = backend.load("cupy").properties(_index(device))
    return int(facts["major"]), int(facts["minor"])


def memory_allocated(device: Any = None) -> int:
    """Bytes that tensors hold on the GPU."""
    with backend.load("cupy").on_device(_index(device)):
        return int(backend.load("cupy").pool().used_bytes())


def memory_reserved(device: Any = None) -> int:
    """Bytes that CuPy has taken from the GPU, to give out again without asking."""
    with backend.load("cupy").on_device(_index(device)):
        return int(backend.load("cupy").pool().total_bytes())


def empty_cache() -> None:
    """Give back to the GPU what no tensor holds."""
    backend.load("cupy").pool().free_all_blocks()


def manual_seed(seed: int) -> None:
    """Start the current GPU's default generator from `seed`; where there is no GPU, nothing happens."""
    if is_available():
        default_generator("cuda").manual_seed(seed)


def manual_seed_all(seed: int) -> None:
    """The same for every GPU."""
    for index in range(device_count()):
        default_generator(f"cuda:{index}").manual_seed(seed)


def _index(device: Any) -> int:
    device = backend.Device("cuda" if device is None else device)
    if device.type != "cuda":
        raise ArgumentError("cuda", str(device), "that is no GPU", 'write "cuda", "cuda:1" or its number')
    return current_device() if device.index is None else int(device.index)
