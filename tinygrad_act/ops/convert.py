"""Leaving and entering: other dtypes, other devices, Python numbers, NumPy arrays, copies, pickles."""

from __future__ import annotations

import copy as copying
from collections.abc import Iterator, Sequence
from typing import Any

from .. import backend, dtypes
from ..errors import ArgumentError, DeviceError, DTypeError, GraphError, ShapeError
from ..grad_mode import mode
from ..graph import recording, watchers
from ..op import Op
from ..tensor import Tensor, wrap
from .registry import attribute, enter, op, public, table

_clone = op("clone", lambda F, x: F.copy(x), lambda F, g: g)


class ToDevice(Op):
    """The one op whose result is on another device than its input; its rule takes the gradient back."""

    def settle(self) -> None:
        self.call = self.general

    def general(self, x: Tensor, *, device: Any, source: Any) -> Tensor:
        out = wrap(backend.to_device(x.array, device))
        if x.requires_grad and mode.grad:
            params = {"device": device, "source": source}
            out._requires_grad, out.node = True, self.record((x,), [x.array], (out.array,), params, 1)
        elif mode.inference:
            out.inference = True
        for watcher in watchers:
            watcher.forward(self, (x,), out, {"device": device, "source": source})
        return out


enter(ToDevice("to_device", lambda F, x, *, device, source: F.to_device(x, device, source),
               lambda F, g, *, device, source: F.to_device(g, device=source, source=device)))


# -------------------------------------------------------------------------------------------- dtype and device
@public(function=False)
def to(self: Tensor, *args: Any, device: Any = None, dtype: Any = None, non_blocking: bool = False, copy: bool = False,
       memory_format: Any = None) -> Tensor:
    """This tensor as another dtype, on another device, or both: `x.to(ta.float64)`, `x.to("cuda")`, `x.to(other)`.

    Itself where nothing changes, unless `copy`. Differentiable between floating dtypes and between devices. `non_blocking` changes
    nothing: what goes to a GPU is not waited for, and what comes from one is.

    >>> ta.tensor([1, 2]).to(ta.float32)
    tensor([1., 2.])
    """
    device, dtype = destination(args[:2], device, dtype, "to")
    out = self
    if device is not None:
        source = self.device
        if device.type != source.type or device.index not in (None, source.index):
            out = recording.to_device(out, device=device, source=source)
    if dtype is not None and dtype != self.dtype:
        out = cast_to(out, dtype)
    return _clone(out) if copy and out is self else out


def destination(args: Sequence[Any], device: Any, dtype: Any, name: str) -> tuple[backend.Device | None, Any]:
    """The device and the dtype that the arguments of `to` name, in any order: a device, a dtype, both, or a Tensor like it."""
    for given in args:
        if isinstance(given, Tensor):
            device, dtype = given.device, given.dtype
        elif isinstance(given, backend.Device) or (type(given) in (str, int) and _names_device(given)):
            device = given
        elif given is not None and not isinstance(given, bool):              # non_blocking, copy
            dtype = given
    try:
        return None if device is None else backend.Device(device), dtypes.as_dtype(dtype)
    except ArgumentError:
        if device is not None:
            raise
        raise ArgumentError(name, repr(dtype), "that is neither a device nor an element type",
                            f"devices are {', '.join(map(repr, backend.BACKENDS.values()))}; write element types as ta.float32 or 'float32'") from None


def _names_device(given: str | int) -> bool:
    return isinstance(given, int) or given.partition(":")[0] in backend.BACKENDS.values()


def cast_to(x: Tensor, dtype: Any) -> Tensor:
    """x as `dtype`: recorded among floats; integers carry no gradient."""
    if x.requires_grad and not dtypes.is_floating(dtype):
        whole = wrap(backend.namespace(x.array).cast(x.array, dtype))
        for watcher in watchers:           # here the graph ends, and study.why wants to say where
            watcher.forward(table["cast"], (x,), whole, {"dtype": dtype})
        return whole
    out: Tensor = recording.cast(x, dtype=dtype)
    return out


def _as(name: str, dtype: Any) -> None:
    def convert(self: Tensor, memory_format: Any = None) -> Tensor:
        wanted = dtype() if callable(dtype) else dtype
        return self if self.dtype == wanted else cast_to(self, wanted)
    convert.__name__, convert.__doc__ = name, f"This tensor as {name}; itself where it is that already."
    public(name, function=False)(convert)


for _name, _dtype in {"float": dtypes.float32, "double": dtypes.float64, "half": dtypes.float16,
                      "bfloat16": dtypes.bfloat16, "long": dtypes.int64, "int": dtypes.int32, "short": dtypes.int16,
                      "char": dtypes.int8, "byte": dtypes.uint8, "bool": dtypes.bool_}.items():
    _as(_name, _dtype)

