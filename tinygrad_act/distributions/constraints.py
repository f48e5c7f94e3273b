"""What parameters and samples must be: `constraint.check(value)` says of each event whether it is.

>>> ta.distributions.constraints.positive.check(ta.tensor([1.0, -1.0]))
tensor([ True, False])
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import _functions as ops
from .. import dtypes, linalg
from ..errors import ArgumentError, LinAlgError, ShapeError
from ..tensor import Tensor

__all__ = ["Constraint", "MixtureSameFamilyConstraint", "boolean", "dependent", "dependent_property", "greater_than", "greater_than_eq",
           "half_open_interval", "independent", "integer_interval", "interval", "is_dependent", "less_than", "lower_cholesky",
           "lower_triangular", "nonnegative", "nonnegative_integer", "one_hot", "positive", "positive_definite", "positive_integer",
           "positive_semidefinite", "real", "real_vector", "simplex", "square", "symmetric", "unit_interval"]

Bound = Tensor | float


class Constraint:
    """A set of values; the last `event_dim` axes of a value are one event. `remedy` is what to do about a value outside."""

    is_discrete: Any = False
    event_dim: Any = 0
    remedy = ""

    def check(self, value: Any) -> Tensor:
        """Whether each event of `value` is inside: its shape without the event's axes."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"{type(self).__name__.lstrip('_')}({', '.join(f'{k}={v}' for k, v in vars(self).items())})"


# ------------------------------------------------------------------------------------- known only of an instance
class _Dependent(Constraint):
    """The support of a distribution that depends on its parameters."""

    def __init__(self, *, is_discrete: Any = NotImplemented, event_dim: Any = NotImplemented) -> None:
        self._is_discrete, self._event_dim = is_discrete, event_dim

    @property
    def is_discrete(self) -> Any:
        if self._is_discrete is NotImplemented:
            raise NotImplementedError("is_discrete depends on the instance")
        return self._is_discrete

    @property
    def event_dim(self) -> Any:
        if self._event_dim is NotImplemented:
            raise NotImplementedError("event_dim depends on the instance")
        return self._event_dim

    def __call__(self, *, is_discrete: Any = NotImplemented, event_dim: Any = NotImplemented) -> Any:
        return _Dependent(is_discrete=self._is_discrete if is_discrete is NotImplemented else is_discrete,
                          event_dim=self._event_dim if event_dim is NotImplemented else event_dim)

    def check(self, value: Any) -> Tensor:
        raise ArgumentError("check", repr(value), "this constraint depends on the parameters of a distribution",
                            "ask the support of an instance")


class _DependentProperty(property, _Dependent):
    """A property that is a constraint: of the class a dependent one, of an instance the one that its parameters make."""

    def __init__(self, fn: Callable[..., Any] | None = None, *, is_discrete: Any = NotImplemented, event_dim: Any = NotImplemented) -> None:
        super().__init__(fn)
        self._is_discrete, self._event_dim = is_discrete, event_dim

    def __call__(self, fn: Any = None, **_: Any) -> Any:
        return _DependentProperty(fn, is_discrete=self._is_discrete, event_dim=self._event_dim)

    __repr__ = object.__repr__


def is_dependent(constraint: Any) -> bool:
    """Whether only an instance knows the constraint.

    >>> is_dependent(ta.distributions.Uniform.support), is_dependent(positive)
    (True, False)
    """
    return isinstance(constraint, _Dependent)


# ------------------------------------------------------------------------------------------------ of other ones
class _IndependentConstraint(Constraint):
    """`base_constraint` for all entries of the last `reinterpreted_batch_ndims` axes."""

    def __init__(self, base_constraint: Constraint, reinterpreted_batch_ndims: int) -> None:
        self.base_constraint, self.reinterpreted_batch_ndims = base_constraint, reinterpreted_batch_ndims

    @property
    def is_discrete(self) -> Any:
        return self.base_constraint.is_discrete

    @property
    def event_dim(self) -> Any:
        return self.base_constraint.event_dim + self.reinterpreted_batch_ndims

    @property
    def remedy(self) -> str:                                                    # type: ignore[override]
        return self.base_constraint.remedy

    def check(self, value: Any) -> Tensor:
        return _all(self.base_constraint.check(value), self.reinterpreted_batch_ndims, value)

    def __repr__(self) -> str:
        return f"IndependentConstraint({self.base_constraint!r}, {self.reinterpreted_batch_ndims})"


