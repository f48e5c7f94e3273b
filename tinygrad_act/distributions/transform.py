"""A function with an inverse and a known logarithm of the slope: the base of transforms, and what is made of others."""

from __future__ import annotations

import math
from typing import Any

from .. import _functions as ops
from ..errors import ArgumentError
from ..tensor import Tensor
from . import constraints
from .utils import sum_rightmost

Shape = tuple[int, ...]


class Transform:
    """y = f(x): those of your own define `_call`, `_inverse`, `log_abs_det_jacobian`, `domain`, `codomain` and `bijective`.

    Args:
        cache_size: 1 keeps the last pair, so that the inverse of what was just computed is exact and costs nothing. (A step that is
            compiled makes such a transform itself: one from outside that it changes keeps it from being replayed.)
    """

    bijective: Any = False
    domain: Any
    codomain: Any

    def __init__(self, cache_size: int = 0) -> None:
        if cache_size not in (0, 1):
            raise ArgumentError(type(self).__name__, f"cache_size={cache_size}", "it is 0 or 1")
        self._cache_size = cache_size
        self._inv: Transform | None = None
        self._cached_x_y: tuple[Any, Any] = None, None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_inv": None, "_cached_x_y": (None, None)}

    @property
    def event_dim(self) -> int:
        """The axes that are transformed together."""
        if self.domain.event_dim != self.codomain.event_dim:
            raise ArgumentError(f"{type(self).__name__}.event_dim", "", "it is another before and after", "ask its domain or its codomain")
        return int(self.domain.event_dim)

    @property
    def sign(self) -> Any:
        """1 of a function that rises, -1 of one that falls."""
        raise NotImplementedError(f"{type(self).__name__} has no sign: it does not say whether it rises or falls")

    @property
    def inv(self) -> Transform:
        """The inverse."""
        if self._inv is None:
            self._inv = _InverseTransform(self)
        return self._inv

    def with_cache(self, cache_size: int = 1) -> Transform:
        """The same with another `cache_size`."""
        return self if self._cache_size == cache_size else self._copy(cache_size)

    def _copy(self, cache_size: int) -> Transform:
        if type(self).__init__ is not Transform.__init__:
            raise NotImplementedError(f"{type(self).__name__} has an __init__ of its own and no with_cache: define it")
        return type(self)(cache_size=cache_size)

    def __eq__(self, other: object) -> bool:
        return self is other

    def __call__(self, x: Tensor) -> Tensor:
        before, after = self._cached_x_y
        if x is before:
            return after                          # type: ignore[no-any-return]
        y = self._call(x)
        self._keep(x, y)
        return y

    def _inv_call(self, y: Tensor) -> Tensor:
        before, after = self._cached_x_y
        if y is after:
            return before                         # type: ignore[no-any-return]
        x = self._inverse(y)
        self._keep(x, y)
        return x

    def _keep(self, x: Tensor, y: Tensor) -> None:
        if self._cache_size:
            self._cached_x_y = x, y

    def _call(self, x: Tensor) -> Tensor:
        raise NotImplementedError

    def _inverse(self, y: Tensor) -> Tensor:
        raise NotImplementedError

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """log |dy/dx|, of the determinant where events have axes."""
        raise NotImplementedError

    def forward_shape(self, shape: Shape) -> Shape:
        """The shape of the result for one of `shape`."""
        return shape

    def inverse_shape(self, shape: Shape) -> Shape:
        """The shape that gives a result of `shape`."""
        return shape

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class _InverseTransform(Transform):
    """A transform the other way around."""

    def __init__(self, transform: Transform) -> None:
        super().__init__(cache_size=transform._cache_size)
        self.base = transform
        self._inv = transform

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_inv": self.base}

    @constraints.dependent_property(is_discrete=False)
    def domain(self) -> constraints.Constraint:
        return self.base.codomain                 # type: ignore[no-any-return]

    @constraints.dependent_property(is_discrete=False)
    def codomain(self) -> constraints.Constraint:
        return self.base.domain                   # type: ignore[no-any-return]

    @property
    def bijective(self) -> bool:
        return bool(self.base.bijective)

    @property
    def sign(self) -> Any:
        return self.base.sign

    def _copy(self, cache_size: int) -> Transform:
        return self.base.with_cache(cache_size).inv

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _InverseTransform) and self.base == other.base

    def __call__(self, x: Tensor) -> Tensor:
        return self.base._inv_call(x)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return -self.base.log_abs_det_jacobian(y, x)

    def forward_shape(self, shape: Shape) -> Shape:
        return self.base.inverse_shape(shape)

    def inverse_shape(self, shape: Shape) -> Shape:
        return self.base.forward_shape(shape)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base!r})"


