"""What the names in PyTorch's pickles stand for here, and how tensors come from storages.

A tensor in a checkpoint is a storage, an offset, sizes and strides. The storages' bytes stand elsewhere in the file, so
tensors are made without them first, each held to its storage's bounds, and get their arrays when the pickle is read.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ... import backend, dtypes
from ...errors import DeviceError
from ...nn.parameter import Parameter
from ...tensor import Tensor
from ..source import HUGE, Source, is_shape
from .machine import SAVE, Callee, Keys

STORAGES = {"DoubleStorage": "float64", "FloatStorage": "float32", "HalfStorage": "float16", "BFloat16Storage": "bfloat16",
            "LongStorage": "int64", "IntStorage": "int32", "ShortStorage": "int16", "CharStorage": "int8", "ByteStorage": "uint8",
            "BoolStorage": "bool", "ComplexDoubleStorage": "complex128", "ComplexFloatStorage": "complex64", "UntypedStorage": "uint8"}
DTYPES = {*STORAGES.values(), "uint16", "uint32", "uint64"}
TYPES = {"torch.Tensor": Tensor, "torch.nn.parameter.Parameter": Parameter}
LATIN = {"latin1", "latin-1", "iso-8859-1"}

QUANTISED = "quantised tensors have no counterpart here", "save its values: x.dequantize()"
SPARSE = "sparse tensors have no counterpart here", "save its values: x.to_dense()"
CONJUGATED = "it is a conjugate or negative that PyTorch has not computed yet", "save x.resolve_conj().resolve_neg()"
# A part of a name that is refused -> what it is, and what to do.
REASONS = {
    "torch.q": QUANTISED, "torch.Q": QUANTISED, "torch.per_": QUANTISED, "_rebuild_qtensor": QUANTISED, "quantized": QUANTISED,
    "sparse": SPARSE, "_get_layout": SPARSE,
    "nested": ("nested tensors have no counterpart here", "save their parts: x.unbind()"),
    "meta_tensor": ("tensors of the device meta have no values", "save the model when its weights are there"),
    "float8": ("floats of one byte have no counterpart here", "save it as x.to(torch.bfloat16)"),
    "torch.nn.modules": ("it is a whole module, whose code would have to be run", SAVE),
    "torch.jit": ("it is a TorchScript program", SAVE),
    "numpy": ("an array or number of NumPy's is no tensor", "in PyTorch, save torch.as_tensor(x), float(x) or int(x) instead"),
}
OTHERWISE = "only PyTorch's tensors and Python's plain types are read; anything else could run code", SAVE


@dataclass(eq=False, slots=True)
class StorageType:
    """A class of storages: what its numbers are."""

    dtype: Any


@dataclass(eq=False, slots=True)
class Storage:
    """A block of numbers of the file, by its key."""

    key: str
    dtype: Any
    numel: int
    location: str

    @property
    def nbytes(self) -> int:
        return self.numel * int(self.dtype.itemsize)


@dataclass(eq=False, slots=True)
class View:
    """A tensor to be: which part of a storage it looks at."""

    tensor: Tensor
    storage: Storage
    dtype: Any
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


class Builder:
    """Gathers the storages and tensors that a pickle speaks of."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.storages: dict[str, Storage] = {}
        self.views: list[View] = []
        self.parameters: list[tuple[Parameter, Tensor]] = []
        self.said = 0                                    # bytes in all storages
        self.is_key = Keys()
        self.calls: dict[str, Callable[..., Any]] = {
            "torch._utils._rebuild_tensor": self.tensor, "torch._utils._rebuild_tensor_v2": self.tensor_v2,
            "torch._utils._rebuild_tensor_v3": self.tensor_v3, "torch._utils._rebuild_parameter": self.parameter,
            "torch._utils._rebuild_parameter_with_state": lambda data, wanted, hooks, state: self.parameter(data, wanted, hooks),
            "torch._tensor._rebuild_from_type_v2": self.of_type, "torch.Size": lambda sizes=(): _sizes(sizes), "torch.device": _device,
            "collections.OrderedDict": lambda pairs=(): OrderedDict(self.entries(pairs)),
            "collections.Counter": lambda counts: Counter(dict(self.entries(counts))),
            "_codecs.encode": _encoded, "builtins.set": self.set_of, "builtins.bytearray": _bytearray, "builtins.complex": _complex,
        }

    # --------------------------------------------------------------------------------------------- names and ids
    def named(self, name: str) -> Any:
        """What `name` stands for: something to call, a type of storages, an element type."""
        if name in self.calls:
            return Callee(name, self.calls[name])
        if name in TYPES:
            return TYPES[name]
        module, _, last = name.rpartition(".")
        if module in ("torch", "torch.cuda", "torch.storage") and last in STORAGES:
            return StorageType(dtypes.as_dtype(STORAGES[last]))
        if module == "torch" and last in DTYPES:
            return dtypes.as_dtype(last)
        cause, remedy = next((reason for part, reason in REASONS.items() if part in name), OTHERWISE)
        return self.source.refuse(f"its pickle asks for {name}: {cause}", remedy)

    def stored(self, pid: tuple[Any, ...]) -> Storage:
        """The storage of an id: ("storage", type, key, location, number of elements), then None in the older format."""
        if len(pid) == 6 and pid[5] is None:
            pid = pid[:5]
        if len(pid) != 5 or type(pid[0]) is not str or pid[0] != "storage" or not isinstance(pid[1], StorageType) or type(pid[2]) is not str \
                or type(pid[3]) is not str or type(pid[4]) is not int or pid[4] < 0:
            self.source.refuse("it is damaged: the id of a storage is none")
        storage = Storage(pid[2], pid[1].dtype, pid[4], pid[3])
        known = self.storages.get(storage.key)
        if known is None:
            self.said += storage.nbytes
            if self.said > self.source.size:
                self.source.refuse(f"its storages are said to have {self.said} bytes or more, and the file has {self.source.size}")
            self.storages[storage.key] = known = storage
        elif (known.dtype, known.numel) != (storage.dtype, storage.numel):
            self.source.refuse(f"its storage {storage.key!r} is said to have {known.numel} of {known.dtype}, and {storage.numel} of {storage.dtype}")
        return known

    # ------------------------------------------------------------------------------------- what the pickle calls
    def tensor(self, storage: Any, offset: Any, size: Any, stride: Any, dtype: Any = None) -> Tensor:
        """A tensor without its numbers yet."""
        if type(storage) is not Storage:
            raise TypeError("no storage")
        dtype, size, stride = storage.dtype if dtype is None else dtype, _sizes(size), _sizes(stride)
        available = storage.nbytes // dtype.itemsize
        if type(offset) is not int or len(size) != len(stride):
            raise TypeError("no offset, sizes and strides")
        if not is_shape(size, dtype.itemsize) or min((offset, *stride)) < 0 or max((offset, *stride)) * dtype.itemsize >= HUGE:
            self.source.refuse(f"a tensor of it is said to have the offset {offset}, the sizes {size} and the strides {stride}, which no tensor has")
        if 0 not in size and (last := offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True))) >= available:
            self.source.refuse(f"a tensor of it is said to reach to element {last} of its storage {storage.key}, which has {available}")
        tensor: Tensor = Tensor.__new__(Tensor)
        self.views.append(View(tensor, storage, dtype, offset, size, stride))
        return tensor

    def tensor_v2(self, storage: Any, offset: Any, size: Any, stride: Any, wanted: Any, hooks: Any, metadata: Any = None, dtype: Any = None) -> Tensor:
        """The same with requires_grad; hooks and metadata must be empty."""
        if metadata is not None and (type(metadata) is not dict or metadata):
            self.source.refuse(f"a tensor of it has metadata: {CONJUGATED[0]}", CONJUGATED[1])
        _no_hooks(hooks)
        tensor = self.tensor(storage, offset, size, stride, dtype)
        tensor._requires_grad = _wanted(wanted, self.views[-1].dtype)
        return tensor

    def tensor_v3(self, storage: Any, offset: Any, size: Any, stride: Any, wanted: Any, hooks: Any, dtype: Any, metadata: Any = None) -> Tensor:
        """The same of a dtype that storages have no name for."""
        if not isinstance(dtype, dtypes.DType):
            raise TypeError("no dtype")
        return self.tensor_v2(storage, offset, size, stride, wanted, hooks, metadata, dtype)

    def parameter(self, data: Any, wanted: Any, hooks: Any) -> Parameter:
        """A Parameter of a tensor made before."""
        if not isinstance(data, Tensor) or type(wanted) is not bool:
            raise TypeError("no tensor")
        _no_hooks(hooks)
        parameter = Parameter.__new__(Parameter)
        parameter._requires_grad = wanted
        self.parameters.append((parameter, data))
        return parameter

    def of_type(self, function: Any, kind: Any, args: Any, state: Any) -> Tensor:
        """A tensor that had attributes of Python's, which are left out."""
        if type(function) is not Callee or not function.name.startswith("torch._utils._rebuild_") or not any(kind is t for t in TYPES.values()) or type(args) is not tuple:
            raise TypeError("no tensor")
        tensor: Tensor = function.function(*args)
        return tensor

    def entries(self, pairs: Any) -> Any:
        """The entries of a dict, by pairs."""
        pairs = list(pairs.items()) if isinstance(pairs, dict) else pairs
        if type(pairs) not in (list, tuple) or not all(type(pair) in (list, tuple) and len(pair) == 2 and self.is_key(pair[0]) for pair in pairs):
            raise TypeError("no entries of a dict")
        return pairs

    def set_of(self, parts: Any = ()) -> set[Any]:
        """A set of what could be keys."""
        if type(parts) not in (list, tuple) or not all(map(self.is_key, parts)):
            raise TypeError("no elements of a set")
        return set(parts)

    # --------------------------------------------------------------------------------------------------- numbers
    def finish(self, numbers: Callable[[Storage], Any], place: Callable[[Any, str], Any], dtype: Any = None) -> None:
        """Give every tensor its array: `numbers` gives a storage's on the host, `place` moves them from where they were to where they go.

        Tensors of one storage share its memory, as in PyTorch. To `dtype` the storage is converted, not each tensor: a
        view may repeat a number, and then be far more than the file.
        """
        blocks: dict[tuple[str, str], Any] = {}
        for view in self.views:
            storage, key = view.storage, (view.storage.key, view.dtype.name)
            if key not in blocks:
                host = numbers(storage)
                if view.dtype != storage.dtype:
                    host = backend.from_bytes(memoryview(host)[:storage.nbytes // view.dtype.itemsize * view.dtype.itemsize], view.dtype, (-1,))
                blocks[key] = place(host if dtype is None or not dtypes.is_floating(view.dtype) else backend.asarray(host, dtype), storage.location)
            block = blocks[key]
            view.tensor.array = backend.namespace(block).as_strided(block, view.size, view.stride, view.offset)
        for parameter, data in self.parameters:
            parameter.array = data.array
            parameter._requires_grad = _wanted(parameter._requires_grad, data.dtype)


def _wanted(wanted: Any, dtype: Any) -> bool:
    if type(wanted) is not bool:
        raise TypeError("requires_grad that is no bool")
    return wanted and dtypes.is_floating(dtype)


def _no_hooks(hooks: Any) -> None:
    if hooks is not None and not (isinstance(hooks, dict) and not hooks):
        raise TypeError("hooks, which are code")


def _sizes(sizes: Any) -> tuple[int, ...]:
    if type(sizes) not in (tuple, list) or not all(type(n) is int for n in sizes):
        raise TypeError("no sizes")
    return tuple(sizes)


def _device(kind: Any, index: Any = None) -> Any:
    """Ours, or the text of one that we do not have."""
    if type(kind) is not str or not (index is None or type(index) is int):
        raise TypeError("no device")
    try:
        return backend.Device(kind, index)
    except DeviceError:
        return kind if index is None else f"{kind}:{index}"


def _encoded(text: Any, encoding: Any = "latin1") -> bytes:
    """Bytes, as Python's second protocol writes them."""
    if type(text) is not str or type(encoding) is not str or encoding not in LATIN:
        raise TypeError("no bytes")
    return text.encode("latin1")


def _bytearray(data: Any = b"", encoding: Any = None) -> bytearray:
    if encoding is not None:
        data = _encoded(data, encoding)
    if type(data) is not bytes:                          # a number would reserve so many
        raise TypeError("no bytes")
    return bytearray(data)


def _complex(real: Any = 0.0, imag: Any = 0.0) -> complex:
    if type(real) not in (int, float) or type(imag) not in (int, float):
        raise TypeError("no numbers")
    return complex(real, imag)