TYPE_NAMES = {"FloatTensor": "float32", "DoubleTensor": "float64", "HalfTensor": "float16", "BFloat16Tensor": "bfloat16",
              "LongTensor": "int64", "IntTensor": "int32", "ShortTensor": "int16", "CharTensor": "int8",
              "ByteTensor": "uint8", "BoolTensor": "bool"}


@public("type", function=False)
def type_(self: Tensor, dtype: Any = None, non_blocking: bool = False) -> Any:
    """The name of this tensor's type ("tinygrad_act.FloatTensor"), or the tensor as `dtype`."""
    if dtype is None:
        return "tinygrad_act." + next((k for k, v in TYPE_NAMES.items() if v == self.dtype.name), self.dtype.name)
    return to(self, dtype=named_type(dtype))


def named_type(dtype: Any) -> Any:
    """A dtype, also as older listings say it: "torch.LongTensor", ta.LongTensor."""
    if isinstance(dtype, str):
        dtype = TYPE_NAMES.get(dtype.rpartition(".")[2], dtype)
    return dtypes.as_dtype(TYPE_NAMES.get(getattr(dtype, "__name__", ""), dtype))


@public(function=False)
def type_as(self: Tensor, other: Tensor) -> Tensor:
    """This tensor with the dtype and on the device of `other`."""
    return to(self, other)


@public(function=False)
def cpu(self: Tensor, memory_format: Any = None) -> Tensor:
    """This tensor in the computer's own memory; itself where it is there."""
    return to(self, "cpu")


@public(function=False)
def cuda(self: Tensor, device: Any = None, non_blocking: bool = False, memory_format: Any = None) -> Tensor:
    """This tensor on a GPU: the current one, or that of the given number."""
    return to(self, "cuda" if device is None else device)


@public()
def clone(input: Tensor, *, memory_format: Any = None) -> Tensor:
    """A copy with memory of its own, in the same place in the graph.

    >>> x = ta.ones(2)
    >>> y = x.clone(); y[0] = 5.0; x
    tensor([1., 1.])
    """
    return _clone(input)


def _get_data(self: Tensor) -> Tensor:
    """The same memory without the graph. Setting it replaces the array, unseen by autograd."""
    return wrap(self.array)


def _set_data(self: Tensor, value: Any) -> None:
    if not isinstance(value, Tensor):
        raise ArgumentError("data", type(value).__name__, "data can be set to a Tensor only", "wrap it with ta.tensor(...)")
    if self.requires_grad and not dtypes.is_floating(value.dtype):
        raise DTypeError("data", str(value.dtype), "this tensor requires a gradient, which only floats have")
    self.array = value.array


# ------------------------------------------------------------------------------------------ numbers and arrays
@public(function=False)
def item(self: Tensor) -> Any:
    """The one element as a Python number.

    >>> ta.tensor([2.5]).item()
    2.5
    """
    if self.array.size != 1:
        raise ShapeError("item", f"a tensor of shape {self.shape}", "only a tensor of one element is a number",
                         "use .tolist(), or index it first")
    value = tolist(self)
    while isinstance(value, list):
        value = value[0]
    return value


@public(function=False)
def tolist(self: Tensor) -> Any:
    """The elements as nested lists of Python numbers; a number for a 0-d tensor."""
    array = self.array
    if dtypes.is_half(array.dtype):                        # bfloat16 has no Python number of its own
        array = backend.namespace(array).cast(array, dtypes.float32)
    return backend.to_host(array).tolist()


@public(function=False)
def numpy(self: Tensor, *, force: bool = False) -> Any:
    """The tensor as a NumPy array that shares its memory.

    One that requires a gradient or is on another device is refused, unless `force`: `detach().cpu().numpy()`.
    """
    if not force and self.requires_grad:
        raise GraphError("numpy", f"a tensor of shape {self.shape} that requires a gradient",
                         "changes of the array would not be seen by autograd", "write .detach().numpy()")
    if not force and self.device.type != "cpu":
        raise DeviceError("numpy", f"a tensor on {self.device}", "NumPy's arrays are on the CPU", "write .cpu().numpy()")
    return backend.to_host(self.array)


@public("__array__", function=False)
def _array(self: Tensor, dtype: Any = None, copy: bool | None = None) -> Any:
    """What `numpy.asarray(tensor)` asks for."""
    array = numpy(self)
    if dtype is not None and dtype != array.dtype:
        if copy is False:
            raise ArgumentError("__array__", f"copy=False, dtype={dtype}", f"the tensor is {self.dtype}: it takes a copy")
        return array.astype(dtype)
    return array.copy() if copy else array


