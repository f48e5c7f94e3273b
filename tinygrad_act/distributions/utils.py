"""What the distributions share: parameters of one shape, probabilities and their logarithms, properties that are kept."""

from __future__ import annotations

import numbers
from collections.abc import Callable
from typing import Any

from .. import _functions as ops
from ..dtypes import finfo, get_default_dtype
from ..errors import ArgumentError
from ..grad_mode import enable_grad
from ..tensor import Tensor

__all__ = ["broadcast_all", "clamp_probs", "lazy_property", "logits_to_probs", "probs_to_logits"]


def broadcast_all(*values: Tensor | float) -> tuple[Tensor, ...]:
    """The values as tensors of one shape; numbers take the dtype and device of the first tensor, or the default ones.

    >>> broadcast_all(ta.zeros(2), 1.0)
    (tensor([0., 0.]), tensor([1., 1.]))
    """
    for v in values:
        if not isinstance(v, (Tensor, numbers.Real)):
            raise ArgumentError("broadcast_all", type(v).__name__, "a parameter is a Tensor or a number", "convert it with ta.tensor")
    first = next((v for v in values if isinstance(v, Tensor)), None)
    dtype, device = (get_default_dtype(), None) if first is None else (first.dtype, first.device)
    tensors = [v if isinstance(v, Tensor) else ops.tensor(v, dtype=dtype, device=device) for v in values]
    if all(t.shape == tensors[0].shape for t in tensors):
        return tuple(tensors)
    return tuple(ops.broadcast_tensors(*tensors))


def shape_of(*values: Tensor | float) -> tuple[int, ...]:
    """The batch shape that parameters make, numbers and tensors."""
    return tuple(ops.broadcast_shapes(*[v.shape for v in values if isinstance(v, Tensor)]))


def sum_rightmost(value: Tensor, dims: int) -> Tensor:
    """The sum over the last `dims` axes."""
    return value.reshape(*value.shape[:value.ndim - dims], -1).sum(-1) if dims else value


def logits_to_probs(logits: Tensor, is_binary: bool = False) -> Tensor:
    """The probabilities: sigmoid of log-odds if `is_binary`, else softmax along the last axis.

    >>> logits_to_probs(ta.zeros(2))
    tensor([0.5000, 0.5000])
    """
    return ops.sigmoid(logits) if is_binary else ops.softmax(logits, -1)


def clamp_probs(probs: Tensor) -> Tensor:
    """Between eps and 1 - eps, so that the logarithms are finite; eps is that of the dtype.

    >>> clamp_probs(ta.tensor([0.5, 2.0]))
    tensor([0.5000, 1.0000])
    """
    eps = finfo(probs.dtype).eps
    return probs.clamp(min=eps, max=1 - eps)


def probs_to_logits(probs: Tensor, is_binary: bool = False) -> Tensor:
    """The logarithms of probabilities, or log-odds if `is_binary`.

    >>> probs_to_logits(ta.tensor([0.5]), is_binary=True)
    tensor([0.])
    """
    clamped = clamp_probs(probs)
    return clamped.log() - (-clamped).log1p() if is_binary else clamped.log()


class lazy_property:
    """A property that is computed when first asked for, and then is an attribute of the instance."""

    def __init__(self, wrapped: Callable[[Any], Any]) -> None:
        self.wrapped = wrapped
        self.__doc__ = wrapped.__doc__

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self
        with enable_grad():                       # it is kept: a later call may want its gradient
            value = self.wrapped(instance)
        instance.__dict__[self.wrapped.__name__] = value
        return value
