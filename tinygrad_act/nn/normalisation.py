"""Normalisation as modules, with PyTorch's parameters, buffers and settings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from .. import _functions as ops
from ..errors import ArgumentError, ShapeError
from ..ops import batch_norm as batch
from ..ops import normalisation as functions
from ..ops.inplace import write
from ..tensor import Tensor
from . import init
from .module import Module, weight_and_bias
from .parameter import Parameter


def _affine(module: Module, shape: tuple[int, ...], weight: bool, bias: bool, like: dict[str, Any]) -> None:
    """Weight and bias of a module, or None in their place."""
    for name, wanted in (("weight", weight), ("bias", bias)):
        module.register_parameter(name, Parameter(ops.empty(shape, **like)) if wanted else None)


class _Norm(Module):
    weight: Parameter | None
    bias: Parameter | None

    def reset_parameters(self) -> None:
        """Weight 1 and bias 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self._parameters.get("bias") is not None:
            init.zeros_(self._parameters["bias"])  # type: ignore[arg-type]


# --------------------------------------------------------------------------------------- with running statistics
class _Running(_Norm):
    """What batch and instance norms have in common. `ranks` says how many axes an input has."""

    ranks: ClassVar[dict[int, str]]
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True,
                 track_running_stats: bool = True, device: Any = None, dtype: Any = None, *, bias: bool = True) -> None:
        super().__init__()
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        like = {"device": device, "dtype": dtype}
        _affine(self, (num_features,), affine, affine and bias, like)
        track = track_running_stats
        self.register_buffer("running_mean", ops.zeros(num_features, **like) if track else None)
        self.register_buffer("running_var", ops.ones(num_features, **like) if track else None)
        self.register_buffer("num_batches_tracked", ops.zeros((), dtype="int64", device=device) if track else None)
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        """Mean 0, variance 1, and no batches seen."""
        if self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        """Weight 1 and bias 0, and the running statistics anew."""
        self.reset_running_stats()
        super().reset_parameters()

    def _check_rank(self, input: Tensor) -> None:
        name = type(self).__name__
        if not isinstance(input, Tensor):
            raise ArgumentError(name, type(input).__name__, "the input must be a Tensor", "make one with ta.tensor(...)")
        if input.ndim not in self.ranks:
            raise ShapeError(name, f"an input of shape {input.shape}", f"it must be {' or '.join(self.ranks.values())}")

    def extra_repr(self) -> str:
        return (f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
                f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}")


class _BatchNorm(_Running):
    def forward(self, input: Tensor) -> Tensor:
        self._check_rank(input)
        if input.shape[1] != self.num_features:
            raise ShapeError(type(self).__name__, f"an input of shape {input.shape}",
                             f"axis 1 has {input.shape[1]} channels, and num_features is {self.num_features}")
        momentum = self.momentum
        tracked, training = self.track_running_stats, self.training
        if training and tracked and (count := self.num_batches_tracked) is not None:
            write(count, Ellipsis, count.array + 1, "batch_norm")
            if momentum is None:                             # the mean of all batches so far
                momentum = 1.0 / float(count)
        mean, var = (self.running_mean, self.running_var) if tracked or not training else (None, None)
        return batch.batch_norm(input, mean, var, *weight_and_bias(self), training or (mean is None and var is None),
                                0.0 if momentum is None else momentum, self.eps)


class BatchNorm1d(_BatchNorm):
    """Each feature of (N, C), or channel of (N, C, L), with mean 0 and variance 1 over the batch, then scaled and shifted
    by learned numbers: see `nn.functional.batch_norm`.

    In evaluation the running mean and variance are used, which training moves by `momentum` at each batch; with
    momentum=None they are the means over all batches.

    >>> ta.nn.BatchNorm1d(1)(ta.tensor([[1.0], [3.0]]))
    tensor([[-1.0000],
            [ 1.0000]], grad_fn=<batch_normBackward>)
    """

    ranks: ClassVar = {2: "(N, C)", 3: "(N, C, L)"}


class BatchNorm2d(_BatchNorm):
    """As BatchNorm1d, for images (N, C, H, W).

    >>> ta.nn.BatchNorm2d(3)
    BatchNorm2d(3, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)
    """

    ranks: ClassVar = {4: "(N, C, H, W)"}


class BatchNorm3d(_BatchNorm):
    """As BatchNorm1d, for volumes (N, C, D, H, W).

    >>> sorted(ta.nn.BatchNorm3d(3).state_dict())
    ['bias', 'num_batches_tracked', 'running_mean', 'running_var', 'weight']
    """

    ranks: ClassVar = {5: "(N, C, D, H, W)"}


class _InstanceNorm(_Running):
    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1, affine: bool = False,
                 track_running_stats: bool = False, device: Any = None, dtype: Any = None, *, bias: bool = True) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)

    def forward(self, input: Tensor) -> Tensor:
        self._check_rank(input)
        alone = input.ndim == min(self.ranks)
        channels = input.shape[0 if alone else 1]
        if channels != self.num_features and (self.affine or self.track_running_stats):
            raise ShapeError(type(self).__name__, f"an input of shape {input.shape}",
                             f"axis {0 if alone else 1} has {channels} channels, and num_features is {self.num_features}")
        out = batch.instance_norm(
            input.unsqueeze(0) if alone else input, self.running_mean, self.running_var, *weight_and_bias(self),
            self.training or not self.track_running_stats, self.momentum or 0.0, self.eps)
        return out.squeeze(0) if alone else out


