"""The normal distribution."""

from __future__ import annotations

import math

from .. import _functions as ops
from ..tensor import Tensor
from .distribution import Shape
from .location_scale import LocationScale

__all__ = ["Normal"]


class Normal(LocationScale):
    """Of mean `loc` and standard deviation `scale`, tensors that broadcast or numbers.

    >>> p = ta.distributions.Normal(ta.zeros(2), 1.0)
    >>> p.log_prob(ta.tensor([0.0, 1.0])), p.rsample((3,)).shape
    (tensor([-0.9189, -1.4189]), (3, 2))
    """

    @property
    def stddev(self) -> Tensor:
        return self.scale

    @property
    def variance(self) -> Tensor:
        return self.stddev.square()

    def rsample(self, sample_shape: Shape = ()) -> Tensor:
        noise = ops.randn(self._extended_shape(sample_shape), dtype=self.loc.dtype, device=self.loc.device)
        return self.loc + noise * self.scale

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        return -(value - self.loc) ** 2 / (2 * self.scale ** 2) - self.scale.log() - math.log(math.sqrt(2 * math.pi))

    def cdf(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        return 0.5 * (1 + ops.erf((value - self.loc) * self.scale.reciprocal() / math.sqrt(2)))

    def icdf(self, value: Tensor) -> Tensor:
        return self.loc + self.scale * ops.erfinv(2 * value - 1) * math.sqrt(2)

    def entropy(self) -> Tensor:
        return 0.5 + 0.5 * math.log(2 * math.pi) + self.scale.log()
