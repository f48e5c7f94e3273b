"""The only place that knows NumPy from CuPy: which library holds an array, where new ones go, how they move.

    ta.backend.use("cupy")            # new arrays on the GPU from here on
    with ta.backend.use("numpy"):     # ... but not in here
        ...

The environment variable TINYGRAD_ACT_BACKEND chooses the one to start with. A backend is a module that offers `F`
(the vocabulary of `namespace.py`), `Array`, `from_host`, `to_host`, `device_index`, `is_available` and `generator`;
it is imported when it is first asked for. `strict` is NumPy in disguise, which refuses what CuPy refuses.
"""

from __future__ import annotations

import importlib
import os
from types import ModuleType
from typing import Any

import numpy as np

from .. import dtypes
from ..errors import ArgumentError, DeviceError
from . import numpy as _numpy
from .config import config
from .subnormal import flushing

__all__ = ["BACKENDS", "Device", "asarray", "config", "current", "current_device", "device_of", "flushing", "from_bytes", "is_array", "is_host", "is_scalar",
           "load", "namespace", "namespaces", "quiet", "resolve", "to_device", "to_host", "use"]

BACKENDS = {"numpy": "cpu", "cupy": "cuda", "strict": "strict"}     # name -> the device type it serves
_BY_DEVICE = {device: name for name, device in BACKENDS.items()}
_loaded: dict[str, ModuleType] = {"numpy": _numpy}
_owners: dict[type, str] = {np.ndarray: "numpy"}                    # array type -> backend name
_current = "numpy"
_current_index: int | None = None


class _Namespaces(dict[type, Any]):
    """Array type -> its F, the rules' way in. 0-d arithmetic of NumPy's returns scalars, so their types are in it too."""

    def __missing__(self, kind: type) -> Any:
        if not issubclass(kind, np.generic):
            raise KeyError(kind)
        return self.setdefault(kind, _numpy.F)            # a scalar type from outside NumPy: bfloat16, once it is imported


namespaces = _Namespaces(dict.fromkeys((np.ndarray, *np.sctypeDict.values()), _numpy.F))


class Device:
    """Where an array lives: `Device("cpu")`, `Device("cuda:1")`. Equal to its own text.

    >>> Device("cuda", 1), Device("cpu") == "cpu"
    (device(type='cuda', index=1), True)
    """

    __slots__ = ("index", "type")
    type: str
    index: int | None

    def __init__(self, kind: Any, index: int | None = None) -> None:
        if isinstance(kind, Device):
            kind, index = kind.type, kind.index if index is None else index
        if isinstance(kind, int):
            kind, index = "cuda", kind
        if not isinstance(kind, str):
            raise ArgumentError("device", repr(kind), "a device is named by a text, a number or a device",
                                'write "cpu", "cuda" or "cuda:1"')
        name, _, number = kind.partition(":")
        if name not in _BY_DEVICE or (number and not number.isdigit()):
            raise DeviceError("device", repr(kind), "there is no such device", 'write "cpu", "cuda" or "cuda:1"')
        self.type, self.index = name, int(number) if number else index

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str) and other.partition(":")[0] in _BY_DEVICE:
            other = Device(other)
        return isinstance(other, Device) and (self.type, self.index or 0) == (other.type, other.index or 0)

    def __hash__(self) -> int:
        return hash((self.type, self.index or 0))

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __repr__(self) -> str:
        return f"device(type={self.type!r}" + (f", index={self.index})" if self.index is not None else ")")


def load(name: str) -> ModuleType:
    """The backend module of that name, imported now if need be."""
    if name not in BACKENDS:
        raise ArgumentError("backend", repr(name), "there is no such backend", f"choose from {sorted(BACKENDS)}")
    if name not in _loaded:
        module = importlib.import_module(f".{name}", __package__)   # cupy.py says so if CuPy or the GPU is missing
        _loaded[name] = module
        namespaces[module.Array] = module.F
        _owners[module.Array] = name
    return _loaded[name]


