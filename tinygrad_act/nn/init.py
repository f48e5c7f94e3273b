"""Filling tensors with initial values, in place: PyTorch's torch.nn.init."""

from __future__ import annotations

import math
from typing import Any

from .. import _functions as ops
from ..errors import ArgumentError, ShapeError
from ..grad_mode import no_grad
from ..tensor import Tensor

__all__ = ["calculate_gain", "constant_", "eye_", "kaiming_normal_", "kaiming_uniform_", "normal_", "ones_",
           "trunc_normal_", "uniform_", "xavier_normal_", "xavier_uniform_", "zeros_"]

GAINS = {"linear": 1.0, "identity": 1.0, "sigmoid": 1.0, "tanh": 5 / 3, "relu": math.sqrt(2), "selu": 3 / 4,
         **{f"conv{kind}{n}d": 1.0 for kind in ("", "_transpose") for n in (1, 2, 3)}}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """What to multiply a standard deviation by, so that this nonlinearity keeps the scale of signals.

    `param` is leaky_relu's slope (default 0.01).

    >>> calculate_gain("tanh")
    1.6666666666666667
    """
    if nonlinearity == "leaky_relu":
        return math.sqrt(2 / (1 + (0.01 if param is None else param) ** 2))
    if nonlinearity not in GAINS:
        raise ArgumentError("calculate_gain", repr(nonlinearity), f"choose from {sorted([*GAINS, 'leaky_relu'])}")
    return GAINS[nonlinearity]


@no_grad()
def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Any = None) -> Tensor:
    """Uniform numbers in [a, b)."""
    return _fill(tensor, ops.rand(tensor.shape, generator=generator, **_like(tensor)) * (b - a) + a)


@no_grad()
def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Any = None) -> Tensor:
    """Normal numbers."""
    return _fill(tensor, ops.randn(tensor.shape, generator=generator, **_like(tensor)) * std + mean)


@no_grad()
def trunc_normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0,
                  generator: Any = None) -> Tensor:
    """Normal numbers, those outside [a, b] left out: by the inverse of the distribution function."""
    low, high = (math.erf((v - mean) / std / math.sqrt(2)) for v in (a, b))
    u = ops.rand(tensor.shape, generator=generator, **_like(tensor)) * (high - low) + low
    return _fill(tensor, (ops.erfinv(u) * (std * math.sqrt(2)) + mean).clamp(a, b))


@no_grad()
def constant_(tensor: Tensor, val: float) -> Tensor:
    """One value."""
    return _fill(tensor, val)


def zeros_(tensor: Tensor) -> Tensor:
    """Zeros."""
    return constant_(tensor, 0.0)


def ones_(tensor: Tensor) -> Tensor:
    """Ones."""
    return constant_(tensor, 1.0)


@no_grad()
def eye_(tensor: Tensor) -> Tensor:
    """The identity, of a matrix."""
    if tensor.ndim != 2:
        raise ShapeError("eye_", f"a tensor of shape {tensor.shape}", "only a matrix can be the identity")
    return _fill(tensor, ops.eye(*tensor.shape, **_like(tensor)))


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Any = None) -> Tensor:
    """Uniform in ±gain √(6 / (fan_in + fan_out)) (Glorot and Bengio, 2010)."""
    bound = gain * math.sqrt(6 / sum(_fans(tensor, "xavier_uniform_")))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Any = None) -> Tensor:
    """Normal with the standard deviation gain √(2 / (fan_in + fan_out)) (Glorot and Bengio, 2010)."""
    return normal_(tensor, 0.0, gain * math.sqrt(2 / sum(_fans(tensor, "xavier_normal_"))), generator)


def kaiming_uniform_(tensor: Tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu",
                     generator: Any = None) -> Tensor:
    """Uniform in ±gain √(3 / fan) (He et al., 2015); `a` is leaky_relu's slope."""
    bound = math.sqrt(3) * _kaiming(tensor, a, mode, nonlinearity, "kaiming_uniform_")
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(tensor: Tensor, a: float = 0.0, mode: str = "fan_in", nonlinearity: str = "leaky_relu",
                    generator: Any = None) -> Tensor:
    """Normal with the standard deviation gain / √fan (He et al., 2015); `a` is leaky_relu's slope."""
    return normal_(tensor, 0.0, _kaiming(tensor, a, mode, nonlinearity, "kaiming_normal_"), generator)


def _kaiming(tensor: Tensor, a: float, mode: str, nonlinearity: str, name: str) -> float:
    if mode.lower() not in ("fan_in", "fan_out"):
        raise ArgumentError(name, f"mode={mode!r}", "choose from 'fan_in' and 'fan_out'")
    fan = _fans(tensor, name)[mode.lower() == "fan_out"]
    return calculate_gain(nonlinearity, a) / math.sqrt(fan) if fan else 0.0


def _fans(tensor: Tensor, name: str) -> tuple[int, int]:
    """How many numbers go into each output, and out of each input: (out, in, *kernel)."""
    if tensor.ndim < 2:
        raise ShapeError(name, f"a tensor of shape {tensor.shape}", "fan in and fan out need two dims or more")
    kernel = math.prod(tensor.shape[2:])
    return tensor.shape[1] * kernel, tensor.shape[0] * kernel


def _like(tensor: Tensor) -> dict[str, Any]:
    return {"dtype": tensor.dtype, "device": tensor.device}


def _fill(tensor: Tensor, value: Any) -> Tensor:
    tensor.copy_(value) if isinstance(value, Tensor) else tensor.fill_(value)
    return tensor
