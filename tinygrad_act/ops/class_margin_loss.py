"""Margins between the scores of classes: multi_margin_loss and multilabel_margin_loss, one node each."""

from __future__ import annotations

from typing import Any

from .. import backend, dtypes
from ..errors import ArgumentError, DTypeError, IndexingError, ShapeError
from ..graph import casts
from ..tensor import Tensor, wrap
from .margin_loss import _column, _count, _each
from .reduce import wide
from .reduced import a_tensor, constant, floating, reduction_of
from .registry import op


# --------------------------------------------------------------------------------------------------- multi_margin
# x is (N, C), index (N, 1), w (N, 1) or the number 1.
def _excess(F: Any, x: Any, index: Any, margin: float) -> Any:
    """By how much each class comes too near to the right one; 0 for the right one."""
    z = F.maximum(margin - F.gather(x, 1, index) + x, 0)
    return F.where(index == F.reshape(F.arange(x.shape[1], index), (1, x.shape[1])), 0.0, z)


def _multi(F: Any, x: Any, index: Any, w: Any, *, p: int = 1, margin: float = 1.0, reduction: str = "mean") -> Any:
    z = _excess(F, x, index, margin)
    return _count(F, F.sum(w * (z if p == 1 else z * z), -1) / x.shape[1], reduction)


def _multi_rule(F: Any, g: Any, x: Any, index: Any, w: Any, *, p: int, margin: float, reduction: str) -> Any:
    z = _excess(F, x, index, margin)
    slope = F.cast(z > 0, x.dtype) if p == 1 else 2 * z
    h = _column(F, _each(g, x.shape[:1], reduction)) * w / x.shape[1] * slope
    return F.scatter_add(h, 1, index, -F.sum(h, -1, True))


_multi_margin = op("multi_margin", wide(_multi), wide(_multi_rule), None, None)


