"""Losses over classes, one node each. (The pointwise ones are in pointwise_loss.py.)"""

from __future__ import annotations

import math
from typing import Any

from .. import backend, dtypes
from ..backend.namespace import numel
from ..errors import ArgumentError, DTypeError, IndexingError, ShapeError
from ..grad_mode import mode
from ..graph import casts
from ..op import Single
from ..rule import beside
from ..tensor import Tensor, wrap
from .reduced import reduction_of
from .registry import op


# ------------------------------------------------------------------------------------------------------ the parts
# x is (N, C, d1, ...) with dim 1 the classes', or (C,) with dim 0; targets have x's shape without that dim. A weight is one
# number a class, or the number 1. `every` says that all targets were seen to be classes, none of them to be ignored.
def _axis(F: Any, a: Any, dim: int) -> Any:
    """`a` with the classes' axis back, of size 1."""
    return F.reshape(a, (*a.shape[:dim], 1, *a.shape[dim:]))


def _along(F: Any, weight: Any, x: Any, dim: int) -> Any:
    """One number a class, ready to broadcast against x; the number 1 stays itself."""
    return weight if isinstance(weight, float) else F.reshape(weight, (x.shape[dim],) + (1,) * (x.ndim - dim - 1))


def _wide(F: Any, x: Any) -> Any:
    return x if x.dtype.char in "fd" or not dtypes.is_half(x.dtype) else F.cast(x, dtypes.float32)


def _places(F: Any, classes: int, target: Any, ignore_index: int, every: bool) -> tuple[Any, Any, Any]:
    """Where to look in x for each target; whether the target counts; and whether its class is there (else NaN follows)."""
    if every:
        return target, None, None
    kept = target != ignore_index
    there = F.logical_and(target >= 0, target < classes)
    return F.where(F.logical_and(there, kept), target, 0), kept, there


def _counts(F: Any, x: Any, index: Any, kept: Any, weight: Any) -> Any:
    """What each target counts for: its class's weight, nothing if it is ignored. None: all of them 1."""
    if isinstance(weight, float):
        return None if kept is None else F.cast(kept, x.dtype)
    w = F.reshape(F.gather(weight, 0, F.reshape(index, (-1,))), index.shape)
    return w if kept is None else F.where(kept, w, 0.0)


def _total(F: Any, w: Any, index: Any) -> Any:
    """What the targets count for together."""
    return float(numel(index.shape)) or math.nan if w is None else F.sum(w)


def _weighed(F: Any, loss: Any, w: Any, kept: Any, there: Any) -> Any:
    loss = loss if w is None else loss * w
    return loss if kept is None else F.where(kept, F.where(there, loss, math.nan), 0.0)


def _reduced(F: Any, loss: Any, count: Any, reduction: str) -> Any:
    return loss if reduction == "none" else F.sum(loss) / count if reduction == "mean" else F.sum(loss)


def _each(F: Any, g: Any, count: Any, reduction: str) -> Any:
    """The gradient of each target's loss: one for all, unless there is no reduction."""
    return g / count if reduction == "mean" else g


def _for_each(F: Any, g: Any, w: Any, kept: Any) -> Any:
    """That gradient times what the target counts for: 0 where it is ignored, even if all are and g is infinite."""
    g = g if w is None else g * w
    return g if kept is None else F.where(kept, g, 0.0)


