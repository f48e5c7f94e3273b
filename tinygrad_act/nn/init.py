"""Filling tensors with initial values, in place: PyTorch's torch.nn.init. All return the tensor; none is recorded."""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable
from typing import Any

from .. import _functions as ops
from .. import dtypes
from ..errors import ArgumentError, ShapeError
from ..grad_mode import no_grad
from ..ops.arguments import whole
from ..ops.factor import orthonormal
from ..ops.reduced import a_tensor
from ..tensor import Tensor
from .gain import calculate_gain

__all__ = ["calculate_gain", "constant", "constant_", "dirac", "dirac_", "eye", "eye_", "kaiming_normal", "kaiming_normal_",
           "kaiming_uniform", "kaiming_uniform_", "normal", "normal_", "ones_", "orthogonal", "orthogonal_", "sparse", "sparse_",
           "trunc_normal_", "uniform", "uniform_", "xavier_normal", "xavier_normal_", "xavier_uniform", "xavier_uniform_", "zeros_"]


# -------------------------------------------------------------------------------------------- the same everywhere
@no_grad()
def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Any = None) -> Tensor:
    """Uniform numbers in [a, b).

    Raises: ArgumentError if b is less than a.

    >>> bool((ta.nn.init.uniform_(ta.empty(3, 5), 2, 3) >= 2).all())
    True
    """
    a_tensor("uniform_", "tensor", tensor)
    return tensor.uniform_(a, b, generator=generator)


@no_grad()
def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Any = None) -> Tensor:
    """Normal numbers.

    Raises: ArgumentError for a negative std.

    >>> ta.nn.init.normal_(ta.empty(3, 5)).shape
    (3, 5)
    """
    a_tensor("normal_", "tensor", tensor)
    return tensor.normal_(mean, std, generator=generator)


@no_grad()
def trunc_normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0,
                  generator: Any = None) -> Tensor:
    """Normal numbers, those outside [a, b] left out: by the inverse of the distribution function.

    Warns, as PyTorch, if the mean is more than two deviations outside [a, b].

    Raises: ArgumentError unless std > 0 and a < b.

    >>> float(ta.nn.init.trunc_normal_(ta.empty(1000), std=3.0, a=-1.0, b=1.0).abs().max()) <= 1
    True
    """
    a_tensor("trunc_normal_", "tensor", tensor)
    if not (std > 0 and a < b):
        raise ArgumentError("trunc_normal_", f"std={std}, a={a}, b={b}", "a deviation is above 0, and a is below b")
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn("mean is more than 2 std from [a, b] in nn.init.trunc_normal_: most numbers will lie near a bound", UserWarning,
                      stacklevel=3)
    low, high = (math.erf((v - mean) / std / math.sqrt(2)) for v in (a, b))
    if high - low < 1e-10:
        return _fill(tensor, _tail(tensor, mean, std, a, b, generator))
    u = ops.rand(tensor.shape, generator=generator, dtype=dtypes.float64, device=tensor.device) * (high - low) + low
    return _fill(tensor, (ops.erfinv(u) * (std * math.sqrt(2)) + mean).clamp(a, b))


def _tail(tensor: Tensor, mean: float, std: float, a: float, b: float, generator: Any) -> Tensor:
    """Between bounds where the distribution function is 0 or 1 to all digits: exponential numbers, of which few are drawn again
    (Robert, Simulation of truncated normal variables, 1995).
    """
    draw = functools.partial(ops.rand, tensor.shape, generator=generator, dtype=dtypes.float64, device=tensor.device)
    start, sign = (a, 1.0) if mean < a else (b, -1.0)
    rate = abs(start - mean) / std
    share = -math.expm1(-rate * (b - a) / std)
    y, wanted = ops.zeros_like(draw()), None
    while wanted is None or bool(wanted.any()):
        t = -ops.log1p(-share * draw()) / rate
        y = t if wanted is None else ops.where(wanted, t, y)
        refused = ops.log1p(-draw()) > -0.5 * t * t
        wanted = refused if wanted is None else ops.logical_and(wanted, refused)
    return (start + sign * std * y).clamp(a, b)


@no_grad()
def constant_(tensor: Tensor, val: float) -> Tensor:
    """One value.

    >>> ta.nn.init.constant_(ta.empty(2), 0.5)
    tensor([0.5000, 0.5000])
    """
    return _fill(tensor, val)


def zeros_(tensor: Tensor) -> Tensor:
    """Zeros."""
    return constant_(tensor, 0.0)


