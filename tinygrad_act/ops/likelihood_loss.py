"""Losses of distributions: Kullback and Leibler's divergence, and the likelihoods of Gauss and Poisson."""

from __future__ import annotations

import math
import warnings
from typing import Any

from .. import backend
from ..errors import ArgumentError, ShapeError
from ..graph import recording
from ..tensor import Tensor, wrap
from .reduced import REDUCTIONS, floating, pair, pointwise, reduction_of


# ------------------------------------------------------------------------------------------------------- kl_div
def _entropy(F: Any, target: Any) -> Any:
    """target log target, 0 where the target is."""
    zero = target == 0
    return F.where(zero, 0.0, target * F.log(F.where(zero, 1.0, target)))


_divergence = pointwise("kl_div", lambda F, x, target: _entropy(F, target) - target * x,
                        lambda F, g, target: -(g * target),
                        lambda F, g, x, target: g * ((F.log(target) + 1) - x), kinds="f")
_log_divergence = pointwise("kl_div_of_logs", lambda F, x, target: F.exp(target) * (target - x),
                            lambda F, g, target: -(g * F.exp(target)),
                            lambda F, g, x, target: (g * F.exp(target)) * ((target - x) + 1), kinds="f")


def kl_div(input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
           reduction: str = "mean", log_target: bool = False) -> Tensor:
    """target (log target - input): how far the distribution `target` is from that whose logarithms `input` holds.

    Args:
        input: logarithms of probabilities, of any shape. target: probabilities, or with `log_target` their logarithms.
        reduction: "batchmean" divides the sum by the size of the first axis, which is the divergence itself; "mean" divides
            by all elements, which warns, as in PyTorch.

    Raises: DTypeError for integers; ShapeError for shapes that do not broadcast.

    >>> p = ta.tensor([[0.5, 0.5]])
    >>> ta.nn.functional.kl_div(ta.tensor([[0.25, 0.75]]).log(), p, reduction="batchmean")
    tensor(0.1438)
    """
    if size_average is None and reduce is None and reduction == "mean":
        warnings.warn("reduction: 'mean' divides the total loss by both the batch size and the support size; the divergence itself is "
                      "reduction='batchmean'", UserWarning, stacklevel=2)
    reduction = reduction_of("kl_div", reduction, size_average, reduce, (*REDUCTIONS, "batchmean"))
    pair("kl_div", input, target, warn=False)
    for t in (input, target):
        floating("kl_div", t)
    op = _log_divergence if log_target else _divergence
    out = op(input, target, reduction="sum" if reduction == "batchmean" else reduction)
    if reduction == "batchmean" and input.ndim:
        return recording.div(out, input.shape[0] or math.nan)  # type: ignore[no-any-return]
    return out


# ----------------------------------------------------------------------------------------------------- Gauss
def _gaussian(F: Any, x: Any, target: Any, var: Any, *, constant: float = 0.0, eps: float = 1e-6) -> Any:
    d, v = x - target, F.maximum(var, eps)
    return 0.5 * (F.log(v) + d * d / v) + constant


def _gaussian_slope(F: Any, g: Any, x: Any, target: Any, var: Any, *, eps: float) -> Any:
    return g * ((x - target) / F.maximum(var, eps))


def _by_variance(F: Any, g: Any, x: Any, target: Any, var: Any, *, eps: float) -> Any:
    """As if the variance had been at least eps: PyTorch's choice, which lets one that is too small grow again."""
    d, v = x - target, 1 / F.maximum(var, eps)
    return g * (0.5 * v * (1 - d * d * v))


_gaussian_nll = pointwise("gaussian_nll", _gaussian, _gaussian_slope,
                          lambda F, g, x, target, var, *, eps: _gaussian_slope(F, g, target, x, var, eps=eps), _by_variance, kinds="f")


def gaussian_nll_loss(input: Tensor, target: Tensor, var: Tensor | float, full: bool = False, eps: float = 1e-6,
                      reduction: str = "mean") -> Tensor:
    """(log var + (input - target)² / var) / 2: the negative log likelihood of a normal distribution.

    Args:
        input: the expectations. target: what was seen; it broadcasts.
        var: the variances: of input's shape, or with a last axis of size 1 or none, or a number. Those below `eps` count as eps.
        full: add the constant log(2 π) / 2.

    Raises: ArgumentError: a variance is negative (looked at on the CPU only). ShapeError: a shape does not fit.

    >>> ta.nn.functional.gaussian_nll_loss(ta.tensor([1.0]), ta.tensor([3.0]), 2.0)
    tensor(1.3466)
    """
    name = "gaussian_nll_loss"
    reduction = reduction_of(name, reduction, None, None)
    pair(name, input, target, warn=False)
    if not eps > 0:
        raise ArgumentError(name, f"eps={eps}", "it is the least variance: above 0")
    settings = {"constant": 0.5 * math.log(2 * math.pi) if full else 0.0, "eps": float(eps), "reduction": reduction}
    if not isinstance(var, Tensor):
        if isinstance(var, bool) or not isinstance(var, (int, float)):
            raise ArgumentError(name, f"var: {type(var).__name__}", "variances are a Tensor or a number")
        if var < 0:
            raise ArgumentError(name, f"var={var}", "a variance is not negative")
        floating(name, input)
        one = backend.namespace(input.array).full((), float(var), input.array)
        return _gaussian_nll(input, target, wrap(one), **settings)
    backend.namespace(var.array).require(_variances, var.array)
    return _gaussian_nll(input, target, _fitted(name, var, input), **settings)


