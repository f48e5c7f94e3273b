"""Pooling as layers: the functions of `nn.functional` with their settings kept."""

from __future__ import annotations

from typing import Any

from ..ops.arguments import Ints
from ..tensor import Tensor
from . import functional as F
from .module import Module

Sizes = int | None | tuple[int | None, ...]


# --------------------------------------------------------------------------------------------------- maximum
class _MaxPool(Module):
    def __init__(self, kernel_size: Ints, stride: Ints | None = None, padding: Ints = 0, dilation: Ints = 1,
                 return_indices: bool = False, ceil_mode: bool = False) -> None:
        super().__init__()
        self.kernel_size, self.stride = kernel_size, kernel_size if stride is None else stride
        self.padding, self.dilation = padding, dilation
        self.return_indices, self.ceil_mode = return_indices, ceil_mode

    def _settings(self) -> tuple[Any, ...]:
        """What the function takes after the input."""
        return self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode, self.return_indices

    def extra_repr(self) -> str:
        return (f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, dilation={self.dilation}, "
                f"ceil_mode={self.ceil_mode}")


class MaxPool1d(_MaxPool):
    """The maximum of each window of lines: see `nn.functional.max_pool1d`.

    >>> ta.nn.MaxPool1d(2)(ta.tensor([[1.0, 3.0, 2.0, 4.0]]))
    tensor([[3., 4.]])
    """

    def forward(self, input: Tensor) -> Any:
        return F.max_pool1d(input, *self._settings())


class MaxPool2d(_MaxPool):
    """The maximum of each window of images: see `nn.functional.max_pool2d`.

    >>> ta.nn.MaxPool2d(2)(ta.arange(16.0).reshape(1, 4, 4))
    tensor([[[ 5.,  7.],
             [13., 15.]]])
    """

    def forward(self, input: Tensor) -> Any:
        return F.max_pool2d(input, *self._settings())


class MaxPool3d(_MaxPool):
    """The maximum of each window of volumes: see `nn.functional.max_pool3d`.

    >>> ta.nn.MaxPool3d(2)(ta.arange(8.0).reshape(1, 2, 2, 2))
    tensor([[[[7.]]]])
    """

    def forward(self, input: Tensor) -> Any:
        return F.max_pool3d(input, *self._settings())


class _MaxUnpool(Module):
    axes: int
    kernel_size: Any
    stride: Any
    padding: Any

    def __init__(self, kernel_size: Ints, stride: Ints | None = None, padding: Ints = 0) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.padding = (
            tuple(v) if isinstance(v, (tuple, list)) else (v,) * self.axes
            for v in (kernel_size, kernel_size if stride is None else stride, padding))

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(_MaxUnpool):
    """What MaxPool1d took, back in its place: see `nn.functional.max_unpool1d`.

    >>> ta.nn.MaxUnpool1d(2)(ta.tensor([[3.0, 4.0]]), ta.tensor([[1, 3]]))
    tensor([[0., 3., 0., 4.]])
    """

    axes = 1

    def forward(self, input: Tensor, indices: Tensor, output_size: Any = None) -> Tensor:
        return F.max_unpool1d(input, indices, self.kernel_size, self.stride, self.padding, output_size)


class MaxUnpool2d(_MaxUnpool):
    """What MaxPool2d took, back in its place: see `nn.functional.max_unpool2d`.

    >>> ta.nn.MaxUnpool2d(2)(ta.tensor([[[3.0]]]), ta.tensor([[[2]]]))
    tensor([[[0., 0.],
             [3., 0.]]])
    """

    axes = 2

    def forward(self, input: Tensor, indices: Tensor, output_size: Any = None) -> Tensor:
        return F.max_unpool2d(input, indices, self.kernel_size, self.stride, self.padding, output_size)


class MaxUnpool3d(_MaxUnpool):
    """What MaxPool3d took, back in its place: see `nn.functional.max_unpool3d`.

    >>> ta.nn.MaxUnpool3d((1, 1, 2))(ta.tensor([[[[3.0]]]]), ta.tensor([[[[1]]]]))
    tensor([[[[0., 3.]]]])
    """

    axes = 3

    def forward(self, input: Tensor, indices: Tensor, output_size: Any = None) -> Tensor:
        return F.max_unpool3d(input, indices, self.kernel_size, self.stride, self.padding, output_size)


