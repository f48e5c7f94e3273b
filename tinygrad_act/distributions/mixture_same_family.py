"""A mixture of distributions of one kind."""

from __future__ import annotations

from typing import Any, ClassVar

from .. import _functions as ops
from ..errors import ArgumentError, ShapeError
from ..grad_mode import no_grad
from ..tensor import Tensor
from . import constraints
from .categorical import Categorical
from .distribution import Distribution, Shape

__all__ = ["MixtureSameFamily"]


class MixtureSameFamily(Distribution):
    """Draws from one of k components, the last axis of `component_distribution`'s batch, which `mixture_distribution` chooses.

    >>> D = ta.distributions
    >>> p = D.MixtureSameFamily(D.Categorical(ta.ones(2)), D.Normal(ta.tensor([-1.0, 1.0]), 0.5))
    >>> p.mean, p.variance, p.log_prob(ta.tensor(1.0))
    (tensor(0.), tensor(1.2500), tensor(-0.9186))
    """

    arg_constraints: ClassVar[Any] = {}

    def __init__(self, mixture_distribution: Categorical, component_distribution: Distribution, validate_args: bool | None = None) -> None:
        for given, kind in ((mixture_distribution, Categorical), (component_distribution, Distribution)):
            if not isinstance(given, kind):
                raise ArgumentError("MixtureSameFamily", type(given).__name__, "it takes a Categorical, and the components as a Distribution")
        batch = component_distribution.batch_shape[:-1]
        if any(1 != i != j != 1 for i, j in zip(reversed(mixture_distribution.batch_shape), reversed(batch), strict=False)):
            raise ShapeError("MixtureSameFamily", f"a mixture of batch_shape {mixture_distribution.batch_shape}",
                             f"the components' without its last axis is {batch}")
        k = mixture_distribution.logits.shape[-1]
        if component_distribution.batch_shape[-1:] != (k,):
            raise ShapeError("MixtureSameFamily", f"a choice of {k}", f"the last axis of the components' batch_shape, "
                             f"{component_distribution.batch_shape}, does not have that size")
        self._mixture_distribution, self._component_distribution = mixture_distribution, component_distribution
        self._num_component, self._event_ndims = k, len(component_distribution.event_shape)
        super().__init__(batch, component_distribution.event_shape, validate_args=validate_args)

    def expand(self, batch_shape: Shape, _instance: Any = None) -> Any:
        new = self._expanded(MixtureSameFamily, batch_shape, _instance)
        new._mixture_distribution = self._mixture_distribution.expand(batch_shape)
        new._component_distribution = self._component_distribution.expand((*batch_shape, self._num_component))
        new._num_component, new._event_ndims = self._num_component, self._event_ndims
        return new

    @constraints.dependent_property
    def support(self) -> constraints.Constraint:
        """The components'."""
        return constraints.MixtureSameFamilyConstraint(self._component_distribution.support)

    @property
    def mixture_distribution(self) -> Categorical:
        """What chooses a component."""
        return self._mixture_distribution

    @property
    def component_distribution(self) -> Distribution:
        """The components."""
        return self._component_distribution

    @property
    def mean(self) -> Tensor:
        return (self._weights() * self._component_distribution.mean).sum(-1 - self._event_ndims)

    @property
    def variance(self) -> Tensor:
        """The mean of the variances and the variance of the means."""
        apart = self._component_distribution.mean - self._pad(self.mean)
        return (self._weights() * (self._component_distribution.variance + apart.square())).sum(-1 - self._event_ndims)

    def cdf(self, value: Tensor) -> Tensor:
        return (self._component_distribution.cdf(self._pad(value)) * self._mixture_distribution.probs).sum(-1)    # type: ignore[no-any-return]

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        logits = ops.log_softmax(self._mixture_distribution.logits, -1)
        return (self._component_distribution.log_prob(self._pad(value)) + logits).logsumexp(-1)

    def sample(self, sample_shape: Shape = ()) -> Tensor:
        batch = self._extended_shape(sample_shape)[:len(sample_shape) + len(self._batch_shape)]
        mixture = self._mixture_distribution
        with no_grad():
            if mixture.batch_shape != self._batch_shape:
                mixture = mixture.expand(self._batch_shape)
            chosen = mixture.sample(sample_shape).reshape(*batch, 1, *[1] * self._event_ndims).expand(*batch, 1, *self._event_shape)
            return self._component_distribution.sample(sample_shape).gather(len(batch), chosen).squeeze(len(batch))

    def _pad(self, x: Tensor) -> Tensor:
        """With an axis for the components."""
        return x.unsqueeze(-1 - self._event_ndims)

    def _weights(self) -> Tensor:
        """The components' probabilities, with the axes of an event."""
        probs = self._mixture_distribution.probs
        return probs.reshape(*probs.shape, *[1] * self._event_ndims)    # type: ignore[no-any-return]

    def __repr__(self) -> str:
        return f"{type(self).__name__}(\n  {self._mixture_distribution},\n  {self._component_distribution})"
