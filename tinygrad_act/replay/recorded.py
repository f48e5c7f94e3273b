"""Recorded: an array while a step is recorded, and Vocabulary: F on such arrays.

The way `backend/strict.py` makes a GPU's arrays out of NumPy's, made once more: whatever a rule does to a Recorded (call a
function of F, of NumPy, a method, an operator) is done to the array inside, and goes into the log.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterator
from typing import Any

from ..backend import namespaces
from ..backend.strict import ATTRIBUTES, METHODS, OPERATORS

# What of F is written in a few calls of NumPy's, which are worth a line each in the log; the rest of F is a line as it is.
SPELLED_OUT = {"sum", "mean", "amax", "amin", "prod", "sum_to", "matmul", "cat", "stack", "vecdot", "row_dots", "zeros_like"}
# What of F tells how arrays lie in memory, which is the same at each replay.
LAYOUT = {"owner", "overlaps", "on", "to_device"}
# What of F changes its first argument, or the arrays in it.
WRITES = {"write", "add_at", "change"}


class Method:
    """A method of arrays, as a function of the array."""

    def __init__(self, name: str) -> None:
        self.name = self.__name__ = name

    def __call__(self, array: Any, *args: Any, **kwargs: Any) -> Any:
        return getattr(array, self.name)(*args, **kwargs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Method) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)


class Recorded:
    """An array whose every use is logged. `value` is its number in the log."""

    __slots__ = ("__weakref__", "array", "log", "value")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, array: Any, value: Any, log: Any) -> None:
        self.array, self.value, self.log = array, value, log

    def __getattr__(self, name: str) -> Any:
        if name == "T":
            return self.transpose()
        if name in METHODS:
            return functools.partial(self.log.call, Method(name), self)
        if name in ATTRIBUTES or name in ("device", "base"):
            return getattr(self.array, name)
        raise AttributeError(f"an array that is recorded has no {name!r}")

    def __getitem__(self, index: Any) -> Any:
        return self.log.call(operator.getitem, self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        self.log.call(operator.setitem, self, index, value, writes=self)

    def __len__(self) -> int:
        return len(self.array)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        return f"<recorded array {self.array.shape} {self.array.dtype}>"

    def dot(self, other: Any) -> Any:
        return namespaces[type(self.array)].xp.dot(self, other)             # NumPy's function, which a replay gives a place for the result

    # ------------------------------------------------------------ what Python learns of the numbers: see Log.read
    def item(self) -> Any:
        return self.log.read(Method("item"), self)

    def tolist(self) -> Any:
        return self.log.read(Method("tolist"), self)

    def __bool__(self) -> bool:
        return self.log.read(bool, self)  # type: ignore[no-any-return]

    def __float__(self) -> float:
        return self.log.read(float, self)  # type: ignore[no-any-return]

    def __int__(self) -> int:
        return self.log.read(int, self)  # type: ignore[no-any-return]

    def __index__(self) -> int:
        return self.log.read(operator.index, self)  # type: ignore[no-any-return]

    # ------------------------------------------------------------ NumPy's own ways to ask
    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, out: Any = None, **kwargs: Any) -> Any:
        function = ufunc if method == "__call__" else getattr(ufunc, method)
        if out is None:
            return self.log.call(function, *inputs, writes=inputs[0] if method == "at" else None, **kwargs)
        out = out[0] if len(out) == 1 else out
        self.log.call(function, *inputs, out=out, writes=out, **kwargs)
        return out

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        writes = args[0] if function.__name__ == "copyto" else kwargs.get("out")
        return self.log.call(function, *args, writes=writes, **kwargs)


def _operator(name: str) -> Callable[..., Any]:
    reflected = name[0] == "r" and name != "rshift"
    in_place = name[0] == "i" and name != "invert"
    function = getattr(operator, f"__{name[1:] if reflected else name}__")

    def method(self: Recorded, *other: Any) -> Any:
        if reflected:
            return self.log.call(function, *other, self)
        result = self.log.call(function, self, *other, writes=self if in_place else None)
        return self if in_place else result
    return method


for _name in OPERATORS.split():
    setattr(Recorded, f"__{_name}__", _operator(_name))


class Lifted:
    """A module or an object with functions that take and return Recorded arrays."""

    def __init__(self, of: Any, log: Any) -> None:
        self._of, self._log = of, log

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._of, name)
        if isinstance(attribute, type) or not (callable(attribute) or hasattr(attribute, "__path__")):
            return attribute
        return Lifted(attribute, self._log)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._log.call(self._of, *args, **kwargs)


class Vocabulary:
    """F on Recorded arrays: each function is logged as one call of the real one, those SPELLED_OUT as what they do."""

    def __init__(self, F: Any, log: Any) -> None:
        self._F, self._log = F, log
        self.xp = Lifted(F.xp, log)

    def __getattr__(self, name: str) -> Any:
        function = getattr(self._F, name)
        if not callable(function) or not self._log.here():
            return function
        if name in LAYOUT:
            return lambda *args, **kwargs: function(*self._log.bare(args), **self._log.bare(kwargs))
        if name in SPELLED_OUT and self._F.name == "numpy":
            return functools.partial(getattr(type(self._F), name), self)
        if name in WRITES:
            return lambda x, *args, **kwargs: self._log.call(function, x, *args, writes=x[0] if isinstance(x, (tuple, list)) else x, **kwargs)
        return functools.partial(self._log.call, function)
