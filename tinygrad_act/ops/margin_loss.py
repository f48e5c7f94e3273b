"""Losses that ask for a distance between what belongs together and what does not. (Those over classes are in class_margin_loss.py.)"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from .. import dtypes
from ..backend.namespace import broadcast_shape, numel
from ..errors import ArgumentError, ShapeError
from ..graph import recording
from ..tensor import Tensor
from .norms import _norm, power_slope
from .reduce import wide
from .reduced import a_tensor, constant, converted, floating, pair, pointwise, reduced, reduction_of
from .registry import op


# ------------------------------------------------------------------------------------------- one number a sample
def _hinge(F: Any, x: Any, target: Any, *, margin: float = 1.0) -> Any:
    apart, near = F.maximum(margin - x, 0), F.where(target != -1, x, 0.0)
    return F.where(target != 1, apart, 0.0) + near


def _hinge_slope(F: Any, g: Any, x: Any, target: Any, *, margin: float) -> Any:
    apart = F.where(F.logical_and(target != 1, x <= margin), -g, 0.0)
    return apart + F.where(target != -1, g, 0.0)


def _soft_margin(F: Any, x: Any, target: Any) -> Any:
    z = target * x
    return F.maximum(-z, 0) + F.log1p(F.exp(-F.abs(z)))


def _soft_margin_slope(F: Any, g: Any, x: Any, target: Any) -> Any:
    z = target * x
    return -(g * target) * (F.exp(-F.maximum(z, 0)) / (1 + F.exp(-F.abs(z))))


def _ranking(F: Any, x1: Any, x2: Any, target: Any, *, margin: float = 0.0) -> Any:
    return F.maximum(margin - target * (x1 - x2), 0)


def _ranking_slope(F: Any, g: Any, x1: Any, x2: Any, target: Any, *, margin: float) -> Any:
    return F.where(margin - target * (x1 - x2) >= 0, -g * target, 0.0)


def _ranking_by_target(F: Any, g: Any, x1: Any, x2: Any, target: Any, *, margin: float) -> Any:
    d = x1 - x2
    return F.where(margin - target * d >= 0, -g * d, 0.0)


_hinge_embedding = pointwise("hinge_embedding", _hinge, _hinge_slope, None, mixes=(0,), kinds="f")
_soft = pointwise("soft_margin", _soft_margin, _soft_margin_slope, None, kinds="f")
_rank = pointwise("margin_ranking", _ranking, _ranking_slope,
                  lambda F, g, x1, x2, target, *, margin: _ranking_slope(F, -g, x1, x2, target, margin=margin),
                  _ranking_by_target, kinds="f")


def hinge_embedding_loss(input: Tensor, target: Tensor, margin: float = 1.0, size_average: bool | None = None,
                         reduce: bool | None = None, reduction: str = "mean") -> Tensor:
    """`input` (a distance) where the target is 1, and max(0, margin - input) where it is -1.

    Raises: ShapeError for shapes that do not broadcast.

    >>> ta.nn.functional.hinge_embedding_loss(ta.tensor([0.5, 0.5]), ta.tensor([1, -1]), margin=2.0, reduction="none")
    tensor([0.5000, 1.5000])
    """
    reduction = reduction_of("hinge_embedding_loss", reduction, size_average, reduce)
    pair("hinge_embedding_loss", input, target, warn=False)
    return _hinge_embedding(input, target, margin=float(margin), reduction=reduction)


def soft_margin_loss(input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
                     reduction: str = "mean") -> Tensor:
    """log(1 + exp(-target input)), for targets of 1 and -1 and inputs of any size.

    Raises: ShapeError for a target that does not broadcast to the input.

    >>> ta.nn.functional.soft_margin_loss(ta.tensor([1000.0, 0.0]), ta.tensor([-1.0, 1.0]), reduction="none")
    tensor([1.0000e+03, 6.9315e-01])
    """
    name = "soft_margin_loss"
    reduction = reduction_of(name, reduction, size_average, reduce)
    pair(name, input, target, warn=False, into=True)
    constant(name, "target", target)
    floating(name, input)
    return _soft(input, converted(target, input.dtype), reduction=reduction)


def margin_ranking_loss(input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0, size_average: bool | None = None,
                        reduce: bool | None = None, reduction: str = "mean") -> Tensor:
    """max(0, margin - target (input1 - input2)): a target of 1 wants input1 ranked higher, -1 input2.

    Raises: ShapeError unless the three have the same number of axes, and broadcast.

    >>> ta.nn.functional.margin_ranking_loss(ta.tensor([1.0]), ta.tensor([3.0]), ta.tensor([1.0]))
    tensor(2.)
    """
    name = "margin_ranking_loss"
    reduction = reduction_of(name, reduction, size_average, reduce)
    for what, t in (("input1", input1), ("input2", input2), ("target", target)):
        a_tensor(name, what, t)
    shapes = input1.shape, input2.shape, target.shape
    if len({len(s) for s in shapes}) > 1 or broadcast_shape(*shapes) is None:
        raise ShapeError(name, " and ".join(map(str, shapes)), "the inputs and the target must have the same number of axes, and "
                         "broadcast")
    return _rank(input1, input2, target, margin=float(margin), reduction=reduction)


# ------------------------------------------------------------------------------------------------------- parts
def _count(F: Any, loss: Any, reduction: str) -> Any:
    """Losses, one a sample, reduced."""
    return loss if reduction == "none" else F.sum(loss) if reduction == "sum" else F.mean(loss) if numel(loss.shape) else F.sum(loss) / 0.0


def _each(g: Any, shape: tuple[int, ...], reduction: str) -> Any:
    """The gradient of one sample's loss."""
    return g / (numel(shape) or 1) if reduction == "mean" else g


