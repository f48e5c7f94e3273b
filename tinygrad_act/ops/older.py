"""Tensor methods of PyTorch's first years, which its older listings use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import ArgumentError, DeviceError, GraphError
from ..tensor import Tensor
from . import arguments
from .create import tensor
from .inplace import copy_
from .registry import methods, public


@public(function=False)
def new(self: Tensor, *args: Any, device: Any = None) -> Tensor:
    """A tensor of this one's dtype, on its device unless given: of sizes, `x.new(2, 3)` or `x.new(x.size())`, with values that are
    whatever the memory held; or of data, a list or an array; of a Tensor the same memory. `new_empty` and `new_tensor` say which.

    A tuple of ints is sizes here, as those of a tensor are a tuple.

    >>> ta.ones(1).new(2, 3).zero_().shape, ta.ones(1).new([1, 2])
    ((2, 3), tensor([1., 2.]))
    """
    given = args[0] if len(args) == 1 else args
    if isinstance(given, Tensor):
        out: Tensor = given.detach().to(dtype=self.dtype, device=self.device if device is None else device)
        return out
    if not isinstance(given, tuple) and (isinstance(given, list) or hasattr(given, "ndim")):
        return tensor(given, dtype=self.dtype, device=self.device if device is None else device)
    sizes = given if isinstance(given, tuple) else (given,)
    if any(isinstance(size, float) for size in sizes):
        raise ArgumentError("new", str(given), "sizes are whole numbers", "data is a list: x.new([1.5, 2.0])")
    made: Tensor = methods["new_empty"](self, arguments.shape((sizes,), "new") if args else (0,), device=device)
    return made


@public(function=False)
def apply_(self: Tensor, callable: Callable[[Any], Any]) -> Tensor:
    """Every element becomes what the function makes of it, a Python number at a time, and so slowly. On the CPU.

    >>> ta.tensor([1.0, 4.0]).apply_(lambda x: x + 0.5)
    tensor([1.5000, 4.5000])
    """
    return _one_by_one("apply_", callable, self)


@public(function=False)
def map_(self: Tensor, tensor: Tensor, callable: Callable[[Any, Any], Any]) -> Tensor:
    """Every element becomes what the function makes of it and of that of another tensor, which is broadcast. On the CPU, and slowly.

    >>> ta.tensor([1.0, 4.0]).map_(ta.tensor([2.0, 3.0]), max)
    tensor([2., 4.])
    """
    if not isinstance(tensor, Tensor):
        raise ArgumentError("map_", type(tensor).__name__, "the other one must be a Tensor", "write apply_ for a function of one")
    return _one_by_one("map_", callable, self, tensor.expand(self.shape))


def _one_by_one(name: str, function: Callable[..., Any], x: Tensor, *others: Tensor) -> Tensor:
    for t in (x, *others):
        if t.requires_grad:
            raise GraphError(name, f"a tensor of shape {t.shape} that requires a gradient", "a function of Python's has none",
                             f"write x.detach().{name}(...)")
        if t.device.type == "cuda":
            raise ArgumentError(name, f"a tensor on {t.device}", "a function of Python's runs on the CPU", "write x.cpu()")
    columns = [t.reshape(-1).tolist() for t in (x, *others)]
    values = [function(*row) for row in zip(*columns, strict=True)]
    return copy_(x, tensor(values, dtype=x.dtype, device=x.device).reshape(x.shape))


@public(function=False)
def data_ptr(self: Tensor) -> int:
    """Where its first element is in memory, as a number: equal for a tensor and a view of its beginning.

    >>> x = ta.ones(3)
    >>> x.data_ptr() == x.view(3, 1).data_ptr(), x[1:].data_ptr() - x.data_ptr()
    (True, 4)
    """
    names = ("__array_interface__", "__cuda_array_interface__")
    about = next((found for name in names if (found := getattr(self.array, name, None)) is not None), None)
    if about is None:
        raise DeviceError("data_ptr", f"a tensor on {self.device}", "its memory is shown to nobody")
    return int(about["data"][0])


@public(function=False)
def share_memory_(self: Tensor) -> Tensor:
    """The tensor itself. It changes nothing: the workers of loaders are threads here, which share all memory."""
    return self