# --------------------------------------------------------------------------------------------------- average
class AvgPool1d(Module):
    """The average of each window of lines: see `nn.functional.avg_pool1d`.

    >>> ta.nn.AvgPool1d(2)(ta.tensor([[1.0, 3.0, 2.0, 4.0]]))
    tensor([[2., 3.]])
    """

    def __init__(self, kernel_size: Ints, stride: Ints | None = None, padding: Ints = 0, ceil_mode: bool = False,
                 count_include_pad: bool = True) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.padding = (
            tuple(v) if isinstance(v, (tuple, list)) else (v,) for v in (kernel_size, kernel_size if stride is None else stride, padding))
        self.ceil_mode, self.count_include_pad = ceil_mode, count_include_pad

    def forward(self, input: Tensor) -> Tensor:
        return F.avg_pool1d(input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class _AvgPool(Module):
    def __init__(self, kernel_size: Ints, stride: Ints | None = None, padding: Ints = 0, ceil_mode: bool = False,
                 count_include_pad: bool = True, divisor_override: int | None = None) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.padding = kernel_size, kernel_size if stride is None else stride, padding
        self.ceil_mode, self.count_include_pad, self.divisor_override = ceil_mode, count_include_pad, divisor_override

    def _settings(self) -> tuple[Any, ...]:
        """What the function takes after the input."""
        return self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad, self.divisor_override

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool2d(_AvgPool):
    """The average of each window of images: see `nn.functional.avg_pool2d`.

    >>> ta.nn.AvgPool2d(2)(ta.arange(16.0).reshape(1, 4, 4))
    tensor([[[ 2.5000,  4.5000],
             [10.5000, 12.5000]]])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.avg_pool2d(input, *self._settings())


class AvgPool3d(_AvgPool):
    """The average of each window of volumes: see `nn.functional.avg_pool3d`.

    >>> ta.nn.AvgPool3d(2)(ta.arange(8.0).reshape(1, 2, 2, 2))
    tensor([[[[3.5000]]]])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.avg_pool3d(input, *self._settings())


# --------------------------------------------------------------------------------------------------- p-norm
class _LPPool(Module):
    def __init__(self, norm_type: float, kernel_size: Ints, stride: Ints | None = None, ceil_mode: bool = False) -> None:
        super().__init__()
        self.norm_type, self.kernel_size, self.stride, self.ceil_mode = norm_type, kernel_size, stride, ceil_mode

    def _settings(self) -> tuple[Any, ...]:
        """What the function takes after the input."""
        return float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode

    def extra_repr(self) -> str:
        return f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}, ceil_mode={self.ceil_mode}"


class LPPool1d(_LPPool):
    """The p-norm of each window of lines: see `nn.functional.lp_pool1d`.

    >>> ta.nn.LPPool1d(2, 2)(ta.tensor([[3.0, 4.0]]))
    tensor([[5.]])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.lp_pool1d(input, *self._settings())


class LPPool2d(_LPPool):
    """The p-norm of each window of images: see `nn.functional.lp_pool2d`.

    >>> ta.nn.LPPool2d(2, 2)(ta.ones(1, 2, 2))
    tensor([[[2.]]])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.lp_pool2d(input, *self._settings())


class LPPool3d(_LPPool):
    """The p-norm of each window of volumes: see `nn.functional.lp_pool3d`.

    >>> ta.nn.LPPool3d(3, 2)(ta.ones(1, 2, 2, 2))
    tensor([[[[2.]]]])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.lp_pool3d(input, *self._settings())


# -------------------------------------------------------------------------------------------------- adaptive
class _AdaptiveAvgPool(Module):
    def __init__(self, output_size: Sizes) -> None:
        super().__init__()
        self.output_size: Any = output_size

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    """The averages of output_size parts of lines: see `nn.functional.adaptive_avg_pool1d`.

    >>> ta.nn.AdaptiveAvgPool1d(2)(ta.tensor([[1.0, 2.0, 3.0]]))
    tensor([[1.5000, 2.5000]])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.adaptive_avg_pool1d(input, self.output_size)


class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    """The averages of nearly equal parts of images: see `nn.functional.adaptive_avg_pool2d`.

    >>> ta.nn.AdaptiveAvgPool2d(1)(ta.arange(4.0).reshape(1, 2, 2))
    tensor([[[1.5000]]])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.adaptive_avg_pool2d(input, self.output_size)


class AdaptiveAvgPool3d(_AdaptiveAvgPool):
    """The averages of nearly equal parts of volumes: see `nn.functional.adaptive_avg_pool3d`.

    >>> ta.nn.AdaptiveAvgPool3d(1)(ta.arange(8.0).reshape(1, 2, 2, 2))
    tensor([[[[3.5000]]]])
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.adaptive_avg_pool3d(input, self.output_size)


class _AdaptiveMaxPool(Module):
    def __init__(self, output_size: Sizes, return_indices: bool = False) -> None:
        super().__init__()
        self.output_size: Any = output_size
        self.return_indices = return_indices

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """The maxima of output_size parts of lines: see `nn.functional.adaptive_max_pool1d`.

    >>> ta.nn.AdaptiveMaxPool1d(2)(ta.tensor([[1.0, 3.0, 2.0]]))
    tensor([[3., 3.]])
    """

    def forward(self, input: Tensor) -> Any:
        return F.adaptive_max_pool1d(input, self.output_size, self.return_indices)


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """The maxima of nearly equal parts of images: see `nn.functional.adaptive_max_pool2d`.

    >>> ta.nn.AdaptiveMaxPool2d(1)(ta.arange(4.0).reshape(1, 2, 2))
    tensor([[[3.]]])
    """

    def forward(self, input: Tensor) -> Any:
        return F.adaptive_max_pool2d(input, self.output_size, self.return_indices)


class AdaptiveMaxPool3d(_AdaptiveMaxPool):
    """The maxima of nearly equal parts of volumes: see `nn.functional.adaptive_max_pool3d`.

    >>> ta.nn.AdaptiveMaxPool3d(1)(ta.arange(8.0).reshape(1, 2, 2, 2))
    tensor([[[[7.]]]])
    """

    def forward(self, input: Tensor) -> Any:
        return F.adaptive_max_pool3d(input, self.output_size, self.return_indices)
