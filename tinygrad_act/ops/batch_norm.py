"""batch_norm and instance_norm: normalisation that may keep running means and variances."""

from __future__ import annotations

import math
from typing import Any

from .. import dtypes
from ..backend import namespaces
from ..errors import ArgumentError, DTypeError, ShapeError
from ..graph import recording
from ..op import Single
from ..tensor import Tensor, wrap
from .inplace import write
from .normalisation import View, affine, affine_grads, fits, gradient, row
from .reduce import only_floats
from .registry import enter


# ------------------------------------------------------------------------------------------------------- the rows
def _normalised(F: Any, x: Any, weight: Any, bias: Any, mean: Any, scale: Any, *, view: Any = None, eps: float = 1e-5) -> Any:
    return F.standardise(x, mean, scale, weight, bias, view, True)


def _normalised_back(F: Any, g: Any, x: Any, weight: Any, mean: Any, scale: Any, *, view: View, eps: float, needs: Any) -> Any:
    grads = (gradient(g, x, weight, view, eps, True, True) if F is recording else
             F.normalise_grad(g, x, weight, mean, scale, view, True))
    return affine_grads(F, weight, grads, needs)


# The statistics are inputs, because running ones are made of them too; the rule knows that they are those of x.
_batch_norm = enter(Single("batch_norm", _normalised, joint=_normalised_back, free=24))          # they are float64
_instance_norm = row("instance_norm")


def _wide(F: Any, v: Any, like: Any) -> Any:
    """In the dtype of the statistics."""
    return F.cast(v, like.dtype)


def _per_channel(F: Any, p: Any, like: Any, view: View) -> Any:
    return p if isinstance(p, float) else F.reshape(_wide(F, p, like), (1, view[1], 1, 1))


def _settled_back(F: Any, g: Any, weight: Any, scale: Any, *, view: View) -> Any:
    gx = F.reshape(_wide(F, g, scale), view) * (_per_channel(F, scale, scale, view) * _per_channel(F, weight, scale, view))
    return F.cast(F.reshape(gx, g.shape), g.dtype)


def _settled_for_weight(F: Any, g: Any, x: Any, mean: Any, scale: Any, weight_dtype: Any, *, view: View) -> Any:
    d = F.reshape(_wide(F, x, scale), view) - _per_channel(F, mean, scale, view)
    return F.cast(F.sum(F.reshape(_wide(F, g, scale), view) * d, (0, 2, 3)) * scale, weight_dtype)


def _settled_for_bias(F: Any, g: Any, bias_dtype: Any, *, view: View) -> Any:
    wide = dtypes.float32 if dtypes.is_half(g.dtype) else g.dtype
    return F.cast(F.sum(F.reshape(F.cast(g, wide), view), (0, 2, 3)), bias_dtype)


# In evaluation the statistics are constants; then x is kept only for a weight that learns.
_settled = Single("batch_norm", lambda F, x, weight, bias, mean, scale, *, view: F.standardise(
    x, mean, scale, weight, bias, view, True), _settled_back, _settled_for_weight, _settled_for_bias, None, None)


# --------------------------------------------------------------------------------------------------------- public
def batch_norm(input: Tensor, running_mean: Tensor | None, running_var: Tensor | None, weight: Tensor | None = None,
               bias: Tensor | None = None, training: bool = False, momentum: float = 0.1, eps: float = 1e-5) -> Tensor:
    """Each channel with mean 0 and variance 1, times weight, plus bias (Ioffe and Szegedy, 2015, arXiv:1502.03167).

    In training these are the mean and variance of the batch, and the running ones, if given, are moved `momentum` of the
    way to them, in place (to the unbiased variance). In evaluation they are the running ones.

    Args:
        input: (N, C) or (N, C, *).
        running_mean, running_var, weight, bias: (C,).

    Raises:
        ShapeError: there is one value a channel, in training; or sizes do not fit.
        DTypeError: dtypes differ. (Beside a half, the others may be float32.)

    >>> ta.nn.functional.batch_norm(ta.tensor([[1.0, 10.0], [3.0, 30.0]]), None, None, training=True)
    tensor([[-1.0000, -1.0000],
            [ 1.0000,  1.0000]])
    """
    x = only_floats(input, "batch_norm")
    if x.shape == (0,):
        return recording.clone(x)  # type: ignore[no-any-return]
    if x.ndim < 2:
        raise ShapeError("batch_norm", f"an input of shape {x.shape}", "it must have two axes at least: (N, C, ...)")
    n, channels = x.shape[:2]
    view: View = (n, channels, 1, math.prod(x.shape[2:]))
    if training and n * view[3] == 1:
        raise ShapeError("batch_norm", f"an input of shape {x.shape}", "in training each channel must have more than one value: "
                         "one has no variance", "use a larger batch, or eval()")
    if eps < 0 or (training and eps == 0):
        raise ArgumentError("batch_norm", f"eps={eps}", "it must be more than 0")
    _check_running("batch_norm", x, running_mean, running_var, not training)
    weight, bias = affine("batch_norm", x, weight, bias, (channels,), "a number a channel")
    F = namespaces[type(x.array)]
    if training:
        mean, variance = F.moments(x.array, view, True)                # in float64
        _move(running_mean, running_var, mean, variance, n * view[3], momentum)
        return _batch_norm(x, weight, bias, wrap(mean), wrap(1 / F.sqrt(variance + eps)), view=view, eps=eps)
    mean, variance = (_as_statistic(F, r, x) for r in (running_mean, running_var))
    return _settled(x, weight, bias, wrap(mean), wrap(1 / F.sqrt(variance + eps)), view=view)


