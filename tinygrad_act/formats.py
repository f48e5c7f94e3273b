"""PyTorch's names for how a tensor lies in memory, for the arguments `memory_format=` and `layout=`.

They can be passed where PyTorch takes them, and change nothing: the axes of a result lie as the op that makes it finds best, no op
is faster for another order, and there are no sparse tensors.
"""

from __future__ import annotations

__all__ = ["channels_last", "channels_last_3d", "contiguous_format", "layout", "memory_format", "preserve_format", "strided"]


class _Named:
    """A constant that is known by its name, also after a copy or a pickle."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"tinygrad_act.{self.name}"

    def __reduce__(self) -> str:
        return self.name


class memory_format(_Named):
    """What `channels_last` and its kin are of."""


class layout(_Named):
    """What `strided` is of."""


contiguous_format, preserve_format = memory_format("contiguous_format"), memory_format("preserve_format")
channels_last, channels_last_3d = memory_format("channels_last"), memory_format("channels_last_3d")
strided = layout("strided")
