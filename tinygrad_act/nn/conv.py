"""Convolutions as modules: the functions of `ops/conv.py` with their weights and settings kept."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .. import _functions as ops
from ..errors import ArgumentError, ShapeError
from ..ops.arguments import Ints, whole
from ..ops.conv import conv1d, conv2d, conv3d, conv_transpose1d, conv_transpose2d, conv_transpose3d, each_axis
from ..ops.pad import pad
from ..tensor import Tensor
from . import init
from .module import Module, weight_and_bias
from .parameter import Parameter

PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class _Convolution(Module):
    """What they have in common: the settings, the weight and the bias."""

    dims: int
    transposed = False
    function: Any
    weight: Tensor
    bias: Tensor | None

    def _set_up(self, in_channels: int, out_channels: int, kernel_size: Ints, stride: Ints, padding: Ints | str, dilation: Ints,
                output_padding: Ints, groups: int, bias: bool, padding_mode: str, device: Any, dtype: Any) -> None:
        """Check and keep the arguments, and make the parameters."""
        name, n = type(self).__name__, self.dims
        self.in_channels, self.out_channels, self.groups = (whole(v, name, what) for what, v in (
            ("in_channels", in_channels), ("out_channels", out_channels), ("groups", groups)))
        if self.groups < 1:
            raise ArgumentError(name, f"groups={groups}", "groups must be positive")
        for what, channels in (("in_channels", self.in_channels), ("out_channels", self.out_channels)):
            if channels < 0 or channels % self.groups:
                raise ArgumentError(name, f"{what}={channels}, groups={groups}", f"{what} must be a multiple of groups, and not negative")
        if padding_mode not in PADDING_MODES:
            raise ArgumentError(name, f"padding_mode={padding_mode!r}", f"choose from {PADDING_MODES}")
        self.kernel_size = each_axis(kernel_size, n, name, "kernel_size", 1)
        self.stride, self.dilation = each_axis(stride, n, name, "stride", 1), each_axis(dilation, n, name, "dilation", 1)
        self.output_padding = each_axis(output_padding, n, name, "output_padding", 0)
        self.padding, self.padding_mode = self._padding(padding), padding_mode
        of = (self.in_channels, self.out_channels) if self.transposed else (self.out_channels, self.in_channels)
        self.weight = Parameter(ops.empty((of[0], of[1] // self.groups, *self.kernel_size), device=device, dtype=dtype))
        self.register_parameter("bias", Parameter(ops.empty((self.out_channels,), device=device, dtype=dtype)) if bias else None)
        self.reset_parameters()

    def _padding(self, padding: Any) -> str | tuple[int, ...]:
        if not isinstance(padding, str):
            return each_axis(padding, self.dims, type(self).__name__, "padding", 0)
        if padding not in ("same", "valid"):
            raise ArgumentError(type(self).__name__, f"padding={padding!r}", "padding is a number, one an axis, 'same' or 'valid'")
        if padding == "same" and max(self.stride) > 1:
            raise ArgumentError(type(self).__name__, f"padding='same' with stride={self.stride}", "a result of the input's size needs stride 1")
        return padding

    def reset_parameters(self) -> None:
        """Draw weight and bias anew, uniform in ±1/√(the numbers that go into each output)."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in = math.prod(self.weight.shape[1:])
            bound = 1 / math.sqrt(fan_in) if fan_in else 0.0
            init.uniform_(self.bias, -bound, bound)

    def extra_repr(self) -> str:
        n = self.dims
        shown = [f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"]
        shown += [f"{what}={value}" for what, value, usual in (
            ("padding", self.padding, (0,) * n), ("dilation", self.dilation, (1,) * n), ("output_padding", self.output_padding, (0,) * n),
            ("groups", self.groups, 1), ("bias", self.bias is not None, True)) if value != usual]
        return ", ".join(shown + ([f"padding_mode={self.padding_mode}"] if self.padding_mode != "zeros" else []))


class _Conv(_Convolution):
    def __init__(self, in_channels: int, out_channels: int, kernel_size: Ints, stride: Ints = 1, padding: Ints | str = 0,
                 dilation: Ints = 1, groups: int = 1, bias: bool = True, padding_mode: str = "zeros", device: Any = None,
                 dtype: Any = None) -> None:
        super().__init__()
        self._set_up(in_channels, out_channels, kernel_size, stride, padding, dilation, 0, groups, bias, padding_mode, device, dtype)

    def forward(self, input: Tensor) -> Tensor:
        """The convolution of (N, in_channels, ...) or (in_channels, ...)."""
        padding: Any = self.padding
        if self.padding_mode != "zeros":
            input, padding = pad(input, self._border(), mode=self.padding_mode), 0
        out: Tensor = type(self).function(input, *weight_and_bias(self), self.stride, padding, self.dilation, self.groups)
        return out

    def _border(self) -> list[int]:
        """The padding as `pad` takes it: the last axis first, (before, after)."""
        if self.padding == "same":
            reach = [d * (k - 1) for d, k in zip(self.dilation, self.kernel_size, strict=True)]
            return [side for n in reversed(reach) for side in (n // 2, n - n // 2)]
        amounts: Any = (0,) * self.dims if self.padding == "valid" else self.padding
        return [n for n in reversed(amounts) for _ in range(2)]


class Conv1d(_Conv):
    """A convolution over (N, in_channels, L) with its weight (out_channels, in_channels / groups, k): see `nn.functional.conv1d`.

    `padding_mode` says what borders are made of: zeros, or reflect, replicate, circular as in `nn.functional.pad`.

    >>> ta.nn.Conv1d(3, 8, 5, padding="same")(ta.ones(2, 3, 10)).shape
    (2, 8, 10)
    """

    dims, function = 1, staticmethod(conv1d)


class Conv2d(_Conv):
    """A convolution over (N, in_channels, H, W) with its weight (out_channels, in_channels / groups, kh, kw): see `nn.functional.conv2d`.

    `padding_mode` says what borders are made of: zeros, or reflect, replicate, circular as in `nn.functional.pad`.

    >>> ta.nn.Conv2d(3, 32, 3)(ta.ones(2, 3, 32, 32)).shape
    (2, 32, 30, 30)
    """

    dims, function = 2, staticmethod(conv2d)


class Conv3d(_Conv):
    """A convolution over (N, in_channels, D, H, W) with its weight (out_channels, in_channels / groups, kd, kh, kw).

    >>> ta.nn.Conv3d(1, 2, (1, 2, 3))(ta.ones(1, 1, 4, 4, 4)).shape
    (1, 2, 4, 3, 2)
    """

    dims, function = 3, staticmethod(conv3d)


class _ConvTranspose(_Convolution):
    transposed = True

    def __init__(self, in_channels: int, out_channels: int, kernel_size: Ints, stride: Ints = 1, padding: Ints = 0,
                 output_padding: Ints = 0, groups: int = 1, bias: bool = True, dilation: Ints = 1, padding_mode: str = "zeros",
                 device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        if padding_mode != "zeros" or isinstance(padding, str):
            raise ArgumentError(type(self).__name__, f"padding={padding!r}, padding_mode={padding_mode!r}",
                                "a transposed convolution is padded by numbers of zeros only")
        self._set_up(in_channels, out_channels, kernel_size, stride, padding, dilation, output_padding, groups, bias, padding_mode, device, dtype)

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        """The transposed convolution of (N, in_channels, ...) or (in_channels, ...); `output_size` chooses the result's size."""
        more = self.output_padding if output_size is None else self._more(input, output_size)
        out: Tensor = type(self).function(input, *weight_and_bias(self), self.stride, self.padding, more, self.groups, self.dilation)
        return out

    def _more(self, input: Tensor, output_size: Sequence[int]) -> tuple[int, ...]:
        """The output_padding that makes a result of `output_size` (with or without batch and channels)."""
        n, wanted = self.dims, tuple(output_size)
        name, lead = type(self).__name__, input.ndim - self.dims
        if len(wanted) not in (n, n + lead):
            raise ShapeError(name, f"output_size={wanted}", f"it has {n} sizes, or with batch and channels {n + lead}")
        wanted, padding = wanted[-n:], each_axis(self.padding, n, name, "padding", 0)
        least = [(size - 1) * s - 2 * p + d * (k - 1) + 1 for size, s, p, d, k in zip(
            input.shape[lead:], self.stride, padding, self.dilation, self.kernel_size, strict=True)]
        if any(not low <= size < low + s for size, low, s in zip(wanted, least, self.stride, strict=True)):
            most = [low + s - 1 for low, s in zip(least, self.stride, strict=True)]
            raise ShapeError(name, f"output_size={wanted} for an input of shape {input.shape}", f"it can be from {tuple(least)} to {tuple(most)}")
        return tuple([size - low for size, low in zip(wanted, least, strict=True)])


class ConvTranspose1d(_ConvTranspose):
    """A transposed convolution over (N, in_channels, L) with its weight (in_channels, out_channels / groups, k).

    >>> ta.nn.ConvTranspose1d(3, 8, 4, stride=2, padding=1)(ta.ones(2, 3, 10)).shape
    (2, 8, 20)
    """

    dims, function = 1, staticmethod(conv_transpose1d)


class ConvTranspose2d(_ConvTranspose):
    """A transposed convolution over (N, in_channels, H, W) with its weight (in_channels, out_channels / groups, kh, kw).

    >>> layer = ta.nn.ConvTranspose2d(3, 8, 3, stride=2)
    >>> layer(ta.ones(2, 3, 4, 4)).shape, layer(ta.ones(2, 3, 4, 4), output_size=(10, 10)).shape
    ((2, 8, 9, 9), (2, 8, 10, 10))
    """

    dims, function = 2, staticmethod(conv_transpose2d)


class ConvTranspose3d(_ConvTranspose):
    """A transposed convolution over (N, in_channels, D, H, W) with its weight (in_channels, out_channels / groups, kd, kh, kw).

    >>> ta.nn.ConvTranspose3d(1, 2, 2, stride=2)(ta.ones(1, 1, 2, 2, 2)).shape
    (1, 2, 4, 4, 4)
    """

    dims, function = 3, staticmethod(conv_transpose3d)
