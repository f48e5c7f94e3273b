"""Laplace's distribution."""

from __future__ import annotations

from .. import _functions as ops
from ..dtypes import finfo
from ..tensor import Tensor
from .distribution import Shape
from .location_scale import LocationScale

__all__ = ["Laplace"]


class Laplace(LocationScale):
    """Of mean `loc`, falling off like exp(-|value - loc| / scale) on both sides.

    >>> ta.distributions.Laplace(0.0, 1.0).log_prob(ta.tensor([0.0, 1.0]))
    tensor([-0.6931, -1.6931])
    """

    @property
    def stddev(self) -> Tensor:
        return 2 ** 0.5 * self.scale

    @property
    def variance(self) -> Tensor:
        return 2 * self.scale.square()

    def rsample(self, sample_shape: Shape = ()) -> Tensor:
        eps = finfo(self.loc.dtype).eps                       # from eps - 1 to below 1: at -1 and 1 the logarithm is infinite
        u = ops.rand(self._extended_shape(sample_shape), dtype=self.loc.dtype, device=self.loc.device) * (2 - eps) + (eps - 1)
        return self.loc - self.scale * u.sign() * (-u.abs()).log1p()

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        return -(2 * self.scale).log() - (value - self.loc).abs() / self.scale

    def cdf(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        apart = value - self.loc
        return 0.5 - 0.5 * apart.sign() * (-apart.abs() / self.scale).expm1()

    def icdf(self, value: Tensor) -> Tensor:
        term = value - 0.5
        return self.loc - self.scale * term.sign() * (-2 * term.abs()).log1p()

    def entropy(self) -> Tensor:
        return 1 + (2 * self.scale).log()
