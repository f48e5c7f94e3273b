"""NumPy in disguise, for tests without a GPU: its arrays refuse what CuPy's refuse, and count what a GPU would wait for.

A `StrictArray` is no `ndarray`: it does not turn into one by itself, does not mix with one, and has no truth value.
What crosses does so in `from_host` and `to_host` (and `item`, `tolist`), which count it in `transfers`; so is what CuPy makes of
Python's numbers and lists, and what it must wait for because a shape depends on numbers.
"""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..numerics import special
from . import numpy
from .namespace import Namespace

transfers: Counter[str] = Counter()                  # "to_host" and "to_device", since the process began
SENT = {"asarray", "array", "ascontiguousarray"}     # of a list, or a number
AWAITED = {"nonzero", "flatnonzero", "argwhere", "unique", "bincount"}
ATTRIBUTES = {"shape", "dtype", "ndim", "size", "itemsize", "nbytes", "strides", "flags"}
METHODS = {"T", "all", "any", "argmax", "argmin", "argsort", "astype", "clip", "copy", "cumprod", "cumsum", "diagonal",
           "dot", "fill", "flatten", "max", "mean", "min", "nonzero", "prod", "ravel", "real", "repeat", "reshape",
           "round", "sort", "squeeze", "std", "sum", "swapaxes", "take", "trace", "transpose", "var", "view"}
OPERATORS = """add sub mul truediv floordiv mod pow matmul and or xor lshift rshift
    radd rsub rmul rtruediv rfloordiv rmod rpow rmatmul rand ror rxor rlshift rrshift
    iadd isub imul itruediv ifloordiv imod ipow iand ior ixor lt le gt ge eq ne neg pos abs invert"""


class StrictArray:
    """A NumPy array that only `strict` can open. `base` is the StrictArray that owns the memory, None if itself does."""

    __slots__ = ("__weakref__", "_array", "base")
    __array_ufunc__ = None
    __hash__ = None                                   # type: ignore[assignment]

    def __init__(self, array: np.ndarray) -> None:
        self._array, self.base = array, None
        _known[id(array)] = self
        while isinstance(array.base, np.ndarray):
            array = array.base
        if array is not self._array:
            self.base = wrap(array)

    def __getattr__(self, name: str) -> Any:
        if name in ATTRIBUTES:
            return getattr(self._array, name)
        if name in METHODS:
            return lift(getattr(self._array, name))
        raise AttributeError(f"a strict array has no {name!r}: CuPy's may not have it, or it would cross to the host")

    def __getitem__(self, index: Any) -> Any:
        note_index(index, awaited=True)
        index = unwrap(index)
        part = self._array[index]
        if isinstance(part, np.generic):                  # one number: CuPy's is a view
            part = self._array[(*index, ...) if isinstance(index, tuple) else (index, ...)]
        return wrap(part)

    def __setitem__(self, index: Any, value: Any) -> None:
        note_index(index, awaited=isinstance(value, StrictArray) and value.ndim > 0)
        self._array[unwrap(index)] = unwrap(value)

    def __len__(self) -> int:
        return len(self._array)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        return f"<strict array {self.shape} {self.dtype}>"

    def __reduce__(self) -> Any:
        return from_host, (self._array.copy(),)

    def item(self) -> Any:
        return to_host(self).item()

    def tolist(self) -> Any:
        return to_host(self).tolist()

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise TypeError("a strict array does not turn into a NumPy array or a Python number by itself (on a GPU it would "
                        "have to wait for it): use backend.to_host, .item() or F.where")

    __array__ = __bool__ = __int__ = __float__ = __index__ = __complex__ = _refuse


def _operator(name: str) -> Any:
    function = getattr(np.ndarray, name)

    def method(self: StrictArray, *other: Any) -> Any:
        result = function(self._array, *map(unwrap, other))
        return self if result is self._array else NotImplemented if result is NotImplemented else wrap(result)
    return method


for _name in OPERATORS.split():
    setattr(StrictArray, f"__{_name}__", _operator(f"__{_name}__"))


def note_index(index: Any, awaited: bool) -> None:
    """Count the lists in an index, which are sent, and the masks, whose number of elements is waited for."""
    for part in index if isinstance(index, tuple) else (index,):
        if isinstance(part, list):
            transfers["to_device"] += 1
        elif awaited and isinstance(part, StrictArray) and part.dtype == bool and part.ndim:
            transfers["to_host"] += 1


_known: weakref.WeakValueDictionary[int, StrictArray] = weakref.WeakValueDictionary()     # id(ndarray) -> its StrictArray


def unwrap(x: Any) -> Any:
    """NumPy's view of an argument: what is inside StrictArrays, and a refusal of bare NumPy arrays."""
    if isinstance(x, StrictArray):
        return x._array
    if isinstance(x, np.ndarray):
        raise TypeError("a NumPy array among strict arrays: it must be moved to the device first (backend.to_device)")
    if isinstance(x, (tuple, list)):
        return (tuple if isinstance(x, tuple) else list)(map(unwrap, x))
    return x


def wrap(x: Any) -> Any:
    """A result as StrictArrays; a NumPy scalar becomes a 0-d array, as on CuPy."""
    if isinstance(x, (np.ndarray, np.generic)):
        known = _known.get(id(x))
        return StrictArray(np.asarray(x)) if known is None else known
    if isinstance(x, (tuple, list)):
        return (tuple if isinstance(x, tuple) else list)(map(wrap, x))
    return x


class lift:
    """A function of NumPy's, a module or an object with functions, that takes and returns StrictArrays."""

    def __new__(cls, of: Any) -> Any:
        plain = isinstance(of, (type, np.dtype, str, int, float, type(None)))
        return of if plain else wrap(of) if isinstance(of, np.ndarray) else super().__new__(cls)

    def __init__(self, of: Any) -> None:
        self._of = of

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        name = getattr(self._of, "__name__", "")
        if name in SENT and not isinstance(args[0], StrictArray):
            transfers["to_device"] += 1
        elif name in AWAITED:
            transfers["to_host"] += 1
        return wrap(self._of(*map(unwrap, args), **{k: unwrap(v) for k, v in kwargs.items()}))

    def __getattr__(self, name: str) -> Any:
        return lift(getattr(self._of, name))


class StrictNamespace(Namespace):
    name = "strict"


Array = StrictArray
F = StrictNamespace(lift(np), lift(special))


def from_host(array: np.ndarray, index: int | None = None) -> StrictArray:
    transfers["to_device"] += 1
    return StrictArray(np.array(array))


def to_host(array: StrictArray) -> np.ndarray:
    transfers["to_host"] += 1
    return array._array.copy()


def is_available() -> bool:
    return True


def device_index(array: StrictArray) -> int | None:
    return None


def generator(seed: int, index: int | None = None) -> Any:
    return lift(np.random.default_rng(seed))


def generator_state(generator: Any) -> bytes:
    return numpy.generator_state(generator._of)


def set_generator_state(generator: Any, state: bytes) -> None:
    numpy.set_generator_state(generator._of, state)
