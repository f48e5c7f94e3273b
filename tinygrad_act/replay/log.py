"""The log of one step: each call that was made on arrays, with what went in and what came out."""

from __future__ import annotations

import contextlib
import sys
import threading
import weakref
from collections.abc import Generator
from pathlib import Path
from types import FrameType
from typing import Any

from .. import backend
from ..errors import PACKAGE, user_line
from ..nn.module import Module
from ..trees import mapped
from .recorded import Recorded

READS = {"item", "tolist", "numpy", "array", "bool", "int", "float", "index", "format", "repr", "str"}     # by them the user reads a number
AROUND = {"call", "method", "function", "run", "wrapper"}                   # what functions of the library are wrapped in


class Value:
    """An array of the log: what is known of it before it is there again.

    `origin` says where it comes from: "argument" or "gradient" (looked up at each call), "kept" (the same array each time: a
    parameter), "constant", "made". `within` is the value in whose memory it lies, if not its own.
    """

    __slots__ = ("array", "dtype", "index", "kind", "origin", "shape", "source", "strides", "within")

    def __init__(self, index: int, array: Any, origin: str, within: Value | None = None, source: Any = None) -> None:
        self.index, self.origin, self.within, self.source = index, origin, within, source
        self.kind, self.shape, self.dtype, self.strides = type(array), array.shape, array.dtype, array.strides
        self.array = array if origin in ("kept", "constant") else None

    @property
    def root(self) -> Value:
        """The value that owns its memory."""
        return self if self.within is None else self.within.root

    def __repr__(self) -> str:
        return f"v{self.index}"


class Call:
    """One line: a function, its arguments (Values where they were arrays), what came out, which value was written to.

    A `read` is a call whose result Python saw: it must come out the same again, or the step would have gone another way. `where`
    is the line of the user's that led to it, and `by` what of the library's was called there, for a read.
    """

    __slots__ = ("args", "by", "function", "kwargs", "out", "read", "where", "writes")

    def __init__(self, function: Any, args: Any, kwargs: Any, out: Any, writes: Value | None = None, read: bool = False, where: str = "") -> None:
        self.function, self.args, self.kwargs, self.out, self.writes, self.read = function, args, kwargs, out, writes, read
        self.where, self.by = where, reader() if read else ""

    @property
    def name(self) -> str:
        """What it is called."""
        return getattr(self.function, "__name__", type(self.function).__name__)

    def text(self) -> str:
        """In words, for reports: what must come out as it did."""
        if not self.read:
            return f"the result of {self.name} at {self.where}, of shape {getattr(self.out, 'shape', '()')} when it was recorded,"
        return f"{self.number()}, {shown(self.out)} when it was recorded,"

    def number(self) -> str:
        """Of a read, in words: the number, and who looks at it if that is not the user."""
        return f"the number {'read' if self.by in READS else f'that {self.by} reads'} at {self.where}"

    def too_late(self, step: str) -> str:
        """Of a read after an optimizer's step, in words: what to write instead, and why."""
        if self.by not in READS:
            return (f"{self.by} reads a number at {self.where}, after {step}, which cannot be taken back if the number is another one: call it "
                    "before, or outside of what is compiled")
        if self.by == "bool":
            return f"decide before {step}, or outside: a number is read at {self.where}, after the step, which cannot be taken back"
        return f"return the loss, and call .item() outside: a number is read at {self.where}, after {step}, which cannot be taken back"

    def differs(self, other: Call) -> str:
        """In words, what another recording of the same line has otherwise, and what to write instead."""
        if self.read and other.read and self.where == other.where:
            each = f"{self.number()} is another at each step ({shown(self.out)}, {shown(other.out)})"
            if self.by not in READS:
                return f"{each}: call {self.by} outside of what is compiled"
            return f"{each}: to decide by it, compare the Tensor itself (`if loss > 1`, without .item()); to see it, return the Tensor"
        if self.name == other.name:
            for a, b in zip(_leaves((self.args, self.kwargs)), _leaves((other.args, other.kwargs)), strict=False):
                if isinstance(a, (int, float)) and isinstance(b, (int, float)) and repr(a) != repr(b):
                    return (f"{self.name} at {self.where} is given a number that is another at each step ({a}, {b}): pass it as an argument that is "
                            "a Tensor, ta.tensor(k)")
            if isinstance(self.out, Value) and isinstance(other.out, Value) and self.out.shape != other.out.shape:
                return (f"the result of {self.name} at {self.where} has another shape at each step ({self.out.shape}, {other.out.shape}): "
                        "with a mask, ta.where, or a product with the mask, keeps the shape")
        return f"the step does {self.name} at {self.where}, and the next time {other.name} at {other.where}"

    def inputs(self) -> list[Value]:
        """The values that it reads."""
        return values_in((self.args, self.kwargs))


def shown(x: Any) -> str:
    """A result that Python saw, in short."""
    return f"{plain(x)!s:.30}"


def plain(x: Any) -> Any:
    """An array as Python's numbers."""
    return x.tolist() if backend.is_array(x) else x


def reader() -> str:
    """What of the library's looks at a number: the layer, or the function that the user's line calls (`item`, `clip_grad_norm_`)."""
    frame: FrameType | None = sys._getframe(1)
    name = layer = ""
    while frame is not None and frame.f_code.co_filename.startswith((PACKAGE, "<frozen")):
        name = name if name and frame.f_code.co_name in AROUND else frame.f_code.co_name
        owner = frame.f_locals.get("self")
        if not layer and isinstance(owner, Module):
            layer = type(owner).__name__
        frame = frame.f_back
    return layer or (name.strip("_") if name.startswith("_") else name)


