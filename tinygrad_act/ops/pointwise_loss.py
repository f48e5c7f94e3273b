"""Losses of one number against another: a row each, and the function with PyTorch's signature."""

from __future__ import annotations

import math
from typing import Any

from .. import backend
from ..backend.namespace import broadcast_shape
from ..errors import ArgumentError, ShapeError
from ..graph import recording
from ..tensor import Tensor
from .reduced import a_tensor, constant, converted, floating, pair, pointwise, reduced, reduction_of, same_dtype


# ------------------------------------------------------------------------------------------------- distances
def _squared(F: Any, x: Any, target: Any) -> Any:
    d = x - target
    return d * d


squared_error = pointwise(
    "squared_error", _squared,
    lambda F, g, x, target: (x - target) * (2 * g), lambda F, g, x, target: (target - x) * (2 * g), kinds="f")

absolute_error = pointwise(
    "absolute_error", lambda F, x, target: F.abs(x - target),
    lambda F, g, x, target: g * F.sign(x - target), lambda F, g, x, target: g * F.sign(target - x), kinds="f")


def _huber(F: Any, x: Any, target: Any, *, delta: float = 1.0) -> Any:
    """Both branches in one: d² / 2 up to delta, delta (d - delta / 2) beyond."""
    d = F.abs(x - target)
    near = F.minimum(d, delta)
    return near * (d - 0.5 * near)


def _huber_slope(F: Any, g: Any, x: Any, target: Any, *, delta: float) -> Any:
    return F.maximum(F.minimum(x - target, delta), -delta) * g


def _smooth(F: Any, x: Any, target: Any, *, beta: float = 1.0) -> Any:
    return _huber(F, x, target, delta=beta) * (1 / beta)


def _smooth_slope(F: Any, g: Any, x: Any, target: Any, *, beta: float) -> Any:
    return _huber_slope(F, g * (1 / beta), x, target, delta=beta)


_smooth_error = pointwise("smooth_error", _smooth, _smooth_slope,
                          lambda F, g, x, target, *, beta: _smooth_slope(F, g, target, x, beta=beta), kinds="f")
_huber_error = pointwise("huber_error", _huber, _huber_slope,
                         lambda F, g, x, target, *, delta: _huber_slope(F, g, target, x, delta=delta), kinds="f")


def mse_loss(input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
             reduction: str = "mean", weight: Tensor | None = None) -> Tensor:
    """(input - target) squared, its mean (or "sum", or "none") over all elements; one node.

    Shapes: any, equal; others that broadcast are taken with a warning. `weight` has input's shape, and the mean is over it.

    >>> ta.nn.functional.mse_loss(ta.tensor([1.0, 3.0]), ta.tensor([1.0, 1.0]))
    tensor(2.)
    """
    reduction = reduction_of("mse_loss", reduction, size_average, reduce)
    pair("mse_loss", input, target)
    return _weighed(squared_error, "mse_loss", input, target, weight, reduction)


def l1_loss(input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
            reduction: str = "mean", weight: Tensor | None = None) -> Tensor:
    """abs(input - target), its mean (or "sum", or "none") over all elements; the gradient at a tie is 0.

    Arguments as for mse_loss.

    >>> ta.nn.functional.l1_loss(ta.tensor([1.0, 3.0]), ta.tensor([1.0, 1.0]))
    tensor(1.)
    """
    reduction = reduction_of("l1_loss", reduction, size_average, reduce)
    pair("l1_loss", input, target)
    return _weighed(absolute_error, "l1_loss", input, target, weight, reduction)


def smooth_l1_loss(input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
                   reduction: str = "mean", beta: float = 1.0) -> Tensor:
    """(input - target)² / (2 beta) where that is nearer than beta, and abs(input - target) - beta / 2 beyond.

    The slope beyond is 1. beta = 0 is l1_loss. (Girshick, Fast R-CNN, arXiv:1504.08083)

    Raises: ArgumentError for a negative beta; ShapeError for shapes that do not broadcast.

    >>> ta.nn.functional.smooth_l1_loss(ta.tensor([0.5, 3.0]), ta.zeros(2), reduction="none")
    tensor([0.1250, 2.5000])
    """
    reduction = reduction_of("smooth_l1_loss", reduction, size_average, reduce)
    if beta < 0:
        raise ArgumentError("smooth_l1_loss", f"beta={beta}", "it is a distance: at least 0")
    pair("smooth_l1_loss", input, target)
    if beta == 0:
        return absolute_error(input, target, reduction=reduction)
    return _smooth_error(input, target, reduction=reduction, beta=float(beta))


