"""How far elements are spread: var and std, alone and with the mean."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..backend.namespace import numel
from ..errors import ArgumentError
from ..tensor import Tensor
from .arguments import Dims, synonyms
from .reduce import axes, keep, mean, only_floats, reduction, wide
from .registry import public


def _var(F: Any, x: Any, *, dim: Any = None, correction: float = 1, keepdim: bool = False) -> Any:
    d = x - F.mean(x, dim, True)
    return F.sum(d * d, dim, keepdim) / max(numel(x.shape, dim) - correction, 0)


def _var_rule(F: Any, g: Any, x: Any, *, dim: Any, correction: float, keepdim: bool) -> Any:
    freedom = numel(x.shape, dim) - correction
    d = x - F.mean(x, dim, True)
    g = keep(F, g, x.shape, dim, keepdim)
    return g * (2 / freedom) * d if freedom > 0 else g * (math.inf * F.abs(d))


def _std_rule(F: Any, g: Any, x: Any, y: Any, *, dim: Any, correction: float, keepdim: bool) -> Any:
    zero = y == 0                                            # of constants: PyTorch's choice there is 0
    return _var_rule(F, F.where(zero, 0 * g, g / (2 * F.where(zero, 1, y))), x, dim=dim, correction=correction, keepdim=keepdim)


_variance = reduction("var", wide(_var), wide(_var_rule))
_deviation = reduction("std", wide(lambda F, x, *, dim=None, correction=1, keepdim=False:
                                   F.sqrt(_var(F, x, dim=dim, correction=correction, keepdim=keepdim))), wide(_std_rule))


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
