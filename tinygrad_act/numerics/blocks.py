"""Work that reads its input several times, on parts of it that stay in the cache."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .layout import empty_alike


class Blocks:
    """The part of the vocabulary that cuts work up. A namespace's `tile` is how many numbers a part may have."""

    xp: Any
    sent: Any
    tile: int

    def blocks(self, x: Any) -> list[tuple[int, int]]:
        """(start, end) of such parts of x along its first axis."""
        step = max(1, 2 * self.tile * len(x) // max(x.size, 1))
        return [(start, min(start + step, len(x))) for start in range(0, max(len(x), 1), step)]

    def in_blocks(self, f: Callable[[Any], tuple[Any, ...]], x: Any, axes: int) -> tuple[Any, ...]:
        """f(x), for an f that treats each plane (of the last `axes`) alike and gives arrays, or None, with a plane for each."""
        lead = x.shape[:-axes]
        flat = x.reshape(-1, *x.shape[-axes:]) if x.size and x.flags.c_contiguous else x
        parts = self.blocks(flat)
        if len(parts) == 1:
            results = f(flat)
        else:
            results = ()
            for start, end in parts:
                some = f(flat[start:end])
                results = results or tuple([y if y is None else empty_alike(self.xp, y, (len(flat), *y.shape[1:])) for y in some])
                for y, part in zip(results, some, strict=True):
                    if y is not None:
                        y[start:end] = part
        return tuple([y if y is None else y.reshape(*lead, *y.shape[flat.ndim - axes:]) for y in results])
