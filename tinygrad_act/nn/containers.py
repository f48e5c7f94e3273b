"""Modules made of modules: Sequential, ModuleList, ModuleDict, and the lists of parameters."""

from __future__ import annotations

import operator
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, Self

from ..errors import ArgumentError, IndexingError
from ..tensor import Tensor
from .module import Module, _indented
from .parameter import Parameter, is_lazy


def _place(index: Any, length: int, name: str) -> int:
    """An index from the front."""
    try:
        i = operator.index(index)
    except TypeError:
        raise ArgumentError(name, f"the index {index!r}", "an index is an int or a slice") from None
    if not -length <= i < length:
        raise IndexingError(name, f"the index {i}", f"it has {length} parts")
    return i % length


class _Numbered(Module):
    """Parts named "0", "1", ...: what Sequential and ModuleList share."""

    def _fill(self, modules: Iterable[Module]) -> None:
        self.__dict__["_modules"] = {}
        for i, module in enumerate(modules):
            self.register_module(str(i), module)

    def _key(self, index: Any) -> str:
        return list(self._modules)[_place(index, len(self), type(self).__name__)]

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._modules.values())

    def __setitem__(self, index: Any, module: Module) -> None:
        setattr(self, self._key(index), module)

    def __delitem__(self, index: Any) -> None:
        names = list(self._modules)
        gone = names[index] if isinstance(index, slice) else [self._key(index)]
        kept = [(k, v) for k, v in self._modules.items() if k not in gone]
        numbered = all(k.isdigit() for k in names)
        self.__dict__["_modules"] = {str(i) if numbered else k: v for i, (k, v) in enumerate(kept)}

    def append(self, module: Module) -> Self:
        """Add a part at the end."""
        self.register_module(str(len(self)), module)
        return self

    def insert(self, index: int, module: Module) -> Self:
        """Add a part before the one at `index`."""
        parts = list(self)
        if not isinstance(module, Module):
            raise ArgumentError(f"{type(self).__name__}.insert", type(module).__name__, "only a Module can be a part")
        if not -len(parts) <= index <= len(parts):
            raise IndexingError(f"{type(self).__name__}.insert", f"the index {index}", f"it has {len(parts)} parts")
        parts.insert(index, module)
        self._fill(parts)
        return self

    def extend(self, modules: Iterable[Module]) -> Self:
        """Add several parts at the end."""
        if not isinstance(modules, Iterable):
            raise ArgumentError(f"{type(self).__name__}.extend", type(modules).__name__, "an iterable of modules is needed")
        for module in list(modules):
            self.append(module)
        return self

    def pop(self, index: int = -1) -> Any:
        """Take a part out and return it."""
        module = self._modules[self._key(index)]
        del self[index]
        return module


class Sequential(_Numbered):
    """One module after the other: `Sequential(a, b)`, or with names, `Sequential(OrderedDict(first=a, second=b))`.

    Indexing gives a part, slicing a Sequential of the parts.

    >>> net = ta.nn.Sequential(ta.nn.Linear(2, 3), ta.nn.Identity(), ta.nn.Linear(3, 1))
    >>> net[:2](ta.ones(5, 2)).shape, len(net)
    ((5, 3), 3)
    """

    def __init__(self, *args: Any) -> None:
        super().__init__()
        if len(args) == 1 and isinstance(args[0], Mapping):
            for name, module in args[0].items():
                self.add_module(name, module)
        else:
            for i, module in enumerate(args):
                if not isinstance(module, Module):
                    made = isinstance(module, type) and issubclass(module, Module)
                    raise ArgumentError("Sequential", f"argument {i}: {module.__name__ if made else type(module).__name__}",
                                        "only a Module can be a part", f"write {module.__name__}()" if made else
                                        "make a function one by deriving from nn.Module")
                self.add_module(str(i), module)

    def forward(self, input: Any) -> Any:
        for module in self._modules.values():
            input = module(input)  # type: ignore[misc]
        return input

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return type(self)(OrderedDict(list(self._modules.items())[index]))
        return self._modules[self._key(index)]

    def __add__(self, other: Any) -> Sequential:
        return Sequential(*self, *other) if isinstance(other, Sequential) else NotImplemented


class ModuleList(_Numbered):
    """A list of modules that are registered; it has no forward.

    >>> layers = ta.nn.ModuleList(ta.nn.Linear(2, 2) for _ in range(3))
    >>> layers
    ModuleList(
      (0-2): 3 x Linear(in_features=2, out_features=2, bias=True)
    )
    """

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        self.extend(modules or ())

    def __getitem__(self, index: Any) -> Any:
        return type(self)(list(self)[index]) if isinstance(index, slice) else self._modules[self._key(index)]

    def __add__(self, other: Iterable[Module]) -> ModuleList:
        return ModuleList(chain(self, other))

    def __iadd__(self, other: Iterable[Module]) -> Self:
        return self.extend(other)

    def __repr__(self) -> str:
        """Equal neighbours in one line, as PyTorch prints them."""
        runs: list[list[Any]] = []                               # [first, last, text]
        for i, text in enumerate(map(repr, self)):
            if runs and runs[-1][2] == text:
                runs[-1][1] = i
            else:
                runs.append([i, i, text])
        if not runs:
            return f"{type(self).__name__}()"
        return self._tall([_indented(f"({a}): {text}" if a == b else f"({a}-{b}): {b - a + 1} x {text}")
                           for a, b, text in runs])


