"""Losses over classes, one node each. (The pointwise ones are in pointwise_loss.py.)"""

from __future__ import annotations

import math
from typing import Any

from .. import backend, dtypes
from ..errors import ArgumentError, DTypeError, IndexingError, ShapeError
from ..op import Single
from ..tensor import Tensor, wrap
from .reduced import reduction_of
from .registry import op


# ------------------------------------------------------------------------------------------ over classes: the parts
# x is (N, C, d1, ...) with dim 1 the classes', or (C,) with dim 0; targets have x's shape without that dim.
def _axis(F: Any, a: Any, dim: int) -> Any:
    """`a` with the classes' axis back, of size 1."""
    return F.reshape(a, (*a.shape[:dim], 1, *a.shape[dim:]))


def _along(F: Any, weight: Any, x: Any, dim: int) -> Any:
    """One number a class, ready to broadcast against x; the number 1 stays itself."""
    return weight if isinstance(weight, float) else F.reshape(weight, (x.shape[dim],) + (1,) * (x.ndim - dim - 1))


def _wide(F: Any, x: Any) -> Any:
    return F.cast(x, dtypes.float32) if dtypes.is_half(x.dtype) else x


def _hits(F: Any, x: Any, target: Any, dim: int, ignore_index: int) -> tuple[Any, Any]:
    """Where x's element is the target's class, and where the target counts (with the classes' axis of size 1)."""
    target = _axis(F, target, dim)
    kept = target != ignore_index
    return F.logical_and(target == _along(F, F.arange(x.shape[dim], target), x, dim), kept), kept


def _counts(F: Any, x: Any, hit: Any, kept: Any, weight: Any, dim: int) -> Any:
    """What each target counts for: its class's weight, nothing if it is ignored. With the classes' axis."""
    if isinstance(weight, float):
        return F.cast(kept, x.dtype)
    return F.sum(F.where(hit, _along(F, weight, x, dim), 0.0), (dim,), True)


def _picked(F: Any, logp: Any, target: Any, weight: Any, dim: int, ignore_index: int) -> tuple[Any, Any, Any]:
    """-w log p of each target's class; w; and where the target counts. A class that is not there makes NaN."""
    kept = target != ignore_index
    there = F.logical_and(target >= 0, target < logp.shape[dim])
    index = F.where(F.logical_and(there, kept), target, 0)
    w = F.cast(kept, logp.dtype) if isinstance(weight, float) else F.where(kept, F.getitem(weight, index), 0.0)
    if logp.ndim == 2:
        logp = F.getitem(logp, (F.arange(logp.shape[0], index), index))
    else:
        logp = F.gather(logp, dim, _axis(F, index, dim)).reshape(target.shape)
    return F.where(kept, F.where(there, -w * logp, math.nan), 0.0), w, kept


def _reduced(F: Any, loss: Any, count: Any, reduction: str) -> Any:
    return loss if reduction == "none" else F.sum(loss) / count if reduction == "mean" else F.sum(loss)


def _spread(F: Any, g: Any, count: Any, reduction: str, dim: int) -> Any:
    """The gradient of each sample's loss, broadcasting against x."""
    return _axis(F, g, dim) if reduction == "none" else g / count if reduction == "mean" else g


def _log_softmax(F: Any, x: Any, peak: Any, logs: Any, dim: int) -> Any:
    """From what forward kept a row; from x alone where the rule is itself recorded."""
    x = _wide(F, x)
    return F.log_softmax(x, dim=dim) if peak is None else (x - peak) - logs


def _rows(F: Any, x: Any, dim: int) -> tuple[Any, Any, Any]:
    """log softmax, safe for any logits, and the two numbers a row that it takes to compute it again."""
    peak = F.amax(x, (dim,), True)
    shifted = x - peak
    logs = F.log(F.sum(F.exp(shifted), (dim,), True))
    return shifted - logs, peak, logs


# --------------------------------------------------------------------------------------------- cross_entropy
def _cross_entropy(F: Any, x: Any, target: Any, weight: Any, *, dim: int = 1, ignore_index: int = -100,
                   reduction: str = "mean", label_smoothing: float = 0.0) -> Any:
    logp, peak, logs = _rows(F, _wide(F, x), dim)
    loss, w, kept = _picked(F, logp, target, weight, dim, ignore_index)
    if label_smoothing:
        smooth = -F.sum(_along(F, weight, x, dim) * logp, (dim,))
        loss = (1 - label_smoothing) * loss + F.where(kept, (label_smoothing / x.shape[dim]) * smooth, 0.0)
    return F.cast(_reduced(F, loss, F.sum(w), reduction), x.dtype), peak, logs


def _for_logits(F: Any, g: Any, x: Any, target: Any, weight: Any, peak: Any, logs: Any, *, dim: int, ignore_index: int,
                reduction: str, label_smoothing: float) -> Any:
    """p - onehot, weighted; smoothing adds (p sum(w) - w) of the even distribution."""
    logp = _log_softmax(F, x, peak, logs, dim)
    p = F.exp(logp)
    hit, kept = _hits(F, x, target, dim, ignore_index)
    w = _counts(F, logp, hit, kept, weight, dim)
    g = _spread(F, _wide(F, g), F.sum(w), reduction, dim)
    gx = (p - F.cast(hit, p.dtype)) * F.where(kept, g * w * (1 - label_smoothing), 0.0)
    if label_smoothing:
        each = _along(F, weight, x, dim)
        total = float(x.shape[dim]) if isinstance(weight, float) else F.sum(weight)
        gx = gx + F.where(kept, g * (label_smoothing / x.shape[dim]), 0.0) * (p * total - each)
    return F.cast(gx, x.dtype)


_by_index = op("cross_entropy", _cross_entropy, _for_logits, None, None, aux=("peak", "logs"))


