"""Lazy modules: layers that take the number of their input features from the first input, and are ordinary ones from then on.

Before it, what depends on that number is uninitialised (uninitialized.py). The first call makes the parameters, in place, as the
ordinary class makes them, and sets `__class__`: no later call, and no other module, is asked whether it is lazy.
"""

from __future__ import annotations

from itertools import chain
from typing import Any, ClassVar

from .. import _functions as ops
from ..errors import ArgumentError, ShapeError
from ..grad_mode import no_grad
from ..ops.arguments import Ints
from ..ops.reduced import a_tensor
from ..tensor import Tensor
from .conv import (
    Conv1d,
    Conv2d,
    Conv3d,
    ConvTranspose1d,
    ConvTranspose2d,
    ConvTranspose3d,
    _Conv,
    _Convolution,
    _ConvTranspose,
)
from .layers import Linear
from .module import Module
from .normalisation import (
    BatchNorm1d,
    BatchNorm2d,
    BatchNorm3d,
    InstanceNorm1d,
    InstanceNorm2d,
    InstanceNorm3d,
    _InstanceNorm,
    _Running,
)
from .parameter import is_lazy
from .uninitialized import UninitializedBuffer, UninitializedParameter


class LazyModuleMixin(Module):
    """What makes a module lazy, for modules of one's own, too: beside `cls_to_become` they say in `initialize_parameters` how the
    first input makes their parameters.

    >>> class Scale(ta.nn.Module):
    ...     def forward(self, x):
    ...         return x * self.weight
    >>> class LazyScale(LazyModuleMixin, Scale):
    ...     cls_to_become = Scale
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.weight = ta.nn.UninitializedParameter()
    ...     def initialize_parameters(self, x):
    ...         self.weight.materialize(x.shape[-1:])
    ...         ta.nn.init.ones_(self.weight)
    >>> scale = LazyScale()
    >>> scale(ta.ones(2, 3)).shape, scale
    ((2, 3), Scale())
    """

    cls_to_become: ClassVar[Any] = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.cls_to_become is not None or self.has_uninitialized_params():
            self._infer_parameters(args, kwargs)
        return Module.__call__(self, *args, **kwargs)       # and not super()'s: it is no lazy module any more

    def _infer_parameters(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.initialize_parameters(*args, **kwargs)
        if self.has_uninitialized_params():
            left = [name for name, t in chain(self._parameters.items(), self._buffers.items()) if is_lazy(t)]
            raise ArgumentError(type(self).__name__, ", ".join(left), "initialize_parameters has left them uninitialised",
                                "call materialize(shape) of each there")
        if self.cls_to_become is not None:
            self.__class__ = self.cls_to_become

    def initialize_parameters(self, *args: Any, **kwargs: Any) -> None:
        """Make the parameters for these arguments of the first call; every subclass has its own."""
        raise NotImplementedError(f"{type(self).__name__} has no initialize_parameters(): define it")

    def has_uninitialized_params(self) -> bool:
        """Is there a parameter or a buffer that waits for the first input?"""
        return any(map(is_lazy, chain(self._parameters.values(), self._buffers.values())))


class _Lazy(LazyModuleMixin):
    """The lazy classes below: made as the ordinary ones for 0 features, of which nothing that has a shape is kept."""

    counted: ClassVar[str]                  # the attribute that says how many input features there are

    def _wait(self) -> None:
        """Leave what was made for 0 features uninitialised."""
        for name, p in self._parameters.items():
            if p is not None:
                self._parameters[name] = UninitializedParameter(p.requires_grad, p.device, p.dtype)
        for name, b in self._buffers.items():
            if b is not None and b.ndim:                     # the number of batches is a number for any input
                self._buffers[name] = UninitializedBuffer(False, b.device, b.dtype)

    def _count(self, input: Tensor) -> int:
        """The number of features that an input has; an error if it has the wrong axes."""
        raise NotImplementedError

    def _shapes(self, count: int) -> dict[str, tuple[int, ...]]:
        """What has a shape, by name, for so many features."""
        raise NotImplementedError

    def reset_parameters(self) -> None:
        """Draw the parameters anew, as the ordinary module does; nothing, as long as they are uninitialised."""
        if getattr(self, self.counted) and not self.has_uninitialized_params():
            self.cls_to_become.reset_parameters(self)

    def initialize_parameters(self, input: Tensor, *args: Any, **kwargs: Any) -> None:
        """Make the parameters for the features of `input`. What is there already (a state_dict has filled it, another
        module has made it) is kept, and must fit.
        """
        a_tensor(type(self).__name__, "input", input)
        count = self._count(input)
        shapes = self._shapes(count)
        own: dict[str, Any] = {k: t for k, t in chain(self._parameters.items(), self._buffers.items()) if t is not None}
        there = {k: t for k, t in own.items() if not is_lazy(t)}
        for name, t in there.items():
            if name in shapes and t.shape != shapes[name]:
                raise ShapeError(type(self).__name__, f"an input of shape {input.shape}",
                                 f"{name} is there already, of shape {t.shape}, and this input needs {shapes[name]}")
        setattr(self, self.counted, count)
        if len(there) == len(own):
            return
        values = {k: ops.clone(t.detach()) for k, t in there.items()}
        for name, waiting in own.items():
            if is_lazy(waiting):
                waiting.materialize(shapes[name])
        self.reset_parameters()
        with no_grad():
            for name, value in values.items():
                own[name].copy_(value)


class LazyLinear(_Lazy, Linear):
    """A Linear whose in_features is the size of the first input's last axis.

    >>> layer = ta.nn.LazyLinear(2); layer
    LazyLinear(in_features=0, out_features=2, bias=True)
    >>> layer(ta.ones(4, 3)).shape, layer
    ((4, 2), Linear(in_features=3, out_features=2, bias=True))
    """

    cls_to_become, counted = Linear, "in_features"

    def __init__(self, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None) -> None:
        super().__init__(0, out_features, bias, device, dtype)
        self._wait()

    def _count(self, input: Tensor) -> int:
        if not input.ndim:
            raise ShapeError("LazyLinear", "an input of shape ()", "its last axis is to say how many features there are")
        return input.shape[-1]

    def _shapes(self, count: int) -> dict[str, tuple[int, ...]]:
        return {"weight": (self.out_features, count), "bias": (self.out_features,)}


# ------------------------------------------------------------------------------------------------ convolutions
class _LazyConvolution(_Lazy, _Convolution):
    counted = "in_channels"

    def _count(self, input: Tensor) -> int:
        n, name = self.dims, type(self).__name__
        if input.ndim not in (n + 1, n + 2):
            raise ShapeError(name, f"an input of shape {input.shape}", f"it has {n + 2} axes, or {n + 1} without a batch: channels, then {n} of space")
        count = input.shape[-n - 1]
        if count % self.groups:
            raise ShapeError(name, f"an input of shape {input.shape}", f"its {count} channels are no multiple of groups={self.groups}")
        return count

    def _shapes(self, count: int) -> dict[str, tuple[int, ...]]:
        of = (count, self.out_channels) if self.transposed else (self.out_channels, count)
        return {"weight": (of[0], of[1] // self.groups, *self.kernel_size), "bias": (self.out_channels,)}


class _LazyConv(_LazyConvolution, _Conv):
    def __init__(self, out_channels: int, kernel_size: Ints, stride: Ints = 1, padding: Ints | str = 0, dilation: Ints = 1, groups: int = 1,
                 bias: bool = True, padding_mode: str = "zeros", device: Any = None, dtype: Any = None) -> None:
        super().__init__(0, out_channels, kernel_size, stride, padding, dilation, groups, bias, padding_mode, device, dtype)
        self._wait()


class LazyConv1d(_LazyConv, Conv1d):
    """A Conv1d whose in_channels are the channels of the first input.

    >>> ta.nn.LazyConv1d(8, 5, padding="same")(ta.ones(2, 3, 10)).shape
    (2, 8, 10)
    """

    cls_to_become = Conv1d


class LazyConv2d(_LazyConv, Conv2d):
    """A Conv2d whose in_channels are the channels of the first input.

    >>> layer = ta.nn.LazyConv2d(8, kernel_size=3)
    >>> layer(ta.ones(2, 3, 32, 32)).shape, layer
    ((2, 8, 30, 30), Conv2d(3, 8, kernel_size=(3, 3), stride=(1, 1)))
    """

    cls_to_become = Conv2d


class LazyConv3d(_LazyConv, Conv3d):
    """A Conv3d whose in_channels are the channels of the first input.

    >>> ta.nn.LazyConv3d(2, (1, 2, 3))(ta.ones(1, 1, 4, 4, 4)).shape
    (1, 2, 4, 3, 2)
    """

    cls_to_become = Conv3d


class _LazyConvTranspose(_LazyConvolution, _ConvTranspose):
    def __init__(self, out_channels: int, kernel_size: Ints, stride: Ints = 1, padding: Ints = 0, output_padding: Ints = 0, groups: int = 1,
                 bias: bool = True, dilation: Ints = 1, padding_mode: str = "zeros", device: Any = None, dtype: Any = None) -> None:
        super().__init__(0, out_channels, kernel_size, stride, padding, output_padding, groups, bias, dilation, padding_mode, device, dtype)
        self._wait()


class LazyConvTranspose1d(_LazyConvTranspose, ConvTranspose1d):
    """A ConvTranspose1d whose in_channels are the channels of the first input.

    >>> ta.nn.LazyConvTranspose1d(8, 4, stride=2, padding=1)(ta.ones(2, 3, 10)).shape
    (2, 8, 20)
    """

    cls_to_become = ConvTranspose1d


class LazyConvTranspose2d(_LazyConvTranspose, ConvTranspose2d):
    """A ConvTranspose2d whose in_channels are the channels of the first input.

    >>> ta.nn.LazyConvTranspose2d(8, 3, stride=2)(ta.ones(2, 3, 4, 4), output_size=(10, 10)).shape
    (2, 8, 10, 10)
    """

    cls_to_become = ConvTranspose2d


class LazyConvTranspose3d(_LazyConvTranspose, ConvTranspose3d):
    """A ConvTranspose3d whose in_channels are the channels of the first input.

    >>> ta.nn.LazyConvTranspose3d(2, 2, stride=2)(ta.ones(1, 1, 2, 2, 2)).shape
    (1, 2, 4, 4, 4)
    """

    cls_to_become = ConvTranspose3d


# ----------------------------------------------------------------------------------------------- normalisation
class _LazyNorm(_Lazy, _Running):
    counted = "num_features"

    def __init__(self, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True, track_running_stats: bool = True,
                 device: Any = None, dtype: Any = None, *, bias: bool = True) -> None:
        _Running.__init__(self, 0, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)
        self._wait()

    def _count(self, input: Tensor) -> int:
        self._check_rank(input)
        # Those that take an input without a batch (instance norms) take it with one axis less; batch norms take (N, C) and (N, C, L).
        alone = isinstance(self, _InstanceNorm) and input.ndim == min(self.ranks)
        return input.shape[0 if alone else 1]

    def _shapes(self, count: int) -> dict[str, tuple[int, ...]]:
        return dict.fromkeys(("weight", "bias", "running_mean", "running_var"), (count,))


class LazyBatchNorm1d(_LazyNorm, BatchNorm1d):
    """A BatchNorm1d whose num_features are the features or channels of the first input.

    >>> layer = ta.nn.LazyBatchNorm1d()
    >>> layer.state_dict()["running_mean"], layer.has_uninitialized_params()
    (<UninitializedBuffer>, True)
    >>> layer(ta.ones(2, 3)).shape, layer.running_mean
    ((2, 3), tensor([0.1000, 0.1000, 0.1000]))
    """

    cls_to_become = BatchNorm1d


class LazyBatchNorm2d(_LazyNorm, BatchNorm2d):
    """A BatchNorm2d whose num_features are the channels of the first input.

    >>> ta.nn.LazyBatchNorm2d()(ta.ones(2, 3, 4, 4)).shape
    (2, 3, 4, 4)
    """

    cls_to_become = BatchNorm2d


class LazyBatchNorm3d(_LazyNorm, BatchNorm3d):
    """A BatchNorm3d whose num_features are the channels of the first input.

    >>> ta.nn.LazyBatchNorm3d()(ta.ones(2, 3, 4, 4, 4)).shape
    (2, 3, 4, 4, 4)
    """

    cls_to_become = BatchNorm3d


class LazyInstanceNorm1d(_LazyNorm, InstanceNorm1d):
    """An InstanceNorm1d whose num_features are the channels of the first input. As in PyTorch, it is affine and tracks running
    statistics unless told otherwise, other than InstanceNorm1d itself.

    >>> ta.nn.LazyInstanceNorm1d(affine=False)(ta.tensor([[1.0, 3.0]]))
    tensor([[-1.0000,  1.0000]])
    """

    cls_to_become = InstanceNorm1d


class LazyInstanceNorm2d(_LazyNorm, InstanceNorm2d):
    """As LazyInstanceNorm1d, for images (N, C, H, W) or (C, H, W).

    >>> ta.nn.LazyInstanceNorm2d(affine=False)(ta.ones(2, 3, 4, 4)).shape
    (2, 3, 4, 4)
    """

    cls_to_become = InstanceNorm2d


class LazyInstanceNorm3d(_LazyNorm, InstanceNorm3d):
    """As LazyInstanceNorm1d, for volumes (N, C, D, H, W) or (C, D, H, W).

    >>> ta.nn.LazyInstanceNorm3d()(ta.ones(1, 2, 1, 1, 2)).shape
    (1, 2, 1, 1, 2)
    """

    cls_to_become = InstanceNorm3d
