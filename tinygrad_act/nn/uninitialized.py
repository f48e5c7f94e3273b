"""Parameters and buffers whose shape is not known yet: what a lazy module (lazy.py) has before its first input."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NoReturn

from .. import _functions as ops
from .. import backend
from ..errors import ArgumentError
from ..tensor import Tensor
from .parameter import Buffer, Parameter

__all__ = ["UninitializedBuffer", "UninitializedParameter", "UninitializedTensorMixin"]


class UninitializedTensorMixin(Tensor):
    """The part of them that is about having no shape.

    An array of no elements says of which dtype, and where, the numbers are to be. It stands in `__dict__` behind a property that
    refuses: so every op, which begins by asking for `array`, is refused, and no other tensor is asked whether it is such a one.
    """

    cls_to_become: ClassVar[type[Tensor]]

    def materialize(self, shape: Sequence[int], device: Any = None, dtype: Any = None) -> None:
        """Become an ordinary one of this shape, the same object, with numbers that are yet to be set."""
        made = ops.empty(tuple(shape), device=self.device if device is None else device, dtype=self.dtype if dtype is None else dtype)
        self.__class__ = self.cls_to_become  # type: ignore[assignment]
        self.array = made.array

    def convert(self, function: Callable[[Any], Any]) -> None:
        """Change what the array of no elements says: `Module.to` and its kin."""
        vars(self)["array"] = function(vars(self)["array"])

    def _refuse(self) -> NoReturn:
        raise ArgumentError(type(self).__name__, f"one of {self.dtype}", "it has no shape and no numbers before its layer's first input",
                            "call the network once on an input of the right size, or load a state_dict into it, and use it then")

    @property
    def array(self) -> Any:
        """There is none yet: an error says so."""
        self._refuse()

    @array.setter
    def array(self, value: Any) -> None:
        self._refuse()

    @property
    def dtype(self) -> Any:
        """The dtype that it will have."""
        return vars(self)["array"].dtype

    @property
    def device(self) -> backend.Device:
        """Where it will be."""
        return backend.device_of(vars(self)["array"])

    @property
    def requires_grad(self) -> bool:
        """Will a gradient be wanted for it?"""
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        self._requires_grad = bool(wanted)

    def requires_grad_(self, requires_grad: bool = True) -> Any:
        """Set whether a gradient will be wanted."""
        self.requires_grad = requires_grad
        return self

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __reduce_ex__(self, protocol: Any) -> Any:
        """A copy, also one that is pickled, is as uninitialised."""
        return type(self), (self.requires_grad, str(self.device), self.dtype.name)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        kind, given = self.__reduce_ex__(2)
        memo[id(self)] = out = kind(*given)
        return out


class UninitializedParameter(UninitializedTensorMixin, Parameter):
    """A Parameter whose shape the first input decides: see `nn.LazyLinear`. Until `materialize` it can be moved and converted
    with its module, pickled and copied; whatever needs a shape or numbers is refused.

    >>> weight = UninitializedParameter(dtype=ta.float64); weight
    <UninitializedParameter>
    >>> weight.materialize((2, 3)); weight.shape, weight.dtype, type(weight).__name__
    ((2, 3), dtype('float64'), 'Parameter')
    """

    cls_to_become = Parameter

    def __init__(self, requires_grad: bool = True, device: Any = None, dtype: Any = None) -> None:
        vars(self).update(vars(Parameter(ops.empty((0,), device=device, dtype=dtype), requires_grad)))


class UninitializedBuffer(UninitializedTensorMixin, Buffer):
    """A buffer whose shape the first input decides: the running mean of `nn.LazyBatchNorm1d`. See UninitializedParameter.

    >>> mean = UninitializedBuffer()
    >>> mean.materialize((3,)); mean.shape
    (3,)
    """

    cls_to_become = Tensor

    def __init__(self, requires_grad: bool = False, device: Any = None, dtype: Any = None, persistent: bool = True) -> None:
        vars(self).update(vars(Buffer(ops.empty((0,), device=device, dtype=dtype), persistent=persistent)))
        self.requires_grad = requires_grad

    def __reduce_ex__(self, protocol: Any) -> Any:
        kind, given = super().__reduce_ex__(protocol)
        return kind, (*given, self.persistent)