def huber_loss(input: Tensor, target: Tensor, reduction: str = "mean", delta: float = 1.0, weight: Tensor | None = None) -> Tensor:
    """(input - target)² / 2 where that is nearer than delta, and delta (abs(input - target) - delta / 2) beyond.

    The slope beyond is delta. `weight` has input's shape. (Huber, 1964, doi:10.1214/aoms/1177703732)

    Raises: ArgumentError for a delta that is not above 0; ShapeError for shapes that do not broadcast.

    >>> ta.nn.functional.huber_loss(ta.tensor([0.5, 3.0]), ta.zeros(2), reduction="none", delta=2.0)
    tensor([0.1250, 4.0000])
    """
    reduction = reduction_of("huber_loss", reduction, None, None)
    if delta <= 0:
        raise ArgumentError("huber_loss", f"delta={delta}", "it is a distance: above 0")
    pair("huber_loss", input, target)
    target = converted(target, input.dtype)
    if weight is None:
        return _huber_error(input, target, reduction=reduction, delta=float(delta))
    _like_input("huber_loss", weight, input)
    return reduced(recording.mul(_huber_error(input, target, reduction="none", delta=float(delta)), weight), reduction)


def _weighed(op: Any, name: str, input: Tensor, target: Tensor, weight: Tensor | None, reduction: str) -> Tensor:
    """As PyTorch weighs these: the mean is over the weights."""
    if weight is None:
        out: Tensor = op.call(input, target, reduction=reduction)
        return out
    _like_input(name, weight, input)
    loss = recording.mul(op(input, target, reduction="none"), weight)
    return reduced(loss, reduction) if reduction != "mean" else recording.div(recording.sum(loss), recording.sum(weight))


def _like_input(name: str, weight: Tensor, input: Tensor) -> None:
    a_tensor(name, "weight", weight)
    if weight.shape != input.shape:
        raise ShapeError(name, f"a weight of shape {weight.shape} for an input of shape {input.shape}", "they must be equal",
                         "expand the weight")


# ---------------------------------------------------------------------------------------------- yes or no
def _sigmoids(F: Any, x: Any) -> tuple[Any, Any]:
    """sigmoid(x) and sigmoid(-x), each to the last digit."""
    up, down = F.exp(F.minimum(x, 0)), F.exp(-F.maximum(x, 0))           # one of them is 1
    share = 1 / (1 + up * down)
    return up * share, down * share


def _rest(F: Any, x: Any) -> Any:
    """log(1 + exp(-|x|)): softplus(x) less its straight part."""
    return F.log1p(F.exp(-F.abs(x)))


def _log(F: Any, p: Any) -> Any:
    """log p, not below -100: a loss stays finite (PyTorch's convention)."""
    return F.maximum(F.log(p), -100.0)


def _log1m(F: Any, p: Any) -> Any:
    return F.maximum(F.log1p(-p), -100.0)


def _entropy(F: Any, p: Any, target: Any) -> Any:
    return -(target * _log(F, p) + (1 - target) * _log1m(F, p))


def _entropy_slope(F: Any, g: Any, p: Any, target: Any) -> Any:
    """0 at probabilities of 0 and 1, where a logarithm is at its limit: a sigmoid that has been rounded to 1 still has a slope, as
    the exact one has, and 1e12 times that is no gradient. (PyTorch's sigmoid has none there, so 0 is what comes to its logits, too.)
    """
    spread = p * (1 - p)
    return F.where(spread == 0, 0, g * ((p - target) / F.maximum(spread, 1e-12)))


def _entropy_by_target(F: Any, g: Any, p: Any) -> Any:
    return g * (_log1m(F, p) - _log(F, p))


_bce = pointwise("bce", _entropy, _entropy_slope, _entropy_by_target, kinds="f")
_bce_weighted = pointwise(
    "bce_weighted", lambda F, p, target, weight: weight * _entropy(F, p, target),
    lambda F, g, p, target, weight: _entropy_slope(F, g * weight, p, target),
    lambda F, g, p, weight: _entropy_by_target(F, g * weight, p), None, kinds="f")


# With s = sigmoid(x): -w t log s - (1 - t) log(1 - s), and its derivative without a difference of near-equals.
def _of_logits(F: Any, x: Any, target: Any) -> Any:
    return ((1 - target) * F.maximum(x, 0) + target * F.maximum(-x, 0)) + _rest(F, x)     # infinite logits may be wrong ones


def _of_logits_slope(F: Any, g: Any, x: Any, target: Any) -> Any:
    yes, no = _sigmoids(F, x)
    return g * ((1 - target) * yes - target * no)


def _of_weighed(F: Any, x: Any, target: Any, positive: Any, weight: Any) -> Any:
    rest = _rest(F, x)
    return weight * ((1 - target) * (F.maximum(x, 0) + rest) + positive * target * (F.maximum(-x, 0) + rest))


def _of_weighed_slope(F: Any, g: Any, x: Any, target: Any, positive: Any, weight: Any) -> Any:
    yes, no = _sigmoids(F, x)
    return (g * weight) * ((1 - target) * yes - positive * target * no)


def _of_weighed_by_target(F: Any, g: Any, x: Any, positive: Any, weight: Any) -> Any:
    rest = _rest(F, x)
    return (g * weight) * (positive * (F.maximum(-x, 0) + rest) - (F.maximum(x, 0) + rest))