@public("__len__", function=False)
def _len(self: Tensor) -> int:
    if not self.ndim:
        raise ArgumentError("len", "a 0-d tensor", "it has no length")
    return int(self.shape[0])


@public("__iter__", function=False)
def _iter(self: Tensor) -> Iterator[Tensor]:
    if not self.ndim:
        raise ArgumentError("iter", "a 0-d tensor", "it cannot be iterated over", "write .item() for its number")
    return iter(recording.unbind(self, 0))


@public("__bool__", function=False)
def _bool(self: Tensor) -> bool:
    if self.array.size != 1:
        raise ShapeError("bool", f"a tensor of shape {self.shape}", "whether it is true is ambiguous",
                         "use .any() or .all(), or & and | between tensors instead of `and` and `or`")
    return bool(item(self))


@public("__int__", function=False)
def _int(self: Tensor) -> int:
    return int(item(self))


@public("__float__", function=False)
def _float(self: Tensor) -> float:
    return float(item(self))


@public("__index__", function=False)
def _index(self: Tensor) -> int:
    if self.array.size != 1 or dtypes.is_floating(self.dtype):
        raise ArgumentError("index", f"a tensor of shape {self.shape} and dtype {self.dtype}",
                            "only an integer tensor of one element can stand for an int", "convert it with int(...)")
    return int(item(self))


@public("__contains__", function=False)
def _contains(self: Tensor, element: Any) -> bool:
    """Is one of the elements equal to `element`?"""
    return bool((self == element).any())


# -------------------------------------------------------------------------------------------------- questions
@public()
def is_floating_point(input: Tensor) -> bool:
    """Is the dtype a floating one?"""
    return dtypes.is_floating(input.dtype)


@public()
def is_complex(input: Tensor) -> bool:
    """False: there are no complex tensors."""
    return False


@public()
def is_nonzero(input: Tensor) -> bool:
    """Is the one element other than zero?"""
    return _bool(input)


@public(method=False)
def is_tensor(obj: Any) -> bool:
    """Is it a Tensor?"""
    return isinstance(obj, Tensor)


@public(function=False)
def get_device(self: Tensor) -> int:
    """The number of the GPU that holds the tensor, -1 for the CPU."""
    device = self.device
    return -1 if device.type == "cpu" else device.index or 0


@public(function=False)
def element_size(self: Tensor) -> int:
    """Bytes an element."""
    return int(self.dtype.itemsize)


setattr(Tensor, "data", property(_get_data, _set_data))  # noqa: B010


@attribute
def is_cuda(self: Tensor) -> bool:
    """Is it on a GPU?"""
    return self.device.type == "cuda"


@attribute
def is_cpu(self: Tensor) -> bool:
    """Is it in the computer's own memory?"""
    return self.device.type == "cpu"


@attribute
def itemsize(self: Tensor) -> int:
    """Bytes an element."""
    return int(self.dtype.itemsize)


@attribute
def nbytes(self: Tensor) -> int:
    """Bytes in all."""
    return int(self.array.size * self.dtype.itemsize)


# ----------------------------------------------------------------------------------------- copies and pickles
GRAPH = {"node", "hooks", "view_of", "views"}             # what belongs to the place in the graph, not to the value


@public("__deepcopy__", function=False)
def _deepcopy(self: Tensor, memo: dict[int, Any]) -> Tensor:
    if self.node is not None:
        raise GraphError("deepcopy", f"a tensor of shape {self.shape} made by {self.node!r}",
                         "only leaves can be copied, the graph cannot", "write .detach().clone()")
    out = type(self).__new__(type(self))
    memo[id(self)] = out
    out.array = backend.namespace(self.array).copy(self.array)
    for name, value in vars(self).items():
        if name != "array" and name not in GRAPH:
            setattr(out, name, copying.deepcopy(value, memo))
    return out


@public("__reduce_ex__", function=False)
def _reduce_ex(self: Tensor, protocol: int) -> Any:
    """Pickles hold the values, the device and requires_grad; the graph stays behind."""
    state = {k: v for k, v in vars(self).items() if k not in GRAPH and k not in ("array", "_grad", "inference")}
    return _rebuild, (type(self), backend.to_host(self.array), str(self.device), state)


def _rebuild(kind: type[Tensor], host: Any, device: str, state: dict[str, Any]) -> Tensor:
    out = kind.__new__(kind)
    out.array = backend.asarray(host, device=device)
    vars(out).update(state)
    return out
