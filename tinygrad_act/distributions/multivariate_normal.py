"""The normal distribution of vectors."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from .. import _functions as ops
from .. import linalg
from ..errors import ArgumentError, ShapeError
from ..tensor import Tensor
from . import constraints
from .distribution import Distribution, Shape
from .utils import lazy_property

__all__ = ["MultivariateNormal"]


class MultivariateNormal(Distribution):
    """Of mean `loc`, (..., n), and one of three (..., n, n): the covariance, its inverse (precision), its lower triangular Cholesky factor.

    The last is what all is computed from; a network best makes that.

    >>> p = ta.distributions.MultivariateNormal(ta.zeros(2), scale_tril=ta.tensor([[1.0, 0.0], [1.0, 2.0]]))
    >>> p.covariance_matrix, p.log_prob(ta.zeros(2))
    (tensor([[1., 1.],
            [1., 5.]]), tensor(-2.5310))
    """

    arg_constraints: ClassVar[Any] = {"loc": constraints.real_vector, "covariance_matrix": constraints.positive_definite,
                                      "precision_matrix": constraints.positive_definite, "scale_tril": constraints.lower_cholesky}
    support = constraints.real_vector
    has_rsample = True

    def __init__(self, loc: Tensor, covariance_matrix: Tensor | None = None, precision_matrix: Tensor | None = None,
                 scale_tril: Tensor | None = None, validate_args: bool | None = None) -> None:
        given = {"scale_tril": scale_tril, "covariance_matrix": covariance_matrix, "precision_matrix": precision_matrix}
        matrices = [(name, m) for name, m in given.items() if m is not None]
        if len(matrices) != 1:
            raise ArgumentError("MultivariateNormal", " and ".join(name for name, _ in matrices) or "no matrix",
                                "it takes exactly one of covariance_matrix, precision_matrix and scale_tril")
        ((name, matrix),) = matrices
        if loc.ndim < 1:
            raise ShapeError("MultivariateNormal", "loc of shape ()", "it must be a vector at least", "Normal is for numbers")
        if matrix.ndim < 2:
            raise ShapeError("MultivariateNormal", f"{name} of shape {matrix.shape}", "it must be a matrix at least",
                             "make one of its diagonal with ta.diag_embed")
        batch = tuple(ops.broadcast_shapes(matrix.shape[:-2], loc.shape[:-1]))
        self.__dict__[name] = matrix.expand(*batch, -1, -1)
        self.loc = loc.expand(*batch, -1)
        super().__init__(batch, self.loc.shape[-1:], validate_args=validate_args)
        self._factor = matrix if scale_tril is not None else linalg.cholesky(matrix) if precision_matrix is None else _inverse_factor(matrix)

    def expand(self, batch_shape: Shape, _instance: Any = None) -> Any:
        new = self._expanded(MultivariateNormal, batch_shape, _instance, "loc", "scale_tril", "covariance_matrix", "precision_matrix")
        new._factor = self._factor
        return new

    def _batched(self, matrix: Tensor) -> Tensor:
        return matrix.expand(*self._batch_shape, *self._event_shape, *self._event_shape)

    @lazy_property
    def scale_tril(self) -> Tensor:
        """The Cholesky factor of the covariance."""
        return self._batched(self._factor)

    @lazy_property
    def covariance_matrix(self) -> Tensor:
        """The covariance."""
        return self._batched(self._factor @ self._factor.mT)

    @lazy_property
    def precision_matrix(self) -> Tensor:
        """The inverse of the covariance."""
        return self._batched(ops.cholesky_inverse(self._factor))

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        return self._factor.square().sum(-1).expand(*self._batch_shape, *self._event_shape)

    def rsample(self, sample_shape: Shape = ()) -> Tensor:
        noise = ops.randn(self._extended_shape(sample_shape), dtype=self.loc.dtype, device=self.loc.device)
        return self.loc + (self._factor @ noise.unsqueeze(-1)).squeeze(-1)

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        distance = mahalanobis(self._factor, value - self.loc)
        return -0.5 * (self._event_shape[0] * math.log(2 * math.pi) + distance) - half_log_det(self._factor)

    def entropy(self) -> Tensor:
        H = 0.5 * self._event_shape[0] * (1.0 + math.log(2 * math.pi)) + half_log_det(self._factor)
        return H.expand(self._batch_shape) if H.shape != self._batch_shape else H


def _inverse_factor(precision: Tensor) -> Tensor:
    """The lower Cholesky factor of the inverse: that of the matrix turned about is the transpose of its inverse, turned about."""
    turned = linalg.cholesky(precision.flip((-2, -1))).flip((-2, -1)).mT
    return linalg.solve_triangular(turned, ops.eye(precision.shape[-1], dtype=precision.dtype, device=precision.device), upper=False)


def half_log_det(factor: Tensor) -> Tensor:
    """Half the logarithm of the determinant of the covariance."""
    return factor.diagonal(0, -2, -1).log().sum(-1)


def mahalanobis(factor: Tensor, x: Tensor) -> Tensor:
    """x^T S^-1 x for S = factor factor^T, of vectors x, (..., n); the batches broadcast."""
    if factor.ndim == 2:                          # one factor: all vectors are columns of one system
        columns = x.reshape(-1, x.shape[-1]).mT
        return linalg.solve_triangular(factor, columns, upper=False).square().sum(-2).reshape(x.shape[:-1])
    return linalg.solve_triangular(factor, x.unsqueeze(-1), upper=False).square().sum((-2, -1))
