"""Program: a log made ready to run again, as straight lines of Python.

Views are taken once, results go into memory that is there already, and what follows from constants alone is computed now. What
is left is a function without a question in it; `source` shows it. A line whose function has no place for a result is
called as it was.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .. import backend
from ..backend import loops, preallocated
from ..backend.preallocated import NEW
from ..tensor import Tensor, wrap
from ..trees import mapped
from . import graphs, rows, stepping
from .alike import same
from .log import Call, Log, Value, values_in
from .memory import Memory, size
from .recording import AsItIs, Draw, set_gradient

UNCHANGED = {"asarray", "cast", "reshape", "permute", "expand", "detach"}     # of F: what gives back its argument does only that
FOLDED = {"ones_like", "zeros_like", "full", "new", "count", "arange"}        # of F: the same array at each call

LARGEST = 1 << 20                        # bytes of a result that is put into memory of ours: that of larger ones is given back after use


class Changed(Exception):
    """A number that Python had seen while recording came out otherwise. The argument is the line's number."""


class Program:
    """A recorded step. `run(arguments)` does it again; it returns the arrays of `outputs`."""

    def __init__(self, log: Log, arguments: Sequence[Tensor], outputs: Sequence[Value]) -> None:
        self.log, self.arguments, self.outputs = log, arguments, list(outputs)
        self.calls = hoisted(log.calls)
        self.native = all(backend._owners[v.kind] == "numpy" for v in log.values)
        self.ready: dict[Value, Any] = {v: v.array for v in log.values if v.origin in ("kept", "constant")}
        self.folded = {v for v in log.values if v.origin == "constant"}
        self.names: dict[str, Any] = {"Changed": Changed, "wrap": wrap, "same": same, "asarray": _asarray, "copy": _copy, "step": None, "tensors": None,
                                      "given": None}
        self.draft: list[rows.Line] = []
        self.checks: dict[int, str] = {}     # the calls after which a replay may be left
        self.captured = graphs.possible(log)
        self.steady: set[Value] = set()      # of the local ones, those that lie in the same way at each replay
        self.local: set[Value] = set() if self.captured else {v for v in log.values if v.origin in ("argument", "gradient")}
        self._named: dict[int, str] = {}
        self.survey()
        self.memory = Memory()
        self.prologue()
        for i, call in enumerate(self.calls):
            self.line(i, call)
            self.release(i)
        returned = "".join(f"copy({v}), " if self.captured else f"asarray({v}), " if v in self.local else f"{v}, " for v in self.outputs)
        self.emit(f"return ({returned})", True)
        if self.native and loops.available():
            self.draft = rows.joined(self.draft, self.ready, self.names)
        self.lines = [line.text for line in self.draft]
        self.hosted = [line.host for line in self.draft]      # of each line: must Python do it at each replay, on a GPU too?
        for v, array in self.ready.items():
            self.names[str(v)] = array
        self.source = "def step(tensors):\n    " + "\n    ".join(self.lines)
        exec(compile(self.source, "<replay>", "exec"), self.names)
        self.run: Callable[[Sequence[Tensor]], tuple[Any, ...]] = graphs.Graphs(self) if self.captured else self.names["step"]
        self.early = self.calls[:max(self.checks, default=-1) + 1]

    # ------------------------------------------------------------------------------------------- before
    def survey(self) -> None:
        """When each value is used last, which are written to, and which outlive the step."""
        self.written: set[Value] = set()
        self.last: dict[Value, int] = {}
        self.fresh = {v.root for v in self.outputs}
        self.pinned: set[Value] = {*self.outputs}
        for i, call in enumerate(self.calls):
            for v in (*call.inputs(), *values_in(call.out)):
                self.last[v] = self.last[v.root] = i
            if call.out is None and _name(call.function) != "require":         # which looks, and changes nothing
                self.written.update(v.root for v in call.inputs())
            elif call.writes is not None:
                self.written.add(call.writes.root)
            elif isinstance(call.out, Value) and call.out in call.inputs() and _name(call.function) not in UNCHANGED:
                self.written.add(call.out.root)
            if call.read or (call.out is None and call.writes is None):       # what Python looks at again at each replay of a graph
                self.pinned.update(v.root for v in call.inputs())
                self.pinned.update(call.inputs())
            if call.function is set_gradient and isinstance(call.args[2], Value):
                self.fresh.add(call.args[2].root)
        if self.native:
            self.known_gradients()

    def known_gradients(self) -> None:
        """To an optimizer's step the replay can hand the gradients that it has just given to all parameters."""
        given: dict[int, Any] = {}
        for i, call in enumerate(self.calls):
            if call.function is set_gradient:
                given[id(call.args[0])] = call.args[2]
            elif isinstance(call.function, AsItIs) and stepping.possible(call.function):
                params = [p for group in call.function.owner.param_groups for p in group["params"]]
                own = [p for p in params if given.get(id(p)) is not None]
                values = [given[id(p)] for p in own]
                if values and all(v.origin == "made" and v.shape for v in values):
                    others = [p for p in params if given.get(id(p)) is None]
                    self.calls[i] = Call(stepping.Stepping(call.function, own, others), tuple(values), {}, None)
                    self.last.update({u: max(i, self.last[u]) for v in values for u in (v, v.root)})         # more may be added to it yet

    def prologue(self) -> None:
        """The arrays that are looked up at each call."""
        numbers = {id(t): i for i, t in enumerate(self.arguments)}
        self.targets = {k: f"tensors[{i}]" for k, i in numbers.items()}
        for v in self.log.values:
            if v.origin in ("argument", "gradient") and any(u.root is v for u in self.last):
                of = self.tensor(v.source)
                if self.captured:            # a graph reads where it read when it was captured
                    self.ready[v] = _copy(v.source.array)
                    self.emit(f"{v}[...] = {of}.array", True)
                else:
                    self.emit(f"{v} = {of}.array" if v.origin == "argument" else f"{v} = {of}._grad.array", True)
                    if self.native and v not in self.written:
                        self.emit(f"if not {v}.flags.aligned: {v} = copy({v})", True)
                        self.steady.add(v)

    # ------------------------------------------------------------------------------------------- a line
    def line(self, i: int, call: Call) -> None:
        """Write the line of a call, unless it can be done now."""
        if call.function is set_gradient:
            self.gradient(*call.args)
        elif isinstance(call.function, AsItIs) or (call.out is None and call.writes is None):
            self.emit(self.called(call), True)
        elif call.out is None:
            self.statement(call)
        elif isinstance(call.function, Draw) and self.captured:
            self.ready[call.out] = _new(call.out)
            self.emit(f"{call.out}[...] = {self.called(call)}", True)
        elif call.read:
            self.check(i, f"not same({self.called(call)}, {self.text(call.out)})", True)
        elif not isinstance(call.out, Value):
            self.several(i, call)
        elif call.out in self.ready or call.out in self.local:
            if call.out.root in self.written or call.out in self.local:
                self.statement(call)
        elif not (self.view(call) or self.fold(call) or self.into(i, call)):
            self.local.add(call.out)
            text = self.called(call)             # of no axes it may come as a scalar of NumPy's; the recording had made an array of that
            self.emit(f"{call.out} = {text if call.out.shape else f'asarray({text})'}", reads=call.inputs(), writes=[call.out])
            if not _sure(call.function):
                self.check(i, f"{call.out}.shape != {call.out.shape}")

    def statement(self, call: Call) -> None:
        """A call that changes something."""
        found = preallocated.in_place(call.function, call.args) if self.native else None
        if found and isinstance(call.out, Value) and call.out in self.ready:
            self.placed(found[0], self.converted(found[1], call.out), {}, call.out)
        elif isinstance(call.out, Value) and call.out in self.local:
            self.emit(f"{call.out} = {self.called(call)}")
        else:
            self.emit(self.called(call))

    def several(self, i: int, call: Call) -> None:
        """A call with several results, of which those that are no arrays must stay the same."""
        spare: list[str] = []

        def name(x: Any) -> str:
            if isinstance(x, Value):
                self.local.add(x)
                spare.append(f"getattr({x}, 'shape', None) != {x.shape}")
                return str(x)
            if isinstance(x, (tuple, list)):
                return f"({', '.join(map(name, x))},)"
            spare.append(f"not same(x{len(spare)}, {self.text(x)})")
            return f"x{len(spare) - 1}"
        self.emit(f"{name(call.out)} = {self.called(call)}")
        for v in values_in(call.out):
            if not v.shape:
                self.emit(f"{v} = asarray({v})")
        self.check(i, " or ".join(spare))

    def view(self, call: Call) -> bool:
        """A view of memory that stays where it is is taken now."""
        out: Value = call.out
        if out.within is None or any(v not in self.ready for v in call.inputs()):
            return False
        array = self.now(call)
        if not backend.namespace(array).overlaps(array, self.ready[out.root]) or array.strides != out.strides:
            return False
        self.ready[out] = array
        return True

    def fold(self, call: Call) -> bool:
        """What follows from constants alone is computed now, unless somebody changes it or keeps it."""
        out: Value = call.out
        root = out.root
        if root in self.written or root in self.fresh:
            return False
        if _name(call.function) == "new" and (*call.args, None, None)[2] is None:
            return False
        if _name(call.function) not in FOLDED:
            known = self.native and preallocated.into(call.function, call.args, call.kwargs) is not None
            if not known or not self.folded.issuperset(call.inputs()):
                return False
        args, kwargs = mapped((call.args, call.kwargs), Value, lambda v: self.ready.get(v, v))       # a Value has a shape and a dtype, too
        self.ready[out] = _asarray(call.function(*args, **kwargs))
        self.folded.add(out)
        return True

    def into(self, i: int, call: Call) -> bool:
        """Let the result go into memory of ours, where the function can do that."""
        out: Value = call.out
        dense = preallocated.dense(out.shape, out.dtype, out.strides)
        if not self.native or not dense or out.within is not None or size(out) > LARGEST:
            return False
        if out in self.fresh:
            return self.anew(call)
        if _name(call.function) == "new" and (*call.args, None, None)[2] is None:      # whatever the memory holds
            self.ready[out] = self.memory.take(out, [])
            return True
        found = preallocated.into(call.function, call.args, call.kwargs)
        if found is None:
            return False
        function, args, kwargs, elementwise = found
        dying = [v for v in call.inputs() if self.last[v.root] == i and v is v.root] if elementwise else []
        self.ready[out] = self.memory.take(out, dying)
        args, kwargs = tuple(out if a is NEW else a for a in args), {k: out if a is NEW else a for k, a in kwargs.items()}
        self.placed(function, self.converted(args, out, elementwise), kwargs, out)
        return True

    def placed(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Value) -> None:
        """Write the line of a call that puts its result where `out` is."""
        call = Call(function, args, kwargs, None)
        arrays = (*args, *kwargs.values()) if kwargs else args
        self.emit(self.called(call), reads=call.inputs(), writes=[out], row=rows.row(function, arrays, self.ready, self.steady))

    def anew(self, call: Call) -> bool:
        """A result that outlives the step, in memory of its own."""
        out: Value = call.out
        found = preallocated.into(call.function, call.args, call.kwargs)
        if found is None:
            return False
        function, args, kwargs, elementwise = found
        args = tuple(out if a is NEW else a for a in (*args, *kwargs.values()))
        self.local.add(out)
        row = rows.row(function, self.converted(args, out, elementwise), self.ready, self.steady | {out})
        self.emit(f"{out} = {self.called(call)}", reads=call.inputs(), writes=[out], row=row)
        self.steady.add(out)
        return True

    def release(self, i: int) -> None:
        """Give back the memory of what was used for the last time."""
        used = [*self.calls[i].inputs(), *values_in(self.calls[i].out)]
        for v in dict.fromkeys([*used, *[v.root for v in used]]):
            if self.last[v] == i:
                self.memory.give(v)
                if v in self.local and v not in (self.pinned if self.captured else self.outputs):
                    self.emit(f"{v} = None", reads=[v])

    def gradient(self, t: Tensor, g: Tensor | None, value: Value | None) -> None:
        """`t.grad = g`: a new Tensor each time, as in eager mode."""
        of = self.tensor(t)
        if value is None:
            self.emit(f"{of}._grad = None", True, reads=[])
        elif value.origin != "made":
            self.emit(f"{of}._grad = {self.bound(g, 'g')}", True, reads=[])
        else:
            self.emit(f"{of}._grad = wrap({value})" if value.shape else f"{of}._grad = wrap(asarray({value}))", True, reads=[value])

    # ------------------------------------------------------------------------------------------- as text
    def emit(self, text: str, host: bool = False, reads: Iterable[Value] | None = None, writes: Iterable[Value] = (),
             row: Any = None) -> None:
        memory = functools.partial(rows.memory_of, ready=self.ready)
        self.draft.append(rows.Line(text, host, None if reads is None else frozenset(map(memory, reads)), frozenset(map(memory, writes)), row))

    def check(self, i: int, text: str, host: bool = False) -> None:
        """Write a line that leaves the replay if something is not as it was recorded."""
        self.checks[i] = self.calls[i].text()
        self.emit(f"if {text}: raise Changed({i})", host)

    def tensor(self, t: Tensor) -> str:
        return self.targets.get(id(t)) or self.bound(t, "t")

    def called(self, call: Call) -> str:
        """A call as text."""
        parts = [*map(self.text, call.args), *(f"{k}={self.text(v)}" for k, v in call.kwargs.items())]
        return f"{self.bound(call.function, _name(call.function))}({', '.join(parts)})"

    def text(self, x: Any) -> str:
        """An argument as text: a name for what has no plain one."""
        if isinstance(x, Value):
            return str(x)
        if x is None or x is Ellipsis or type(x) in (bool, int, str):
            return repr(x)
        if type(x) is float and abs(x) < 1e300:
            return repr(x)
        if type(x) is tuple:
            return f"({', '.join(map(self.text, x))}{',' if len(x) == 1 else ''})"
        if type(x) is list:
            return f"[{', '.join(map(self.text, x))}]"
        if type(x) is slice:
            return f"slice({self.text(x.start)}, {self.text(x.stop)}, {self.text(x.step)})"
        return self.bound(x, "c")

    def bound(self, x: Any, wanted: str) -> str:
        """The name under which the program knows an object."""
        if id(x) not in self._named:
            name = base = re.sub(r"\W", "_", wanted)
            count = 0
            while name in self.names or re.fullmatch(r"[vx]\d+", name):
                count += 1
                name = f"{base}{count}"
            self.names[name] = x
            self._named[id(x)] = name
        return self._named[id(x)]

    def now(self, call: Call) -> Any:
        """What a call on arrays that are there gives."""
        args, kwargs = mapped((call.args, call.kwargs), Value, self.ready.__getitem__)
        return call.function(*args, **kwargs)

    def converted(self, args: tuple[Any, ...], out: Value, elementwise: bool = True) -> tuple[Any, ...]:
        """The numbers among the arguments as arrays of the float dtype that all the others have: a call takes half the time."""
        args = tuple(self.constant(a) if backend.is_array(a) else a for a in args)
        kinds = {a.dtype for a in args if isinstance(a, Value) and a is not out} or {out.dtype}
        if not elementwise or len(kinds) > 1 or (dtype := kinds.pop()).char not in "fd":
            return args
        return tuple(self.constant(preallocated.number(a, dtype)) if type(a) in (int, float) else a for a in args)

    def constant(self, array: Any) -> Value:
        value = Value(len(self.log.values), array, "constant")
        self.log.values.append(value)
        self.ready[value] = value.array
        return value