_bce_with_logits = pointwise("bce_with_logits", _of_logits, _of_logits_slope, lambda F, g, x: -(g * x), kinds="f")
_bce_with_logits_weighted = pointwise("bce_with_logits_weighted", _of_weighed, _of_weighed_slope, _of_weighed_by_target,
                                      None, None, kinds="f")


def _probabilities(p: Any) -> None:
    """Raise unless they are."""
    right = (p >= 0) & (p <= 1)
    if not right.all():
        wrong = p[~right]
        raise ArgumentError("binary_cross_entropy", f"an input of {float(wrong[0]):.6g}, and of {wrong.size - 1} more that are not within 0 and 1",
                            "the inputs are probabilities", "apply sigmoid, or use binary_cross_entropy_with_logits")


def binary_cross_entropy(input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: bool | None = None,
                         reduce: bool | None = None, reduction: str = "mean") -> Tensor:
    """-(target log input + (1 - target) log(1 - input)) for probabilities; each log is at least -100.

    binary_cross_entropy_with_logits is the accurate way from logits. `weight` broadcasts against the loss.

    Raises:
        ShapeError: shapes differ. DTypeError: dtypes do.
        ArgumentError: an input is not within 0 .. 1 (looked at on the CPU only).

    >>> ta.nn.functional.binary_cross_entropy(ta.tensor([0.5]), ta.tensor([1.0]))
    tensor(0.6931)
    """
    name = "binary_cross_entropy"
    reduction = reduction_of(name, reduction, size_average, reduce)
    pair(name, input, target, equal=True)
    same_dtype(name, input, target)
    backend.namespace(input.array).require(_probabilities, input.array)
    if weight is None:
        return _bce(input, target, reduction=reduction)
    _against_loss(name, "weight", weight, input)
    return _bce_weighted(input, target, weight, reduction=reduction)


def binary_cross_entropy_with_logits(input: Tensor, target: Tensor, weight: Tensor | None = None,
                                     size_average: bool | None = None, reduce: bool | None = None,
                                     reduction: str = "mean", pos_weight: Tensor | None = None) -> Tensor:
    """binary_cross_entropy of sigmoid(input), accurate for any finite logits.

    Args:
        weight: broadcasts against the loss. pos_weight: broadcasts; what a positive target counts for.

    Raises: ShapeError: shapes differ, or weights do not broadcast. DTypeError: for integers.

    >>> ta.nn.functional.binary_cross_entropy_with_logits(ta.tensor([1e4]), ta.tensor([0.0]))
    tensor(10000.)
    """
    name = "binary_cross_entropy_with_logits"
    reduction = reduction_of(name, reduction, size_average, reduce)
    pair(name, input, target, equal=True)
    floating(name, input)
    floating(name, target)
    if weight is None and pos_weight is None:
        return _bce_with_logits(input, target, reduction=reduction)
    for what, w in (("weight", weight), ("pos_weight", pos_weight)):
        if w is not None:
            _against_loss(name, what, w, input)
    return _bce_with_logits_weighted(input, target, 1.0 if pos_weight is None else pos_weight,
                                     1.0 if weight is None else weight, reduction=reduction)


def _against_loss(name: str, what: str, weight: Tensor, input: Tensor) -> None:
    constant(name, what, weight)
    if broadcast_shape(weight.shape, input.shape) is None:
        raise ShapeError(name, f"a {what} of shape {weight.shape} for an input of shape {input.shape}", "they do not broadcast")


def multilabel_soft_margin_loss(input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: bool | None = None,
                                reduce: bool | None = None, reduction: str = "mean") -> Tensor:
    """binary_cross_entropy_with_logits, its mean over the last axis (the classes), then reduced.

    Shapes: input and target (..., C); `weight` broadcasts. With reduction="none" the result is (...).

    >>> ta.nn.functional.multilabel_soft_margin_loss(ta.zeros(2, 3), ta.ones(2, 3), reduction="none")
    tensor([0.6931, 0.6931])
    """
    name = "multilabel_soft_margin_loss"
    reduction = reduction_of(name, reduction, size_average, reduce)
    pair(name, input, target, warn=False)
    if input.ndim == 0:
        raise ShapeError(name, "a 0-d input", "it must have an axis of classes", "unsqueeze(0) it")
    floating(name, input)
    if weight is not None:
        a_tensor(name, "weight", weight)
        loss = recording.mul(_bce_with_logits(input, target, reduction="none"), weight)
        return reduced(recording.mean(loss, dim=loss.ndim - 1), reduction)
    if reduction == "mean":
        return _bce_with_logits(input, target, reduction=reduction)
    if reduction == "none":
        loss = _bce_with_logits(input, target, reduction=reduction)
        return recording.mean(loss, dim=loss.ndim - 1)  # type: ignore[no-any-return]
    return recording.div(_bce_with_logits(input, target, reduction=reduction), input.shape[-1] or math.nan)  # type: ignore[no-any-return]