# --------------------------------------------------------------------------------------------------- cross_entropy
@beside("cross_entropy")
def _cross_entropy(F: Any, x: Any, target: Any, weight: Any, *, dim: int = 1, ignore_index: int = -100, reduction: str = "mean",
                   label_smoothing: float = 0.0, every: bool = False) -> Any:
    wide = _wide(F, x)
    peak, total, e = F.totals(wide, dim)
    index, kept, there = _places(F, x.shape[dim], target, ignore_index, every)
    places = F.places(index, x.shape, dim)
    logs = F.reshape(F.log(total), target.shape)
    if isinstance(peak, float):
        loss = F.maximum(logs - F.at(wide, places), 0)                   # below 0 is rounding
    else:
        loss = logs - (F.at(wide, places) - F.reshape(peak, target.shape))
    w = _counts(F, wide, index, kept, weight)
    loss = _weighed(F, loss, w, kept, there)
    if label_smoothing:
        each = _along(F, weight, x, dim)
        whole = float(x.shape[dim]) if isinstance(weight, float) else F.sum(weight)
        smooth = logs * whole - F.sum((wide - peak) * each, (dim,))
        smooth = (label_smoothing / x.shape[dim]) * (smooth if kept is None else F.where(kept, smooth, 0.0))
        loss = (1 - label_smoothing) * loss + smooth
    loss = _reduced(F, loss, _total(F, w, index), reduction)
    return loss if wide is x else F.cast(loss, x.dtype), peak, total, e, 0.0 if isinstance(e, float) else places


@beside("cross_entropy_backward")
def _for_logits(F: Any, g: Any, x: Any, target: Any, weight: Any, peak: Any, total: Any, e: Any, places: Any, *, dim: int,
                ignore_index: int, reduction: str, label_smoothing: float, every: bool) -> Any:
    """p - onehot, weighted; smoothing adds (p sum(w) - w) of the even distribution."""
    wide = _wide(F, x)
    index, kept, _ = _places(F, x.shape[dim], target, ignore_index, every)
    w = _counts(F, wide, index, kept, weight)
    g = _each(F, _wide(F, g), _total(F, w, index), reduction)
    hit = spread = _for_each(F, g, w, kept)
    if label_smoothing:
        hit = hit * (1 - label_smoothing)
        even = g * (label_smoothing / x.shape[dim])
        even = even if kept is None else F.where(kept, even, 0.0)
        spread = hit + even * (float(x.shape[dim]) if isinstance(weight, float) else F.sum(weight))
        even = _axis(F, even, dim) if even.ndim else even
    if total is None:
        hit, spread = (_axis(F, F.expand(v, target.shape), dim) for v in (hit, spread))
        gx = F.scatter_add(F.exp(F.log_softmax(wide, dim=dim)) * spread, dim, _axis(F, index, dim), -hit)
    else:
        spread = _axis(F, spread, dim) if spread.ndim else spread
        gx = F.shares(wide, peak, e, spread / total, dim)
        gx = F.subtract_at(gx, F.places(index, x.shape, dim) if isinstance(places, float) else places, hit)
    if label_smoothing:
        gx = gx - even * _along(F, weight, x, dim)
    return gx if wide is x else F.cast(gx, x.dtype)


# The target's dtype is its own.
_by_index = op("cross_entropy_weighted", _cross_entropy, _for_logits, None, None, aux=("peak", "total", "e", "places"), free=2)


def _plain(F: Any, x: Any, target: Any, *, dim: int = 1, ignore_index: int = -100, reduction: str = "mean",
           label_smoothing: float = 0.0, every: bool = False) -> Any:
    return _cross_entropy(F, x, target, 1.0, dim=dim, ignore_index=ignore_index, reduction=reduction,
                          label_smoothing=label_smoothing, every=every)


def _plain_for_logits(F: Any, g: Any, x: Any, target: Any, peak: Any, total: Any, e: Any, places: Any, *, dim: int,
                      ignore_index: int, reduction: str, label_smoothing: float, every: bool) -> Any:
    return _for_logits(F, g, x, target, 1.0, peak, total, e, places, dim=dim, ignore_index=ignore_index, reduction=reduction,
                       label_smoothing=label_smoothing, every=every)


_by_plain_index = op("cross_entropy", _plain, _plain_for_logits, None, aux=("peak", "total", "e", "places"), free=2)