class ModuleDict(Module):
    """A dict of modules that are registered; it has no forward.

    >>> parts = ta.nn.ModuleDict({"a": ta.nn.Identity()})
    >>> "a" in parts, len(parts)
    (True, 1)
    """

    def __init__(self, modules: Any = None) -> None:
        super().__init__()
        self.update(modules or {})

    def __getitem__(self, key: str) -> Any:
        if key not in self._modules:
            raise KeyError(key)
        return self._modules[key]

    def __setitem__(self, key: str, module: Module) -> None:
        self.register_module(key, module)

    def __delitem__(self, key: str) -> None:
        del self._modules[key]

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, key: object) -> bool:
        return key in self._modules

    def keys(self) -> Any:
        """The names, in order of insertion."""
        return self._modules.keys()

    def values(self) -> Any:
        """The modules, in order of insertion."""
        return self._modules.values()

    def items(self) -> Any:
        """(name, module) pairs, in order of insertion."""
        return self._modules.items()

    def clear(self) -> None:
        """Remove all."""
        self._modules.clear()

    def pop(self, key: str) -> Any:
        """Take a part out and return it."""
        module = self[key]
        del self[key]
        return module

    def update(self, modules: Any) -> None:
        """Add the parts of a mapping, or of pairs."""
        for key, module in modules.items() if hasattr(modules, "items") else modules:
            self[key] = module


class ParameterList(Module):
    """A list of parameters that are registered; Tensors put into it become Parameters."""

    def __init__(self, values: Iterable[Any] | None = None) -> None:
        super().__init__()
        self._size = 0
        self.extend(values or ())

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return type(self)(list(self)[index])
        return getattr(self, str(_place(index, len(self), "ParameterList")))

    def __setitem__(self, index: Any, value: Any) -> None:
        setattr(self, str(_place(index, len(self), "ParameterList")), _as_parameter(value))

    def __iter__(self) -> Iterator[Any]:
        return (getattr(self, str(i)) for i in range(self._size))

    def append(self, value: Any) -> Self:
        """Add one at the end."""
        setattr(self, str(self._size), _as_parameter(value))
        self._size += 1
        return self

    def extend(self, values: Iterable[Any]) -> Self:
        """Add several at the end."""
        for value in list(values):
            self.append(value)
        return self

    def __iadd__(self, other: Iterable[Any]) -> Self:
        return self.extend(other)

    def extra_repr(self) -> str:
        return "\n".join(_line(str(i), v) for i, v in enumerate(self))


class ParameterDict(Module):
    """A dict of parameters that are registered; Tensors put into it become Parameters."""

    def __init__(self, parameters: Any = None) -> None:
        super().__init__()
        self._keys: dict[str, None] = {}
        self.update(parameters or {})

    def __getitem__(self, key: str) -> Any:
        if key not in self._keys:
            raise KeyError(key)
        return getattr(self, key)

    def __setitem__(self, key: str, value: Any) -> None:
        self._keys[key] = None
        setattr(self, key, _as_parameter(value))

    def __delitem__(self, key: str) -> None:
        del self._keys[key]
        delattr(self, key)

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def keys(self) -> Any:
        """The names, in order of insertion."""
        return self._keys.keys()

    def values(self) -> Any:
        """What they stand for, in order of insertion."""
        return [self[k] for k in self._keys]

    def items(self) -> Any:
        """(name, value) pairs, in order of insertion."""
        return [(k, self[k]) for k in self._keys]

    def update(self, parameters: Any) -> None:
        """Add those of a mapping, or of pairs."""
        for key, value in parameters.items() if hasattr(parameters, "items") else parameters:
            self[key] = value

    def extra_repr(self) -> str:
        return "\n".join(_line(k, v) for k, v in self.items())


def _as_parameter(value: Any) -> Any:
    return Parameter(value) if isinstance(value, Tensor) and not isinstance(value, Parameter) else value


def _line(name: str, value: Any) -> str:
    if not isinstance(value, Tensor):
        return f"({name}): Object of type: {type(value).__name__}"
    size = "0" if is_lazy(value) else "x".join(map(str, value.shape))          # as PyTorch has it
    kind = "Parameter" if isinstance(value, Parameter) else "Tensor"
    where = f" ({value.device})" if value.device.type != "cpu" else ""
    return f"  ({name}): {kind} containing: [{value.dtype.name} of size {size}{where}]"
