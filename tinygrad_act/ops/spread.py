"""How far elements are spread: var and std, alone and with the mean."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from .. import dtypes
from ..backend.namespace import numel
from ..errors import ArgumentError
from ..tensor import Tensor
from .arguments import Dims, synonyms
from .reduce import Reduction, axes, keep, mean, only_floats, wide
from .registry import enter, public


def _center(F: Any, x: Any, dim: Any) -> Any:
    """The mean, axes kept. One that was rounded past the smallest or the largest element is that element: equal elements are 0 from
    it, or their deviation would be the mean's rounding, and its gradient noise over noise.
    """
    mean = F.mean(x, dim, True)
    return F.minimum(F.maximum(mean, F.amin(x, dim, True)), F.amax(x, dim, True)) if numel(x.shape, dim) else mean


def _var(F: Any, x: Any, *, dim: Any = None, correction: float = 1, keepdim: bool = False) -> tuple[Any, Any]:
    """The variance, and the mean."""
    mean = _center(F, x, dim)
    d = x - mean
    return F.sum(d * d, dim, keepdim) / max(numel(x.shape, dim) - correction, 0), mean


def _std(F: Any, x: Any, *, dim: Any = None, correction: float = 1, keepdim: bool = False) -> tuple[Any, Any]:
    y, mean = _var(F, x, dim=dim, correction=correction, keepdim=keepdim)
    return F.sqrt(y), mean


def _var_rule(F: Any, g: Any, x: Any, mean: Any, *, dim: Any, correction: float, keepdim: bool) -> Any:
    freedom = numel(x.shape, dim) - correction
    d = x - (_center(F, x, dim) if mean is None else mean)
    g = keep(F, g, x.shape, dim, keepdim)
    return g * (2 / freedom) * d if freedom > 0 else g * (math.inf * F.abs(d))


def _std_rule(F: Any, g: Any, x: Any, y: Any, mean: Any, *, dim: Any, correction: float, keepdim: bool) -> Any:
    zero = y == 0                                            # of constants: PyTorch's choice there is 0
    g = F.where(zero, 0 * g, g / (2 * F.where(zero, 1, y)))
    return _var_rule(F, g, x, mean, dim=dim, correction=correction, keepdim=keepdim)


def _in_float32(forward: Callable[..., Any]) -> Callable[..., Any]:
    """The rule with halves computed in float32; the mean that is kept stays that."""
    @functools.wraps(forward)
    def run(F: Any, x: Any, **settings: Any) -> tuple[Any, Any]:
        y, mean = forward(F, F.cast(x, dtypes.float32) if dtypes.is_half(x.dtype) else x, **settings)
        return F.cast(y, x.dtype), mean
    return run


_variance = enter(Reduction("var", _in_float32(_var), wide(_var_rule), aux=("mean",)))
_deviation = enter(Reduction("std", _in_float32(_std), wide(_std_rule), aux=("mean",)))


def _spread_settings(x: Tensor, dim: Any, unbiased: bool | None, keepdim: bool, correction: Any, op: str) -> dict[str, Any]:
    """PyTorch's three spellings: (dim, correction=), (dim, unbiased), (unbiased)."""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if unbiased is not None and correction is not None:
        raise ArgumentError(op, f"unbiased={unbiased}, correction={correction}", "both say what to divide by", "give one")
    if correction is None:
        correction = 1 if unbiased is None else int(unbiased)
    return {"dim": axes(only_floats(x, op), dim, op), "correction": correction, "keepdim": keepdim}


@public()
@synonyms
def var(input: Tensor, dim: Dims = None, unbiased: bool | None = None, keepdim: bool = False, *,
        correction: float | None = None) -> Tensor:
    """The variance: the sum of squared distances from the mean over n - `correction` (1, or 0 if `unbiased=False`).

    >>> ta.tensor([1., 2., 3.]).var(), ta.tensor([1., 2., 3.]).var(correction=0)
    (tensor(1.), tensor(0.6667))
    """
    return _variance.call(input, **_spread_settings(input, dim, unbiased, keepdim, correction, "var"))


@public()
@synonyms
def std(input: Tensor, dim: Dims = None, unbiased: bool | None = None, keepdim: bool = False, *,
        correction: float | None = None) -> Tensor:
    """The square root of `var`. Where all elements are equal, its gradient is 0."""
    return _deviation.call(input, **_spread_settings(input, dim, unbiased, keepdim, correction, "std"))


def _with_mean(name: str, spread: Callable[..., Tensor]) -> None:
    @public(f"{name}_mean", method=False)
    @synonyms
    def both(input: Tensor, dim: Any = None, unbiased: bool | None = None, keepdim: bool = False, *,
             correction: float | None = None) -> tuple[Tensor, Tensor]:
        if isinstance(dim, bool):
            dim, unbiased = None, dim
        return spread(input, dim, unbiased, keepdim, correction=correction), mean(input, dim, keepdim)
    both.__name__ = f"{name}_mean"
    both.__doc__ = f"The pair ({name}, mean), with the arguments of `{name}`."


_with_mean("var", var)
_with_mean("std", std)
