"""Surroundings: what a step reads besides its arguments, as far as it can be seen, and whether that is as it was."""

from __future__ import annotations

import dis
import functools
import pickle
import random
import sys
import types
from collections import deque
from collections.abc import Iterator, Sequence
from operator import is_
from typing import Any

from .. import backend
from ..nn.hooks import Hooks
from ..nn.module import KINDS, Module
from ..ops.random import Generator
from ..optim.lr_scheduler.base import LRScheduler
from ..optim.optimizer import Optimizer
from ..tensor import Tensor
from ..trees import mapped
from .alike import loose, same
from .recorded import Recorded

# Packages whose functions and classes hold nothing that changes and that a step could read.
FIXED = {__name__.partition(".")[0], "builtins", "numpy", "cupy"}
# What does its own work at each replay (what a step reads of the first two by itself is noted then: `read_of`).
SKIPPED = (Optimizer, LRScheduler, Generator, types.BuiltinFunctionType, Recorded)
PLAIN = (int, float, complex, str, bytes, type(None))
CONTAINERS = (list, dict, set, deque, types.MappingProxyType)
HOOKS = ("_pre_hooks", "_hooks", "_backward_hooks", "_backward_pre_hooks")
UNREAD = {*KINDS, "_not_saved"}          # attributes of Modules that are looked at otherwise, or that no step reads
MOST = 20_000                            # objects to look at: beyond, nobody would wait for the search
LONGEST = 1000                           # numbers of an array of NumPy's that is looked at
MISSING = object()


