"""Making tensors: from data, of one value, ranges. PyTorch's names, `dtype=`, `device=` and `requires_grad=`."""

from __future__ import annotations

import math
import weakref
from collections.abc import Sequence
from typing import Any

from .. import backend, dtypes
from ..errors import ArgumentError, DTypeError, ShapeError
from ..grad_mode import mode
from ..graph import recording
from ..tensor import Tensor, wrap
from . import arguments
from .arguments import Ints
from .registry import public

PYTHON = {int, float, bool}


# ------------------------------------------------------------------------------------------------ from data
@public(method=False)
def tensor(data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A new leaf with a copy of `data`: numbers, nested sequences of equal length (also of Tensors), an array, a Tensor.

    Floats become the default dtype, ints int64; arrays and Tensors keep theirs, and a Tensor its device.

    >>> ta.tensor([[1, 2], [3, 4]]), ta.tensor(2.5, dtype=ta.float64)
    (tensor([[1, 2],
            [3, 4]]), tensor(2.5000, dtype=float64))
    """
    return leaf(_array(data, dtypes.as_dtype(dtype), device, "tensor", copy=True), requires_grad, "tensor")


@public(method=False)
def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """`data` as a Tensor, sharing its memory (and its graph) where neither dtype nor device has to change.

    >>> x = ta.ones(2)
    >>> ta.as_tensor(x) is x
    True
    """
    if isinstance(data, Tensor):
        return data.to(device=device, dtype=dtype)
    return wrap(_array(data, dtypes.as_dtype(dtype), device, "as_tensor", copy=False))


@public(method=False)
def asarray(obj: Any, *, dtype: Any = None, device: Any = None, copy: bool | None = None,
            requires_grad: bool = False) -> Tensor:
    """`obj` as a Tensor: a copy if `copy`, an error if `copy=False` and it takes one, shared where possible otherwise."""
    t = tensor(obj, dtype=dtype, device=device) if copy else as_tensor(obj, dtype, device)
    if copy is False:
        before = obj.array if isinstance(obj, Tensor) else obj
        if not backend.is_array(before) or type(before) is not type(t.array) or t.dtype != before.dtype:
            raise ArgumentError("asarray", f"copy=False of {type(obj).__name__}", "it takes a copy to make this tensor",
                                "leave copy out")
    if requires_grad:
        return leaf(t.array, True, "asarray")
    return t


@public(method=False)
def from_numpy(array: Any) -> Tensor:
    """A Tensor on the CPU that shares the memory of a NumPy array: a change of either shows in both."""
    if not backend.is_host(array):
        raise ArgumentError("from_numpy", type(array).__name__, "that is no NumPy array", "use ta.tensor(...) for other data")
    if not array.dtype.isnative:
        raise DTypeError("from_numpy", f"an array of dtype {array.dtype}", "its bytes are in the other order than this machine's",
                         "use ta.tensor(array), which converts it")
    return wrap(_numbers(array, "from_numpy"))


def leaf(array: Any, requires_grad: bool, op: str) -> Tensor:
    """A handle on `array`, which only floats may ask a gradient for."""
    t = wrap(array)
    if requires_grad:
        if not dtypes.is_floating(array.dtype):
            raise DTypeError(op, f"requires_grad=True with dtype {array.dtype}", "only floating tensors have gradients",
                             "pass dtype=ta.float32, or write the numbers as floats")
        t.requires_grad = True
    return t


def _begin(self: Tensor, data: tuple[Any, ...], device: Any) -> None:
    """`Tensor(...)`: one sequence, array or Tensor is data, anything else is sizes."""
    given = data[0] if len(data) == 1 else None
    if isinstance(given, Tensor):
        if given.requires_grad and mode.grad:                       # in its graph, as a view of it
            view = recording.reshape(given, shape=given.shape)
            self.array, self.node, self._requires_grad, self.view_of = view.array, view.node, True, view.view_of
            if self.view_of and self.view_of[1] is not None:
                self.view_of[0].views.append(weakref.ref(self))
            return
        self.array = given.array
    elif isinstance(given, (list, tuple, range)) or backend.is_array(given) or (hasattr(given, "__array__") and not backend.is_scalar(given)):
        self.array = _array(given, dtypes.get_default_dtype(), device, "Tensor", copy=False)
    elif len(data) == 1 and (type(given) is bool or not hasattr(given, "__index__")):
        raise ArgumentError("Tensor", repr(given)[:60], "it takes sizes, or a sequence or an array of numbers",
                            f"write ta.tensor({given!r})" if isinstance(given, (int, float)) else "ta.tensor takes other data")
    else:
        self.array = filled(arguments.shape(data or (0,), "Tensor"), None, None, device, False, "Tensor").array


setattr(Tensor, "_begin", _begin)  # noqa: B010


def _array(data: Any, dtype: Any, device: Any, op: str, copy: bool) -> Any:
    """`data` as an array of `dtype` on `device`, with memory of its own if `copy`."""
    if isinstance(data, Tensor):
        data = data.array
    elif hasattr(data, "__array__") and not backend.is_array(data):
        data = backend.to_host(data)
    if backend.is_array(data):
        target = device if device is not None else backend.current_device() if backend.is_host(data) else None
        array = backend.asarray(_numbers(data, op), dtype, target)
        return backend.namespace(array).copy(array) if copy and array is data else array
    if isinstance(data, complex):
        raise _misfit(data, op)
    found: set[Any] = set()
    data = _visit(data, found)
    if dtype is None:
        dtype = dtypes.get_default_dtype()
        for i, kind in enumerate(found):
            dtype = kind if i == 0 else dtypes.promote_types(dtype, kind)
    try:
        return backend.asarray(data, dtype, device)
    except OverflowError:
        raise ArgumentError(op, f"dtype {dtype}", "a number does not fit into it", "choose a wider dtype") from None
    except (ValueError, TypeError) as error:
        if isinstance(error, ArgumentError):
            raise
        raise _misfit(data, op) from None


def _visit(data: Any, found: set[Any]) -> Any:
    """`data` with arrays for the Tensors in it; the dtypes of what it holds are put into `found`."""
    if isinstance(data, (list, tuple, range)):
        kinds = set(map(type, data))
        if kinds <= PYTHON:
            found.update(_PLAIN[kind]() for kind in kinds)
            return data
        return [_visit(part, found) for part in data]
    if isinstance(data, Tensor):
        data = backend.to_host(data.array)
    if hasattr(data, "dtype"):
        found.add(data.dtype)
    elif type(data) in PYTHON:
        found.add(_PLAIN[type(data)]())
    return data


_PLAIN = {int: lambda: dtypes.int64, bool: lambda: dtypes.bool_, float: dtypes.get_default_dtype}


def _misfit(data: Any, op: str) -> Exception:
    """What is wrong with nested sequences that make no array."""
    level, depth = [data], 0
    while level and all(isinstance(x, (list, tuple)) for x in level):
        lengths = sorted({len(x) for x in level})
        if len(lengths) > 1:
            return ShapeError(op, f"sequences of length {' and '.join(map(str, lengths))} at dim {depth}",
                              "nested sequences must be equally long", "pad them, or keep a list of tensors")
        level, depth = [y for x in level for y in x], depth + 1
    strange = [x for x in level if not isinstance(x, (int, float, list, tuple)) and not hasattr(x, "dtype")]
    if strange:
        return ArgumentError(op, repr(strange[0])[:60], f"{type(strange[0]).__name__} is no number")
    return ShapeError(op, f"numbers beside sequences at dim {depth}", "nested sequences must be equally deep")


def _numbers(array: Any, op: str) -> Any:
    if (array.dtype.kind not in "fiub" and array.dtype.name != "bfloat16") or array.dtype.itemsize > 8:
        raise DTypeError(op, f"an array of dtype {array.dtype}", "tensors hold real numbers of at most 64 bits and bools",
                         "convert it, for example with array.astype('float32')")
    return backend.to_host(array) if backend.is_host(array) else array       # a memmap, a matrix: the same memory as a plain array


def _typed(name: str, dtype: Any) -> None:
    def make(*data: Any) -> Tensor:
        if len(data) == 1 and not isinstance(data[0], int):
            return tensor(data[0], dtype=dtype)
        return filled(arguments.shape(data or (0,), name), None, dtype, None, False, name)
    make.__name__, make.__doc__ = name, f"`Tensor(...)` of {dtype.name}: from sizes, or from a sequence."
    public(name, method=False)(make)


for _type, _its_dtype in {"FloatTensor": dtypes.float32, "DoubleTensor": dtypes.float64, "HalfTensor": dtypes.float16,
                          "LongTensor": dtypes.int64, "IntTensor": dtypes.int32, "ShortTensor": dtypes.int16,
                          "ByteTensor": dtypes.uint8, "BoolTensor": dtypes.bool_}.items():
    _typed(_type, _its_dtype)


# --------------------------------------------------------------------------------------------- of one value
def filled(shape: tuple[int, ...], value: Any, dtype: Any, device: Any, requires_grad: bool, op: str) -> Tensor:
    """A new leaf of `value` (None: whatever the memory holds)."""
    dtype = dtypes.as_dtype(dtype) or dtypes.get_default_dtype()
    module, index = backend.resolve(device)
    if isinstance(value, float) and not math.isfinite(value) and not dtypes.is_floating(dtype):
        raise ArgumentError(op, f"{value} in a tensor of {dtype}", "only floats have it", "pass dtype=ta.float32")
    return leaf(module.F.new(shape, dtype, dtypes.stored(value, dtype, op), index), requires_grad, op)


def _constant(name: str, value: Any) -> None:
    """`zeros`, `zeros_like` and `Tensor.new_zeros`, and the same for ones and empty."""
    def make(*size: Ints, dtype: Any = None, device: Any = None, requires_grad: bool = False, **shape: Ints) -> Tensor:
        if not size and "size" not in shape:
            raise ArgumentError(name, "no size", "the size is missing", f"write {name}(2, 3), or {name}(()) for a 0-d tensor")
        size = size or (shape.pop("size"),)
        if shape:
            raise ArgumentError(name, f"unknown argument {next(iter(shape))!r}", "it takes size, dtype, device, requires_grad")
        return filled(arguments.shape(size, name), value, dtype, device, requires_grad, name)

    def like(input: Tensor, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
        return filled(input.shape, value, dtype or input.dtype, _place(input, device), requires_grad, f"{name}_like")

    def fresh(self: Tensor, *size: Ints, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
        return filled(arguments.shape(size, f"new_{name}"), value, dtype or self.dtype, _place(self, device), requires_grad,
                      f"new_{name}")

    what = f"filled with {name}" if name != "empty" else "whose values are whatever the memory held"
    make.__doc__ = f"A tensor of the given size (ints, or one tuple) {what}.\n\n    >>> ta.{name}(2, 3).shape\n    (2, 3)\n    "
    like.__doc__ = f"A tensor {what}, of the shape, dtype and device of `input` unless given."
    fresh.__doc__ = f"A tensor of the given size {what}, of this one's dtype and device unless given."
    for function, its_name in ((make, name), (like, f"{name}_like"), (fresh, f"new_{name}")):
        function.__name__ = function.__qualname__ = its_name
        public(its_name, method=function is fresh, function=function is not fresh)(function)


for _name, _filling in (("zeros", 0), ("ones", 1), ("empty", None)):
    _constant(_name, _filling)


def _place(like: Tensor, device: Any) -> Any:
    return like.device if device is None else device


def _value(x: Any) -> Any:
    """A fill value as a Python number, and the dtype that it asks for."""
    if isinstance(x, Tensor) or hasattr(x, "dtype"):
        return x.item(), x.dtype
    if type(x) not in PYTHON:
        raise ArgumentError("full", repr(x)[:60], "the fill value must be a number")
    return x, dtypes.as_dtype(type(x)) if type(x) is not float else dtypes.get_default_dtype()


def _full(shape: Any, value: Any, like: Tensor) -> Tensor:
    return wrap(backend.namespace(like.array).full(shape, value, like.array))


def _arange(n: int, like: Tensor) -> Tensor:
    return wrap(backend.namespace(like.array).arange(n, like.array))


recording.full, recording.arange = _full, _arange        # as the rules call them: with a tensor to be like


@public(method=False)
def full(size: Sequence[int], fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of `size` filled with `fill_value`, whose kind decides the dtype unless given.

    >>> ta.full((2,), 7)
    tensor([7, 7])
    """
    value, natural = _value(fill_value)
    return filled(arguments.shape((size,), "full"), value, dtype or natural, device, requires_grad, "full")


@public(method=False)
def full_like(input: Tensor, fill_value: Any, *, dtype: Any = None, device: Any = None,
              requires_grad: bool = False) -> Tensor:
    """A tensor of `fill_value`, of the shape, dtype and device of `input` unless given."""
    return filled(input.shape, _value(fill_value)[0], dtype or input.dtype, _place(input, device), requires_grad, "full_like")


@public(function=False)
def new_full(self: Tensor, size: Ints, fill_value: Any, *, dtype: Any = None, device: Any = None,
             requires_grad: bool = False) -> Tensor:
    """A tensor of `size` filled with `fill_value`, of this one's dtype and device unless given."""
    return filled(arguments.shape((size,), "new_full"), _value(fill_value)[0], dtype or self.dtype, _place(self, device),
                  requires_grad, "new_full")


@public(function=False)
def new_tensor(self: Tensor, data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A copy of `data` with this tensor's dtype and device unless given."""
    return tensor(data, dtype=dtype or self.dtype, device=_place(self, device), requires_grad=requires_grad)


@public(method=False)
def scalar_tensor(s: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A 0-d tensor, of the default dtype unless given."""
    return filled((), _value(s)[0], dtype, device, requires_grad, "scalar_tensor")


# ---------------------------------------------------------------------------------------------------- ranges
def _number(x: Any, op: str, what: str) -> Any:
    if isinstance(x, Tensor) or hasattr(x, "item"):
        x = x.item()
    if not isinstance(x, (int, float)):
        raise ArgumentError(op, f"{what}={x!r}", f"{what} must be a number")
    return x


def _count(n: int, device: Any) -> tuple[Any, Any]:
    """0 .. n-1 on `device`, and its vocabulary."""
    module, index = backend.resolve(device)
    return module.F.count(n, index), module.F


@public(method=False)
def arange(start: Any = None, end: Any = None, step: Any = 1, *, dtype: Any = None, device: Any = None,
           requires_grad: bool = False) -> Tensor:
    """start, start + step, ... up to but without `end` (`arange(end)` starts at 0); int64 if all three are ints.

    >>> ta.arange(1, 2, 0.25)
    tensor([1.0000, 1.2500, 1.5000, 1.7500])
    """
    if end is None or start is None:
        start, end = 0, start if end is None else end
    given = start, end, step = tuple([_number(x, "arange", what) for x, what in ((start, "start"), (end, "end"), (step, "step"))])
    dtype = dtypes.as_dtype(dtype)
    if dtype is None:
        ints = all(isinstance(x, int) for x in given)
        dtype = dtypes.int64 if ints else dtypes.get_default_dtype()
    if not dtypes.is_floating(dtype):
        start, end, step = int(start), int(end), int(step)
        if dtype == dtypes.int64:                            # of the int dtypes, only this counts between the rounded ends
            given = start, end, step
    if step == 0 or not math.isfinite(start) or not math.isfinite(end):
        raise ArgumentError("arange", f"start={start}, end={end}, step={step}",
                            "the step must not be zero" if step == 0 else "a range must be finite")
    if (end - start) * step < 0:
        raise ArgumentError("arange", f"start={start}, end={end}, step={step}", "the step leads away from the end")
    first, last, by = given
    n = -((first - last) // by) if all(isinstance(x, int) for x in given) else math.ceil((last - first) / by)
    i, F = _count(n, device)
    if dtypes.is_floating(dtype):
        i = F.cast(i, dtypes.float64)
    values = i if (start, step) == (0, 1) else i * step + start
    return leaf(F.cast(values, dtype), requires_grad, "arange")


@public(method=False)
def linspace(start: Any, end: Any, steps: int, *, dtype: Any = None, device: Any = None,
             requires_grad: bool = False) -> Tensor:
    """`steps` numbers from `start` to `end`, both included, evenly spaced.

    >>> ta.linspace(0, 1, 5)
    tensor([0.0000, 0.2500, 0.5000, 0.7500, 1.0000])
    """
    dtype = dtypes.as_dtype(dtype) or dtypes.get_default_dtype()
    values, F = _spaced(start, end, steps, dtype, device, "linspace")
    return leaf(F.cast(values, dtype), requires_grad, "linspace")


@public(method=False)
def logspace(start: Any, end: Any, steps: int, base: float = 10.0, *, dtype: Any = None, device: Any = None,
             requires_grad: bool = False) -> Tensor:
    """`base` to the powers `linspace(start, end, steps)`.

    >>> ta.logspace(0, 2, 3)
    tensor([  1.,  10., 100.])
    """
    dtype = dtypes.as_dtype(dtype) or dtypes.get_default_dtype()
    powers, F = _spaced(start, end, steps, dtype, device, "logspace")
    values = F.pow(F.full((), base, powers), powers)
    return leaf(F.cast(values, dtype), requires_grad, "logspace")


def _spaced(start: Any, end: Any, steps: Any, dtype: Any, device: Any, op: str) -> tuple[Any, Any]:
    """float64 numbers counted from whichever end is nearer, so that both ends are exact; an int dtype has whole ends."""
    start, end, steps = _number(start, op, "start"), _number(end, op, "end"), arguments.whole(steps, op, "steps")
    start, end = (float(x) if dtypes.is_floating(dtype) else float(int(x)) for x in (start, end))
    if steps < 0:
        raise ArgumentError(op, f"steps={steps}", "the number of steps cannot be negative")
    i, F = _count(steps, device)
    i = F.cast(i, dtypes.float64)
    step = (end - start) / max(steps - 1, 1)
    return F.where(i < max(steps / 2, 0.5), start + step * i, end - step * (steps - 1 - i)), F


@public(method=False)
def eye(n: int, m: int | None = None, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """An (n, m) matrix, square unless m is given, with ones on the diagonal.

    >>> ta.eye(2)
    tensor([[1., 0.],
            [0., 1.]])
    """
    rows, columns = arguments.shape((n, n if m is None else m), "eye")
    i, F = _count(rows, device)
    j, _ = _count(columns, device)
    values = F.reshape(i, (rows, 1)) == F.reshape(j, (1, columns))
    return leaf(F.cast(values, dtypes.as_dtype(dtype) or dtypes.get_default_dtype()), requires_grad, "eye")
