"""Bernoulli's distribution: 1 or 0."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from .. import _functions as ops
from ..errors import ArgumentError
from ..grad_mode import no_grad
from ..nn.functional import binary_cross_entropy_with_logits
from ..tensor import Tensor
from . import constraints
from .distribution import Distribution, Shape
from .utils import broadcast_all, lazy_property, logits_to_probs, probs_to_logits, shape_of

__all__ = ["Bernoulli"]


def one_of(kind: Any, probs: Any, logits: Any) -> Any:
    """The one that is given of `probs` and `logits`."""
    if (probs is None) == (logits is None):
        raise ArgumentError(type(kind).__name__, "both probs and logits" if probs is not None else "neither probs nor logits", "it takes one of them")
    return logits if probs is None else probs


class Bernoulli(Distribution):
    """1 with the probability `probs`, or that of the log-odds `logits`; else 0.

    >>> p = ta.distributions.Bernoulli(logits=ta.tensor([0.0, 2.0]))
    >>> p.probs, p.log_prob(ta.tensor([1.0, 0.0]))
    (tensor([0.5000, 0.8808]), tensor([-0.6931, -2.1269]))
    """

    arg_constraints: ClassVar[Any] = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.boolean
    has_enumerate_support = True

    def __init__(self, probs: Tensor | float | None = None, logits: Tensor | float | None = None, validate_args: bool | None = None) -> None:
        given = one_of(self, probs, logits)
        (self._param,) = broadcast_all(given)
        self.__dict__["logits" if probs is None else "probs"] = self._param
        super().__init__(shape_of(given), validate_args=validate_args)

    def expand(self, batch_shape: Shape, _instance: Any = None) -> Any:
        return self._expanded(Bernoulli, batch_shape, _instance, "probs", "logits", "_param")

    @lazy_property
    def logits(self) -> Tensor:
        """The log-odds."""
        return probs_to_logits(self.probs, is_binary=True)

    @lazy_property
    def probs(self) -> Tensor:
        """The probabilities of 1."""
        return logits_to_probs(self.logits, is_binary=True)

    @property
    def param_shape(self) -> tuple[int, ...]:
        """The shape of the parameter."""
        return self._param.shape

    @property
    def mean(self) -> Tensor:
        return self.probs                         # type: ignore[no-any-return]

    @property
    def mode(self) -> Tensor:
        likelier = (self.probs >= 0.5).to(self.probs.dtype)
        return ops.where(self.probs == 0.5, math.nan, likelier)

    @property
    def variance(self) -> Tensor:
        return self.probs * (1 - self.probs)      # type: ignore[no-any-return]

    def sample(self, sample_shape: Shape = ()) -> Tensor:
        with no_grad():
            return ops.bernoulli(self.probs.expand(self._extended_shape(sample_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        logits, value = broadcast_all(self.logits, value)
        return -binary_cross_entropy_with_logits(logits, value, reduction="none")

    def entropy(self) -> Tensor:
        return binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none")

    def enumerate_support(self, expand: bool = True) -> Tensor:
        values = ops.arange(2, dtype=self._param.dtype, device=self._param.device).reshape(2, *[1] * len(self._batch_shape))
        return values.expand(2, *self._batch_shape) if expand else values