class Surroundings:
    """Functions, the modules and containers they lead to, and all Tensors in them.

    A step's function is asked for the cells of its closure, the global names it reads, its defaults and what it is a method
    of; objects for their attributes and those of their classes, containers for what is in them, Python's modules for the names
    that the function has.
    """

    def __init__(self, function: Any, objects: Sequence[Any] = ()) -> None:
        self.tensors: dict[int, Tensor] = {}
        self.modules: list[Module] = []
        self.hooks: list[Any] = []                   # the dicts of the modules' hooks, all empty
        self.problems: list[str] = []
        self.cells: list[tuple[str, Any, Any]] = []
        self.names: list[tuple[Any, str, Any]] = []          # (a namespace, a name in it, what it means)
        self.slots: list[tuple[Any, str, Any]] = []          # (an object, an attribute without a __dict__, its value)
        self.owners: list[str] = []                  # of `live`: what each is called
        self.live: list[Any] = []                    # containers, as they are
        self.copies: list[Any] = []                  # and as they were
        self.empty: list[Any] = []                   # of these, those with nothing in them,
        self.filled: list[Any] = []                  # and the others, as they are
        self.contents: list[Any] = []                # and as they were
        self.exact: list[tuple[Any, list[Any]]] = []         # those with what == does not tell apart, and what was in them
        self.arrays: list[tuple[str, Any, Any]] = []
        self.sources: list[tuple[str, Any, bytes]] = []      # random generators of Python's and NumPy's, and where they stood
        self._seen: dict[int, Any] = {}
        self._root = getattr(function, "__func__", function)
        self.search([("", function), *[(f"the {type(x).__name__}", x) for x in objects], *_shared_sources()])

    def search(self, stack: list[tuple[str, Any]]) -> None:
        """Look at all that is in `stack`, and at what that leads to."""
        while stack:
            name, x = stack.pop()
            if isinstance(x, PLAIN) or id(x) in self._seen:
                continue
            if len(self._seen) == MOST:
                self.problems.append(f"it leads to more than {MOST:,} objects: pass what it needs as arguments")
                return
            self._seen[id(x)] = x                    # kept, so that the id stays its own
            stack += self.inside(name, x)

    def inside(self, name: str, x: Any) -> list[tuple[str, Any]]:
        """What `x` leads to, by name; notes what must stay as it is."""
        if isinstance(x, Tensor):
            self.tensors[id(x)] = x
            return []
        if isinstance(x, SKIPPED):
            return []
        if isinstance(x, types.FunctionType):
            return self.of_function(x) if x is self._root or not fixed(x) else []
        if isinstance(x, types.MethodType):
            return [(name, x.__self__), (name, x.__func__)]
        if isinstance(x, functools.partial):
            return [(name, x.func), (name, x.args), (name, x.keywords)]
        if isinstance(x, property):
            return [(name, x.fget)]
        if isinstance(x, (staticmethod, classmethod)):
            return [(name, x.__func__)]
        if isinstance(x, (*CONTAINERS, tuple, frozenset)):
            if isinstance(x, CONTAINERS):
                self.watch(name, x)
            return [(f"{name}[{k!r}]", v) for k, v in _items(x)]
        if isinstance(x, type):
            return self.of_class(x)
        if backend.is_host(x):
            if x.size <= LONGEST:
                self.arrays.append((name, x, x.copy()))
            return []
        if isinstance(x, random.Random) or type(x).__module__.startswith("numpy.random"):
            self.sources.append((name, x, _standing(x)))
            return []
        return [] if isinstance(x, types.ModuleType) else self.of_object(name, x)

    def of_object(self, name: str, x: Any) -> list[tuple[str, Any]]:
        """The attributes of an object, and its class."""
        if type(x).__module__ == f"{__package__}.compiled":      # a compiled function within
            return [(name, x.function)]
        found: list[tuple[str, Any]] = [] if fixed(type(x)) else [(type(x).__name__, type(x))]
        for cls in type(x).__mro__:
            for slot in [k for k, v in vars(cls).items() if isinstance(v, types.MemberDescriptorType)] if not fixed(cls) else ():
                self.slots.append((x, slot, getattr(x, slot, MISSING)))
                found.append((f"{name}.{slot}", self.slots[-1][2]))
        own = getattr(x, "__dict__", None)
        if not isinstance(own, dict):
            return found
        self.watch(name, own, exact=not fixed(type(x)))
        found += [(f"{name}.{k}", v) for k, v in own.items() if k not in UNREAD and not isinstance(v, Hooks)]
        if isinstance(x, Module):
            self.modules.append(x)
            for kind in KINDS:
                self.watch(name, own[kind])
                found += [(f"{name}.{k}", v) for k, v in own[kind].items()]
            self.hooks += [own[k] for k in HOOKS]
        return found

    def of_class(self, cls: type) -> list[tuple[str, Any]]:
        """What is in a class of the user's, and in its bases: numbers, and methods, which read globals, too."""
        found: list[tuple[str, Any]] = []
        for base in cls.__mro__:
            if not fixed(base) and id(base.__dict__) not in self._seen:
                self.watch(base.__name__, base.__dict__)
                found += [(f"{base.__name__}.{k}", v) for k, v in vars(base).items() if not k.startswith("__") or callable(v)]
        return found

    def of_function(self, function: Any) -> list[tuple[str, Any]]:
        """The cells, globals, defaults and attributes of a function."""
        found: list[tuple[str, Any]] = []
        if function.__dict__:
            found.append((function.__name__, function.__dict__))
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
            value = _contents(cell)
            self.cells.append((name, cell, value))
            found.append((name, value))
        for name in _globals(function.__code__):
            found += self.named(function.__globals__, name, function.__code__)
        for name, value in found:
            if isinstance(value, Iterator):
                self.problems.append(f"it takes from an iterator, {name}: pass what comes from it as an argument")
        return [*found, ("", function.__defaults__), ("", function.__kwdefaults__)]

    def named(self, names: dict[str, Any], name: str, code: types.CodeType, within: tuple[Any, ...] = ()) -> list[tuple[str, Any]]:
        """What a name means, and, if that is a module of Python's, what the function's code may take from it."""
        value = names.get(name, MISSING)
        if value is MISSING:
            return []
        self.names.append((names, name, value))
        if not isinstance(value, types.ModuleType):
            return [(name, value)]
        top = value.__name__.partition(".")[0]
        if value in within or top in FIXED or top in sys.stdlib_module_names - {"test"}:
            return []
        return [pair for inner in _attributes(code) for pair in self.named(vars(value), inner, code, (*within, value))]

    def watch(self, name: str, container: Any, exact: bool = True) -> None:
        """Remember what is in a container."""
        self.owners.append(name)
        self.live.append(container)
        self.copies.append(dict(container) if isinstance(container, (dict, types.MappingProxyType)) else container.copy())
        if not container:
            self.empty.append(container)
            return
        self.filled.append(container)
        self.contents.append(self.copies[-1])
        values = container.values() if hasattr(container, "values") else container
        if any(loose(v) for v in values if exact or isinstance(v, Tensor)):
            self.exact.append((values, list(values)))

    def read_of(self, owner: Any, name: str) -> None:
        """The step reads an attribute of an optimizer or a scheduler: its own, or one of a class of the user's; it may not be there, too."""
        label, own = f"{type(owner).__name__}.{name}", vars(owner)
        classes = [vars(cls) for cls in type(owner).__mro__ if name in vars(cls)]
        if name == "__dict__":
            self.search([(label, own)])
        elif name in own or not classes:
            self.names.append((own, name, own.get(name, MISSING)))
            self.search([(label, own.get(name))])
        elif not fixed(next(cls for cls in type(owner).__mro__ if name in vars(cls))) and name != "step":
            self.names.append((classes[0], name, classes[0][name]))
            self.search([(label, classes[0][name])])

    def looked_at(self, container: Any) -> bool:
        """Could the step have seen what is in it?"""
        return id(container) in self._seen

    # ------------------------------------------------------------------------------------------- later
    def hold(self) -> bool:
        """Is all of it as it was?"""
        if any(self.hooks) or any(self.empty):
            return False
        for _, cell, value in self.cells:
            if cell.cell_contents is not value and not same(cell.cell_contents, value):
                return False
        for names, name, value in self.names:
            if names.get(name, MISSING) is not value and not same(names.get(name, MISSING), value):
                return False
        for x, name, value in self.slots:
            if getattr(x, name, MISSING) is not value and not same(getattr(x, name, MISSING), value):
                return False
        for values, before in self.exact:
            if len(values) != len(before) or not (all(map(is_, values, before)) or all(map(same, values, before))):
                return False
        for _, array, copy in self.arrays:
            if not same(array, copy):
                return False
        try:
            return bool(self.filled == self.contents)
        except Exception:                            # two arrays, which say number by number whether they are equal
            return False

    def same(self, other: Surroundings) -> bool:
        """Did two steps find the same?"""
        mine, theirs = ([*[v for *_, v in (*x.cells, *x.names, *x.slots, *x.arrays)], *[v for _, values in x.exact for v in values]]
                        for x in (self, other))
        try:
            return len(mine) == len(theirs) and all(map(same, mine, theirs)) and bool(self.copies == other.copies)
        except Exception:                            # as in hold
            return False

    def change(self) -> str:
        """What is not as it was, in words."""
        for name, cell, value in self.cells:
            if not same(_contents(cell), value):
                return _changed(name, _contents(cell), value)
        for names, name, value in self.names:
            if not same(names.get(name, MISSING), value):
                return _changed(name, names.get(name, MISSING), value)
        for x, name, value in self.slots:
            if not same(getattr(x, name, MISSING), value):
                return _changed(f"{type(x).__name__}.{name}", getattr(x, name, MISSING), value)
        for name, array, copy in self.arrays:
            if not same(array, copy):
                return f"{name} has other numbers"
        for owner, live, copy in zip(self.owners, self.live, self.copies, strict=True):
            if isinstance(live, (set, deque)):
                if live != copy:
                    return f"{owner} has other things in it"
                continue
            now, then = dict(_items(live)), dict(_items(copy))
            for key in {**now, **then}:
                if not same(now.get(key, MISSING), then.get(key, MISSING)):
                    return _changed(f"{owner}.{key}".lstrip("."), now.get(key, MISSING), then.get(key, MISSING))
        return ""

    def drawn(self) -> str:
        """From which generator of Python's or NumPy's the step has drawn, if from one."""
        return next((name for name, x, before in self.sources if _standing(x) != before), "")

    def open(self) -> None:
        """Put arrays in the place of what a recording has left of its own in containers."""
        for live in self.live:
            for k, v in _items(live):
                if isinstance(v, Recorded) or (isinstance(v, tuple) and any(isinstance(p, Recorded) for p in v)):
                    live[k] = mapped(v, Recorded, lambda r: r.array)