def _variances(v: Any) -> None:
    """Raise unless they are."""
    if (v < 0).any():
        raise ArgumentError("gaussian_nll_loss", f"a variance of {float(v.min()):.6g}", "a variance is not negative", "pass exp() of what the network says")


def _fitted(name: str, var: Tensor, input: Tensor) -> Tensor:
    """The variances with input's number of axes: one each, or one for what lies along a single axis."""
    if var.shape == input.shape:
        return var
    if input.ndim and var.shape == input.shape[:-1]:
        out: Tensor = recording.reshape(var, shape=(*var.shape, 1))
        return out
    # one axis may be of size 1 (PyTorch adds up the sizes that differ and wants the sum 1)
    if var.ndim == input.ndim and sum(v for n, v in zip(input.shape, var.shape, strict=True) if n != v) == 1:
        return var
    raise ShapeError(name, f"variances of shape {var.shape} for an input of shape {input.shape}", "var has input's shape, or that "
                     "with its last axis left out, or one axis of size 1", "reshape it, or pass a number")


# --------------------------------------------------------------------------------------------------- Poisson
def _stirling(F: Any, target: Any) -> Any:
    """log(target!) by Stirling's formula, 0 up to 1."""
    large = target > 1
    t = F.where(large, target, 1.0)
    return F.where(large, t * F.log(t) - t + 0.5 * F.log((2 * math.pi) * t), 0.0)


def _stirling_slope(F: Any, g: Any, target: Any) -> Any:
    large = target > 1
    t = F.where(large, target, 1.0)
    return F.where(large, g * (F.log(t) + 0.5 / t), 0.0)


def _poisson(F: Any, x: Any, target: Any, *, full: bool = False) -> Any:
    loss = F.exp(x) - target * x
    return loss + _stirling(F, target) if full else loss


def _poisson_by_target(F: Any, g: Any, x: Any, target: Any, *, full: bool) -> Any:
    return _stirling_slope(F, g, target) - g * x if full else -(g * x)


def _rate(F: Any, x: Any, target: Any, *, eps: float = 1e-8, full: bool = False) -> Any:
    loss = x - target * F.log(x + eps)
    return loss + _stirling(F, target) if full else loss


def _rate_by_target(F: Any, g: Any, x: Any, target: Any, *, eps: float, full: bool) -> Any:
    slope = g * F.log(x + eps)
    return _stirling_slope(F, g, target) - slope if full else -slope


_of_log_rates = pointwise("poisson_nll", _poisson, lambda F, g, x, target: g * (F.exp(x) - target), _poisson_by_target, result="float")
_of_rates = pointwise("poisson_nll_of_rates", _rate, lambda F, g, x, target, *, eps: g * (1 - target / (x + eps)), _rate_by_target,
                      result="float")


def poisson_nll_loss(input: Tensor, target: Tensor, log_input: bool = True, full: bool = False, size_average: bool | None = None,
                     eps: float = 1e-8, reduce: bool | None = None, reduction: str = "mean") -> Tensor:
    """exp(input) - target input: the negative log likelihood of counts, `input` being the logarithms of their rates.

    Args:
        input: log rates; with log_input=False rates, of which the loss is input - target log(input + eps). target: the counts.
        full: add Stirling's approximation of log(target!), for targets above 1.

    Raises: ShapeError for shapes that do not broadcast.

    >>> ta.nn.functional.poisson_nll_loss(ta.tensor([0.0]), ta.tensor([3.0]))
    tensor(1.)
    """
    name = "poisson_nll_loss"
    reduction = reduction_of(name, reduction, size_average, reduce)
    pair(name, input, target, warn=False)
    if log_input:
        return _of_log_rates(input, target, full=full, reduction=reduction)
    return _of_rates(input, target, full=full, eps=float(eps), reduction=reduction)
