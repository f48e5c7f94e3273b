"""What a transform makes of draws."""

from __future__ import annotations

from typing import Any, ClassVar

from ..errors import ArgumentError, ShapeError
from ..grad_mode import no_grad
from ..tensor import Tensor
from . import constraints
from .distribution import Distribution, Shape
from .independent import Independent
from .transforms import ComposeTransform, Transform
from .utils import sum_rightmost

__all__ = ["TransformedDistribution"]


class TransformedDistribution(Distribution):
    """`transforms`, one or a list in order, of what `base_distribution` draws: log p(y) = log p(x) - log |dy/dx|.

    >>> D = ta.distributions
    >>> p = D.TransformedDistribution(D.Normal(0.0, 1.0), D.TanhTransform())
    >>> p.log_prob(ta.tensor(0.5))
    tensor(-0.7821)
    """

    arg_constraints: ClassVar[Any] = {}

    def __init__(self, base_distribution: Distribution, transforms: Transform | list[Transform], validate_args: bool | None = None) -> None:
        self.transforms = [transforms] if isinstance(transforms, Transform) else transforms
        if not isinstance(self.transforms, list) or not all(isinstance(t, Transform) for t in self.transforms):
            raise ArgumentError(type(self).__name__, f"transforms of type {type(transforms).__name__}", "it takes a Transform or a list of them")
        whole = ComposeTransform(self.transforms)
        shape, base_dims = base_distribution.batch_shape + base_distribution.event_shape, len(base_distribution.event_shape)
        if len(shape) < whole.domain.event_dim:
            raise ShapeError(type(self).__name__, f"draws of shape {shape}", f"the transforms take {whole.domain.event_dim} axes")
        after = whole.forward_shape(shape)
        wide = whole.inverse_shape(after)
        if shape != wide:                         # a transform's own parameters make a larger batch
            base_distribution = base_distribution.expand(wide[:len(wide) - base_dims])
        joined = whole.domain.event_dim - base_dims
        self.base_dist = Independent(base_distribution, joined) if joined > 0 else base_distribution
        cut = len(after) - max(whole.codomain.event_dim, base_dims + whole.codomain.event_dim - whole.domain.event_dim)
        super().__init__(after[:cut], after[cut:], validate_args=validate_args)

    def expand(self, batch_shape: Shape, _instance: Any = None) -> Any:
        new = self._expanded(TransformedDistribution, batch_shape, _instance)
        shape = (*batch_shape, *self._event_shape)
        for t in reversed(self.transforms):
            shape = t.inverse_shape(shape)
        new.base_dist = self.base_dist.expand(shape[:len(shape) - len(self.base_dist.event_shape)])
        new.transforms = self.transforms
        return new

    @constraints.dependent_property(is_discrete=False)
    def support(self) -> constraints.Constraint:
        """What the last transform gives."""
        if not self.transforms:
            return self.base_dist.support         # type: ignore[no-any-return]
        last = self.transforms[-1].codomain
        more = len(self._event_shape) - last.event_dim
        return constraints.independent(last, more) if more > 0 else last

    @property
    def has_rsample(self) -> bool:
        """Whether the base has."""
        return bool(self.base_dist.has_rsample)

    def _forward(self, x: Tensor) -> Tensor:
        for t in self.transforms:
            x = t(x)
        return x

    def sample(self, sample_shape: Shape = ()) -> Tensor:
        with no_grad():
            return self._forward(self.base_dist.sample(sample_shape))

    def rsample(self, sample_shape: Shape = ()) -> Tensor:
        return self._forward(self.base_dist.rsample(sample_shape))

    def log_prob(self, value: Tensor) -> Tensor:
        if self._validate_args:
            self._validate_sample(value)
        dims, y, total = len(self._event_shape), value, None
        for t in reversed(self.transforms):
            x = t.inv(y)
            dims += t.domain.event_dim - t.codomain.event_dim
            slope = sum_rightmost(t.log_abs_det_jacobian(x, y), dims - t.domain.event_dim)
            total, y = -slope if total is None else total - slope, x
        base = sum_rightmost(self.base_dist.log_prob(y), dims - len(self.base_dist.event_shape))
        return base if total is None else total + base

    def _upright(self, probability: Tensor) -> Tensor:
        """1 - probability where the transforms together fall."""
        sign: Any = 1
        for t in self.transforms:
            sign = sign * t.sign
        return probability if isinstance(sign, int) and sign == 1 else sign * (probability - 0.5) + 0.5

    def cdf(self, value: Tensor) -> Tensor:
        for t in reversed(self.transforms):
            value = t.inv(value)
        return self._upright(self.base_dist.cdf(value))

    def icdf(self, value: Tensor) -> Tensor:
        return self._forward(self.base_dist.icdf(self._upright(value)))
