"""Surroundings: what a step reads besides its arguments, as far as it can be seen, and whether that is as it was."""

from __future__ import annotations

import dis
import functools
import operator
import types
from collections.abc import Sequence
from typing import Any

from ..nn.hooks import Hooks
from ..nn.module import KINDS, Module
from ..ops.random import Generator
from ..optim.lr_scheduler.base import LRScheduler
from ..optim.optimizer import Optimizer
from ..tensor import Tensor

PACKAGE = __name__.partition(".")[0]
# What does its own work at each replay, or has nothing in it that a step could read.
SKIPPED = (Optimizer, LRScheduler, Generator, type, types.ModuleType, types.BuiltinFunctionType)
MOST = 20_000                            # objects to look at: beyond, nobody would wait for the search
MISSING = object()


class Surroundings:
    """Functions, the modules and containers they lead to, and all Tensors in them.

    A step's function is asked for the cells of its closure, the global names it reads, its defaults and what it is a method
    of; objects for their attributes, containers for what is in them.
    """

    def __init__(self, function: Any, objects: Sequence[Any] = ()) -> None:
        self.tensors: dict[int, Tensor] = {}
        self.modules: list[Module] = []
        self.cells: list[tuple[str, Any, Any]] = []
        self.globals: list[tuple[dict[str, Any], str, Any]] = []
        self.owners: list[str] = []                  # of `live`: what each is called
        self.live: list[Any] = []                    # containers, as they are
        self.copies: list[Any] = []                  # and as they were
        self._seen: dict[int, Any] = {}
        self._root = getattr(function, "__func__", function)
        stack: list[tuple[str, Any]] = [("", function), *[(f"the {type(x).__name__}", x) for x in objects]]
        while stack and len(self._seen) < MOST:
            name, x = stack.pop()
            if id(x) not in self._seen:
                self._seen[id(x)] = x                # kept, so that the id stays its own
                stack += self.inside(name, x)

    def inside(self, name: str, x: Any) -> list[tuple[str, Any]]:
        """What `x` leads to, by name; notes what must stay as it is."""
        if isinstance(x, Tensor):
            self.tensors[id(x)] = x
            return []
        if isinstance(x, SKIPPED) or x is None or isinstance(x, (int, float, str, bytes)):
            return []
        if isinstance(x, types.FunctionType):
            return self.of_function(x) if x is self._root or x.__module__.partition(".")[0] != PACKAGE else []
        if isinstance(x, types.MethodType):
            return [(name, x.__self__), (name, x.__func__)]
        if isinstance(x, functools.partial):
            return [(name, x.func), (name, x.args), (name, x.keywords)]
        if isinstance(x, (list, tuple, dict)):
            if not isinstance(x, tuple):
                self.watch(name, x)
            pairs = x.items() if isinstance(x, dict) else enumerate(x)
            return [(f"{name}[{k!r}]", v) for k, v in pairs]
        if type(x).__module__.startswith(__package__):       # a compiled function within
            return [(name, x.function)]
        own = getattr(x, "__dict__", None)
        if not isinstance(own, dict):
            return []
        self.watch(name, own)
        found = [(f"{name}.{k}", v) for k, v in own.items() if k not in KINDS and not isinstance(v, Hooks)]
        if isinstance(x, Module):
            self.modules.append(x)
            for kind in KINDS:
                self.watch(name, own[kind])
                found += [(f"{name}.{k}", v) for k, v in own[kind].items()]
            for k, v in own.items():
                if isinstance(v, Hooks):
                    self.watch(f"{name}.{k}", v)
        for cls in type(x).__mro__:                  # methods of the user's classes read globals, too
            if cls.__module__.partition(".")[0] not in (PACKAGE, "builtins"):
                found += [(f"{cls.__name__}.{k}", v) for k, v in vars(cls).items() if isinstance(v, (types.FunctionType, int, float, str))]
        return found

    def of_function(self, function: Any) -> list[tuple[str, Any]]:
        """The cells, globals and defaults of a function."""
        found: list[tuple[str, Any]] = []
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
            value = _contents(cell)
            self.cells.append((name, cell, value))
            found.append((name, value))
        for name in _globals(function.__code__):
            value = function.__globals__.get(name, MISSING)
            if value is not MISSING:
                self.globals.append((function.__globals__, name, value))
                found.append((name, value))
        return [*found, ("", function.__defaults__), ("", function.__kwdefaults__)]

    def watch(self, name: str, container: Any) -> None:
        """Remember what is in a container."""
        self.owners.append(name)
        self.live.append(container)
        self.copies.append(dict(container) if isinstance(container, dict) else list(container))

    # ------------------------------------------------------------------------------------------- later
    def hold(self) -> bool:
        """Is all of it as it was?"""
        for _, cell, value in self.cells:
            if cell.cell_contents is not value and not _equal(cell.cell_contents, value):
                return False
        for names, name, value in self.globals:
            if names.get(name) is not value and not _equal(names.get(name), value):
                return False
        try:
            return bool(self.live == self.copies)
        except Exception:                            # two arrays, which say number by number whether they are equal
            return False

    def same(self, other: Surroundings) -> bool:
        """Did two steps find the same?"""
        mine, theirs = ([v for *_, v in (*x.cells, *x.globals)] for x in (self, other))
        try:
            return len(mine) == len(theirs) and all(map(_equal, mine, theirs)) and bool(self.copies == other.copies)
        except Exception:                            # as in hold
            return False

    def change(self) -> str:
        """What is not as it was, in words."""
        for name, cell, value in self.cells:
            if not _equal(_contents(cell), value):
                return f"{name} is {_said(_contents(cell))}, it was {_said(value)}"
        for names, name, value in self.globals:
            if not _equal(names.get(name), value):
                return f"{name} is {_said(names.get(name))}, it was {_said(value)}"
        for owner, live, copy in zip(self.owners, self.live, self.copies, strict=True):
            if not isinstance(live, dict):
                live, copy = dict(enumerate(live)), dict(enumerate(copy))
            for key in {**live, **copy}:
                now, then = live.get(key, MISSING), copy.get(key, MISSING)
                if not _equal(now, then):
                    return f"{owner}.{key} is {_said(now)}, it was {_said(then)}".lstrip(".")
        return ""


def _equal(a: Any, b: Any) -> bool:
    return a is b or (type(a) is type(b) and isinstance(a, (int, float, str, bool, tuple)) and _plainly(a, b))


def _plainly(a: Any, b: Any) -> bool:
    try:
        return bool(operator.eq(a, b))
    except Exception:                                # of what is in tuples
        return False


def _contents(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:                               # not set yet
        return MISSING


def _said(x: Any) -> str:
    return "not there" if x is MISSING else f"{x!r:.40}" if isinstance(x, (int, float, str, bool, type(None))) else f"another {type(x).__name__}"


@functools.cache
def _globals(code: types.CodeType) -> tuple[str, ...]:
    """The global names that a function and those written inside it read."""
    names = [i.argval for i in dis.get_instructions(code) if i.opname in ("LOAD_GLOBAL", "LOAD_NAME")]
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            names += _globals(inner)
    return tuple(dict.fromkeys(names))
