"""ctc_loss: the probability of a sequence of labels under all its alignments with the steps of an input; one node."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .. import backend, dtypes
from ..errors import ArgumentError, DTypeError, GraphError, IndexingError, ShapeError
from ..numerics.ctc import FAR
from ..tensor import Tensor, wrap
from .arguments import whole
from .reduce import wide
from .reduced import a_tensor, floating, reduction_of
from .registry import op

# log_probs is (T, N, C), targets (N, L) with blanks behind the labels, the lengths (N,).


def _states(F: Any, x: Any, targets: Any, blank: int) -> tuple[Any, Any, Any]:
    """The label of each state (N, S), the states' log probabilities (T, N, S), and where a state may be skipped to."""
    n, length = targets.shape
    between = F.full((n, length + 1), blank, targets)
    pairs = F.stack((F.getitem(between, (slice(None), slice(0, length))), targets), 2)
    labels = F.cat((F.reshape(pairs, (n, 2 * length)), F.getitem(between, (slice(None), slice(length, None)))), 1)
    index = F.expand(labels, (x.shape[0], *labels.shape))
    scores = F.maximum(F.gather(x, 2, index), FAR)
    other = F.getitem(labels, (slice(None), slice(2, None))) != F.getitem(labels, (slice(None), slice(0, -2)))
    first = F.full((n, min(2, labels.shape[1])), FAR, x)
    skip = F.cat((first, F.cast(F.where(other, 0.0, FAR), x.dtype)), 1)
    return labels, scores, skip


def _loss(F: Any, x: Any, targets: Any, input_lengths: Any, target_lengths: Any, blank: int) -> tuple[Any, Any]:
    """alpha, and the negative log likelihood of each sample, which is infinite where no alignment fits."""
    _, scores, skip = _states(F, x, targets, blank)
    alpha = F.ctc_forward(scores, skip)
    rows = F.getitem(alpha, (input_lengths, F.arange(x.shape[1], targets)))
    ends = F.stack((2 * target_lengths + 2, 2 * target_lengths + 1), 1)          # the last blank and the last label; FAR before
    ends = F.gather(rows, 1, ends)
    top = F.amax(ends, 1, True)
    nll = -(F.log(F.sum(F.exp(ends - top), 1)) + F.reshape(top, (x.shape[1],)))
    return alpha, F.where(nll > -0.5 * FAR, math.inf, nll)


def _forward(F: Any, x: Any, targets: Any, input_lengths: Any, target_lengths: Any, *, blank: int = 0, reduction: str = "mean",
             zero_infinity: bool = False) -> Any:
    wide_x = F.cast(x, dtypes.float32) if dtypes.is_half(x.dtype) else x
    alpha, nll = _loss(F, wide_x, targets, input_lengths, target_lengths, blank)
    loss = F.where(F.isinf(nll), F.zeros_like(nll), nll) if zero_infinity else nll
    if reduction == "mean":
        loss = F.mean(loss / F.cast(F.maximum(target_lengths, 1), loss.dtype))
    elif reduction == "sum":
        loss = F.sum(loss)
    return F.cast(loss, x.dtype), alpha, nll


def _slope(F: Any, g: Any, x: Any, targets: Any, input_lengths: Any, target_lengths: Any, alpha: Any, nll: Any, *, blank: int,
           reduction: str, zero_infinity: bool) -> Any:
    """exp(log_probs) less the probability that the label is due, as PyTorch's: it presumes a log_softmax before it."""
    if alpha is None:                            # recorded: an op, which has no derivative of its own
        return F.ctc_loss_backward(g, x, targets, input_lengths, target_lengths, blank=blank, reduction=reduction,
                                   zero_infinity=zero_infinity)
    labels, scores, skip = _states(F, x, targets, blank)
    steps, n, _ = x.shape
    when = F.reshape(F.arange(steps, targets), (steps, 1, 1))
    until = F.reshape(input_lengths, (1, n, 1))
    state = F.reshape(F.arange(labels.shape[1], targets), (1, labels.shape[1]))
    final = F.cast(F.where(state == 2 * F.reshape(target_lengths, (n, 1)), 0.0, FAR), x.dtype)
    due = F.ctc_occupancy(scores, skip, alpha, nll, final, when == until - 1)
    if reduction == "mean":
        g = g / (F.cast(F.maximum(target_lengths, 1), x.dtype) * n)
    slope = F.scatter_add(F.exp(x), 2, F.expand(labels, due.shape), -due) * (F.reshape(g, (1, n, 1)) if g.ndim else g)
    slope = F.where(F.reshape(F.isfinite(nll), (1, n, 1)), slope, 0.0 if zero_infinity else math.nan)
    return F.where(when < until, slope, 0.0)


def _again(F: Any, g: Any, x: Any, targets: Any, input_lengths: Any, target_lengths: Any, *, blank: int = 0,
           reduction: str = "mean", zero_infinity: bool = False) -> Any:
    alpha, nll = _loss(F, x, targets, input_lengths, target_lengths, blank)
    return _slope(F, g, x, targets, input_lengths, target_lengths, alpha, nll, blank=blank, reduction=reduction,
                  zero_infinity=zero_infinity)


def _no_second(F: Any, g: Any) -> Any:
    raise GraphError("ctc_loss", "a gradient of its gradient", "there is none, as in PyTorch: the first presumes that log_softmax "
                     "made log_probs, and so is no derivative by itself", "differentiate it once")


_ctc = op("ctc_loss", _forward, wide(_slope), None, None, None, aux=("alpha", "nll"))
op("ctc_loss_backward", wide(_again), _no_second, _no_second, None, None, None)