class MixtureSameFamilyConstraint(Constraint):
    """What all components of a mixture accept, `base_constraint`, for values without the components' axis."""

    def __init__(self, base_constraint: Constraint) -> None:
        self.base_constraint = base_constraint

    @property
    def is_discrete(self) -> Any:
        """Whether the components' values are."""
        return self.base_constraint.is_discrete

    @property
    def event_dim(self) -> Any:
        """The axes of an event of a component."""
        return self.base_constraint.event_dim

    def check(self, value: Any) -> Tensor:
        result = self.base_constraint.check(value.unsqueeze(-1 - self.event_dim))
        return _all(result, result.ndim - (value.ndim - self.event_dim), value)

    def __repr__(self) -> str:
        return f"MixtureSameFamilyConstraint({self.base_constraint!r})"


def _all(valid: Tensor, dims: int, value: Tensor) -> Tensor:
    """Whether all along the last `dims` axes are."""
    if valid.ndim < dims:
        raise ShapeError("check", f"a value of shape {value.shape}", f"an event has {dims} axes more than it has")
    return valid.flatten(-dims).all(-1) if dims else valid


# -------------------------------------------------------------------------------------------------- of numbers
class _Real(Constraint):
    remedy = "find what made it NaN with ta.autograd.detect_anomaly()"

    def check(self, value: Any) -> Tensor:
        return value == value                     # type: ignore[no-any-return]    # not so for NaN


class _Boolean(Constraint):
    is_discrete = True

    def check(self, value: Any) -> Tensor:
        return (value == 0) | (value == 1)        # type: ignore[no-any-return]


def _whole(value: Tensor, valid: Any) -> Tensor:
    """Where `valid`, and `value` is a whole number."""
    return valid & (value % 1 == 0) if dtypes.is_floating(value.dtype) else valid    # type: ignore[no-any-return]


class _IntegerInterval(Constraint):
    is_discrete = True

    def __init__(self, lower_bound: Bound, upper_bound: Bound) -> None:
        self.lower_bound, self.upper_bound = lower_bound, upper_bound

    def check(self, value: Any) -> Tensor:
        return _whole(value, (value >= self.lower_bound) & (value <= self.upper_bound))


class _IntegerGreaterThan(Constraint):
    is_discrete = True

    def __init__(self, lower_bound: Bound) -> None:
        self.lower_bound = lower_bound

    def check(self, value: Any) -> Tensor:
        return _whole(value, value >= self.lower_bound)


class _GreaterThan(Constraint):
    def __init__(self, lower_bound: Bound) -> None:
        self.lower_bound = lower_bound

    @property
    def remedy(self) -> str:                                                    # type: ignore[override]
        positive = isinstance(self.lower_bound, float) and self.lower_bound == 0
        return "compute it with exp(), or with softplus() and a small number added" if positive else ""

    def check(self, value: Any) -> Tensor:
        return value > self.lower_bound           # type: ignore[no-any-return]


class _GreaterThanEq(Constraint):
    def __init__(self, lower_bound: Bound) -> None:
        self.lower_bound = lower_bound

    def check(self, value: Any) -> Tensor:
        return value >= self.lower_bound          # type: ignore[no-any-return]


class _LessThan(Constraint):
    def __init__(self, upper_bound: Bound) -> None:
        self.upper_bound = upper_bound

    def check(self, value: Any) -> Tensor:
        return value < self.upper_bound           # type: ignore[no-any-return]


