"""Gradient clipping: the gradients of a network, as one vector or each number by itself, kept short."""

from __future__ import annotations

import types
import warnings
from collections.abc import Iterable
from typing import Any

from ... import _functions as ops
from ...backend import namespaces
from ...backend.namespace import Namespace
from ...changes import changes
from ...errors import ArgumentError, DeviceError, GraphError
from ...ops.norms import norm_op
from ...tensor import Tensor, wrap

__all__ = ["clip_grad_norm", "clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_", "get_total_norm"]


def _listed(tensors: Tensor | Iterable[Tensor], op: str) -> list[Tensor]:
    found = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    for t in found:
        if not isinstance(t, Tensor):
            raise ArgumentError(op, type(t).__name__, "it takes one Tensor or several", "pass model.parameters()")
    return found


def _number(value: float, name: str, op: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ArgumentError(op, f"{name}={value!r}", "it is not a number") from None


def get_total_norm(tensors: Tensor | Iterable[Tensor], norm_type: float = 2.0, error_if_nonfinite: bool = False,
                   foreach: bool | None = None) -> Tensor:
    """The norm of all tensors as one vector, a 0-d tensor on their device. `foreach` is accepted and changes nothing.

    >>> ta.nn.utils.get_total_norm([ta.tensor([3.0]), ta.tensor([[4.0]])])
    tensor(5.)
    """
    return _total([t.array for t in _listed(tensors, "get_total_norm")], norm_type, error_if_nonfinite, "get_total_norm")


def _length(F: Any, arrays: list[Any], p: float) -> Any:
    """The norm of all arrays as one vector."""
    if p == 2 and all(a.dtype.char in "fd" and a.flags.c_contiguous for a in arrays):
        rows = [a.reshape(1, a.size) for a in arrays]                # a product with itself: one pass, and no squares to keep
        return F.sqrt(F.sum(F.cat([F.row_dots(row, row) for row in rows])))
    return norm_op.forward(F, F.stack([F.asarray(norm_op.forward(F, a, p=p)) for a in arrays]), p=p)


def _total(arrays: list[Any], norm_type: float, error_if_nonfinite: bool, op: str) -> Tensor:
    p = _number(norm_type, "norm_type", op)
    if not arrays:
        return ops.tensor(0.0)
    F = namespaces[type(arrays[0])]
    if any(type(a) is not type(arrays[0]) for a in arrays):
        raise DeviceError(op, "gradients on several devices", "no op moves data", "clip those of each device by themselves")
    norm = wrap(F.asarray(_length(F, arrays, p)))
    if error_if_nonfinite and not ops.isfinite(norm):                # a bool, the same at each step: so ta.compile replays it
        raise GraphError(op, f"a total norm of {norm.item()}", "a gradient is not finite",
                         "find where with autograd.detect_anomaly()")
    return norm


def clip_grad_norm_(parameters: Tensor | Iterable[Tensor], max_norm: float, norm_type: float = 2.0,
                    error_if_nonfinite: bool = False, foreach: bool | None = None) -> Tensor:
    """Scale all gradients, as one vector, down to the length `max_norm`; returns the length before, a 0-d tensor.

    `norm_type` is the p of the norm, also inf. With `error_if_nonfinite` a length that is NaN or infinite is an error, else it
    scales the gradients all the same. `foreach` is accepted and changes nothing.

    >>> p = ta.nn.Parameter(ta.zeros(2)); p.grad = ta.tensor([3.0, 4.0])
    >>> ta.nn.utils.clip_grad_norm_([p], 1.0), p.grad
    (tensor(5.), tensor([0.6000, 0.8000]))
    """
    found = _listed(parameters, "clip_grad_norm_")
    if not found and isinstance(parameters, types.GeneratorType):
        warnings.warn("clip_grad_norm_: the parameters are an empty generator, so nothing is clipped", UserWarning, stacklevel=2)
    total = _total([p._grad.array for p in found if p._grad is not None], norm_type, error_if_nonfinite, "clip_grad_norm_")
    clip_grads_with_norm_(found, max_norm, total)
    return total


def clip_grads_with_norm_(parameters: Tensor | Iterable[Tensor], max_norm: float, total_norm: Tensor,
                          foreach: bool | None = None) -> None:
    """Scale all gradients by max_norm / total_norm, where that is below 1. `foreach` is accepted and changes nothing.

    >>> p = ta.nn.Parameter(ta.zeros(2)); p.grad = ta.tensor([3.0, 4.0])
    >>> ta.nn.utils.clip_grads_with_norm_([p], 1.0, ta.tensor(10.0)); p.grad
    tensor([0.3000, 0.4000])
    """
    most, factors = _number(max_norm, "max_norm", "clip_grad_norm_"), {}
    for p in _listed(parameters, "clip_grads_with_norm_"):
        if p._grad is not None:
            g = p._grad.array
            F = namespaces[type(g)]
            if g.dtype not in factors:                   # stays on the device: no one waits for it
                factors[g.dtype] = F.cast(F.minimum(most / (total_norm.array + 1e-6), 1.0), g.dtype)
            g *= factors[g.dtype]
            changes.mark(g, "clip_grad_norm_")


def clip_grad_norm(parameters: Tensor | Iterable[Tensor], max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False,
                   foreach: bool | None = None) -> Tensor:
    """The old name of clip_grad_norm_; it warns, as PyTorch's does."""
    warnings.warn("`nn.utils.clip_grad_norm` is now deprecated in favor of `nn.utils.clip_grad_norm_`.", FutureWarning, stacklevel=2)
    return clip_grad_norm_(parameters, max_norm, norm_type, error_if_nonfinite, foreach)


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float, foreach: bool | None = None) -> None:
    """Each element of each gradient into [-clip_value, clip_value]. `foreach` is accepted and changes nothing.

    >>> p = ta.nn.Parameter(ta.zeros(2)); p.grad = ta.tensor([3.0, -0.4])
    >>> ta.nn.utils.clip_grad_value_([p], 1.0); p.grad
    tensor([ 1.0000, -0.4000])
    """
    most = _number(clip_value, "clip_value", "clip_grad_value_")
    for p in _listed(parameters, "clip_grad_value_"):
        if p._grad is not None:
            g = p._grad.array
            F = namespaces[type(g)]
            if g.dtype.char in "fd" and isinstance(F, Namespace):
                g.clip(-most, most, out=g)
            else:                                        # a half and a number may make another dtype; ta.compile looks for what is written so
                g[...] = F.minimum(F.maximum(g, -most), most)
            changes.mark(g, "clip_grad_value_")