# ------------------------------------------------------------------------------------------------------- public
def ctc_loss(log_probs: Tensor, targets: Tensor, input_lengths: Any, target_lengths: Any, blank: int = 0,
             reduction: str = "mean", zero_infinity: bool = False) -> Tensor:
    """-log of the probability of the target labels, summed over all their alignments with the input's steps; one node.

    Args:
        log_probs: log_softmax's, (T, N, C) or (T, C): T steps, N samples, C labels including the blank.
        targets: labels (N, L), what is behind a target's length being ignored; or all targets in a row, (sum of lengths,).
        input_lengths, target_lengths: N ints each, as a tuple, a list or a Tensor (which is read). One for (T, C).
        blank: the label of no label. zero_infinity: 0 instead of inf, and no gradient, where the input is too short.
        reduction: "mean" divides each loss by its target's length first.

    The gradient with respect to log_probs is PyTorch's: right behind log_softmax, and there only. It cannot be differentiated.

    Raises: ShapeError, ArgumentError for lengths or a blank that do not fit; IndexingError for a label that is not
    in 0 .. C-1 (on a GPU nobody looks). Source: Graves et al., ICML 2006.

    >>> even = ta.full((3, 1, 2), 0.5).log()                     # of 8 paths, 6 say the label 1 once
    >>> ta.nn.functional.ctc_loss(even, ta.tensor([[1]]), (3,), (1,)).exp()
    tensor(1.3333)
    """
    reduction = reduction_of("ctc_loss", reduction, None, None)
    x = _batched(log_probs)
    steps, n, classes = x.shape
    a_tensor("ctc_loss", "targets", targets)
    blank = whole(blank, "ctc_loss", "blank")
    if not 0 <= blank < classes:
        raise ArgumentError("ctc_loss", f"blank={blank}", f"it is one of the labels 0 to {classes - 1}")
    lengths = _lengths("input_lengths", input_lengths, n, steps), _lengths("target_lengths", target_lengths, n, None)
    labels = _padded(targets, lengths[1], blank)
    F = backend.namespace(labels)
    if not F.within(labels, 0, classes - 1):
        wrong = labels[F.logical_or(labels < 0, labels >= classes)]
        raise IndexingError("ctc_loss", f"the label {int(wrong[0])}", f"it is out of range: there are {classes} labels",
                            f"labels are 0 to {classes - 1}")
    on = [wrap(backend.asarray(list(v), dtypes.int64, log_probs.device)) for v in lengths]
    loss = _ctc(x, wrap(F.asarray(labels)), *on, blank=blank, reduction=reduction, zero_infinity=bool(zero_infinity))
    return loss.reshape(()) if log_probs.ndim == 2 and reduction == "none" else loss


def _batched(log_probs: Tensor) -> Tensor:
    a_tensor("ctc_loss", "log_probs", log_probs)
    floating("ctc_loss", log_probs)
    if log_probs.ndim not in (2, 3) or not log_probs.array.size:
        raise ShapeError("ctc_loss", f"log_probs of shape {log_probs.shape}", "they are (T, N, C), or (T, C) for one sample, and not empty")
    return log_probs if log_probs.ndim == 3 else log_probs.unsqueeze(1)


def _lengths(what: str, given: Any, n: int, most: int | None) -> list[int]:
    """Lengths as Python ints, one a sample."""
    if isinstance(given, Tensor):
        if given.dtype.kind not in "iu":
            raise DTypeError("ctc_loss", f"{what} of {given.dtype}", "lengths are integers", "convert them with .long()")
        given = given.reshape(-1).tolist()
    found = [whole(v, "ctc_loss", what) for v in (given if isinstance(given, Sequence) else (given,))]
    if len(found) != n:
        raise ShapeError("ctc_loss", f"{len(found)} {what}", f"there must be one for each of the {n} samples")
    wrong = [v for v in found if v < 0 or (most is not None and v > most)]
    if wrong:
        raise ArgumentError("ctc_loss", f"{what} with {wrong[0]}", "a length is not negative" if most is None or wrong[0] < 0 else
                            f"log_probs have {most} steps")
    return found


def _padded(targets: Tensor, lengths: Sequence[int], blank: int) -> Any:
    """The labels as an array (N, longest), with blanks behind each target."""
    F = backend.namespace(targets.array)
    t = F.cast(targets.array, dtypes.int64)                      # floats too, as in PyTorch
    n, longest = len(lengths), max(lengths)
    within = F.arange(longest, t).reshape(1, longest)
    ends = backend.asarray(list(lengths), dtypes.int64, targets.device).reshape(n, 1)
    if targets.ndim == 2:
        if targets.shape[0] != n or targets.shape[1] < longest:
            raise ShapeError("ctc_loss", f"targets of shape {targets.shape}", f"there are {n} samples, and the longest target has {longest} labels")
        rows = t[:, :longest]
    elif targets.ndim == 1:
        if targets.shape[0] != sum(lengths):
            raise ShapeError("ctc_loss", f"{targets.shape[0]} labels in a row", f"target_lengths add up to {sum(lengths)}")
        starts = F.cumsum(ends, 0) - ends
        rows = t[F.where(within < ends, starts + within, 0)] if sum(lengths) else 0 * (ends + within)
    else:
        raise ShapeError("ctc_loss", f"targets of shape {targets.shape}", "they are (N, L), or in a row (sum of target_lengths,)")
    return F.where(within < ends, rows, blank)