def multi_margin_loss(input: Tensor, target: Tensor, p: int = 1, margin: float = 1.0, weight: Tensor | None = None,
                      size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean") -> Tensor:
    """The sum over the other classes i of max(0, margin - input[target] + input[i])**p, over the number of classes.

    Args:
        input: scores (N, C) or (C,). target: class numbers (N,), or one. p: 1 or 2. weight: (C,), what a target of each class
            counts for.

    Raises: IndexingError: a target is not in 0 .. C-1 (on a GPU nobody looks). ShapeError, DTypeError, ArgumentError.

    >>> ta.nn.functional.multi_margin_loss(ta.tensor([[0.1, 0.2, 0.9]]), ta.tensor([2]))
    tensor(0.1667)
    """
    name = "multi_margin_loss"
    reduction = reduction_of(name, reduction, size_average, reduce)
    if p not in (1, 2):
        raise ArgumentError(name, f"p={p}", "it is 1 or 2")
    x = _scores(name, input, target)
    if target.ndim > 1 or target.array.size != x.shape[0]:
        raise ShapeError(name, f"an input of shape {input.shape} and a target of shape {target.shape}", f"there must be {x.shape[0]} targets")
    _in_range(name, target, 0, x.shape[1])
    w: Any = 1.0
    if weight is not None:
        constant(name, "weight", weight)
        if weight.shape != (x.shape[1],):
            raise ShapeError(name, f"a weight of shape {weight.shape}", f"there must be one for each of {x.shape[1]} classes")
        if weight.dtype != x.dtype and not casts("multi_margin"):
            raise DTypeError(name, f"a weight of {weight.dtype} for an input of {x.dtype}", "the dtypes differ", "convert it with .to(input.dtype)")
        w = weight[target.reshape(-1)].reshape(-1, 1)
    loss = _multi_margin(x, target.reshape(-1, 1), w, p=int(p), margin=float(margin), reduction=reduction)
    return loss.reshape(target.shape) if input.ndim < 2 and reduction == "none" else loss


# ---------------------------------------------------------------------------------------------- multilabel_margin
# x is (N, C); index (N, L) has the right classes, `valid` (N, L) which of them count, and `wrong` (N, C) marks the others.
def _gaps(F: Any, x: Any, index: Any) -> Any:
    """1 - x[right] + x[i] for each right class and each class, (N, L, C)."""
    return _column(F, 1 - F.gather(x, 1, index)) + F.reshape(x, (x.shape[0], 1, x.shape[1]))


def _live(F: Any, valid: Any, wrong: Any) -> Any:
    return _column(F, valid) * F.reshape(wrong, (wrong.shape[0], 1, wrong.shape[1]))


def _multilabel(F: Any, x: Any, index: Any, valid: Any, wrong: Any, *, reduction: str = "mean") -> Any:
    z = F.maximum(_gaps(F, x, index), 0) * _live(F, valid, wrong)
    return _count(F, F.sum(z, (1, 2)) / x.shape[1], reduction)


def _multilabel_rule(F: Any, g: Any, x: Any, index: Any, valid: Any, wrong: Any, *, reduction: str) -> Any:
    h = F.cast(_gaps(F, x, index) > 0, x.dtype) * _live(F, valid, wrong)
    h = h * F.reshape(_each(g, x.shape[:1], reduction) / x.shape[1], (-1, 1, 1))
    return F.scatter_add(F.sum(h, 1), 1, index, -F.sum(h, 2))


_multilabel_margin = op("multilabel_margin", wide(_multilabel), wide(_multilabel_rule), None, None, None)


def multilabel_margin_loss(input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
                           reduction: str = "mean") -> Tensor:
    """The sum over right classes j and wrong ones i of max(0, 1 - input[j] + input[i]), over the number of classes.

    Args: input: scores (N, C) or (C,). target: of input's shape, the numbers of the right classes, ended by -1.

    Raises: IndexingError: a target is not in -1 .. C-1 (on a GPU nobody looks). ShapeError, DTypeError.

    >>> ta.nn.functional.multilabel_margin_loss(ta.tensor([[0.1, 0.2, 0.4, 0.8]]), ta.tensor([[3, 0, -1, 1]]))
    tensor(0.8500)
    """
    name = "multilabel_margin_loss"
    reduction = reduction_of(name, reduction, size_average, reduce)
    x = _scores(name, input, target)
    if target.array.size != input.array.size or target.ndim > 2 or (target.ndim == 2 and target.shape != input.shape):
        raise ShapeError(name, f"an input of shape {input.shape} and a target of shape {target.shape}", "they must be equal")
    _in_range(name, target, -1, x.shape[1])
    t = target.array.reshape(x.shape)
    F = backend.namespace(t)
    valid = F.cumprod(F.cast(t >= 0, dtypes.int64), 1)
    if backend.is_host(t):                       # columns that no row uses: the first -1 ends a row
        longest = int(valid.sum(1).max()) if t.size else 0
        t, valid = t[:, :longest], valid[:, :longest]
    index = F.where(valid > 0, t, 0)
    right = F.scatter_add(F.cast(F.zeros_like(x.array), dtypes.int64), 1, index, valid)
    kind = dtypes.float32 if dtypes.is_half(x.dtype) else x.dtype
    loss = _multilabel_margin(x, *[wrap(F.asarray(a)) for a in (index, F.cast(valid, kind), F.cast(right == 0, kind))], reduction=reduction)
    return loss.reshape(()) if input.ndim < 2 and reduction == "none" else loss


# --------------------------------------------------------------------------------------------------------- checks
def _scores(name: str, input: Tensor, target: Tensor) -> Tensor:
    """The input as (N, C)."""
    a_tensor(name, "input", input)
    a_tensor(name, "target", target)
    floating(name, input)
    if target.dtype.kind not in "iu":
        raise DTypeError(name, f"targets of {target.dtype}", "class numbers are integers", "convert them with .long()")
    if input.ndim > 2 or (input.ndim and input.shape[-1] == 0):
        raise ShapeError(name, f"an input of shape {input.shape}", "it takes scores (N, C) or (C,), of at least one class")
    return input if input.ndim == 2 else input.reshape(1, -1)


def _in_range(name: str, target: Tensor, least: int, classes: int) -> None:
    t = target.array
    if not backend.namespace(t).within(t, least, classes - 1):
        wrong = t[(t < least) | (t >= classes)]
        raise IndexingError(name, f"the target {int(wrong[0])}", f"it is out of range: there are {classes} classes",
                            f"targets are {least} to {classes - 1}")