class InstanceNorm1d(_InstanceNorm):
    """Each channel of each sample with mean 0 and variance 1: see `nn.functional.instance_norm`. Input (N, C, L) or (C, L).

    >>> ta.nn.InstanceNorm1d(1)(ta.tensor([[1.0, 3.0]]))
    tensor([[-1.0000,  1.0000]])
    """

    ranks: ClassVar = {2: "(C, L)", 3: "(N, C, L)"}


class InstanceNorm2d(_InstanceNorm):
    """As InstanceNorm1d, for images (N, C, H, W) or (C, H, W).

    >>> ta.nn.InstanceNorm2d(3)
    InstanceNorm2d(3, eps=1e-05, momentum=0.1, affine=False, bias=False, track_running_stats=False)
    """

    ranks: ClassVar = {3: "(C, H, W)", 4: "(N, C, H, W)"}


class InstanceNorm3d(_InstanceNorm):
    """As InstanceNorm1d, for volumes (N, C, D, H, W) or (C, D, H, W).

    >>> ta.nn.InstanceNorm3d(2)(ta.ones(1, 2, 1, 1, 2)).shape
    (1, 2, 1, 1, 2)
    """

    ranks: ClassVar = {4: "(C, D, H, W)", 5: "(N, C, D, H, W)"}


# ----------------------------------------------------------------------------------------- within each sample
def _shape(normalized_shape: int | Sequence[int]) -> tuple[int, ...]:
    return (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)


class LayerNorm(_Norm):
    """The last axes, of sizes `normalized_shape`, with mean 0 and variance 1, then scaled and shifted by learned numbers:
    see `nn.functional.layer_norm`.

    >>> ta.nn.LayerNorm(2, elementwise_affine=False)(ta.tensor([1.0, 3.0]))
    tensor([-1.0000,  1.0000])
    """

    def __init__(self, normalized_shape: int | Sequence[int], eps: float = 1e-5, elementwise_affine: bool = True,
                 bias: bool = True, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.normalized_shape, self.eps, self.elementwise_affine = _shape(normalized_shape), eps, elementwise_affine
        _affine(self, self.normalized_shape, elementwise_affine, elementwise_affine and bias, {"device": device, "dtype": dtype})
        self.reset_parameters()

    def forward(self, input: Tensor) -> Tensor:
        return functions.layer_norm(input, self.normalized_shape, *weight_and_bias(self), self.eps)

    def extra_repr(self) -> str:
        return (f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}, "
                f"bias={self.bias is not None}")


class RMSNorm(_Norm):
    """The last axes over the root of their mean square, then scaled by learned numbers: see `nn.functional.rms_norm`.

    >>> ta.nn.RMSNorm(2, eps=0.0, elementwise_affine=False)(ta.tensor([3.0, 3.0]))
    tensor([1., 1.])
    """

    def __init__(self, normalized_shape: int | Sequence[int], eps: float | None = None, elementwise_affine: bool = True,
                 device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.normalized_shape, self.eps, self.elementwise_affine = _shape(normalized_shape), eps, elementwise_affine
        weight = Parameter(ops.empty(self.normalized_shape, device=device, dtype=dtype)) if elementwise_affine else None
        self.register_parameter("weight", weight)
        self.reset_parameters()

    def forward(self, x: Tensor) -> Tensor:
        return functions.rms_norm(x, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class GroupNorm(_Norm):
    """Groups of channels with mean 0 and variance 1 in each sample, then scaled and shifted by learned numbers, one a
    channel: see `nn.functional.group_norm`.

    >>> ta.nn.GroupNorm(2, 4)
    GroupNorm(2, 4, eps=1e-05, affine=True, bias=True)
    """

    def __init__(self, num_groups: int, num_channels: int, eps: float = 1e-5, affine: bool = True, device: Any = None,
                 dtype: Any = None, *, bias: bool = True) -> None:
        super().__init__()
        if num_groups < 1 or num_channels % num_groups:
            raise ArgumentError("GroupNorm", f"num_groups={num_groups}, num_channels={num_channels}",
                                "the channels do not divide into the groups")
        self.num_groups, self.num_channels, self.eps, self.affine = num_groups, num_channels, eps, affine
        _affine(self, (num_channels,), affine, affine and bias, {"device": device, "dtype": dtype})
        self.reset_parameters()

    def forward(self, input: Tensor) -> Tensor:
        return functions.group_norm(input, self.num_groups, *weight_and_bias(self), self.eps)

    def extra_repr(self) -> str:
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, bias={self.bias is not None}"


class LocalResponseNorm(Module):
    """x over a power of the mean square of the channels around it: see `nn.functional.local_response_norm`.

    >>> ta.nn.LocalResponseNorm(2)
    LocalResponseNorm(2, alpha=0.0001, beta=0.75, k=1.0)
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, input: Tensor) -> Tensor:
        return functions.local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"