def ones_(tensor: Tensor) -> Tensor:
    """Ones."""
    return constant_(tensor, 1.0)


# ------------------------------------------------------------------------------------------------- identities
@no_grad()
def eye_(tensor: Tensor) -> Tensor:
    """The identity, of a matrix: as many inputs as there are outputs go through.

    Raises: ShapeError unless there are two axes.

    >>> ta.nn.init.eye_(ta.empty(2, 3))
    tensor([[1., 0., 0.],
            [0., 1., 0.]])
    """
    _axes("eye_", tensor, (2,))
    return _fill(tensor, ops.eye(*tensor.shape, dtype=tensor.dtype, device=tensor.device))


@no_grad()
def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """The weights of a convolution, (out, in / groups, *kernel), that hands its channels on: 1 in the kernels' middle.

    Each group of output channels has as many of its inputs as it can.

    Raises: ShapeError unless there are 3 to 5 axes, or if the outputs do not divide into the groups.

    >>> ta.nn.init.dirac_(ta.empty(2, 2, 3))[:, :, 1]
    tensor([[1., 0.],
            [0., 1.]])
    """
    _axes("dirac_", tensor, (3, 4, 5))
    groups = whole(groups, "dirac_", "groups")
    out, channels, *kernel = tensor.shape
    if groups < 1 or out % groups:
        raise ShapeError("dirac_", f"{out} output channels in {groups} groups", "they do not divide")
    each = min(out // groups, channels)
    zeros_(tensor)
    if each and 0 not in kernel:
        rows = [g * (out // groups) + d for g in range(groups) for d in range(each)]
        places = [ops.tensor(p, device=tensor.device) for p in (rows, [*range(each)] * groups)]
        tensor[(*places, *(n // 2 for n in kernel))] = 1
    return tensor


@no_grad()
def orthogonal_(tensor: Tensor, gain: float = 1, generator: Any = None) -> Tensor:
    """A matrix with orthonormal rows or columns (whichever are fewer), any such one as likely as any other, times gain.

    Axes after the first count as one. (Saxe et al., arXiv:1312.6120; Mezzadri, arXiv:math-ph/0609050)

    Raises: ShapeError for fewer than two axes.

    >>> w = ta.nn.init.orthogonal_(ta.empty(3, 5))
    >>> bool(((w @ w.T - ta.eye(3)).abs() < 1e-6).all())
    True
    """
    a_tensor("orthogonal_", "tensor", tensor)
    if tensor.ndim < 2:
        raise ShapeError("orthogonal_", f"a tensor of shape {tensor.shape}", "it needs two axes or more")
    if 0 in tensor.shape:
        return tensor
    rows, columns = tensor.shape[0], math.prod(tensor.shape[1:])
    kind = dtypes.float32 if dtypes.is_half(tensor.dtype) else tensor.dtype
    q = orthonormal(ops.randn((max(rows, columns), min(rows, columns)), generator=generator, dtype=kind, device=tensor.device))
    return _fill(tensor, ops.reshape((q.T if rows < columns else q) * gain, tensor.shape))


@no_grad()
def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: Any = None) -> Tensor:
    """Normal numbers, of which the share `sparsity` of each column is 0 (Martens, 2010).

    Raises: ShapeError unless there are two axes; ArgumentError if the share is not within 0 and 1.

    >>> (ta.nn.init.sparse_(ta.empty(10, 3), 0.2) == 0).sum(0)
    tensor([2, 2, 2])
    """
    _axes("sparse_", tensor, (2,))
    if not 0 <= sparsity <= 1:
        raise ArgumentError("sparse_", f"sparsity={sparsity}", "it is a share: 0 to 1")
    normal_(tensor, 0.0, std, generator)
    order = ops.rand(tensor.shape, generator=generator, device=tensor.device).argsort(0).argsort(0)
    return tensor.masked_fill_(order < math.ceil(sparsity * tensor.shape[0]), 0.0)


# ------------------------------------------------------------------------------------------------ by their fans
def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Any = None) -> Tensor:
    """Uniform in ±gain √(6 / (fan_in + fan_out)) (Glorot and Bengio, 2010).

    >>> float(ta.nn.init.xavier_uniform_(ta.empty(2, 4)).abs().max()) <= 1
    True
    """
    bound = math.sqrt(3) * _xavier(tensor, gain, "xavier_uniform_")
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Any = None) -> Tensor:
    """Normal with the standard deviation gain √(2 / (fan_in + fan_out)) (Glorot and Bengio, 2010)."""
    return normal_(tensor, 0.0, _xavier(tensor, gain, "xavier_normal_"), generator)


def kaiming_uniform_(tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu",
                     generator: Any = None) -> Tensor:
    """Uniform in ±gain √(3 / fan) (He et al., 2015).

    Args:
        a: leaky_relu's slope. mode: "fan_in" keeps the scale forward, "fan_out" backward. nonlinearity: any that
        `calculate_gain` knows.

    Raises: ShapeError for fewer than two axes, ArgumentError for another mode or nonlinearity.

    >>> float(ta.nn.init.kaiming_uniform_(ta.empty(2, 6), nonlinearity="relu").abs().max()) <= 1
    True
    """
    bound = math.sqrt(3) * _kaiming(tensor, a, mode, nonlinearity, "kaiming_uniform_")
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu",
                    generator: Any = None) -> Tensor:
    """Normal with the standard deviation gain / √fan (He et al., 2015). Arguments as for kaiming_uniform_."""
    return normal_(tensor, 0.0, _kaiming(tensor, a, mode, nonlinearity, "kaiming_normal_"), generator)


def _xavier(tensor: Tensor, gain: float, name: str) -> float:
    fans = sum(_calculate_fan_in_and_fan_out(tensor, name))
    return gain * math.sqrt(2 / fans) if fans else 0.0


def _kaiming(tensor: Tensor, a: float, mode: str, nonlinearity: str, name: str) -> float:
    a_tensor(name, "tensor", tensor)
    if 0 in tensor.shape:
        warnings.warn("Initializing zero-element tensors is a no-op", UserWarning, stacklevel=3)
        return 0.0
    fan = _calculate_correct_fan(tensor, mode, name)
    return calculate_gain(nonlinearity, a if nonlinearity == "leaky_relu" else None) / math.sqrt(fan)


def _calculate_fan_in_and_fan_out(tensor: Tensor, name: str = "fan_in") -> tuple[int, int]:
    """How many numbers go into each output, and out of each input: (out, in, *kernel). (PyTorch's name: modules use it.)"""
    a_tensor(name, "tensor", tensor)
    if tensor.ndim < 2:
        raise ShapeError(name, f"a tensor of shape {tensor.shape}", "fan in and fan out need two dims or more: (out, in, ...)",
                         "initialise vectors, such as a bias, with zeros_, constant_ or uniform_")
    kernel = math.prod(tensor.shape[2:])
    return tensor.shape[1] * kernel, tensor.shape[0] * kernel


def _calculate_correct_fan(tensor: Tensor, mode: str, name: str = "fan_in") -> int:
    if mode.lower() not in ("fan_in", "fan_out"):
        raise ArgumentError(name, f"mode={mode!r}", "choose from 'fan_in' and 'fan_out'")
    return _calculate_fan_in_and_fan_out(tensor, name)[mode.lower() == "fan_out"]


# -------------------------------------------------------------------------------------------------------- parts
def _axes(name: str, tensor: Tensor, counts: tuple[int, ...]) -> None:
    a_tensor(name, "tensor", tensor)
    if tensor.ndim not in counts:
        raise ShapeError(name, f"a tensor of shape {tensor.shape}", f"it takes one of {' or '.join(map(str, counts))} axes")


def _fill(tensor: Tensor, value: Any) -> Tensor:
    a_tensor("init", "tensor", tensor)
    tensor.copy_(value) if isinstance(value, Tensor) else tensor.fill_(value)
    return tensor


def _deprecated(fill: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The name without its underscore, which PyTorch once had."""
    old = fill.__name__[:-1]

    @functools.wraps(fill)
    def call(*args: Any, **kwargs: Any) -> Tensor:
        warnings.warn(f"`nn.init.{old}` is now deprecated in favor of `nn.init.{fill.__name__}`.", FutureWarning, stacklevel=2)
        return fill(*args, **kwargs)
    call.__name__ = call.__qualname__ = old
    call.__doc__ = f"The old name of `{fill.__name__}`, which warns."
    return call


uniform, normal, constant = _deprecated(uniform_), _deprecated(normal_), _deprecated(constant_)
eye, dirac, orthogonal, sparse = _deprecated(eye_), _deprecated(dirac_), _deprecated(orthogonal_), _deprecated(sparse_)
xavier_uniform, xavier_normal = _deprecated(xavier_uniform_), _deprecated(xavier_normal_)
kaiming_uniform, kaiming_normal = _deprecated(kaiming_uniform_), _deprecated(kaiming_normal_)