class _Interval(Constraint):
    def __init__(self, lower_bound: Bound, upper_bound: Bound) -> None:
        self.lower_bound, self.upper_bound = lower_bound, upper_bound

    def check(self, value: Any) -> Tensor:
        return (value >= self.lower_bound) & (value <= self.upper_bound)    # type: ignore[no-any-return]


class _HalfOpenInterval(_Interval):
    def check(self, value: Any) -> Tensor:
        return (value >= self.lower_bound) & (value < self.upper_bound)    # type: ignore[no-any-return]


# -------------------------------------------------------------------------------------- of vectors and matrices
class _OneHot(Constraint):
    is_discrete, event_dim = True, 1

    def check(self, value: Any) -> Tensor:
        return ((value == 0) | (value == 1)).all(-1) & (value.sum(-1) == 1)    # type: ignore[no-any-return]


class _Simplex(Constraint):
    event_dim = 1
    remedy = "compute it with softmax(), or pass the numbers before that as logits="

    def check(self, value: Any) -> Tensor:
        return (value >= 0).all(-1) & ((value.sum(-1) - 1).abs() < 1e-6)    # type: ignore[no-any-return]


class _LowerTriangular(Constraint):
    event_dim = 2
    remedy = "take its tril()"

    def check(self, value: Any) -> Tensor:
        return _all(value.tril() == value, 2, value)


class _LowerCholesky(_LowerTriangular):
    remedy = "take its tril(), and exp() or softplus() of the diagonal"

    def check(self, value: Any) -> Tensor:
        return super().check(value) & (value.diagonal(0, -2, -1) > 0).all(-1)    # type: ignore[no-any-return]


class _Square(Constraint):
    event_dim = 2

    def check(self, value: Any) -> Tensor:
        return ops.full(value.shape[:-2], value.shape[-2] == value.shape[-1], dtype=dtypes.bool_, device=value.device)


class _Symmetric(_Square):
    remedy = "take the mean of it and its transpose"

    def check(self, value: Any) -> Tensor:
        square = super().check(value)
        if value.shape[-2] != value.shape[-1]:
            return square
        return _all(ops.isclose(value, value.mT, atol=1e-6), 2, value)


class _PositiveSemidefinite(_Symmetric):
    def check(self, value: Any) -> Tensor:
        valid = super().check(value)
        return linalg.eigvalsh(value).ge(0).all(-1) if bool(valid.all()) else valid


class _PositiveDefinite(_Symmetric):
    remedy = "L @ L.mT of a triangular L with a positive diagonal is, or add a small number to the diagonal"

    def check(self, value: Any) -> Tensor:
        valid = super().check(value)
        return _factored(value) if bool(valid.all()) else valid


def _factored(value: Tensor) -> Tensor:
    """Whether each matrix has a Cholesky factor: all at once, and one by one if not."""
    try:
        linalg.cholesky(value.detach())
    except LinAlgError:
        if value.ndim > 2:
            return ops.stack([_factored(part) for part in value])
        return ops.zeros((), dtype=dtypes.bool_, device=value.device)
    return ops.ones(value.shape[:-2], dtype=dtypes.bool_, device=value.device)


dependent = _Dependent()
dependent_property = _DependentProperty
independent = _IndependentConstraint
boolean = _Boolean()
one_hot = _OneHot()
nonnegative_integer = _IntegerGreaterThan(0)
positive_integer = _IntegerGreaterThan(1)
integer_interval = _IntegerInterval
real = _Real()
real_vector = independent(real, 1)
positive = _GreaterThan(0.0)
nonnegative = _GreaterThanEq(0.0)
greater_than = _GreaterThan
greater_than_eq = _GreaterThanEq
less_than = _LessThan
unit_interval = _Interval(0.0, 1.0)
interval = _Interval
half_open_interval = _HalfOpenInterval
simplex = _Simplex()
lower_triangular = _LowerTriangular()
lower_cholesky = _LowerCholesky()
square = _Square()
symmetric = _Symmetric()
positive_semidefinite = _PositiveSemidefinite()
positive_definite = _PositiveDefinite()