def _items(x: Any) -> list[tuple[Any, Any]]:
    return list(x.items() if hasattr(x, "items") else enumerate(x))


def fixed(x: Any) -> bool:
    """Is it a function or a class of a package that holds nothing that changes?"""
    return str(x.__module__).partition(".")[0] in FIXED


def _standing(source: Any) -> bytes:
    try:
        return pickle.dumps(source)
    except Exception:                                # the operating system's random numbers stand nowhere
        return b""


def _shared_sources() -> list[tuple[str, Any]]:
    """The generators behind the functions of Python's `random` and of NumPy's."""
    found = [("random", random.getstate.__self__)]  # type: ignore[attr-defined]
    if "numpy.random" in sys.modules:
        found.append(("numpy.random", sys.modules["numpy.random"].get_state.__self__))
    return found


def _contents(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:                               # not set yet
        return MISSING


def _changed(name: str, now: Any, then: Any) -> str:
    if MISSING not in (now, then) and type(now) is type(then) and not isinstance(now, PLAIN):
        remedy = ": change it in place, return it from the step, or pass it as an argument" * isinstance(now, Tensor)
        return f"{name} is another {type(now).__name__} than it was{remedy}"
    return f"{name} is {_said(now)}, it was {_said(then)}"


def _said(x: Any) -> str:
    return "not there" if x is MISSING else f"{x!r:.40}" if isinstance(x, PLAIN) else f"a {type(x).__name__}"


@functools.cache
def _globals(code: types.CodeType) -> tuple[str, ...]:
    """The global names that a function and those written inside it read."""
    names = [i.argval for i in dis.get_instructions(code) if i.opname in ("LOAD_GLOBAL", "LOAD_NAME")]
    for inner in _within(code):
        names += _globals(inner)
    return tuple(dict.fromkeys(names))


@functools.cache
def _attributes(code: types.CodeType) -> tuple[str, ...]:
    """The names of attributes that a function and those written inside it read."""
    return tuple(dict.fromkeys([*code.co_names, *[name for inner in _within(code) for name in _attributes(inner)]]))


def _within(code: types.CodeType) -> list[types.CodeType]:
    return [inner for inner in code.co_consts if isinstance(inner, types.CodeType)]