def _line() -> str:
    return Path(user_line()).name


def _leaves(x: Any) -> list[Any]:
    if isinstance(x, slice):
        return [x.start, x.stop, x.step]
    parts = x.values() if isinstance(x, dict) else x if isinstance(x, (tuple, list)) else None
    return [x] if parts is None else [leaf for part in parts for leaf in _leaves(part)]


def values_in(x: Any) -> list[Value]:
    """All Values within tuples, lists, dicts and slices."""
    if isinstance(x, Value):
        return [x]
    if isinstance(x, slice):
        return values_in((x.start, x.stop, x.step))
    parts = x.values() if isinstance(x, dict) else x if isinstance(x, (tuple, list)) else ()
    return [v for part in parts for v in values_in(part)]


class Log:
    """What a recording writes down. `problems` says why the step cannot be replayed, if so."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.values: list[Value] = []
        self.problems: list[str] = []
        self.paused = False
        self.shared: set[Value] = set()
        self.results: dict[int, Value] = {}                     # id(Tensor that the step returns) -> its value
        self.thread = threading.get_ident()
        self.kinds: dict[type, type] = {}                       # array type -> its Recorded
        self._known: weakref.WeakValueDictionary[int, Recorded] = weakref.WeakValueDictionary()     # id(array) -> its Recorded
        self._owners: dict[int, tuple[Any, Value]] = {}         # id(owner) -> (weak reference to it, the value that is in it)

    def here(self) -> bool:
        """Is this thread the one that is recorded, and not paused?"""
        return not self.paused and threading.get_ident() == self.thread

    @contextlib.contextmanager
    def pause(self) -> Generator[None]:
        """What is done inside is done on the arrays themselves, and not logged."""
        self.paused, before = True, self.paused
        try:
            yield
        finally:
            self.paused = before

    def problem(self, text: str) -> None:
        """Note that the step cannot be replayed."""
        if text not in self.problems:
            self.problems.append(text)

    # -------------------------------------------------------------------------------------------- arrays
    def enter(self, array: Any, origin: str = "made", source: Any = None) -> Recorded:
        """The Recorded of an array: its own if it has one, else a new value."""
        known = self.known(array)
        if known is not None:
            return known
        owner = backend.namespace(array).owner(array)
        reference, within = self._owners.get(id(owner), (None, None))
        if reference is None or reference() is not owner:
            within = None
        value = Value(len(self.values), array, origin, within if origin == "made" else None, source)
        if within is not None and origin != "made":             # lies where something else from before the step does
            self.shared |= {within.root, value}
        self.values.append(value)
        if within is None:
            self._owners[id(owner)] = (weakref.ref(owner), value)
        recorded: Recorded = self.kinds[type(array)](array, value, self)
        self._known[id(array)] = recorded
        return recorded

    def known(self, array: Any) -> Recorded | None:
        """The Recorded that the array has."""
        known = self._known.get(id(array))
        return known if known is not None and known.array is array else None

    def out(self, x: Any) -> Any:
        """A result with its arrays as Recorded; NumPy's scalars become 0-d arrays."""
        if type(x) in self.kinds:
            return self.enter(x)
        if isinstance(x, (tuple, list)):
            parts = [self.out(p) for p in x]
            return type(x)(*parts) if hasattr(x, "_fields") else type(x)(parts)
        if type(x) in backend.namespaces and not isinstance(x, Recorded):      # a scalar of NumPy's
            return self.enter(backend.namespaces[type(x)].asarray(x))
        return x

    @staticmethod
    def bare(x: Any) -> Any:
        """`x` with the arrays that are inside Recorded ones."""
        return mapped(x, Recorded, lambda r: r.array)

    def values_of(self, x: Any) -> Any:
        """`x` with Values for arrays. One that nobody has seen being made could be another one at the next step."""
        if self.kinds:
            x = mapped(x, tuple(self.kinds), self._stray)  # type: ignore[arg-type]
        return mapped(x, Recorded, lambda r: r.value)

    def _stray(self, array: Any) -> Any:
        if id(array) not in self._known:
            self.problem(f"an array of shape {array.shape} comes from outside what is recorded: make a Tensor of it before, and pass that as an argument")
        return self.enter(array, "constant")

    # -------------------------------------------------------------------------------------------- calls
    def call(self, function: Any, *args: Any, writes: Any = None, **kwargs: Any) -> Any:
        """Make a call on the arrays inside, and log it."""
        if not self.here():
            return function(*self.bare(args), **self.bare(kwargs))
        with self.pause():
            result = function(*self.bare(args), **self.bare(kwargs))
        given = self.values_of(args), self.values_of(kwargs)
        out = self.out(result)
        outs = self.values_of(out)
        plain = not values_in(outs)
        written = writes.value if isinstance(writes, Recorded) else None
        if written is not None and written.root.origin == "constant":
            self.problem("a constant is changed in place")
        read = plain and result is not None and written is None and bool(values_in(given))
        self.calls.append(Call(function, *given, outs, written, read, _line()))
        return out

    def read(self, function: Any, array: Recorded) -> Any:
        """A number (or a list of them) that Python sees: the step is replayed as long as it stays the same."""
        result = function(array.array)
        if self.here():
            self.calls.append(Call(function, (array.value,), {}, result, None, True, _line()))
        return result

    def note(self, function: Any, *args: Any) -> None:
        """Log what is to be done at that point of a replay, besides calls on arrays."""
        self.calls.append(Call(function, self.values_of(args), {}, None, where=_line()))