class use:
    """Set where new arrays are made, from now on or for one `with` block.

    >>> with use("numpy"):
    ...     current()
    'numpy'
    """

    def __init__(self, name: str, index: int | None = None) -> None:
        global _current, _current_index
        load(name)
        self._before = (_current, _current_index)
        _current, _current_index = name, index

    def __enter__(self) -> use:
        return self

    def __exit__(self, *exc: object) -> None:
        global _current, _current_index
        _current, _current_index = self._before


def current() -> str:
    """The name of the backend new arrays are made on."""
    return _current


def current_device() -> Device:
    """Where new arrays are made."""
    return Device(BACKENDS[_current], _current_index)


def is_array(x: Any) -> bool:
    """True for an array of a backend in use (NumPy scalars are not arrays)."""
    return type(x) in _owners


def is_scalar(x: Any) -> bool:
    """Is it one number of NumPy's, which cannot change?"""
    return isinstance(x, np.generic) and not isinstance(x, np.void)


def is_host(x: Any) -> bool:
    """True for NumPy's arrays, whatever the backend."""
    return isinstance(x, np.ndarray)


def namespace(x: Any) -> Any:
    """The vocabulary F of the library that holds array `x`."""
    return namespaces[type(x)]


def device_of(array: Any) -> Device:
    """Where an array is."""
    name = _owners[type(array)]
    return Device(BACKENDS[name], _loaded[name].device_index(array))


def resolve(device: Any = None) -> tuple[ModuleType, int | None]:
    """The backend module and device index that `device=` names; None is the current one."""
    if device is None:
        return load(_current), _current_index
    device = Device(device)
    return load(_BY_DEVICE[device.type]), device.index


def asarray(data: Any, dtype: Any = None, device: Any = None) -> Any:
    """An array of `data` (numbers, nested sequences, arrays) on `device`, by default the current one.

    Python floats become the default dtype, Python ints int64, as in PyTorch; arrays keep their dtype.
    """
    module, index = resolve(device)
    dtype = dtypes.as_dtype(dtype)
    if is_array(data):
        if not data.dtype.isnative:
            dtype = dtype or dtypes.as_dtype(data.dtype)
        if device is not None:
            data = to_device(data, device)
        return data if dtype is None or data.dtype == dtype else namespace(data).cast(data, dtype)
    host = np.asarray(data, dtype if isinstance(data, (list, tuple, int, float)) else None)
    if dtype is None and not isinstance(data, (np.ndarray, np.generic)) and host.dtype == np.float64:
        dtype = dtypes.get_default_dtype()
    if host.dtype.kind in "OUSmMc":
        raise ArgumentError("tensor", type(data).__name__, f"its elements are not numbers (NumPy sees {host.dtype})",
                            "pass numbers, equally long nested sequences of them, or an array")
    return module.from_host(host if dtype is None else host.astype(dtype, copy=False), index)


def to_device(array: Any, device: Any) -> Any:
    """`array` on `device`: itself if it is there, else a copy. The only function that crosses."""
    device = Device(device)
    here = device_of(array)
    if device.type == here.type and (device.index is None or device.index == (here.index or 0)):
        return array
    module, index = resolve(device)
    return module.from_host(_loaded[_owners[type(array)]].to_host(array), index)


def to_host(array: Any) -> np.ndarray:
    """`array` (or what offers itself as one) as NumPy's, copied if it is on another device."""
    owner = _owners.get(type(array))
    return np.asarray(array) if owner is None else _loaded[owner].to_host(array)


def from_bytes(data: bytes | bytearray | memoryview, dtype: Any, shape: Any, swap: bool = False) -> np.ndarray:
    """The NumPy array that these bytes are, with memory of its own (a bytearray or memoryview gives its memory away).

    `swap`: they are in the other byte order.
    """
    array = np.frombuffer(bytearray(data) if isinstance(data, bytes) else data, dtype).reshape(shape)
    return array.byteswap(inplace=True) if swap and array.itemsize > 1 else array


def quiet() -> None:
    """NaN and infinity are results here, as in PyTorch, not warnings (detect_anomaly finds them). Once a thread."""
    np.seterr(divide="ignore", over="ignore", invalid="ignore", under="ignore")


if os.environ.get("TINYGRAD_ACT_BACKEND"):
    use(os.environ["TINYGRAD_ACT_BACKEND"])
