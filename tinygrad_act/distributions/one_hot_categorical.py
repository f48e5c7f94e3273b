"""One of several classes, as a vector with a 1 in its place."""

from __future__ import annotations

from typing import Any, ClassVar

from .. import _functions as ops
from ..tensor import Tensor
from . import constraints
from .categorical import Categorical
from .distribution import Distribution, Shape

__all__ = ["OneHotCategorical", "OneHotCategoricalStraightThrough"]


class OneHotCategorical(Distribution):
    """What `Categorical` draws, as vectors of zeros and a 1.

    >>> ta.distributions.OneHotCategorical(ta.tensor([0.0, 1.0, 0.0])).sample()
    tensor([0., 1., 0.])
    """

    arg_constraints: ClassVar[Any] = {"probs": constraints.simplex, "logits": constraints.real_vector}
    support = constraints.one_hot
    has_enumerate_support = True

    def __init__(self, probs: Tensor | None = None, logits: Tensor | None = None, validate_args: bool | None = None) -> None:
        self._categorical = Categorical(probs, logits)
        super().__init__(self._categorical.batch_shape, self._categorical.param_shape[-1:], validate_args=validate_args)

    def expand(self, batch_shape: Shape, _instance: Any = None) -> Any:
        new = self._expanded(OneHotCategorical, batch_shape, _instance)
        new._categorical = self._categorical.expand(batch_shape)
        return new

    @property
    def _param(self) -> Tensor:
        return self._categorical._param

    @property
    def probs(self) -> Tensor:
        """The probabilities."""
        return self._categorical.probs            # type: ignore[no-any-return]

    @property
    def logits(self) -> Tensor:
        """The logarithms of the probabilities."""
        return self._categorical.logits           # type: ignore[no-any-return]

    @property
    def param_shape(self) -> tuple[int, ...]:
        """The shape of the parameter: batch_shape and the number of classes."""
        return self._categorical.param_shape

    @property
    def mean(self) -> Tensor:
        return self.probs

    @property
    def mode(self) -> Tensor:
        return self._one_hot(self._categorical.mode)

    @property
    def variance(self) -> Tensor:
        return self.probs * (1 - self.probs)

    def sample(self, sample_shape: Shape = ()) -> Tensor:
        return self._one_hot(self._categorical.sample(sample_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        return self._categorical.log_prob(value.argmax(-1))

    def entropy(self) -> Tensor:
        return self._categorical.entropy()

    def enumerate_support(self, expand: bool = True) -> Tensor:
        (n,) = self._event_shape
        values = ops.eye(n, dtype=self._param.dtype, device=self._param.device).reshape(n, *[1] * len(self._batch_shape), n)
        return values.expand(n, *self._batch_shape, n) if expand else values

    def _one_hot(self, index: Tensor) -> Tensor:
        return ops.one_hot(index, self._event_shape[0]).to(self._param.dtype)


class OneHotCategoricalStraightThrough(OneHotCategorical):
    """The same with an `rsample`: a draw whose gradient is that of the probabilities (Bengio et al. 2013, arXiv:1308.3432).

    >>> logits = ta.zeros(2, requires_grad=True)
    >>> draw = ta.distributions.OneHotCategoricalStraightThrough(logits=logits).rsample()
    >>> ta.autograd.grad(draw[0], logits)
    (tensor([ 0.2500, -0.2500]),)
    """

    has_rsample = True

    def rsample(self, sample_shape: Shape = ()) -> Tensor:
        return self.sample(sample_shape) + (self.probs - self.probs.detach())
