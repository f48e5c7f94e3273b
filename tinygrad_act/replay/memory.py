"""Memory: blocks that the results of a program take turns in."""

from __future__ import annotations

import math
from typing import Any

from ..backend import preallocated
from .log import Value


class Memory:
    """Blocks that are given back when what is in them has been used for the last time, and taken again by what fits."""

    def __init__(self) -> None:
        self.free: list[Any] = []
        self.blocks: dict[Value, Any] = {}
        self.size = 0                        # of all blocks together, in bytes

    def take(self, value: Value, dying: list[Value]) -> Any:
        """An array for a value. One of `dying`, which the same call reads for the last time, gives its place if it is laid out alike."""
        for v in dying:
            if v in self.blocks and (v.shape, v.strides, v.dtype) == (value.shape, value.strides, value.dtype):
                self.blocks[value] = self.blocks.pop(v)
                break
        else:
            self.blocks[value] = self.find(size(value))
        return preallocated.place(self.blocks[value], value.shape, value.dtype, value.strides)

    def find(self, count: int) -> Any:
        """The smallest free block in which that many bytes fill at least the half, or a new one."""
        fitting = [b for b in self.free if count <= b.size <= 2 * count]
        if not fitting:
            self.size += count
            return preallocated.block(count)
        best = min(reversed(fitting), key=lambda b: b.size)
        self.free = [b for b in self.free if b is not best]
        return best

    def give(self, value: Value) -> None:
        """Let others have its block."""
        if value in self.blocks:
            self.free.append(self.blocks.pop(value))


def size(value: Value) -> int:
    """The bytes of an array."""
    bytes_: int = value.dtype.itemsize * math.prod(value.shape)
    return bytes_