def hoisted(calls: list[Call]) -> list[Call]:
    """Those reads first that look at arguments alone, or at views of them, before anything has been changed: a replay that turns out
    otherwise is then off before it began."""
    if any(c.writes is not None and c.writes.root.origin == "argument" for c in calls):
        return list(calls)
    views: dict[Any, Call] = {}                                          # of arguments, and of their views: the call that takes it
    early: dict[int, Call] = {}
    for call in calls:
        if not all(v.origin == "argument" or v in views for v in call.inputs()):
            continue
        if isinstance(call.out, Value) and call.out.within is not None and call.out.root.origin == "argument" and call.out not in call.inputs():
            views[call.out] = call
        elif call.read:
            needed, steps = call.inputs(), [call]
            while needed:
                if (taken := views.get(needed.pop())) is not None:
                    steps.append(taken)
                    needed += taken.inputs()
            early |= {id(c): c for c in reversed(steps)}
    return [*early.values(), *[c for c in calls if id(c) not in early]]


def _name(function: Any) -> str:
    return getattr(function, "__name__", type(function).__name__)


def _sure(function: Any) -> bool:
    """Does the result have the same shape whatever the numbers are?"""
    return isinstance(function, Draw) or preallocated.plain(function) or _name(function) in UNCHANGED | FOLDED


def _asarray(x: Any) -> Any:
    return x if backend.is_array(x) else backend.namespaces[type(x)].asarray(x)


def _copy(array: Any) -> Any:
    return backend.namespace(array).copy(array)


def _new(v: Value) -> Any:
    return backend.load(backend._owners[v.kind]).F.new(v.shape, v.dtype)