# -------------------------------------------------------------------------------------- cross_entropy, distributions
def _soft(F: Any, x: Any, target: Any, weight: Any, *, dim: int = 1, reduction: str = "mean",
          label_smoothing: float = 0.0) -> Any:
    wide = _wide(F, x)
    peak, total, _ = F.totals(wide, dim)
    q = _smoothed(F, _wide(F, target), weight, x, dim, label_smoothing)
    loss = -F.sum(F.where(q == 0, 0.0, q * ((wide - peak) - F.log(total))), (dim,))
    return F.cast(_reduced(F, loss, float(loss.size), reduction), x.dtype), peak, total


def _smoothed(F: Any, target: Any, weight: Any, x: Any, dim: int, label_smoothing: float) -> Any:
    """The distribution that the logits are held to, times the classes' weights."""
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / x.shape[dim]
    return target * _along(F, weight, x, dim)


def _sample(F: Any, g: Any, x: Any, reduction: str, dim: int) -> Any:
    """The gradient of each sample's loss, broadcasting against x."""
    g, count = _wide(F, g), numel(x.shape[:dim] + x.shape[dim + 1:]) or 1          # none: then nothing is divided
    return _axis(F, g, dim) if reduction == "none" else g / count if reduction == "mean" else g


def _soft_for_logits(F: Any, g: Any, x: Any, target: Any, weight: Any, peak: Any, total: Any, *, dim: int,
                     reduction: str, label_smoothing: float) -> Any:
    q = _smoothed(F, _wide(F, target), weight, x, dim, label_smoothing)
    g, wide = _sample(F, g, x, reduction, dim), _wide(F, x)
    mass = g * F.sum(q, (dim,), True)
    p = F.exp(F.log_softmax(wide, dim=dim)) * mass if total is None else F.shares(wide, peak, 0.0, mass / total, dim)
    return F.cast(p - g * q, x.dtype)


def _soft_for_target(F: Any, g: Any, x: Any, target_dtype: Any, weight: Any, peak: Any, total: Any, *, dim: int,
                     reduction: str, label_smoothing: float) -> Any:
    wide = _wide(F, x)
    logp = F.log_softmax(wide, dim=dim) if total is None else (wide - peak) - F.log(total)
    return F.cast(-_sample(F, g, x, reduction, dim) * logp * ((1 - label_smoothing) * _along(F, weight, x, dim)), target_dtype)


_by_distribution = Single("cross_entropy", _soft, _soft_for_logits, _soft_for_target, None, aux=("peak", "total"))


# --------------------------------------------------------------------------------------------------------- nll_loss
def _nll(F: Any, x: Any, target: Any, weight: Any, *, dim: int = 1, ignore_index: int = -100, reduction: str = "mean",
         every: bool = False) -> Any:
    wide = _wide(F, x)
    index, kept, there = _places(F, x.shape[dim], target, ignore_index, every)
    w = _counts(F, wide, index, kept, weight)
    loss = _weighed(F, -F.at(wide, F.places(index, x.shape, dim)), w, kept, there)
    return F.cast(_reduced(F, loss, _total(F, w, index), reduction), x.dtype)


def _nll_backward(F: Any, g: Any, x_shape: Any, x_dtype: Any, target: Any, weight: Any, *, dim: int, ignore_index: int,
                  reduction: str, every: bool) -> Any:
    g = _wide(F, g)
    index, kept, _ = _places(F, x_shape[dim], target, ignore_index, every)
    w = _counts(F, g, index, kept, weight)
    g = _for_each(F, _each(F, g, _total(F, w, index), reduction), w, kept)
    gx = F.placed(F.expand(-g, target.shape), F.places(index, shape=x_shape, dim=dim), shape=x_shape)
    return gx if gx.dtype == x_dtype else F.cast(gx, x_dtype)


op("places", lambda F, index, *, shape, dim: F.places(index, shape, dim))
op("placed", lambda F, v, places, *, shape: F.placed(v, places, shape),
   lambda F, h, v_shape, places: F.reshape(F.gather(F.reshape(h, (-1,)), 0, F.reshape(places, (-1,))), v_shape), None)


