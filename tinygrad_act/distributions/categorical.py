"""One of several classes."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from .. import _functions as ops
from .. import dtypes
from ..errors import ArgumentError, ShapeError
from ..grad_mode import no_grad
from ..tensor import Tensor
from . import constraints
from .bernoulli import one_of
from .distribution import Distribution, Shape
from .utils import lazy_property, logits_to_probs, probs_to_logits

__all__ = ["Categorical"]


class Categorical(Distribution):
    """The numbers 0 .. K-1, with the probabilities in the last axis of `probs` (made to sum to 1), or by those of softmax(logits).

    >>> policy = ta.distributions.Categorical(logits=ta.tensor([[0.0, 1.0], [2.0, 0.0]]))
    >>> policy.log_prob(ta.tensor([1, 0])), policy.entropy(), policy.sample().shape
    (tensor([-0.3133, -0.1269]), tensor([0.5822, 0.3653]), (2,))
    """

    arg_constraints: ClassVar[Any] = {"probs": constraints.simplex, "logits": constraints.real_vector}
    has_enumerate_support = True

    def __init__(self, probs: Tensor | None = None, logits: Tensor | None = None, validate_args: bool | None = None) -> None:
        given, name = one_of(self, probs, logits), "logits" if probs is None else "probs"
        if not isinstance(given, Tensor):
            raise ArgumentError(type(self).__name__, f"{name} of type {type(given).__name__}", "they must be a Tensor", "convert them with ta.tensor")
        if given.ndim < 1:
            raise ShapeError(type(self).__name__, f"{name} of shape ()", "they need an axis, for the classes")
        self._param = given / given.sum(-1, keepdim=True) if logits is None else given - given.logsumexp(-1, keepdim=True)
        self.__dict__[name] = self._param
        self._num_events = given.shape[-1]
        super().__init__(given.shape[:-1], validate_args=validate_args)

    def expand(self, batch_shape: Shape, _instance: Any = None) -> Any:
        new = self._expanded(Categorical, batch_shape, _instance, "probs", "logits", "_param")
        new._num_events = self._num_events
        return new

    @constraints.dependent_property(is_discrete=True, event_dim=0)
    def support(self) -> constraints.Constraint:
        """The numbers of the classes."""
        return constraints.integer_interval(0, self._num_events - 1)

    @lazy_property
    def logits(self) -> Tensor:
        """The logarithms of the probabilities."""
        return probs_to_logits(self.probs)

    @lazy_property
    def probs(self) -> Tensor:
        """The probabilities."""
        return logits_to_probs(self.logits)

    @property
    def param_shape(self) -> tuple[int, ...]:
        """The shape of the parameter: batch_shape and the number of classes."""
        return self._param.shape

    @property
    def mean(self) -> Tensor:
        """NaN: classes have no order."""
        return ops.full(self._extended_shape(), math.nan, dtype=self._param.dtype, device=self._param.device)

    @property
    def mode(self) -> Tensor:
        return self.probs.argmax(-1)              # type: ignore[no-any-return]

    @property
    def variance(self) -> Tensor:
        """NaN: classes have no order."""
        return self.mean

    def sample(self, sample_shape: Shape = ()) -> Tensor:
        shape = self._extended_shape(sample_shape)
        with no_grad():
            if math.prod(self._batch_shape) == 1:
                return ops.multinomial(self.probs.reshape(-1), math.prod(shape), True).reshape(shape)
            # The class whose share of 0 .. 1 a uniform number falls into; in float64, as small shares would drown in the sum.
            ends = self.probs.to(dtypes.float64).cumsum(-1)
            total = ends[..., -1:]
            if not self._validate_args and not bool(((total > 0) & (total < math.inf)).all()):       # else it was seen when they were given
                raise ArgumentError(f"{type(self).__name__}.sample", "the probabilities", "they must be finite, and not all 0",
                                    "find what made them NaN with ta.autograd.detect_anomaly()")
            u = ops.rand((*shape, 1), dtype=dtypes.float64, device=self._param.device)
            return (u >= ends / total).sum(-1)    # type: ignore[no-any-return]

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        index, logits = value.to(dtypes.int64).unsqueeze(-1), self.logits
        if value.shape != self._batch_shape:
            index, logits = ops.broadcast_tensors(index, logits)
            index = index[..., :1]
        return logits.gather(-1, index).squeeze(-1)    # type: ignore[no-any-return]

    def entropy(self) -> Tensor:
        logits = self.logits.clamp(min=dtypes.finfo(self.logits.dtype).min)      # 0 * -inf would be NaN
        return -(logits * self.probs).sum(-1)     # type: ignore[no-any-return]

    def enumerate_support(self, expand: bool = True) -> Tensor:
        values = ops.arange(self._num_events, dtype=dtypes.int64, device=self._param.device).reshape(-1, *[1] * len(self._batch_shape))
        return values.expand(-1, *self._batch_shape) if expand else values
