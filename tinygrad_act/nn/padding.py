"""Borders as layers: `nn.functional.pad` with its settings kept, for lines (1d), images (2d) and volumes (3d)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from ..errors import ArgumentError
from ..ops.pad import pad
from ..ops.pool import spatial
from ..tensor import Tensor
from .module import Module

Amounts = int | Sequence[int]                               # for all sides alike, or (before, after) from the last axis on


class _Pad(Module):
    axes: ClassVar[int]                                     # how many are padded: the last ones
    mode: ClassVar[str]
    padding: tuple[int, ...]
    value: float | None = None

    def __init__(self, padding: Amounts) -> None:
        super().__init__()
        self.padding = (padding,) * (2 * self.axes) if isinstance(padding, int) else tuple(padding)
        if len(self.padding) != 2 * self.axes:
            raise ArgumentError(type(self).__name__, f"padding={padding}", f"it is an int, or {2 * self.axes} of them: "
                                "(before, after) of the last axis, then of the one before it")

    def forward(self, input: Tensor) -> Tensor:
        if self.mode != "constant":
            spatial(type(self).__name__, input, self.axes, channels=False)
        return pad(input, self.padding, self.mode, self.value)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _ConstantPad(_Pad):
    mode = "constant"

    def __init__(self, padding: Amounts, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class _ZeroPad(_Pad):
    mode = "constant"
    value = 0.0


class ConstantPad1d(_ConstantPad):
    """Borders of a constant around lines (*, L); padding is an int or (left, right).

    >>> ta.nn.ConstantPad1d(1, 9.0)(ta.tensor([[1.0, 2.0, 3.0]]))
    tensor([[9., 1., 2., 3., 9.]])
    """

    axes = 1


class ConstantPad2d(_ConstantPad):
    """Borders of a constant around images (*, H, W); padding is an int or (left, right, top, bottom).

    >>> ta.nn.ConstantPad2d(1, 9.0)(ta.ones(1, 3, 3)).shape
    (1, 5, 5)
    """

    axes = 2


class ConstantPad3d(_ConstantPad):
    """Borders of a constant around volumes (*, D, H, W); padding is an int or (left, right, top, bottom, front, back).

    >>> ta.nn.ConstantPad3d(1, 9.0)(ta.ones(1, 2, 2, 2)).shape
    (1, 4, 4, 4)
    """

    axes = 3


class ZeroPad1d(_ZeroPad):
    """Borders of 0 around lines (*, L); padding is an int or (left, right).

    >>> ta.nn.ZeroPad1d(1)(ta.tensor([[1.0, 2.0, 3.0]]))
    tensor([[0., 1., 2., 3., 0.]])
    """

    axes = 1


class ZeroPad2d(_ZeroPad):
    """Borders of 0 around images (*, H, W); padding is an int or (left, right, top, bottom).

    >>> ta.nn.ZeroPad2d(1)(ta.ones(1, 3, 3)).shape
    (1, 5, 5)
    """

    axes = 2


class ZeroPad3d(_ZeroPad):
    """Borders of 0 around volumes (*, D, H, W); padding is an int or (left, right, top, bottom, front, back).

    >>> ta.nn.ZeroPad3d(1)(ta.ones(1, 2, 2, 2)).shape
    (1, 4, 4, 4)
    """

    axes = 3


class ReflectionPad1d(_Pad):
    """Borders mirrored at the edge element around lines (*, L); padding is an int or (left, right).

    >>> ta.nn.ReflectionPad1d(1)(ta.tensor([[1.0, 2.0, 3.0]]))
    tensor([[2., 1., 2., 3., 2.]])
    """

    axes = 1
    mode = "reflect"


class ReflectionPad2d(_Pad):
    """Borders mirrored at the edge element around images (*, H, W); padding is an int or (left, right, top, bottom).

    >>> ta.nn.ReflectionPad2d(1)(ta.ones(1, 3, 3)).shape
    (1, 5, 5)
    """

    axes = 2
    mode = "reflect"


class ReflectionPad3d(_Pad):
    """Borders mirrored at the edge element around volumes (*, D, H, W); padding is an int or (left, right, top, bottom, front, back).

    >>> ta.nn.ReflectionPad3d(1)(ta.ones(1, 2, 2, 2)).shape
    (1, 4, 4, 4)
    """

    axes = 3
    mode = "reflect"


class ReplicationPad1d(_Pad):
    """Borders that repeat the edge element around lines (*, L); padding is an int or (left, right).

    >>> ta.nn.ReplicationPad1d(1)(ta.tensor([[1.0, 2.0, 3.0]]))
    tensor([[1., 1., 2., 3., 3.]])
    """

    axes = 1
    mode = "replicate"


class ReplicationPad2d(_Pad):
    """Borders that repeat the edge element around images (*, H, W); padding is an int or (left, right, top, bottom).

    >>> ta.nn.ReplicationPad2d(1)(ta.ones(1, 3, 3)).shape
    (1, 5, 5)
    """

    axes = 2
    mode = "replicate"


class ReplicationPad3d(_Pad):
    """Borders that repeat the edge element around volumes (*, D, H, W); padding is an int or (left, right, top, bottom, front, back).

    >>> ta.nn.ReplicationPad3d(1)(ta.ones(1, 2, 2, 2)).shape
    (1, 4, 4, 4)
    """

    axes = 3
    mode = "replicate"


class CircularPad1d(_Pad):
    """Borders of what is at the other end around lines (*, L); padding is an int or (left, right).

    >>> ta.nn.CircularPad1d(1)(ta.tensor([[1.0, 2.0, 3.0]]))
    tensor([[3., 1., 2., 3., 1.]])
    """

    axes = 1
    mode = "circular"


class CircularPad2d(_Pad):
    """Borders of what is at the other end around images (*, H, W); padding is an int or (left, right, top, bottom).

    >>> ta.nn.CircularPad2d(1)(ta.ones(1, 3, 3)).shape
    (1, 5, 5)
    """

    axes = 2
    mode = "circular"


class CircularPad3d(_Pad):
    """Borders of what is at the other end around volumes (*, D, H, W); padding is an int or (left, right, top, bottom, front, back).

    >>> ta.nn.CircularPad3d(1)(ta.ones(1, 2, 2, 2)).shape
    (1, 4, 4, 4)
    """

    axes = 3
    mode = "circular"