def _column(F: Any, x: Any) -> Any:
    """With a last axis of size 1; what is one number stays it."""
    return F.reshape(x, (*x.shape, 1)) if x.shape else x


# ------------------------------------------------------------------------------------------------ cosine_embedding
TINY = 1e-12                              # added to squared lengths, as in PyTorch


def _lengths(F: Any, a: Any, b: Any) -> tuple[Any, Any, Any]:
    """The squared lengths of the vectors, and the cosine between them."""
    aa, bb = F.sum(a * a, -1) + TINY, F.sum(b * b, -1) + TINY
    return aa, bb, F.sum(a * b, -1) / F.sqrt(aa * bb)


def _cosine(F: Any, a: Any, b: Any, target: Any, *, margin: float = 0.0, reduction: str = "mean") -> Any:
    cosine = _lengths(F, a, b)[2]
    loss = F.where(target == 1, 1 - cosine, F.where(target == -1, F.maximum(cosine - margin, 0), 0.0))
    return _count(F, loss, reduction)


def _cosine_slope(F: Any, g: Any, a: Any, b: Any, target: Any, margin: float, reduction: str) -> Any:
    aa, bb, cosine = _lengths(F, a, b)
    shape = broadcast_shape(cosine.shape, target.shape) or ()
    g = _each(g, shape, reduction)
    g = F.where(target == 1, -g, F.where(F.logical_and(target == -1, cosine >= margin), g, 0.0))
    g = F.sum_to(g, cosine.shape)
    slope = _column(F, g / F.sqrt(aa * bb)) * b - _column(F, g * cosine / aa) * a
    return F.sum_to(slope, a.shape)


_cosine_embedding = op(
    "cosine_embedding", wide(_cosine),
    wide(lambda F, g, a, b, target, *, margin, reduction: _cosine_slope(F, g, a, b, target, margin, reduction)),
    wide(lambda F, g, a, b, target, *, margin, reduction: _cosine_slope(F, g, b, a, target, margin, reduction)), None)