def instance_norm(input: Tensor, running_mean: Tensor | None = None, running_var: Tensor | None = None,
                  weight: Tensor | None = None, bias: Tensor | None = None, use_input_stats: bool = True,
                  momentum: float = 0.1, eps: float = 1e-5) -> Tensor:
    """Each channel of each sample with mean 0 and variance 1, times weight, plus bias (Ulyanov et al., 2016,
    arXiv:1607.08022). Arguments and errors as for batch_norm; running statistics are moved to the means over the samples.

    >>> ta.nn.functional.instance_norm(ta.tensor([[[1.0, 3.0], [10.0, 30.0]]]))
    tensor([[[-1.0000,  1.0000],
             [-1.0000,  1.0000]]])
    """
    x = only_floats(input, "instance_norm")
    if not use_input_stats:
        if running_mean is None or running_var is None:
            raise ArgumentError("instance_norm", "no running_mean or running_var", "use_input_stats=False needs them")
        return batch_norm(x, running_mean, running_var, weight, bias, False, momentum, eps)
    if x.ndim < 2 or math.prod(x.shape[2:]) == 1:
        raise ShapeError("instance_norm", f"an input of shape {x.shape}", "each channel must have more than one value: one has "
                         "no variance", "the axes are (N, C, ...), with more than one element after C")
    n, channels = x.shape[:2]
    view: View = (n, channels, 1, math.prod(x.shape[2:]))
    _check_running("instance_norm", x, running_mean, running_var, False)
    weight, bias = affine("instance_norm", x, weight, bias, (channels,), "a number a channel")
    if running_mean is not None and x.array.size:
        mean, variance = (v.reshape((n, channels)).mean(0) for v in namespaces[type(x.array)].moments(x.array, view, False))
        _move(running_mean, running_var, mean, variance, view[3], momentum)
    return _instance_norm(x, weight, bias, view=view, eps=eps)


def _check_running(name: str, x: Tensor, mean: Tensor | None, var: Tensor | None, needed: bool) -> None:
    if mean is not None and var is not None and fits(x, mean, var, x.shape[1:2]):
        return
    if (mean is None or var is None) if needed else ((mean is None) != (var is None)):
        missing = "running_mean" if mean is None else "running_var"
        raise ArgumentError(name, f"{missing}=None", "in evaluation both running statistics are needed" if needed else
                            "the running statistics come both or not at all", "pass training=True to use the batch's" if needed else "")
    for what, r in (("running_mean", mean), ("running_var", var)):
        if r is not None and r.shape != x.shape[1:2]:
            raise ShapeError(name, f"a {what} of shape {r.shape} for an input of shape {x.shape}",
                             f"it must have {x.shape[1]} elements: axis 1 of the input is the channels'")
        if r is not None and r.dtype != x.dtype and not (dtypes.is_half(x.dtype) and r.dtype == dtypes.float32):
            raise DTypeError(name, f"a {what} of {r.dtype} for an input of {x.dtype}", "the dtypes differ", "convert one with .to(dtype)")


def _as_statistic(F: Any, r: Any, x: Tensor) -> Any:
    return F.cast(r.array, dtypes.float32 if dtypes.is_half(x.dtype) else x.dtype)


def _move(running_mean: Tensor | None, running_var: Tensor | None, mean: Any, variance: Any, count: int, momentum: float) -> None:
    """The running statistics, `momentum` of the way to these; `count` values make the variance."""
    if running_mean is None or running_var is None or not count:
        return
    for r, v, share in ((running_mean, mean, momentum), (running_var, variance, momentum * count / max(count - 1, 1))):    # unbiased
        moved = share * v
        moved += (1 - momentum) * (namespaces[type(v)].cast(r.array, v.dtype) if dtypes.is_half(r.dtype) else r.array)
        write(r, Ellipsis, moved, "batch_norm")
