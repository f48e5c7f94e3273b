"""Parameter and Buffer: what a Module registers when it is assigned as an attribute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import dtypes
from ..errors import DTypeError
from ..later import later
from ..tensor import Tensor, array_of

if TYPE_CHECKING:
    from .uninitialized import UninitializedBuffer, UninitializedParameter, UninitializedTensorMixin

__all__ = ["Buffer", "Parameter", "UninitializedBuffer", "UninitializedParameter", "UninitializedTensorMixin", "is_lazy"]


class Parameter(Tensor):
    """A leaf that a Module learns: assigned as an attribute of one, it is in its `parameters()`.

    `data` is a Tensor or an array (its memory is shared, its graph is not), or numbers, which become the default dtype.

    >>> Parameter(ta.zeros(2))
    Parameter containing:
    tensor([0., 0.], requires_grad=True)
    """

    def __init__(self, data: Any = (), requires_grad: bool = True) -> None:
        self.array = array_of(data)
        if requires_grad and not dtypes.is_floating(self.dtype):
            raise DTypeError("Parameter", str(self.dtype), "only floating types have gradients",
                             "pass requires_grad=False, or convert the data with .float()")
        self.requires_grad = requires_grad

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"


class Buffer(Tensor):
    """A constant of a Module (a running mean, a mask): saved with it and moved with it, not learned.

    `Module.register_buffer` is the other way to make one; `persistent=False` keeps it out of the state_dict.
    """

    def __init__(self, data: Any = (), *, persistent: bool = True) -> None:
        self.array = array_of(data)
        self.persistent = persistent


def is_lazy(param: Any) -> bool:
    """Is it an UninitializedParameter or an UninitializedBuffer?"""
    return isinstance(param, Tensor) and hasattr(param, "materialize")


# Named from two dots on, as a module and not a package looks for them.
__getattr__ = later(__name__, dict.fromkeys(["UninitializedBuffer", "UninitializedParameter", "UninitializedTensorMixin"], ".uninitialized"))