class ComposeTransform(Transform):
    """`parts`, a list of transforms, one after the other.

    >>> D = ta.distributions
    >>> D.ComposeTransform([D.AffineTransform(0.0, 2.0), D.ExpTransform()])(ta.zeros(2))
    tensor([1., 1.])
    """

    def __init__(self, parts: list[Transform], cache_size: int = 0) -> None:
        super().__init__(cache_size=cache_size)
        self.parts = [part.with_cache(cache_size) for part in parts] if cache_size else parts

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ComposeTransform) and self.parts == other.parts

    @constraints.dependent_property(is_discrete=False)
    def domain(self) -> constraints.Constraint:
        """The first part's, with as many axes as the parts take together."""
        if not self.parts:
            return constraints.real
        dims = self.parts[-1].codomain.event_dim
        for part in reversed(self.parts):
            dims = max(dims + part.domain.event_dim - part.codomain.event_dim, part.domain.event_dim)
        return _with_axes(self.parts[0].domain, dims)

    @constraints.dependent_property(is_discrete=False)
    def codomain(self) -> constraints.Constraint:
        """The last part's, with as many axes as the parts give together."""
        if not self.parts:
            return constraints.real
        dims = self.parts[0].domain.event_dim
        for part in self.parts:
            dims = max(dims + part.codomain.event_dim - part.domain.event_dim, part.codomain.event_dim)
        return _with_axes(self.parts[-1].codomain, dims)

    @property
    def bijective(self) -> bool:
        """Whether all parts are."""
        return all(part.bijective for part in self.parts)

    @property
    def sign(self) -> Any:
        """The product of the parts'."""
        return math.prod([part.sign for part in self.parts])

    @property
    def inv(self) -> Transform:
        """The inverses, in the opposite order."""
        if self._inv is None:
            self._inv = ComposeTransform([part.inv for part in reversed(self.parts)])
            self._inv._inv = self
        return self._inv

    def _copy(self, cache_size: int) -> Transform:
        return ComposeTransform(self.parts, cache_size=cache_size)

    def __call__(self, x: Tensor) -> Tensor:
        for part in self.parts:
            x = part(x)
        return x

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        if not self.parts:
            return ops.zeros_like(x)
        total, dims = None, self.domain.event_dim
        for i, part in enumerate(self.parts):
            then = part(x) if i + 1 < len(self.parts) else y
            term = sum_rightmost(part.log_abs_det_jacobian(x, then), dims - part.domain.event_dim)
            dims += part.codomain.event_dim - part.domain.event_dim
            total, x = term if total is None else total + term, then
        assert total is not None
        return total

    def forward_shape(self, shape: Shape) -> Shape:
        for part in self.parts:
            shape = part.forward_shape(shape)
        return shape

    def inverse_shape(self, shape: Shape) -> Shape:
        for part in reversed(self.parts):
            shape = part.inverse_shape(shape)
        return shape

    def __repr__(self) -> str:
        return f"{type(self).__name__}(\n    " + ",\n    ".join(map(repr, self.parts)) + "\n)"


def _with_axes(constraint: constraints.Constraint, dims: int) -> constraints.Constraint:
    return constraints.independent(constraint, dims - constraint.event_dim) if dims > constraint.event_dim else constraint


identity_transform = ComposeTransform([])


class IndependentTransform(Transform):
    """`base_transform` with `reinterpreted_batch_ndims` more axes counted as one event: the slope is summed over them."""

    def __init__(self, base_transform: Transform, reinterpreted_batch_ndims: int, cache_size: int = 0) -> None:
        super().__init__(cache_size=cache_size)
        self.base_transform, self.reinterpreted_batch_ndims = base_transform.with_cache(cache_size), reinterpreted_batch_ndims

    def _copy(self, cache_size: int) -> Transform:
        return IndependentTransform(self.base_transform, self.reinterpreted_batch_ndims, cache_size=cache_size)

    @constraints.dependent_property(is_discrete=False)
    def domain(self) -> constraints.Constraint:
        """The base's, for all entries."""
        return constraints.independent(self.base_transform.domain, self.reinterpreted_batch_ndims)

    @constraints.dependent_property(is_discrete=False)
    def codomain(self) -> constraints.Constraint:
        """The base's, for all entries."""
        return constraints.independent(self.base_transform.codomain, self.reinterpreted_batch_ndims)

    @property
    def bijective(self) -> bool:
        """Whether the base is."""
        return bool(self.base_transform.bijective)

    @property
    def sign(self) -> Any:
        """The base's."""
        return self.base_transform.sign

    def _call(self, x: Tensor) -> Tensor:
        return self.base_transform(x)

    def _inverse(self, y: Tensor) -> Tensor:
        return self.base_transform.inv(y)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return sum_rightmost(self.base_transform.log_abs_det_jacobian(x, y), self.reinterpreted_batch_ndims)

    def forward_shape(self, shape: Shape) -> Shape:
        return self.base_transform.forward_shape(shape)

    def inverse_shape(self, shape: Shape) -> Shape:
        return self.base_transform.inverse_shape(shape)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_transform!r}, {self.reinterpreted_batch_ndims})"