def _soft(F: Any, x: Any, target: Any, weight: Any, *, dim: int = 1, reduction: str = "mean",
          label_smoothing: float = 0.0) -> Any:
    logp, peak, logs = _rows(F, _wide(F, x), dim)
    q = _smoothed(F, _wide(F, target), weight, x, dim, label_smoothing)
    loss = -F.sum(F.where(q == 0, 0.0, q * logp), (dim,))
    return F.cast(_reduced(F, loss, float(loss.size), reduction), x.dtype), peak, logs


def _smoothed(F: Any, target: Any, weight: Any, x: Any, dim: int, label_smoothing: float) -> Any:
    """The distribution that the logits are held to, times the classes' weights."""
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / x.shape[dim]
    return target * _along(F, weight, x, dim)


def _samples(x: Any, dim: int) -> int:
    return math.prod(x.shape[:dim] + x.shape[dim + 1:]) or 1            # none: then nothing is divided


def _soft_for_logits(F: Any, g: Any, x: Any, target: Any, weight: Any, peak: Any, logs: Any, *, dim: int,
                     reduction: str, label_smoothing: float) -> Any:
    q = _smoothed(F, _wide(F, target), weight, x, dim, label_smoothing)
    p = F.exp(_log_softmax(F, x, peak, logs, dim))
    g = _spread(F, _wide(F, g), _samples(x, dim), reduction, dim)
    return F.cast(g * (p * F.sum(q, (dim,), True) - q), x.dtype)


def _soft_for_target(F: Any, g: Any, x: Any, target_dtype: Any, weight: Any, peak: Any, logs: Any, *, dim: int,
                     reduction: str, label_smoothing: float) -> Any:
    logp = _log_softmax(F, x, peak, logs, dim)
    g = _spread(F, _wide(F, g), _samples(x, dim), reduction, dim)
    return F.cast(-g * logp * ((1 - label_smoothing) * _along(F, weight, x, dim)), target_dtype)


_by_distribution = Single("cross_entropy", _soft, _soft_for_logits, _soft_for_target, None, aux=("peak", "logs"))


# -------------------------------------------------------------------------------------------------- nll_loss
def _nll(F: Any, x: Any, target: Any, weight: Any, *, dim: int = 1, ignore_index: int = -100,
         reduction: str = "mean") -> Any:
    loss, w, _ = _picked(F, _wide(F, x), target, weight, dim, ignore_index)
    return F.cast(_reduced(F, loss, F.sum(w), reduction), x.dtype)


def _nll_backward(F: Any, g: Any, x: Any, target: Any, weight: Any, *, dim: int, ignore_index: int,
                  reduction: str) -> Any:
    wide = _wide(F, x)
    hit, kept = _hits(F, x, target, dim, ignore_index)
    w = _counts(F, wide, hit, kept, weight, dim)
    return F.cast(F.where(hit, -_spread(F, _wide(F, g), F.sum(w), reduction, dim) * w, 0.0), x.dtype)


_nll_loss = op("nll_loss", _nll, _nll_backward, None, None)


# --------------------------------------------------------------------------------------- over classes: public
def cross_entropy(input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: bool | None = None,
                  ignore_index: int = -100, reduce: bool | None = None, reduction: str = "mean",
                  label_smoothing: float = 0.0) -> Tensor:
    """-log softmax(input) at the target class, for logits of any size; one node.

    Args:
        input: logits (C,), (N, C) or (N, C, d1, ...).
        target: the classes as integers (), (N,) or (N, d1, ...), or distributions of input's shape.
        weight: (C,), what a target of each class counts for; the mean is over these weights.
        ignore_index: targets of this value count for nothing.
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
        soft: Tensor = _by_distribution(input, target, given, dim=dim, reduction=reduction,
                                        label_smoothing=float(label_smoothing))
        return soft
    out: Tensor = _by_index(input, target, given, dim=dim, ignore_index=ignore_index, reduction=reduction,
                            label_smoothing=float(label_smoothing))
    return _there("cross_entropy", out, input, target, dim, ignore_index)


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
    out: Tensor = _nll_loss(input, target, given, dim=dim, ignore_index=ignore_index, reduction=reduction)
    return _there("nll_loss", out, input, target, dim, ignore_index)


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
                             f"class numbers for that input have shape {wanted}")
        if target.dtype.kind not in "iu":
            raise DTypeError(name, f"targets of dtype {target.dtype} and shape {target.shape}", "class numbers are "
                             "integers", f"convert them with .long(), or pass distributions of shape {x.shape}")
    if weight is None:
        return dim, 1.0
    if weight.shape != (classes,):
        raise ShapeError(name, f"a weight of shape {weight.shape}", f"there must be one for each of {classes} classes")
    if weight.dtype != x.dtype:
        raise DTypeError(name, f"a weight of {weight.dtype} for an input of {x.dtype}", "the dtypes differ",
                         "convert the weight with .to(input.dtype)")
    return dim, wrap(_wide(backend.namespace(weight.array), weight.array))


def _there(name: str, loss: Tensor, x: Tensor, target: Tensor, dim: int, ignore_index: int) -> Tensor:
    """`loss`, or the error that explains a NaN in it; looking costs a wait on a GPU, so only on the CPU."""
    t = target.array
    if t.size and backend.is_host(t):
        F, y = backend.namespace(t), loss.array
        if (y != y).any():
            wrong = t[F.logical_and(t != ignore_index, F.logical_or(t < 0, t >= x.shape[dim]))]
            if wrong.size:
                raise IndexingError(name, f"the target {wrong[0]}",
                                    f"it is out of range: there are {x.shape[dim]} classes",
                                    f"targets are 0 to {x.shape[dim] - 1}, or ignore_index ({ignore_index})")
    return loss
