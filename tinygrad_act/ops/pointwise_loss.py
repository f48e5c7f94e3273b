"""Losses of one number against another: an elementwise row, and a reduction."""

from __future__ import annotations

import warnings
from typing import Any

from .. import backend
from ..backend.namespace import broadcast_shape
from ..elementwise import Elementwise
from ..errors import ArgumentError, ShapeError
from ..graph import recording
from ..tensor import Tensor
from .loss import reduction_of
from .registry import enter


def _sigmoid(F: Any, x: Any) -> Any:
    e = F.exp(-F.abs(x))
    return F.where(x >= 0, 1.0, e) / (1 + e)


def _softplus(F: Any, x: Any) -> Any:
    return F.maximum(x, 0) + F.log1p(F.exp(-F.abs(x)))


def _log(F: Any, p: Any) -> Any:
    """log p, not below -100: a loss stays finite (PyTorch's convention)."""
    return F.maximum(F.log(p), -100.0)


def _log1m(F: Any, p: Any) -> Any:
    return F.maximum(F.log1p(-p), -100.0)


squared_error = enter(Elementwise(
    "squared_error", lambda F, x, target: (x - target) * (x - target),
    lambda F, g, x, target: g * (2 * (x - target)), lambda F, g, x, target: g * (2 * (target - x))))

absolute_error = enter(Elementwise(
    "absolute_error", lambda F, x, target: F.abs(x - target),
    lambda F, g, x, target: g * F.sign(x - target), lambda F, g, x, target: g * F.sign(target - x)))

_bce = enter(Elementwise(
    "bce", lambda F, p, target: -(target * _log(F, p) + (1 - target) * _log1m(F, p)),
    lambda F, g, p, target: g * ((p - target) / F.maximum(p * (1 - p), 1e-12)),
    lambda F, g, p: g * (_log1m(F, p) - _log(F, p))))

# With s = sigmoid(x): -w t log s - (1 - t) log(1 - s), by softplus; and its derivative without a difference of
# near-equals.
_bce_with_logits = enter(Elementwise(
    "bce_with_logits",
    lambda F, x, target, w: (1 - target) * _softplus(F, x) + w * target * _softplus(F, -x),
    lambda F, g, x, target, w: g * ((1 - target) * _sigmoid(F, x) - w * target * _sigmoid(F, -x)),
    lambda F, g, x, w: g * (w * _softplus(F, -x) - _softplus(F, x)),
    lambda F, g, x, target: g * (target * _softplus(F, -x))))


def _finish(loss: Tensor, weight: Tensor | None, reduction: str) -> Tensor:
    if weight is not None:
        loss = recording.mul(loss, weight)
    if reduction == "none":
        return loss
    out: Tensor = recording.mean(loss) if reduction == "mean" else recording.sum(loss)
    return out


def _pair(name: str, input: Tensor, target: Tensor, *, equal: bool = False) -> None:
    """Shapes that PyTorch takes: equal ones; others that broadcast with a warning, or (`equal`) not at all."""
    for what, t in (("input", input), ("target", target)):
        if not isinstance(t, Tensor):
            raise ArgumentError(name, f"{what}: {type(t).__name__}", f"the {what} must be a Tensor",
                                "make one with ta.tensor(...)")
    if input.shape == target.shape:
        return
    if equal or broadcast_shape(input.shape, target.shape) is None:
        raise ShapeError(name, f"an input of shape {input.shape} and a target of shape {target.shape}",
                         "they must have one shape" if equal else "they do not broadcast", "reshape one of them")
    warnings.warn(f"{name}: a target of shape {target.shape} for an input of shape {input.shape} broadcasts, which is "
                  "likely a mistake; give them one shape", UserWarning, stacklevel=3)


def mse_loss(input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
             reduction: str = "mean", weight: Tensor | None = None) -> Tensor:
    """(input - target) squared, its mean (or "sum", or "none") over all elements.

    >>> ta.nn.functional.mse_loss(ta.tensor([1.0, 3.0]), ta.tensor([1.0, 1.0]))
    tensor(2.)
    """
    reduction = reduction_of("mse_loss", reduction, size_average, reduce)
    _pair("mse_loss", input, target)
    return _weighted_mean(squared_error(input, target), weight, reduction)


def l1_loss(input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
            reduction: str = "mean", weight: Tensor | None = None) -> Tensor:
    """abs(input - target), its mean (or "sum", or "none") over all elements; the gradient at a tie is 0.

    >>> ta.nn.functional.l1_loss(ta.tensor([1.0, 3.0]), ta.tensor([1.0, 1.0]))
    tensor(1.)
    """
    reduction = reduction_of("l1_loss", reduction, size_average, reduce)
    _pair("l1_loss", input, target)
    return _weighted_mean(absolute_error(input, target), weight, reduction)


def _weighted_mean(loss: Tensor, weight: Tensor | None, reduction: str) -> Tensor:
    """As PyTorch weighs these two: the mean is over the weights."""
    if weight is None or reduction != "mean":
        return _finish(loss, weight, reduction)
    total = recording.sum(recording.expand(weight, shape=loss.shape))
    return recording.div(_finish(loss, weight, "sum"), total)  # type: ignore[no-any-return]


def binary_cross_entropy(input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: bool | None = None,
                         reduce: bool | None = None, reduction: str = "mean") -> Tensor:
    """-(target log input + (1 - target) log(1 - input)) for probabilities; each log is at least -100.

    binary_cross_entropy_with_logits is the accurate way from logits.

    Raises:
        ShapeError: shapes differ.
        ArgumentError: an input is not within 0 .. 1 (looked at on the CPU only).

    >>> ta.nn.functional.binary_cross_entropy(ta.tensor([0.5]), ta.tensor([1.0]))
    tensor(0.6931)
    """
    reduction = reduction_of("binary_cross_entropy", reduction, size_average, reduce)
    _pair("binary_cross_entropy", input, target, equal=True)
    p = input.array
    if p.size and backend.is_host(p) and not bool(((p >= 0) & (p <= 1)).all()):
        raise ArgumentError("binary_cross_entropy", f"an input from {p.min():.4g} to {p.max():.4g}",
                            "probabilities are within 0 and 1",
                            "apply sigmoid, or use binary_cross_entropy_with_logits")
    return _finish(_bce(input, target), weight, reduction)


def binary_cross_entropy_with_logits(input: Tensor, target: Tensor, weight: Tensor | None = None,
                                     size_average: bool | None = None, reduce: bool | None = None,
                                     reduction: str = "mean", pos_weight: Tensor | None = None) -> Tensor:
    """binary_cross_entropy of sigmoid(input), accurate for any logits.

    Args:
        weight: broadcasts against the loss. pos_weight: broadcasts; what a positive target counts for.

    >>> ta.nn.functional.binary_cross_entropy_with_logits(ta.tensor([1e4]), ta.tensor([0.0]))
    tensor(10000.)
    """
    reduction = reduction_of("binary_cross_entropy_with_logits", reduction, size_average, reduce)
    _pair("binary_cross_entropy_with_logits", input, target, equal=True)
    return _finish(_bce_with_logits(input, target, 1.0 if pos_weight is None else pos_weight), weight, reduction)
