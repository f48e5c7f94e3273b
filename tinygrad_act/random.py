"""The default generators by PyTorch's names: `ta.random.manual_seed`, `with ta.random.fork_rng():`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from .backend import Device
from .ops.random import (
    default_generator,
    generator_states,
    get_rng_state,
    initial_seed,
    manual_seed,
    seed,
    set_generator_states,
    set_rng_state,
)

__all__ = ["fork_rng", "get_rng_state", "initial_seed", "manual_seed", "seed", "set_rng_state"]


@contextmanager
def fork_rng(devices: Iterable[Any] | None = None, enabled: bool = True, *, device_type: str | None = None) -> Iterator[None]:
    """Inside, random numbers may be drawn, and seeds set: afterwards the default generators go on from where they were.

    They are those of the CPU and of all devices that were used, or with `devices` of the CPU and these (GPUs, by their numbers).
    `enabled=False` does nothing. `device_type` changes nothing: a device says of what kind it is.

    >>> _ = ta.manual_seed(0)
    >>> with ta.random.fork_rng():
    ...     inside = ta.rand(1)
    >>> bool(inside == ta.rand(1))
    True
    """
    if not enabled:
        yield
        return
    default_generator("cpu")
    chosen = None if devices is None else {"cpu", *(str(default_generator(Device(d)).device) for d in devices)}
    states = {device: state for device, state in generator_states().items() if chosen is None or device in chosen}
    try:
        yield
    finally:
        set_generator_states(states)