def cosine_embedding_loss(input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0, size_average: bool | None = None,
                          reduce: bool | None = None, reduction: str = "mean") -> Tensor:
    """1 - cos(input1, input2) where the target is 1, and max(0, cos(input1, input2) - margin) where it is -1; one node.

    Shapes: inputs (N, D) with targets (N,), or (D,) with ().

    Raises: ShapeError for others.

    >>> ta.nn.functional.cosine_embedding_loss(ta.tensor([[1.0, 0.0]]), ta.tensor([[1.0, 1.0]]), ta.tensor([1]))
    tensor(0.2929)
    """
    name = "cosine_embedding_loss"
    reduction = reduction_of(name, reduction, size_average, reduce)
    for what, t in (("input1", input1), ("input2", input2), ("target", target)):
        a_tensor(name, what, t)
    floating(name, input1, input2)
    if target.ndim not in (0, 1) or input1.ndim != target.ndim + 1 or input2.ndim != target.ndim + 1:
        raise ShapeError(name, f"inputs of shape {input1.shape} and {input2.shape}, a target of shape {target.shape}",
                         "it takes (N, D), (N, D) and (N,), or (D,), (D,) and ()")
    shape = broadcast_shape(input1.shape, input2.shape)
    if shape is None or broadcast_shape(shape[:-1], target.shape) is None:
        raise ShapeError(name, f"inputs of shape {input1.shape} and {input2.shape}, a target of shape {target.shape}",
                         "they do not broadcast")
    dtype = dtypes.promote_types(input1.dtype, input2.dtype)
    return _cosine_embedding(converted(input1, dtype), converted(input2, dtype), converted(target, dtype),
                             margin=float(margin), reduction=reduction)


# -------------------------------------------------------------------------------------------------- triplet_margin
def _distance(F: Any, a: Any, b: Any, p: float, eps: float) -> Any:
    d = a - b + eps
    return _norm(F, d, p=p, dim=-1) if d.shape[-1:] != (0,) else F.sum(d, -1)


def _triplet(F: Any, a: Any, b: Any, c: Any, *, margin: float = 1.0, p: float = 2.0, eps: float = 1e-6, swap: bool = False,
             reduction: str = "mean") -> Any:
    far = _distance(F, a, c, p, eps)
    if swap:
        far = F.minimum(far, _distance(F, b, c, p, eps))
    return _count(F, F.maximum(_distance(F, a, b, p, eps) + margin - far, 0), reduction)


def _pull(F: Any, g: Any, a: Any, b: Any, y: Any, p: float, eps: float) -> Any:
    """The gradient with respect to a of their distance y (0 where that is 0)."""
    d, zero = a - b + eps, y == 0
    if p == 1:
        return _column(F, g) * F.sign(d)
    if p == math.inf:
        ties = F.cast(F.abs(d) == _column(F, y), d.dtype)
        return _column(F, g) * F.sign(d) * ties / F.sum(ties, -1, True)
    scale = F.where(zero, 0 * g, g) * F.pow(F.where(zero, 1.0, y), 1 - p)
    return _column(F, scale) * (d if p == 2 else power_slope(F, d, p))


def _triplet_rule(F: Any, g: Any, a: Any, b: Any, c: Any, *, margin: float, p: float, eps: float, swap: bool, reduction: str,
                  needs: Any) -> list[Any]:
    near, far = _distance(F, a, b, p, eps), _distance(F, a, c, p, eps)
    other = _distance(F, b, c, p, eps) if swap else None
    least = far if other is None else F.minimum(far, other)
    loss = near + margin - least
    g = F.where(loss >= 0, _each(g, loss.shape, reduction), 0.0)
    to_near = _pull(F, g, a, b, near, p, eps)
    if other is None:
        to_far = _pull(F, -g, a, c, far, p, eps)
        grads = [to_near + to_far, -to_near, -to_far]
    else:                                                        # where the two are equal, each is half of it
        half = F.where(far == other, -0.5 * g, 0.0)
        to_far = _pull(F, F.where(far < other, -g, half), a, c, far, p, eps)
        to_other = _pull(F, F.where(other < far, -g, half), b, c, other, p, eps)
        grads = [to_near + to_far, to_other - to_near, -to_far - to_other]
    return [F.sum_to(part, t.shape) if needed else None for part, t, needed in zip(grads, (a, b, c), needs, strict=True)]