@beside("nll_loss")
def _plain_nll(F: Any, x: Any, target: Any, *, dim: int = 1, ignore_index: int = -100, reduction: str = "mean",
               every: bool = False) -> Any:
    return _nll(F, x, target, 1.0, dim=dim, ignore_index=ignore_index, reduction=reduction, every=every)


@beside("nll_loss_backward")
def _plain_nll_backward(F: Any, g: Any, x_shape: Any, x_dtype: Any, target: Any, *, dim: int, ignore_index: int, reduction: str,
                        every: bool) -> Any:
    return _nll_backward(F, g, x_shape, x_dtype, target, 1.0, dim=dim, ignore_index=ignore_index, reduction=reduction, every=every)


_weighted_nll = op("nll_loss_weighted", _nll, _nll_backward, None, None, free=2)
_nll_loss = op("nll_loss", _plain_nll, _plain_nll_backward, None, free=2)


# --------------------------------------------------------------------------------------- over classes: public
def cross_entropy(input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: bool | None = None,
                  ignore_index: int = -100, reduce: bool | None = None, reduction: str = "mean",
                  label_smoothing: float = 0.0) -> Tensor:
    """-log softmax(input) at the target class, for logits of any size; one node.

    Args:
        input: logits (C,), (N, C) or (N, C, d1, ...).
        target: the classes as integers (), (N,) or (N, d1, ...), or distributions of input's shape.
        weight: (C,), what a target of each class counts for; the mean is over these weights.
        ignore_index: targets of this value count for nothing; not for distributions.
        label_smoothing: the share of each target that is spread evenly over the classes, 0 to 1.

    Returns: a scalar, or with reduction="none" a tensor of the targets' shape.

    Raises:
        IndexingError: a target is not in 0 .. C-1 (on a GPU, where looking would cost a wait, the loss is NaN).
        ShapeError, DTypeError: input and target do not fit.

    >>> ta.nn.functional.cross_entropy(ta.tensor([[2.0, 0.0]]), ta.tensor([0]))
    tensor(0.1269)
    """
    reduction = reduction_of("cross_entropy", reduction, size_average, reduce)
    if not 0 <= label_smoothing <= 1:
        raise ArgumentError("cross_entropy", f"label_smoothing={label_smoothing}", "it is a share: 0 to 1")
    dim, given = _check_classes("cross_entropy", input, target, weight)
    if input.shape == target.shape:
        if not dtypes.is_floating(target.dtype):
            raise DTypeError("cross_entropy", f"targets of dtype {target.dtype} and the logits' shape {input.shape}",
                             "targets of that shape are distributions, which are floats",
                             "pass class numbers of shape (N, d1, ...), or convert the target with .float()")
        if ignore_index >= 0:
            raise ArgumentError("cross_entropy", f"ignore_index={ignore_index} and targets that are distributions",
                                "it is a class number, and they have none", "leave it out, or weigh that class 0")
        soft: Tensor = _by_distribution(input, target, given, dim=dim, reduction=reduction,
                                        label_smoothing=float(label_smoothing))
        return soft
    every = _seen("cross_entropy", input, target, dim, ignore_index)
    settings = {"dim": dim, "ignore_index": ignore_index, "reduction": reduction, "label_smoothing": float(label_smoothing),
                "every": every}
    return _by_plain_index(input, target, **settings) if weight is None else _by_index(input, target, given, **settings)


