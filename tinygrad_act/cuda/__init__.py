"""The GPUs, as PyTorch names them. CuPy is imported when one of these is called."""

from __future__ import annotations

import contextlib
import types
from typing import Any

from .. import backend
from ..errors import ArgumentError, TinygradActError
from ..later import later
from ..ops.random import default_generator

__all__ = ["Event", "Stream", "amp", "current_device", "current_stream", "device", "device_count", "empty_cache", "get_device_capability",
           "get_device_name", "get_device_properties", "is_available", "manual_seed", "manual_seed_all", "max_memory_allocated",
           "mem_get_info", "memory_allocated", "memory_reserved", "reset_peak_memory_stats", "set_device", "stream", "synchronize"]


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


def get_device_properties(device: Any = None) -> Any:
    """What the driver says of it: `name`, `major`, `minor`, `total_memory`, `multi_processor_count`, and the rest under CUDA's names."""
    facts = backend.load("cupy").properties(_index(device))
    return types.SimpleNamespace(**{**facts, "name": facts["name"].decode(), "total_memory": facts["totalGlobalMem"],
                                    "multi_processor_count": facts["multiProcessorCount"]})


def memory_allocated(device: Any = None) -> int:
    """Bytes that tensors hold on the GPU."""
    with backend.load("cupy").on_device(_index(device)):
        return int(backend.load("cupy").pool().used_bytes())


def memory_reserved(device: Any = None) -> int:
    """Bytes that CuPy has taken from the GPU, to give out again without asking."""
    with backend.load("cupy").on_device(_index(device)):
        return int(backend.load("cupy").pool().total_bytes())


def max_memory_allocated(device: Any = None) -> int:
    """The most that memory_allocated was since reset_peak_memory_stats, in this thread. Counting begins with the first call of either."""
    return int(backend.load("cupy").peak().most(_index(device)))


def reset_peak_memory_stats(device: Any = None) -> None:
    """Begin to count anew what max_memory_allocated says."""
    backend.load("cupy").peak().reset(_index(device))


def mem_get_info(device: Any = None) -> tuple[int, int]:
    """The bytes of the GPU that are free, and all it has."""
    with backend.load("cupy").on_device(_index(device)):
        free, total = backend.load("cupy").memory_info()
    return int(free), int(total)


def empty_cache() -> None:
    """Give back to the GPU what no tensor holds; where there is no GPU, nothing happens."""
    if is_available():
        backend.load("cupy").pool().free_all_blocks()


def manual_seed(seed: int) -> None:
    """Start the current GPU's default generator from `seed`; where there is no GPU, nothing happens."""
    if is_available():
        default_generator("cuda").manual_seed(seed)


def manual_seed_all(seed: int) -> None:
    """The same for every GPU."""
    for index in range(device_count()):
        default_generator(f"cuda:{index}").manual_seed(seed)


# ------------------------------------------------------------------------------------------------------- streams
class Stream:
    """A queue of work on the GPU, beside the one that all is put into: `with ta.cuda.stream(ta.cuda.Stream()):`.

    Memory that was given back goes to the stream it was used on, so a tensor made on one stream and read on another must be
    kept until that has read it; wait_stream says who goes first.
    """

    def __init__(self, device: Any = None, priority: int = 0, *, of: Any = None) -> None:
        cupy = backend.load("cupy")
        with cupy.on_device(_index(device)):
            self.cuda = of or cupy.new_stream(priority)

    def synchronize(self) -> None:
        """Wait until all that is in it is done."""
        self.cuda.synchronize()

    def query(self) -> bool:
        """Is it?"""
        return bool(self.cuda.done)

    def record_event(self, event: Event | None = None) -> Event:
        """Put an event into it."""
        event = event or Event()
        event.record(self)
        return event

    def wait_event(self, event: Event) -> None:
        """What is put into it from here on waits for the event."""
        self.cuda.wait_event(event.cuda)

    def wait_stream(self, stream: Stream) -> None:
        """What is put into it from here on waits for all that is in the other one."""
        self.wait_event(stream.record_event())


class Event:
    """A mark in a stream: whether it has been reached, and when, with enable_timing."""

    def __init__(self, enable_timing: bool = False, blocking: bool = False) -> None:
        self.cuda = backend.load("cupy").new_event(blocking, enable_timing)

    def record(self, stream: Stream | None = None) -> None:
        """Put it into a stream, the current one unless given."""
        self.cuda.record((stream or current_stream()).cuda)

    def wait(self, stream: Stream | None = None) -> None:
        """Let a stream wait for it."""
        (stream or current_stream()).wait_event(self)

    def query(self) -> bool:
        """Has it been reached?"""
        return bool(self.cuda.done)

    def synchronize(self) -> None:
        """Wait for it."""
        self.cuda.synchronize()

    def elapsed_time(self, end_event: Event) -> float:
        """Milliseconds from this event to another."""
        return float(backend.load("cupy").milliseconds(self.cuda, end_event.cuda))


def current_stream(device: Any = None) -> Stream:
    """The stream that work goes into."""
    return Stream(device, of=backend.load("cupy").current_stream())


@contextlib.contextmanager
def stream(stream: Stream | None) -> Any:
    """Inside, work goes into that stream."""
    with contextlib.nullcontext() if stream is None else stream.cuda:
        yield


def _index(device: Any) -> int:
    device = backend.Device("cuda" if device is None else device)
    if device.type != "cuda":
        raise ArgumentError("cuda", str(device), "that is no GPU", 'write "cuda", "cuda:1" or its number')
    return current_device() if device.index is None else int(device.index)


# Imported when first named: autocast stands on a higher floor.
__getattr__ = later(__name__, {"amp": "amp"})
del later


def __dir__() -> list[str]:
    return sorted({*globals(), "amp"})