def _halves_wide(rule: Callable[..., Any]) -> Callable[..., Any]:
    """`wide`, for a rule that may return None among its gradients."""
    def run(F: Any, g: Any, a: Any, b: Any, c: Any, *, margin: float, p: float, eps: float, swap: bool, reduction: str, needs: Any) -> Any:
        half = g.dtype if dtypes.is_half(g.dtype) else None
        given = [F.cast(t, dtypes.float32) if half else t for t in (g, a, b, c)]
        grads = rule(F, *given, margin=margin, p=p, eps=eps, swap=swap, reduction=reduction, needs=needs)
        return [x if x is None or not half else F.cast(x, half) for x in grads]
    return run


_triplet_margin = op("triplet_margin", wide(_triplet), joint=_halves_wide(_triplet_rule))


def triplet_margin_loss(anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = 1.0, p: float = 2, eps: float = 1e-6,
                        swap: bool = False, size_average: bool | None = None, reduce: bool | None = None,
                        reduction: str = "mean") -> Tensor:
    """max(0, |anchor - positive| - |anchor - negative| + margin), in the p-norm over the last axis; one node.

    Args:
        anchor, positive, negative: (N, D) or (D,), which broadcast. eps: added to the differences.
        swap: take |positive - negative| where that is less than |anchor - negative| (Balntas et al., 2016).

    Raises: ArgumentError for a margin that is not above 0; ShapeError for shapes that do not fit.

    >>> a, n = ta.zeros(1, 2), ta.tensor([[0.3, 0.4]])
    >>> ta.nn.functional.triplet_margin_loss(a, a, n)
    tensor(0.5000)
    """
    name = "triplet_margin_loss"
    reduction = reduction_of(name, reduction, size_average, reduce)
    _check_triplet(name, anchor, positive, negative, margin)
    if broadcast_shape(anchor.shape, positive.shape, negative.shape) is None or not anchor.ndim:
        raise ShapeError(name, f"{anchor.shape}, {positive.shape} and {negative.shape}", "they do not broadcast, or have no axis")
    floating(name, anchor, positive, negative)
    dtype = dtypes.result_type(anchor, positive, negative)
    return _triplet_margin(*[converted(t, dtype) for t in (anchor, positive, negative)], margin=float(margin), p=float(p),
                           eps=float(eps), swap=bool(swap), reduction=reduction)


_hinge_of = op("hinge", lambda F, x: F.maximum(x, 0), lambda F, g, x: F.where(x >= 0, g, 0.0))      # the tie passes, as in PyTorch


def triplet_margin_with_distance_loss(anchor: Tensor, positive: Tensor, negative: Tensor, *,
                                      distance_function: Callable[[Tensor, Tensor], Tensor] | None = None, margin: float = 1.0,
                                      swap: bool = False, reduction: str = "mean") -> Tensor:
    """triplet_margin_loss with a distance of one's own: a function of two tensors; without it, `pairwise_distance`.

    >>> a, n = ta.zeros(1, 2), ta.tensor([[0.3, 0.4]])
    >>> ta.nn.functional.triplet_margin_with_distance_loss(a, a, n, distance_function=lambda x, y: (x - y).abs().sum(-1))
    tensor(0.3000)
    """
    name = "triplet_margin_with_distance_loss"
    reduction = reduction_of(name, reduction, None, None)
    _check_triplet(name, anchor, positive, negative, margin)
    if distance_function is None:
        return triplet_margin_loss(anchor, positive, negative, margin=margin, swap=swap, reduction=reduction)
    far = distance_function(anchor, negative)
    if swap:
        far = recording.minimum(far, distance_function(positive, negative))
    return reduced(_hinge_of(recording.add(recording.sub(distance_function(anchor, positive), far), margin)), reduction)


def _check_triplet(name: str, anchor: Tensor, positive: Tensor, negative: Tensor, margin: float) -> None:
    for what, t in (("anchor", anchor), ("positive", positive), ("negative", negative)):
        a_tensor(name, what, t)
    if not margin > 0:
        raise ArgumentError(name, f"margin={margin}", "it is a distance: above 0")
    if len({anchor.ndim, positive.ndim, negative.ndim}) > 1:
        raise ShapeError(name, f"{anchor.shape}, {positive.shape} and {negative.shape}", "they must have the same number of axes")
