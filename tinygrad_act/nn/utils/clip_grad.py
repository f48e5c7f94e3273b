"""Gradient clipping: the gradients of a network, as one vector or each number by itself, kept short."""

from __future__ import annotations

import math
from collections.abc import Iterable

from ... import _functions as ops
from ...backend import namespaces
from ...errors import GraphError
from ...graph import changes
from ...tensor import Tensor, wrap

__all__ = ["clip_grad_norm_", "clip_grad_value_", "get_total_norm"]


def _grads(parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    parameters = [parameters] if isinstance(parameters, Tensor) else parameters
    return [p.grad for p in parameters if p.grad is not None]


def get_total_norm(tensors: Iterable[Tensor], norm_type: float = 2.0, error_if_nonfinite: bool = False) -> Tensor:
    """The norm of all tensors as one vector, a 0-d tensor."""
    arrays = [t.array for t in ([tensors] if isinstance(tensors, Tensor) else tensors)]
    if not arrays:
        return ops.zeros(())
    F = namespaces[type(arrays[0])]
    if norm_type == math.inf:
        norms = [F.amax(F.abs(a)) for a in arrays if a.size]
        total = norms[0]
        for n in norms[1:]:
            total = F.maximum(total, n)
    else:
        powers = [F.sum(F.abs(a) * F.abs(a) if norm_type == 2 else F.pow(F.abs(a), norm_type)) for a in arrays]
        total = powers[0]
        for n in powers[1:]:
            total = total + n
        total = F.sqrt(total) if norm_type == 2 else F.pow(total, 1 / norm_type)
    norm = wrap(F.asarray(total))
    if error_if_nonfinite and not math.isfinite(norm.item()):
        raise GraphError("clip_grad_norm_", f"a total norm of {norm.item()}", "a gradient is not finite",
                         "find where with autograd.detect_anomaly()")
    return norm


def clip_grad_norm_(parameters: Tensor | Iterable[Tensor], max_norm: float, norm_type: float = 2.0,
                    error_if_nonfinite: bool = False, foreach: bool | None = None) -> Tensor:
    """Scale all gradients, as one vector, down to the length `max_norm`; returns the length before, a 0-d tensor.

    >>> p = ta.nn.Parameter(ta.zeros(2)); p.grad = ta.tensor([3.0, 4.0])
    >>> ta.nn.utils.clip_grad_norm_([p], 1.0), p.grad
    (tensor(5.), tensor([0.6000, 0.8000]))
    """
    grads = _grads(parameters)
    total = get_total_norm(grads, norm_type, error_if_nonfinite)
    for g in grads:
        F = namespaces[type(g.array)]
        factor = F.minimum(float(max_norm) / (total.array + 1e-6), 1.0)      # stays on the device: no one waits for it
        g.array *= F.cast(factor, g.dtype)
        changes.mark(g.array, "clip_grad_norm_")
    return total


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float, foreach: bool | None = None) -> None:
    """Each element of each gradient into [-clip_value, clip_value]."""
    for g in _grads(parameters):
        F = namespaces[type(g.array)]
        g.array[...] = F.minimum(F.maximum(g.array, -float(clip_value)), float(clip_value))
        changes.mark(g.array, "clip_grad_value_")