def nll_loss(input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: bool | None = None,
             ignore_index: int = -100, reduce: bool | None = None, reduction: str = "mean") -> Tensor:
    """-input at the target class: what follows log_softmax. Arguments and errors as for cross_entropy.

    >>> ta.nn.functional.nll_loss(ta.tensor([[-0.1, -2.0]]), ta.tensor([1]))
    tensor(2.)
    """
    reduction = reduction_of("nll_loss", reduction, size_average, reduce)
    dim, given = _check_classes("nll_loss", input, target, weight)
    if input.shape == target.shape:
        raise ShapeError("nll_loss", f"targets of shape {target.shape}", "targets are class numbers, without the "
                         "classes' axis", "use cross_entropy for distributions")
    every = _seen("nll_loss", input, target, dim, ignore_index)
    settings = {"dim": dim, "ignore_index": ignore_index, "reduction": reduction, "every": every}
    return _nll_loss(input, target, **settings) if weight is None else _weighted_nll(input, target, given, **settings)


def _check_classes(name: str, x: Tensor, target: Tensor, weight: Tensor | None) -> tuple[int, Any]:
    """The classes' axis, and the weight as the op takes it."""
    for what, t in (("input", x), ("target", target)):
        if not isinstance(t, Tensor):
            raise ArgumentError(name, f"{what}: {type(t).__name__}", f"the {what} must be a Tensor",
                                "make one with ta.tensor(...)")
    if x.ndim == 0:
        raise ShapeError(name, "a 0-d input", "the input must have an axis of classes")
    if not dtypes.is_floating(x.dtype):
        raise DTypeError(name, f"an input of dtype {x.dtype}", "the input must be of a floating dtype",
                         "convert it with .float()")
    dim = 0 if x.ndim == 1 else 1
    classes = x.shape[dim]
    if target.shape != x.shape:
        wanted = x.shape[:dim] + x.shape[dim + 1:]
        if target.shape != wanted:
            raise ShapeError(name, f"an input of shape {x.shape} and a target of shape {target.shape}",
                             f"class numbers for that input have shape {wanted}",
                             "if the input was flattened by view(-1, n), n was not the size of one sample: use flatten(1)"
                             if x.ndim == 2 and target.ndim == 1 else "")
        if target.dtype.kind not in "iu":
            raise DTypeError(name, f"targets of dtype {target.dtype} and shape {target.shape}", "class numbers are "
                             "integers", f"convert them with .long(), or pass distributions of shape {x.shape}")
    if not classes:
        raise ShapeError(name, f"an input of shape {x.shape}", "there are no classes")
    if weight is None:
        return dim, 1.0
    if not isinstance(weight, Tensor):
        raise ArgumentError(name, f"weight: {type(weight).__name__}", "the weight must be a Tensor", "make one with ta.tensor(...)")
    if weight._requires_grad and mode.grad:
        raise ArgumentError(name, "a weight that requires a gradient", "it is a constant of the loss: none would reach it", "pass weight.detach()")
    if weight.shape != (classes,):
        raise ShapeError(name, f"a weight of shape {weight.shape}", f"there must be one for each of {classes} classes")
    if weight.dtype != x.dtype and not casts("cross_entropy_weighted"):
        raise DTypeError(name, f"a weight of {weight.dtype} for an input of {x.dtype}", "the dtypes differ",
                         "convert the weight with .to(input.dtype)")
    return dim, wrap(_wide(backend.namespace(weight.array), weight.array))


def _seen(name: str, x: Tensor, target: Tensor, dim: int, ignore_index: int) -> bool:
    """Are all targets classes that count? Raises for one that is none. On a GPU, where looking costs a wait, nobody looks."""
    t, classes = target.array, x.array.shape[dim]
    if not backend.is_host(t):
        return False
    F = backend.namespace(t)
    if F.within(t, 0, classes - 1):
        return not 0 <= ignore_index < classes
    wrong = t[F.logical_and(t != ignore_index, F.logical_or(t < 0, t >= classes))]
    if wrong.size:
        raise IndexingError(name, f"the target {int(wrong[0])}", f"it is out of range: there are {classes} classes",
                            f"targets are 0 to {classes - 1}, or ignore_index ({ignore_index})")
    return False
