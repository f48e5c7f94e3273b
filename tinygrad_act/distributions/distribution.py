"""The base of all distributions: shapes, the checks of parameters and values, and what each may have."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, NoReturn

from ..errors import ArgumentError, ShapeError, TinygradActError
from ..grad_mode import no_grad
from ..tensor import Tensor
from .constraints import Constraint, is_dependent
from .utils import lazy_property

Shape = Sequence[int]


class NoFormulaError(TinygradActError, NotImplementedError):
    """What a distribution has not: a formula that is not known, or samples that depend smoothly on the parameters."""


class Distribution:
    """What all distributions have in common; those of your own define `arg_constraints`, `support` and some of the methods.

    Args:
        batch_shape: the shape of the parameters. event_shape: that of one draw.
        validate_args: whether parameters and values are checked, which takes a look at them all; by default they are.
    """

    has_rsample: Any = False
    has_enumerate_support: Any = False
    _validate_args = __debug__

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Whether those made from now on check, unless they are told: not, for speed, once a program works."""
        if value not in (True, False):
            raise ArgumentError("set_default_validate_args", repr(value), "it is True or False")
        Distribution._validate_args = value

    def __init__(self, batch_shape: Shape = (), event_shape: Shape = (), validate_args: bool | None = None) -> None:
        self._batch_shape, self._event_shape = tuple(batch_shape), tuple(event_shape)
        if validate_args is not None:
            self._validate_args = validate_args
        if self._validate_args:
            self._validate_parameters()

    def _validate_parameters(self) -> None:
        try:
            constraints = self.arg_constraints
        except NotImplementedError:
            warnings.warn(f"{type(self).__name__} does not define arg_constraints: set arg_constraints = {{}}, or pass validate_args=False",
                          stacklevel=4)
            return
        for name, constraint in constraints.items():
            computed = name not in self.__dict__ and isinstance(getattr(type(self), name, None), lazy_property)
            if not is_dependent(constraint) and not computed:
                self._demand(name, getattr(self, name), constraint)

    def _demand(self, name: str, value: Tensor, constraint: Constraint) -> None:
        """Raises ArgumentError unless every event of `value` satisfies the constraint."""
        valid = constraint.check(value)
        if bool(valid.all()):
            return
        outside = valid.logical_not()
        wrong = f"{value[outside][0].item()}" if valid.shape == value.shape else f"an event ({outside.sum().item()} of {valid.numel()})"
        raise ArgumentError(type(self).__name__, f"{name}, a Tensor of shape {value.shape}",
                            f"{wrong} does not satisfy the constraint {constraint!r}", constraint.remedy)

    def _lacks(self, name: str, cause: str = "there is none of this distribution", remedy: str = "") -> NoReturn:
        raise NoFormulaError(f"{type(self).__name__}.{name}", "", cause, remedy)

    # ------------------------------------------------------------------------------------------------ shapes
    @property
    def batch_shape(self) -> tuple[int, ...]:
        """The shape of the parameters."""
        return self._batch_shape

    @property
    def event_shape(self) -> tuple[int, ...]:
        """The shape of one draw, without batching."""
        return self._event_shape

    @property
    def arg_constraints(self) -> dict[str, Constraint]:
        """What each parameter must satisfy."""
        raise NotImplementedError

    @property
    def support(self) -> Any:
        """The constraint that all values satisfy which can be drawn."""
        raise NotImplementedError

    def expand(self, batch_shape: Shape, _instance: Any = None) -> Any:
        """The distribution with its parameters expanded to `batch_shape`; nothing is copied, nor checked again."""
        self._lacks("expand", "it does not define how", "define expand()")

    def _expanded(self, kind: type, batch_shape: Shape, instance: Any, *names: str) -> Any:
        """What `expand` of `kind` returns: those attributes of these names that there are, with another batch shape."""
        if instance is None and type(self).__init__ is not kind.__init__:      # type: ignore[misc]
            self._lacks("expand", f"it has an __init__ of its own, and the expand of {kind.__name__}", "define expand() too")
        new = object.__new__(type(self)) if instance is None else instance
        batch_shape = tuple(batch_shape)
        for name in names:
            if name in self.__dict__:
                old = self.__dict__[name]
                new.__dict__[name] = old.expand(*batch_shape, *old.shape[len(self._batch_shape):])
        Distribution.__init__(new, batch_shape, self._event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    def _extended_shape(self, sample_shape: Shape = ()) -> tuple[int, ...]:
        """The shape of what is drawn."""
        if not isinstance(sample_shape, (tuple, list)):
            raise ArgumentError(f"{type(self).__name__}.sample", f"sample_shape={sample_shape!r}", "it is a tuple of sizes",
                                f"write ({sample_shape},)" if isinstance(sample_shape, int) else "")
        return (*sample_shape, *self._batch_shape, *self._event_shape)

    # ------------------------------------------------------------------------------------------------ moments
    @property
    def mean(self) -> Tensor:
        """The mean."""
        self._lacks("mean")

    @property
    def mode(self) -> Tensor:
        """The most probable value."""
        self._lacks("mode")

    @property
    def variance(self) -> Tensor:
        """The variance."""
        self._lacks("variance")

    @property
    def stddev(self) -> Tensor:
        """The standard deviation."""
        return self.variance.sqrt()

    # ------------------------------------------------------------------------------------------------ drawing
    def sample(self, sample_shape: Shape = ()) -> Tensor:
        """Draws of the shape sample_shape + batch_shape + event_shape, constants to gradients."""
        with no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape: Shape = ()) -> Tensor:
        """The same, computed from the parameters and noise that does not depend on them: gradients go through it."""
        self._lacks("rsample", "its draws do not depend smoothly on the parameters", "draw with sample(), and let the gradient go through log_prob()")

    def sample_n(self, n: int) -> Tensor:
        """`sample((n,))`, under the name that it once had."""
        warnings.warn("sample_n(n) is the old name of sample((n,))", FutureWarning, stacklevel=2)
        return self.sample((n,))

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """All values that can be drawn, along a new first axis: (values,) + batch_shape + event_shape.

        Without `expand` the batch's axes have the size 1.
        """
        self._lacks("enumerate_support", "its values cannot be counted up")

    # ------------------------------------------------------------------------------------------ probabilities
    def log_prob(self, value: Tensor) -> Tensor:
        """The logarithm of the probability, or density, of each event of `value`.

        Raises: ArgumentError for values that cannot be drawn, ShapeError for shapes that do not fit, if arguments are checked.
        """
        self._lacks("log_prob")

    def cdf(self, value: Tensor) -> Tensor:
        """The probability of drawing at most `value`."""
        self._lacks("cdf")

    def icdf(self, value: Tensor) -> Tensor:
        """What with the probability `value` is not exceeded: the inverse of `cdf`."""
        self._lacks("icdf")

    def entropy(self) -> Tensor:
        """The entropy, in nats, of batch_shape."""
        self._lacks("entropy")

    def perplexity(self) -> Tensor:
        """exp of the entropy."""
        return self.entropy().exp()

    def _validate_sample(self, value: Any) -> None:
        """Raises unless `value` is a Tensor of events that can be drawn."""
        name = type(self).__name__
        if not isinstance(value, Tensor):
            raise ArgumentError(name, f"a value of type {type(value).__name__}", "it must be a Tensor", "convert it with ta.tensor")
        cut = value.ndim - len(self._event_shape)
        if cut < 0 or value.shape[cut:] != self._event_shape:
            raise ShapeError(name, f"a value of shape {value.shape}", f"its last axes are not the event's, {self._event_shape}")
        expected = self._batch_shape + self._event_shape
        if any(1 != i != j != 1 for i, j in zip(reversed(value.shape), reversed(expected), strict=False)):
            raise ShapeError(name, f"a value of shape {value.shape}", f"it does not broadcast with batch_shape + event_shape, {expected}")
        try:
            support = self.support
        except NotImplementedError:
            warnings.warn(f"{name} does not define support, by which values are checked: define it, or pass validate_args=False", stacklevel=3)
            return
        self._demand("value", value, support)

    def __repr__(self) -> str:
        shown = {name: self.__dict__[name] for name in self.arg_constraints if name in self.__dict__}
        return f"{type(self).__name__}({', '.join(f'{k}: {v if v.numel() == 1 else v.shape}' for k, v in shown.items())})"
